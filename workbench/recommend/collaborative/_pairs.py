"""What the trained user-item recommenders share: everything but the vectors and the loss.

    x_uij = p_uᵀ(q_i − q_j)        i: an item the user holds, j: one that the user does not hold, drawn uniformly

Rendle, Freudenthaler, Gantner & Schmidt-Thieme, BPR: Bayesian Personalized Ranking from Implicit
Feedback, UAI 2009. One pair per row of the log, a new j every epoch (the paper draws pairs with
replacement). Quick because all negatives of an epoch come out of one binary search without
rejection, and the gradient of x is written by hand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel
from torch.nn import functional

from workbench.data import Histories, Interactions
from workbench.errors import ModelError, UnknownUser
from workbench.recommend.collaborative._graph import Graph, uniform
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.saving import csr_from, csr_parts
from workbench.recommend.training import (
    Training,
    load_trained,
    reproducible,
    save_trained,
    train,
    validation,
)
from workbench.settings import settings


@dataclass(frozen=True)
class Pairs:
    """Training examples (u, i, j), one per row of a log; every array (n,), int64.

    interaction: the row each pair comes from. left_out: interaction ids of rows that make no pair,
    because their user holds every item and there is no j.
    """

    user: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    interaction: np.ndarray
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.user)

    def select(self, rows: np.ndarray | slice) -> Pairs:
        """Some of the pairs, in the order asked for."""
        parts = {
            name: getattr(self, name)[rows]
            for name in ("user", "positive", "negative", "interaction")
        }
        return replace(self, **parts)

    def batches(self, size: int, seed: tuple[int, ...]) -> Iterator[Pairs]:
        """All pairs once, in an order drawn from the seed, `size` at a time."""
        shuffled = self.select(np.random.default_rng(seed).permutation(len(self)))
        for start in range(0, len(self), size):
            yield shuffled.select(slice(start, start + size))

    def tensors(
        self, device: torch.device | str = "cpu"
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """u, i, j as tensors."""
        return tuple(
            torch.from_numpy(array).to(device)
            for array in (self.user, self.positive, self.negative)
        )


@dataclass(frozen=True)
class Unheld:
    """The items that each user does not hold, to draw from: `free` (n_users,) says how many they
    are.

    With a user's items h₀ < h₁ < …, h_k − k unheld items lie below h_k. So the r-th unheld item is
    r + #{k: h_k − k ≤ r}: one search among the sorted codes u·n_items + h_k − k, and no draw is
    ever rejected.
    """

    codes: np.ndarray
    starts: np.ndarray
    free: np.ndarray
    n_items: int

    @classmethod
    def of(cls, log: Interactions) -> Unheld:
        """Look at the cells of a log."""
        cells = np.unique(
            log.frame["user"].to_numpy(np.int64) * log.n_items + log.frame["item"].to_numpy()
        )
        user = cells // log.n_items
        held = np.bincount(user, minlength=log.n_users)
        starts = np.concatenate([[0], np.cumsum(held)[:-1]])
        return cls(
            cells - (np.arange(len(cells)) - starts[user]), starts, log.n_items - held, log.n_items
        )

    def draw(
        self, users: np.ndarray, interactions: np.ndarray, seed: tuple[int, ...]
    ) -> np.ndarray:
        """One item each that the user does not hold, uniformly; (n,) int64.

        The draw of a row depends on its interaction id, its user's items and the seed alone: when
        other people's rows leave a log, the negatives of this row stay. When a row of its own user
        leaves, it may move: the user has more items to draw from, and every rank among them counts
        differently (`UserItem.examples` can keep the old ones).
        """
        rank = (uniform(interactions, seed) * self.free[users]).astype(np.int64)
        return (
            rank
            + np.searchsorted(self.codes, users * self.n_items + rank, side="right")
            - self.starts[users]
        )


class _Difference(torch.autograd.Function):
    """p_uᵀ(q_i − q_j) for batches of codes; autograd's own way copies three blocks of vectors more,
    each way."""

    @staticmethod
    def forward(ctx: Any, p: torch.Tensor, q: torch.Tensor, *codes: torch.Tensor) -> torch.Tensor:
        u, i, j = codes
        mine, gap = p.index_select(0, u), q.index_select(0, i) - q.index_select(0, j)
        ctx.save_for_backward(p, q, *codes)
        ctx.read = mine, gap
        return (mine * gap).sum(dim=1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        p, q, u, i, j = ctx.saved_tensors
        mine, gap = ctx.read
        # a second derivative is asked for: read the tables again, so that autograd sees it
        if torch.is_grad_enabled():
            mine, gap = p.index_select(0, u), q.index_select(0, i) - q.index_select(0, j)
        weight = grad[:, None]
        to_gap = mine * weight
        to_p = torch.zeros_like(p).index_add_(0, u, gap * weight)
        to_q = torch.zeros_like(q).index_add_(0, i, to_gap).index_add_(0, j, to_gap.neg())
        return to_p, to_q, None, None, None


def pairwise(users: torch.Tensor, items: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """−ln σ(x_uij) of every pair, from tables of user and item vectors; (n,), differentiable
    twice."""
    return functional.softplus(-_Difference.apply(users, items, *pairs.tensors(users.device)))


def penalty(users: torch.Tensor, items: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """½(‖p_u‖² + ‖q_i‖² + ‖q_j‖²) of every pair; (n,). Its gradient is the vector itself, as in the
    paper's update."""
    u, i, j = pairs.tensors(users.device)
    of_user, of_item = users.square().sum(dim=1), items.square().sum(dim=1)
    return (
        of_user.index_select(0, u) + of_item.index_select(0, i) + of_item.index_select(0, j)
    ) / 2


