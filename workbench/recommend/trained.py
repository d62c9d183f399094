"""The one base of all trained recommenders: fitting, tuning, scoring, files, and whose rows are
whose.

    θ ← θ − step(∇ (1/n) Σ ℓ(example; θ))        from first weights: fit; from those it has: tune

A family (pairs, sequences, baskets) brings examples and what is done with them; a method its
config, network and, for pairs, loss. Unlearning reads models through this face alone: which row of
the log a loss is about, scores with their graph, and the rows of a parameter that belong to a
person or an item.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import torch

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.errors import ModelError, UnknownItem, UnknownUser
from workbench.recommend._owners import Axes, Index, entries
from workbench.recommend.bound import Bound
from workbench.recommend.protocol import Examples, check_bound, check_kind, fitted
from workbench.recommend.saving import fill, weights
from workbench.recommend.training import reproducible, train, validation
from workbench.settings import settings

ConvexParts = list[tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]]
"""Outputs, and the losses as a convex function of them."""


class TrainedModel(Bound):
    """A recommender fitted by gradient descent.

    A method writes `Config`, `Network` and, if its family has none, `loss`; a family the hooks:
      examples, loss, represent  as `Trained` has them; examples `like` others take over their draws
        and windows for what is still there, so that those before and after a removal differ in
        nothing else
      loss_from(logits, examples)  the losses as a function of their logits, (n_losses,); parts that
        `beside` names are not in it
      history_logits(histories)  scores of all items with their graph, (B, n_items)
      example_logits(examples)  what the losses are made of, with its graph; a row, or a number, a
        loss
      parts(histories)  rows that are scored together; refuses those that cannot be scored
      questions(log, valid)  what validation asks: histories, targets, and what is left out of the
        lists, or None
    and may write those below. `shape` is what the network was made for. The way back from any
    change is `copy()`: weights, buffers and the graph, bit for bit.
    """

    Network: Callable[..., torch.nn.Module]
    saved: ClassVar[tuple[str, ...]] = ("n_items",)
    """Arrays that a saved model must have."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Fields of the config that weigh parts of the loss which read weights and not logits."""
    per_user: ClassVar[Axes] = {}
    """Parameters with an entry per user, and the axes that users are counted along."""
    per_item: ClassVar[Axes] = {}
    """The same for items."""

    module: Any = None
    record: pd.DataFrame | None = None
    shape: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return self._named(str(self.config))

    # --- training

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Train on all of `log`; with `valid` stop early on its questions. `record`: the epochs."""
        self.start(log)
        validate = None
        if valid is not None:
            self.check(valid)
            validate = validation(self, self.config.training, *self.questions(log, valid))
        self.record = self.tune(self.examples(log), validate=validate)
        return self

    def start(self, log: Interactions) -> Self:
        """First weights, of the config's seed, for the indexes of a log, and caches made of it."""
        check_kind(log, Interactions)
        with reproducible(self.config.training):
            self._make(self.sizes(log))
        self.bound = log.index_fingerprint
        return self.rebuild(log)

    def tune(
        self,
        examples: Examples,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
        optimiser: Literal["adam", "sgd"] = "adam",
        validate: Callable[[], float] | None = None,
    ) -> pd.DataFrame:
        """Train on from the present weights; returns one row per epoch, as `train` does.

        What is not told is as in the config's `training`; batch, decay, clip and weight decay
        always are. The optimiser is new in every call. `fit` is `start` and this, so that tuning a
        fresh start for as many epochs is fitting, bit for bit. Raises `ModelError` for examples of
        a log with other indexes, and as `train` does; weights are then those before, or of the last
        whole epoch.

        >>> model.tune(model.examples(remaining), epochs=1, learning_rate=1e-3, seed=0)  # doctest: +SKIP
        """
        module = fitted(self.module, self)
        check_bound(examples.bound, self.bound)
        config = self.config.training.told(epochs, learning_rate, seed)

        def batches(epoch: int) -> Iterable[Examples]:
            self.begin((config.seed, epoch))
            return examples.batches(config.batch, (config.seed, epoch))

        try:
            with reproducible(config):
                # first weights once more, unused: dropout then draws what it draws in `fit`
                self.network()
                return train(module, self.loss, batches, config, validate, optimiser)
        finally:
            self.begin(None)

    # --- scores

    def score(self, histories: Histories) -> np.ndarray:
        """Scores of all items, float32 (B, n_items); the family says what cannot be scored."""
        fitted(self.module, self)
        parts = self.parts(histories)
        scores = np.empty((len(histories), self.shape["n_items"]), dtype=np.float32)
        with torch.no_grad():
            for rows in parts:
                found = self.history_logits(histories.select(rows))
                scores[rows] = found.float().cpu().numpy()
        return scores

    def logits(self, asked: Histories | Examples) -> torch.Tensor:
        """With their graph: scores of histories, (B, n_items), or what the losses of examples are
        made of.

        Of examples one row a loss, as `loss` orders them: (n_losses, n_items) scores, or (n_losses,)
        margins for pairs. `loss_from(logits, examples)` makes the losses of them.
        """
        fitted(self.module, self)
        if isinstance(asked, Histories):
            return self.history_logits(asked)
        if isinstance(asked, Examples):
            return self.example_logits(asked)
        raise ModelError(f"a {type(asked).__name__}", "logits", "histories or examples")

    def convex_parts(self, examples: Examples) -> ConvexParts:
        """What the losses are a sum of, for curvatures that are never negative: outputs of the
        network with their graph, (n, …), and with each the convex function that makes losses of it.

        Added up, all parts are Σ `loss(examples)`. Of scores under a softmax and of margins the
        logits themselves; a family with more beside them adds it.
        """
        return [(self.logits(examples), lambda outputs: self.loss_from(outputs, examples))]

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """users and items: all that has an entry per user or item; shared: all else."""
        owners = dict.fromkeys(self.per_item, "items") | dict.fromkeys(self.per_user, "users")
        groups = {"users": [], "items": [], "shared": []}
        for name, value in fitted(self.module, self).named_parameters():
            groups[owners.get(name, "shared")].append(value)
        return groups

    def rows(self, users: Iterable[int] = (), items: Iterable[int] = ()) -> dict[str, Index]:
        """What of each parameter belongs to these users and items, by the parameter's name:
        `parameter[index]` reads it, and `parameter[index] = …` writes it.

        Codes of users and items; how an index looks says `entries` (`_owners.py`). The padding of a
        table is nobody's. A model that reads histories has nothing of a user. A graph carries
        vectors on: what is made of a person's entries reaches others too. Raises `UnknownUser` and
        `UnknownItem` for codes outside the indexes.
        """
        named = dict(fitted(self.module, self).named_parameters())
        users = checked_codes(users, self.shape.get("n_users", 2**31), "users", UnknownUser)
        items = checked_codes(items, self.shape["n_items"], "items", UnknownItem)
        users, items = np.unique(users), np.unique(items)
        return entries(named, self.per_user, users) | entries(named, self.per_item, items)

    # --- caches, copies and files

    def rebuild(self, log: Interactions) -> Self:
        """Make what is kept of a log beside the weights anew, weights unchanged.

        Graphs (LightGCN, SGL) and item weights (Sets2Sets) are such caches. Edges are divided by
        degrees, and item weights are shares of the largest count: one row less can move *every*
        loss a little, also those of people who share nothing with it.
        """
        fitted(self.module, self)
        self.check(log)
        self.cache(log)
        return self

    def copy(self) -> Self:
        """An independent copy: weights, buffers, graph."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        self._write(folder, weights(fitted(self.module, self)) | self.keep())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; unbound where the folder says no fingerprint."""
        model, arrays = cls._read(folder, cls.saved)
        # the first weights are overwritten: their draws shall not reach the caller
        with torch.random.fork_rng():
            model._make(cls.sizes_of(arrays))
        fill(model.module, arrays, folder)
        model.take(arrays, folder)
        return model

    def check(self, log: Interactions) -> None:
        """Refuse a log with other indexes than those of the fitted one, or of another shape."""
        check_kind(log, Interactions)
        if self.module is None:
            return
        have = {"n_users": log.n_users, "n_items": log.n_items}
        if any(self.shape.get(name, n) != n for name, n in have.items()):
            want = [f"{n} {name[2:]}" for name, n in self.shape.items() if name in have]
            what = f"a log of {log.n_users} users and {log.n_items} items"
            do = "take a log with the indexes of the fitted one"
            raise ModelError(what, "log", " and ".join(want), do)
        check_bound(log.index_fingerprint, self.bound)

    def _make(self, shape: dict[str, Any]) -> None:
        self.shape = shape
        self.module = self.network().to(settings().device).eval()

    # --- hooks: what a family may bring besides

    def sizes(self, log: Interactions) -> dict[str, Any]:
        """What the network is made for: `n_items`, and `n_users` where users have vectors."""
        return {"n_items": log.n_items}

    @classmethod
    def sizes_of(cls, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """The same from the arrays of a saved model."""
        return {"n_items": arrays["n_items"].item()}

    def network(self) -> torch.nn.Module:
        """A network of this shape with its first weights."""
        return type(self).Network(self.config, **self.shape)

    def begin(self, seed: tuple[int, int] | None) -> None:
        """Called with (seed, epoch) before every epoch, and with None when training has ended."""

    def cache(self, log: Interactions) -> None:
        """Make anew what is kept of a log beside the weights."""

    def keep(self) -> dict[str, np.ndarray]:
        """What is saved beside the weights."""
        return {"n_items": np.array(self.shape["n_items"])}

    def take(self, arrays: dict[str, np.ndarray], folder: Path) -> None:
        """Take what `keep` gave back from a saved model."""
