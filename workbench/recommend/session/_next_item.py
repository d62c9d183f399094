"""What the trained next-item recommenders share: everything but the network.

    ℓ(s₁ … sₜ → sₜ₊₁) = −log softmax(E h(s₁ … sₜ))[sₜ₊₁]        E: the item table; full softmax, no sampled negatives

A method's file brings a config and a network h. Quick because all targets of a window come out of
one pass (`_windows.py`), inputs of like length share a batch, and the softmax is computed once per
target, in chunks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from workbench.data import Histories, Interactions
from workbench.recommend.evaluation import next_items
from workbench.recommend.protocol import check_filled, check_items, fitted
from workbench.recommend.session._windows import Windows, last_windows, windows
from workbench.recommend.softmax import full_softmax
from workbench.recommend.trained import TrainedModel
from workbench.recommend.training import no_losses

SCORED = 512  # histories scored at a time, about


class Reader(nn.Module):
    """What every network of the family reads with: the items' embedding, and that of the actions
    where the config uses them, both padded by their last row."""

    def __init__(self, config: Any, length: int, n_items: int, n_actions: int) -> None:
        super().__init__()
        self.item = nn.Embedding(n_items + 1, length, padding_idx=n_items)
        self.action = None
        if config.use_actions:
            self.action = nn.Embedding(n_actions + 1, length, padding_idx=n_actions)

    def blank(self) -> None:
        """Padding says nothing, and actions nothing yet: begin as the model that reads none."""
        nn.init.zeros_(self.item.weight[-1])
        if self.action is not None:
            nn.init.zeros_(self.action.weight)

    def read(self, items: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """The vectors of (B, L) codes; (B, L, length)."""
        return self.item(items) if self.action is None else self.item(items) + self.action(actions)


class NextItem(TrainedModel):
    """What GRU4Rec, NARM, SASRec and SR-GNN share; a method names its `Config` and its `Network`.

    A row of the histories is a sequence (`log.by_session()` makes one of every session).
    `Network(config, n_items, n_actions)` is a `Reader` with `forward(items (B, L), actions (B, L),
    asked (B, L)) -> (n, d)`: for every asked position, in row order, what the positions up to it
    say; inputs are padded on the right with n_items. `Config` has `training`, `max_length`,
    `stride`, `prefixes` and `use_actions`.
    """

    saved = ("n_items", "actions")
    per_item: ClassVar = {"item.weight": (0,)}

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions, as the model numbers them."""
        return fitted(self.shape, self)["actions"]

    def sizes(self, log: Interactions) -> dict[str, Any]:
        """Items of the index, and the actions of the log."""
        return super().sizes(log) | {
            "actions": tuple(map(str, log.deeds.frame["action"].cat.categories)),
        }

    @classmethod
    def sizes_of(cls, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """What `keep` wrote."""
        names = arrays["actions"].tobytes().decode()
        actions = tuple(names.split("\x1f")) if names else ()
        return super().sizes_of(arrays) | {"actions": actions}

    def keep(self) -> dict[str, np.ndarray]:
        """Number of items and names of actions."""
        names = np.frombuffer("\x1f".join(self.actions).encode(), dtype=np.uint8)
        return super().keep() | {"actions": names}

    def network(self) -> torch.nn.Module:
        """A network for so many items and actions with its first weights."""
        return type(self).Network(self.config, self.shape["n_items"], len(self.actions))

    def examples(
        self,
        log: Interactions,
        users: np.ndarray | None = None,
        epoch: int = 0,
        like: Windows | None = None,
    ) -> Windows:
        """Every next-item question of these users; nothing is drawn, so that all epochs have the
        same.

        like: windows that are taken over, less the rows that are gone: a target is shown what it
        was shown, as far as it is left, also with `stride` > 1.
        """
        self.check(log)
        histories = self._known(log.histories(users))
        config = self.config
        made = windows(histories, config.max_length, config.stride, config.prefixes)
        made = made if like is None else made.aligned(histories.offsets, like)
        return replace(made, bound=log.index_fingerprint)

    def loss(self, examples: Windows) -> torch.Tensor:
        """−log p of every target, in the order of `examples.targets()`; (n_targets,), perhaps
        none."""
        module = fitted(self.module, self)
        if not len(examples):
            return no_losses(module)
        items, actions, asked, targets = examples.tensors(module.item.weight.device)
        return full_softmax(module(items, actions, asked), module.item.weight[:-1], targets)

    def loss_from(self, logits: torch.Tensor, examples: Windows) -> torch.Tensor:
        """−log softmax(logits)[target]; (n_targets,). That is all of the loss."""
        targets = examples.tensors(logits.device)[3]
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    def represent(self, histories: Histories) -> torch.Tensor:
        """h of whole histories, their last `max_length` rows; (B, d), float32, with its graph."""
        check_items(histories, fitted(self.shape, self)["n_items"], self.bound, users=False)
        read = last_windows(self._known(histories), self.config.max_length)
        items, actions, asked, _ = read.tensors(self.module.item.weight.device)
        return self.module(items, actions, asked)

    def history_logits(self, histories: Histories) -> torch.Tensor:
        """E h of whole histories; (B, n_items)."""
        return self.represent(histories) @ self.module.item.weight[:-1].T

    def example_logits(self, examples: Windows) -> torch.Tensor:
        """E h before every target; (n_targets, n_items)."""
        table = self.module.item.weight[:-1]
        items, actions, asked, _ = examples.tensors(table.device)
        if not len(examples):
            return table.new_zeros(0, len(table))
        return self.module(items, actions, asked) @ table.T

    def parts(self, histories: Histories) -> list[np.ndarray]:
        """Rows of like length together: less padding. Raises `DataError` for an empty history, by
        its own row."""
        check_items(histories, self.shape["n_items"], self.bound, users=False)
        check_filled(histories, "SessionPopularity")
        order = np.argsort(np.diff(histories.offsets), kind="stable")
        return np.array_split(order, max(1, len(order) // SCORED)) if len(order) else []

    def questions(self, log: Interactions, valid: Interactions) -> tuple[Any, ...]:
        """The next items of `valid`, after what was before them in `log`; nothing is left out."""
        histories, items = next_items(valid, before=log, longest=self.config.max_length)
        rows = np.arange(len(items))[: self.config.training.validation_users]
        return histories.select(rows), items[rows], None

    def _known(self, histories: Histories) -> Histories:
        """Action codes as this model numbers them; actions it has not met become the padding."""
        if histories.actions == self.actions:
            return histories
        codes = {name: code for code, name in enumerate(self.actions)}
        table = np.array(
            [codes.get(name, len(codes)) for name in histories.actions] or [len(codes)]
        )
        return replace(histories, action=table[histories.action], actions=self.actions)