class UserItem:
    """A recommender of trained user and item vectors; a method names its `Config` and `Network` and
    writes its `loss`.

    `Network(config, n_users, n_items)` is a module with the embeddings `user` and `item` and
    `forward() -> (users, items)`, the tables that are scored with. With `reads_graph` it also has
    `graph`, which is set before use. A user of the index without rows has a vector that nothing has
    trained.
    """

    Config: type[BaseModel]
    Network: Callable[..., torch.nn.Module]
    reads_graph = False

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config or self.Config()
        self.module: torch.nn.Module | None = None
        self.record: pd.DataFrame | None = None
        self._made: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Train on every row of `log`; with `valid` stop early on its items. `record` tells the
        epochs."""
        config: Training = self.config.training
        with reproducible(config):
            self._start(log.n_users, log.n_items).rebuild(log)
            unheld, pairs = Unheld.of(log), self.examples(log)

            def batches(epoch: int) -> Iterator[Pairs]:
                self._begin(epoch)
                seed = (config.seed, epoch)
                drawn = replace(pairs, negative=unheld.draw(pairs.user, pairs.interaction, seed))
                return drawn.batches(config.batch, seed)

            try:
                validate = None if valid is None else self._validation(log, valid)
                self.record = train(self.module, self.loss, batches, config, validate)
            finally:
                self._begin(None)
        return self

    def examples(
        self, log: Interactions, users: np.ndarray | None = None, *, like: Pairs | None = None
    ) -> Pairs:
        """One pair per row of these users (equal rows make a pair each), with the negatives of the
        first epoch.

        like: pairs whose negatives are taken over for the same interactions, where the user still
        does not hold them. So the examples of a user before and after a removal differ in what was
        removed, and in nothing else:

        >>> before = model.examples(log, [3])  # doctest: +SKIP
        >>> after = model.examples(log.without([17]), [3], like=before)  # doctest: +SKIP
        """
        frame, unheld = log.frame, Unheld.of(log)
        chosen = (
            np.ones(len(log), bool) if users is None else np.isin(frame["user"].to_numpy(), users)
        )
        possible = unheld.free[frame["user"].to_numpy()] > 0
        user, item, ids = (
            frame[name].to_numpy(np.int64)[chosen & possible]
            for name in ("user", "item", "interaction")
        )
        negative = unheld.draw(user, ids, (self.config.training.seed, 0))
        if like is not None:
            old = (
                pd.Series(like.negative, index=like.interaction)
                .reindex(ids, fill_value=-1)
                .to_numpy()
            )
            held = np.isin(
                user * log.n_items + old,
                frame["user"].to_numpy(np.int64) * log.n_items + frame["item"],
            )
            negative = np.where((old < 0) | held, negative, old)
        return Pairs(user, item, negative, ids, frame["interaction"].to_numpy()[chosen & ~possible])

    def represent(self, histories: Histories) -> torch.Tensor:
        """The vectors of the users; (B, d). Raises `UnknownUser` for a code the model was not
        fitted with."""
        known = fitted(self.module, self).user.num_embeddings
        check_items(histories, self.module.item.num_embeddings)
        unknown = histories.user[(histories.user < 0) | (histories.user >= known)]
        if len(unknown):
            do = "fit the model with this user, or score with a model that reads histories"
            raise UnknownUser(
                f"user code {unknown[0]}", type(self).__name__, f"a code from 0 to {known - 1}", do
            )
        users, _ = self.tables()
        return users.index_select(
            0, torch.from_numpy(histories.user.astype(np.int64)).to(users.device)
        )

    def score(self, histories: Histories) -> np.ndarray:
        """Users' vectors times all item vectors; float32 (B, n_items). Of a history only its user
        is read."""
        with torch.no_grad():
            users = self.represent(histories)
            return (users @ self.tables()[1].T).float().cpu().numpy()

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """User and item vectors as they are scored with: with their graph, or, under `no_grad`,
        made once per weights.

        Weights are compared with those the tables were made from, so that no change of any kind
        goes unseen.
        """
        module = fitted(self.module, self)
        if torch.is_grad_enabled() or not self.reads_graph:
            return module()
        weights = (module.user.weight, module.item.weight)
        if (
            self._made is None
            or self._made[0] is not module.graph
            or not all(map(torch.equal, self._made[1], weights))
        ):
            self._made = (module.graph, [weight.detach().clone() for weight in weights], module())
        return self._made[2]

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """users and items: the two embedding tables; nothing is shared."""
        module = fitted(self.module, self)
        return {"users": [module.user.weight], "items": [module.item.weight], "shared": []}

    def rebuild(self, log: Interactions) -> Self:
        """Make the graph anew from a log, weights unchanged; nothing to do for a model that reads
        none."""
        module = fitted(self.module, self)
        have, want = (
            (log.n_users, log.n_items),
            (module.user.num_embeddings, module.item.num_embeddings),
        )
        if have != want:
            do = "take a log with the indexes of the fitted one"
            raise ModelError(
                f"a log of {have[0]} users and {have[1]} items",
                "log",
                f"{want[0]} and {want[1]}",
                do,
            )
        if self.reads_graph:
            module.graph = Graph.of(log)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        module = fitted(self.module, self)
        graph = csr_parts(module.graph.cells, "graph") if self.reads_graph else {}
        save_trained(folder, type(self).__name__, self.config, module, **graph)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        names = ("module.user.weight", "module.item.weight")
        config, arrays, fill = load_trained(folder, cls.__name__, cls.Config, names)
        # the first weights are overwritten: their draws shall not reach the caller
        with torch.random.fork_rng():
            model = cls(config)._start(*(len(arrays[name]) for name in names))
        fill(model.module)
        if cls.reads_graph:
            cells = csr_from(arrays, "graph")
            if cells.shape != tuple(len(arrays[name]) for name in names):
                raise ModelError(
                    f"the graph is {cells.shape}",
                    str(folder),
                    "one row per user, one column per item",
                )
            model.module.graph = Graph(cells)
        return model

    def _start(self, n_users: int, n_items: int) -> Self:
        self.module, self._made = (
            self.Network(self.config, n_users, n_items).to(settings().device).eval(),
            None,
        )
        return self

    def _begin(self, epoch: int | None) -> None:
        """Called before every epoch, and with None when training is over, however it ended."""

    def _validation(self, log: Interactions, valid: Interactions) -> Callable[[], float]:
        config: Training = self.config.training
        users = np.unique(valid.frame["user"])[: config.validation_users]
        histories, seen, wanted = log.histories(users), log.matrix()[users], valid.matrix()[users]
        return validation(self, config, histories, wanted, seen)
