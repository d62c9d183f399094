"""Training examples of user-item models: pairs, their negatives, and what a pair costs.

    x_uij = p_uᵀ(q_i − q_j)        i: an item the user holds, j: one that the user does not hold, drawn uniformly

Rendle, Freudenthaler, Gantner & Schmidt-Thieme, BPR: Bayesian Personalized Ranking from Implicit
Feedback, UAI 2009. One pair per row of the log, a new j every epoch (the paper draws pairs with
replacement). Quick because all negatives of an epoch come out of one binary search without
rejection, and the gradient of x is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from workbench.data import Interactions
from workbench.recommend.collaborative._graph import uniform


@dataclass(frozen=True)
class NegativeSampler:
    """The items that each user does not hold, to draw from: `free` (n_users,) says how many they
    are; `cells` are the codes u·n_items + item of what is held, ascending.

    With a user's items h₀ < h₁ < …, h_k − k unheld items lie below h_k. So the r-th unheld item is
    r + #{k: h_k − k ≤ r}: one search among the sorted codes u·n_items + h_k − k, and no draw is
    ever rejected.
    """

    cells: np.ndarray
    codes: np.ndarray
    starts: np.ndarray
    free: np.ndarray
    n_items: int

    @classmethod
    def of(cls, log: Interactions) -> NegativeSampler:
        """Look at the cells of a log."""
        frame = log.deeds.frame
        user, item = (frame[name].to_numpy(np.int64) for name in ("user", "item"))
        # np.unique, nine times as fast: every batch of examples begins here
        cells = np.sort(user * log.n_items + item)
        cells = cells[np.diff(cells, prepend=-1) > 0]
        user = cells // log.n_items
        held = np.bincount(user, minlength=log.n_users)
        starts = np.concatenate([[0], np.cumsum(held)[:-1]])
        rank = np.arange(len(cells)) - starts[user]
        return cls(cells, cells - rank, starts, log.n_items - held, log.n_items)

    def kept(
        self, users: np.ndarray, interactions: np.ndarray, like: Pairs, drawn: np.ndarray
    ) -> np.ndarray:
        """The negatives of `like` for the same interactions where they are not held; else those
        drawn."""
        old = pd.Series(like.negative, index=like.interaction)
        old = old.reindex(interactions, fill_value=-1).to_numpy()
        held = np.isin(users * self.n_items + old, self.cells)
        return np.where((old < 0) | held, drawn, old)

    def draw(
        self, users: np.ndarray, interactions: np.ndarray, seed: tuple[int, ...]
    ) -> np.ndarray:
        """One item each that the user does not hold, uniformly; (n,) int64.

        The draw of a row depends on its interaction id, its user's items and the seed alone: when
        other people's rows leave a log, the negatives of this row stay. When a row of its own user
        leaves, it may move: the user has more items to draw from, and every rank among them counts
        differently (`kept` takes over the old ones).
        """
        rank = (uniform(interactions, seed) * self.free[users]).astype(np.int64)
        return (
            rank
            + np.searchsorted(self.codes, users * self.n_items + rank, side="right")
            - self.starts[users]
        )


@dataclass(frozen=True)
class Pairs:
    """Training examples (u, i, j), one per row of a log; every array (n,), int64.

    interaction: the row each pair comes from. left_out: interaction ids of rows that make no pair,
    because their user holds every item and there is no j. sampler: where every epoch draws its j;
    None keeps those that stand here. bound: fingerprint of the indexes of the log.
    """

    user: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    interaction: np.ndarray
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sampler: NegativeSampler | None = field(default=None, repr=False)
    bound: str | None = None

    def __len__(self) -> int:
        return len(self.user)

    def select(self, rows: np.ndarray | slice) -> Pairs:
        """Some of the pairs, in the order asked for."""
        parts = {
            name: getattr(self, name)[rows]
            for name in ("user", "positive", "negative", "interaction")
        }
        return replace(self, **parts)

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Which row each loss is about: (loss, interaction id); loss k is that of pair k."""
        return np.arange(len(self)), self.interaction

    def batches(self, size: int, seed: tuple[int, ...]) -> Iterator[Pairs]:
        """All pairs once, in an order drawn from the seed, `size` at a time; their negatives are
        drawn from it anew, unless there is no sampler."""
        drawn = self
        if self.sampler is not None:
            negative = self.sampler.draw(self.user, self.interaction, seed)
            drawn = replace(self, negative=negative)
        shuffled = drawn.select(np.random.default_rng(seed).permutation(len(self)))
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


def margins(users: torch.Tensor, items: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """x_uij of every pair, from tables of user and item vectors; (n,), differentiable twice."""
    return _Difference.apply(users, items, *pairs.tensors(users.device))


def pairwise(users: torch.Tensor, items: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """−ln σ(x_uij) of every pair; (n,), differentiable twice."""
    return functional.softplus(-margins(users, items, pairs))


def penalty(users: torch.Tensor, items: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """½(‖p_u‖² + ‖q_i‖² + ‖q_j‖²) of every pair; (n,). Its gradient is the vector itself, as in the
    paper's update."""
    u, i, j = pairs.tensors(users.device)
    of_user, of_item = users.square().sum(dim=1), items.square().sum(dim=1)
    return (
        of_user.index_select(0, u) + of_item.index_select(0, i) + of_item.index_select(0, j)
    ) / 2
