"""The graph of users and items, and what goes along its edges.

    Â = D^−½ A D^−½,   A = [[0, X], [Xᵀ, 0]]        X: 1 where the user holds the item; D: the number of edges of a node

One product with Â as a CSR matrix carries all vectors one step, users to items and items to users
at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse

from workbench.data import Interactions
from workbench.recommend.cells import entry_rows, revalued


def uniform(keys: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """A number in [0, 1) for every key and seed, the same wherever and beside whatever it is asked
    for; float64 (n,).

    splitmix64 (Steele, Lea & Flood, OOPSLA 2014) over the seed's numbers and then the key. A
    generator would draw by place: after a deletion every later row would draw another number.
    """
    with np.errstate(over="ignore"):
        state = np.zeros(1, np.uint64)
        for part in (*seed, keys):
            state = _mixed(state ^ np.asarray(part).astype(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True, eq=False)
class Graph:
    """Which user holds which item: CSR (n_users, n_items), one entry an edge; never changed: copies
    share it."""

    cells: sparse.csr_array
    _made: dict[int | str, tuple[Any, torch.Tensor]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, log: Interactions) -> Graph:
        """The edges of a log; equal rows are one edge."""
        cells = log.matrix()
        cells.sort_indices()
        return cls(cells.astype(np.float32))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @cached_property
    def edges(self) -> np.ndarray:
        """The code user · n_items + item of every edge, ascending; int64."""
        return entry_rows(self.cells) * self.cells.shape[1] + self.cells.indices

    def adjacency(self, like: torch.Tensor) -> torch.Tensor:
        """Â as a torch CSR matrix (n, n), users first, with the type and device of `like`; made
        once."""
        return self._remembered(
            "whole", (like.dtype, like.device), lambda: _normalised(self.cells, like)
        )

    def dropped(self, share: float, seed: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        """Â of the graph without a random share of its edges, normalised anew; the seed's last
        number names the view.

        Whether an edge stays depends on its two ends and the seed alone: a removed row takes its
        own edge, no other. The last matrix of each view is remembered.
        """

        def make() -> torch.Tensor:
            kept = (uniform(self.edges, seed) >= share).astype(np.float32)
            cells = revalued(self.cells, kept).copy()
            cells.eliminate_zeros()  # in place, hence the copy: the columns are shared
            return _normalised(cells, like)

        return self._remembered(seed[-1], (share, seed, like.dtype, like.device), make)

    def _remembered(
        self, slot: int | str, key: tuple[Any, ...], make: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        if slot not in self._made or self._made[slot][0] != key:
            self._made[slot] = (key, make())
        return self._made[slot][1]


def _normalised(cells: sparse.csr_array, like: torch.Tensor) -> torch.Tensor:
    """D^−½ A D^−½ of a 0/1 matrix (n_users, n_items); a node without edges has an empty row."""
    users, items = (
        1 / np.sqrt(np.maximum(np.asarray(cells.sum(axis=axis), float), 1)) for axis in (1, 0)
    )
    x = revalued(cells, users[entry_rows(cells)] * items[cells.indices])
    matrix = sparse.block_array([[None, x], [x.T, None]], format="csr")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        parts = (
            torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices)
        )
        values = torch.from_numpy(matrix.data).to(like.dtype)
        return torch.sparse_csr_tensor(
            *parts, values, matrix.shape, device=like.device, check_invariants=False
        )


class _Product(torch.autograd.Function):
    """Â x for symmetric Â: its gradient is the same product (torch's own turns Â over each time: 40
    times slower)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        ctx.adjacency = adjacency
        return adjacency @ x

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Product.apply(grad.contiguous(), ctx.adjacency), None


def propagate(
    users: torch.Tensor, items: torch.Tensor, adjacency: torch.Tensor, layers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ē = (E + ÂE + … + Â^L E) / (L + 1) for the users' and the items' vectors; differentiable any
    number of times."""
    total = state = torch.cat([users, items])
    for _ in range(layers):
        state = _Product.apply(state, adjacency)
        total = total + state
    total = total / (layers + 1)
    return total[: len(users)], total[len(users) :]
