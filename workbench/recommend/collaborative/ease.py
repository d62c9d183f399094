"""EASE: Embarrassingly Shallow Autoencoders for Sparse Data (Steck, WWW 2019), with exact
forgetting.

    G = XᵀX,   P = (G + λI)⁻¹,   B_ij = −P_ij / P_jj (i ≠ j),   B_jj = 0        equation 8 of the paper
    score(x) = x·B = x − (x·P) / diag P                                          so B is never built

A request changes few rows x_u of X. With U = [x_old …, x_new …] and S = diag(−1 …, +1 …), G' = G +
U S Uᵀ, and Woodbury gives P' = P − Z K Zᵀ, Z = P U, K = (S⁻¹ + UᵀZ)⁻¹: a rank-2m update in place
for m users.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import PositiveFloat, PositiveInt
from scipy.linalg import blas

from workbench.data import Histories, Interactions
from workbench.errors import ModelError
from workbench.recommend.bound import Bound
from workbench.recommend.cells import UserItemCounts, changes, contribution_table
from workbench.recommend.gram import rank_update, ridge_inverse
from workbench.recommend.protocol import check_items, check_kind, fitted
from workbench.settings import Frozen


class EASEConfig(Frozen):
    """Settings of EASE."""

    l2: PositiveFloat = 100.0
    """λ: weight of the squared norm of B."""
    check_every: PositiveInt = 100
    """Users changed between two looks at the residual; above 1e-9, P is factored anew."""
    memory_limit_bytes: PositiveInt | None = None
    """Refuse to fit when P and its working space need more; None: half of this machine's memory."""


class EASE(Bound):
    """Linear item-item model with a closed form.

    >>> EASE(l2=50).fit(log).forget(log.only([17, 18])).score(log.histories())  # doctest: +SKIP
    """

    Config = EASEConfig
    cells: UserItemCounts | None = None
    inverse: np.ndarray | None = None  # P, C order
    updates = 0

    def __repr__(self) -> str:
        return self._named(f"l2={self.config.l2:g}")

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Solve; `valid` is not used. Raises `TooLarge` before anything is allocated."""
        check_kind(log, Interactions)
        self._solve(UserItemCounts.of(log))
        self.bound = log.index_fingerprint
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """x − (x·P) / diag P; float64 (B, n_items)."""
        p, x = self._inverse_for(histories), histories.matrix()
        return x.toarray() - (x @ p) / p.diagonal()

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: B_ji, shared among the rows of j; sums to the score."""
        p = self._inverse_for(histories)

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            j = histories.item[at]
            return np.where(i == j, 0.0, -p[j, i] / p[i, i])

        return contribution_table(histories, items, weight)

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit up to rounding. Raises `DataError` and changes
        nothing if it cannot.

        About 1 ms at 1,000 items: O(n²) against O(n³) for a refit (`benchmarks/ease.py`).
        """
        self._inverse_for(removed, Interactions)
        cells = self.cells.without(removed)
        moved = changes(self.cells, cells, removed)
        step = rank_update(self.inverse, moved)
        if step is None:
            return self._solve(cells)
        # P is symmetric: its transpose is P in the column order that BLAS updates in place
        z, zk = step
        turned = self.inverse.T
        self.inverse = blas.dgemm(-1.0, zk, z, beta=1.0, c=turned, trans_b=1, overwrite_c=1).T
        checked = self.updates // self.config.check_every
        self.updates += len(moved)
        self.cells = cells
        if self.updates // self.config.check_every > checked and self.residual() > 1e-9:
            return self._solve(cells)
        return self

    def score_without(
        self, removed: Interactions, histories: Histories, scores: np.ndarray | None = None
    ) -> np.ndarray:
        """What `score(histories)` would be after `forget(removed)`; changes nothing, copies no P.

        scores: what `score(histories)` is now; saves the product x·P. With y = x·P = (x − s)·diag P,
        x·P' = y − (x·Z)·K·Zᵀ and diag P' = diag P − Σ_q (Z K)_q ∘ Z_q: vectors of length n only.
        """
        p, x = self._inverse_for(histories), histories.matrix()
        self._inverse_for(removed, Interactions)
        step = rank_update(p, changes(self.cells, self.cells.without(removed), removed))
        if step is None:
            return self.copy().forget(removed).score(histories)
        z, zk = step
        diagonal = p.diagonal() - (zk * z).sum(axis=1)
        less = (x @ zk) @ (z / diagonal[:, None]).T
        if scores is None:
            return x.toarray() - (x @ p) / diagonal + less
        # s' = x − y / diag P' + less; x is not 0 in few places
        ratio = p.diagonal() / diagonal
        found = scores * ratio + less
        row, item = x.nonzero()
        found[row, item] += (1.0 - ratio)[item] * x[row, item]
        return found

    def residual(self) -> float:
        """max |(G + λI)·P·v − v| for a fixed random vector v: near 1e-12 while P is right."""
        x, p = fitted(self.cells, self).matrix, self.inverse
        v = np.random.default_rng(0).standard_normal(len(p))
        return float(np.abs(x.T @ (x @ (p @ v)) + self.config.l2 * (p @ v) - v).max())

    def copy(self) -> Self:
        """An independent copy; doubles the memory for P."""
        twin = copy.copy(self)
        twin.inverse = None if self.inverse is None else self.inverse.copy()
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        self._write(folder, fitted(self.cells, self).arrays() | {"inverse": self.inverse})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote: P as it was, or factored anew where its residual is above 1e-9."""
        model, arrays = cls._read(folder, ("cells.data", "inverse"))
        model.cells = UserItemCounts.from_arrays(arrays)
        model.inverse = np.array(arrays["inverse"])
        shape = model.inverse.shape
        if shape != (model.cells.n_items,) * 2:
            raise ModelError(f"P has shape {shape}", str(folder), "as many rows as items")
        # how often P was updated is not in the file: it would tell of the forgotten
        return model if model.residual() <= 1e-9 else model._solve(model.cells)

    def _solve(self, cells: UserItemCounts) -> Self:
        self.inverse = ridge_inverse(cells.matrix, self.config.l2, self.config.memory_limit_bytes)
        self.cells, self.updates = cells, 0
        return self

    def _inverse_for(self, asked: Any, kind: type[Any] = Histories) -> np.ndarray:
        """P, if these histories, or the rows of this log, can be asked about."""
        check_items(asked, len(fitted(self.inverse, self)), self.bound, kind, users=False)
        return self.inverse
