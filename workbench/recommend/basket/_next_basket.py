"""What the trained next-basket recommenders share: everything but the network.

Scores and losses are the network's own (`scores`, `losses`, `loss_from`); questions and batches are
those of `_examples.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.data import Histories, Interactions
from workbench.errors import DataError
from workbench.recommend._owners import Axes
from workbench.recommend.basket._baskets import Baskets
from workbench.recommend.basket._examples import BasketBatch, BasketExamples
from workbench.recommend.evaluation import joined_logs
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.trained import TrainedModel
from workbench.recommend.training import no_losses

SCORED = 64  # histories scored at a time


class BasketNetwork(nn.Module):
    """A network that reads batches of index arrays."""

    def put(self, array: np.ndarray) -> torch.Tensor:
        """An array beside the weights."""
        return torch.as_tensor(array, device=next(self.parameters()).device)

    def losses(self, read: BasketBatch) -> torch.Tensor:
        """The loss of each question; (E,). A method may have a quicker way than all scores."""
        return self.loss_from(self.scores(read), read)


class NextBasket(TrainedModel):
    """What DNNTSP and Sets2Sets share; a method names its `Config` and its `Network`.

    `Network(config, n_items)` is a `BasketNetwork` with `n_items`, `per_item` (parameters that have
    an entry per item, and along which axes), `represent(read) -> (E, d)`, `scores(read) -> (E,
    n_items)` and `loss_from(scores, read) -> (E,)`. `Config` has `training` (a batch
    counts questions), `max_baskets` and `targets`.

    Validation asks for the last basket of each user of `valid`, from all baskets of the user before
    it, in `log` and `valid` together: the users of `valid` may be those of `log`, with their next
    baskets, or others with all of theirs.
    """

    repeats = True

    @property
    def per_item(self) -> Axes:
        """As the network says."""
        return self.Network.per_item

    def examples(
        self,
        log: Interactions,
        users: np.ndarray | None = None,
        epoch: int = 0,
        like: BasketExamples | None = None,
    ) -> BasketExamples:
        """The questions of these users: their last basket, or every one with a basket before it, as
        `targets` says. Nothing is drawn, so that all epochs have the same.

        like: questions from whose first baskets on the same ones are read, as far as they are left.
        With `targets="last"` a user whose last basket is gone is asked for the one before it.
        """
        self.check(log)
        histories = log.histories(users)
        made = BasketExamples.of(
            histories, self.config.max_baskets, self.config.targets, log.index_fingerprint
        )
        return made if like is None else made.aligned(like)

    def loss(self, examples: BasketExamples) -> torch.Tensor:
        """One loss a question; (E,), perhaps none."""
        module = fitted(self.module, self)
        if not len(examples):
            return no_losses(module)
        return module.losses(examples.batch)

    def loss_from(self, logits: torch.Tensor, examples: BasketExamples) -> torch.Tensor:
        """The loss of each question as its network makes it of scores, (E, n_items) -> (E,). That
        is all of the loss."""
        return self.module.loss_from(logits, examples.batch)

    def represent(self, histories: Histories) -> torch.Tensor:
        """What the network makes of whole histories; (B, d), float32, with its graph."""
        check_items(histories, fitted(self.module, self).n_items, self.bound, users=False)
        return self.module.represent(self._asked(histories).batch)

    def history_logits(self, histories: Histories) -> torch.Tensor:
        """Scores of the basket to come; (B, n_items)."""
        check_items(histories, self.module.n_items, self.bound, users=False)
        return self.module.scores(self._asked(histories).batch)

    def example_logits(self, examples: BasketExamples) -> torch.Tensor:
        """Scores of each question; (E, n_items)."""
        return self.module.scores(examples.batch)

    def parts(self, histories: Histories) -> list[np.ndarray]:
        """Histories that read a like number of baskets together. Raises `DataError` for an empty
        history or rows without basket."""
        check_items(histories, self.module.n_items, self.bound, users=False)
        asked = self._asked(histories)
        order = np.argsort(asked.end - asked.first, kind="stable")
        return np.split(order, np.arange(SCORED, len(order), SCORED)) if len(order) else []

    def questions(self, log: Interactions, valid: Interactions) -> tuple[Any, ...]:
        """The last baskets of the users of `valid`, after all that was before; nothing is left
        out."""
        log, valid = log.deeds, valid.deeds
        users = np.unique(valid.frame["user"])
        both = joined_logs(log.select(np.isin(log.frame["user"], users)), valid)
        histories = both.histories(users)
        baskets = Baskets.of(histories)
        last = baskets.offsets[1:] - 1
        rows = np.flatnonzero(np.diff(baskets.offsets) > 1)
        rows = rows[: self.config.training.validation_users]
        if not len(rows):
            raise DataError(
                "no user has two baskets", "valid", "a basket to ask for and one before it"
            )
        before = histories.keep(baskets.age[baskets.basket[baskets.cell]] > 0).select(rows)
        return before, baskets.matrix()[last[rows]], None

    def _asked(self, histories: Histories) -> BasketExamples:
        return BasketExamples.of(histories, self.config.max_baskets, "none")
