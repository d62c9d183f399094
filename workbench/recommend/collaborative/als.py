"""ALS: Hu, Koren & Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.

    min Σ_ui c_ui (p_ui − x_uᵀ y_i)² + λ (Σ‖x_u‖² + Σ‖y_i‖²),   c_ui = 1 + α r_ui,   p_ui = 1 if r_ui > 0   equation 3
    x_u = (YᵀY + Yᵀ(Cᵘ − I)Y + λI)⁻¹ Yᵀ Cᵘ p(u)                                                         equation 4

r_ui is the number of rows of user u on item i. The model *stores* x_u, so it remembers a user after
the log has forgotten: the user-vector tier. Solving x_u again is exact given Y only; Y keeps the
user's footprint until the model is fitted anew.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import PositiveFloat, PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.errors import DataError, UnknownUser
from workbench.recommend.bound import Bound
from workbench.recommend.cells import contribution_table
from workbench.recommend.protocol import check_items, check_kind, fitted
from workbench.settings import Frozen


class ALSConfig(Frozen):
    """Settings of ALS."""

    factors: PositiveInt = 32
    """Length of a user or item vector."""
    l2: PositiveFloat = 10.0
    """λ: weight of the squared norms."""
    alpha: PositiveFloat = 10.0
    """α: confidence a row adds to its cell."""
    epochs: PositiveInt = 10
    """Alternations."""
    seed: int = 1
    """Seed of the first item vectors."""


class ALS(Bound):
    """Matrix factorisation with stored user vectors and a closed-form fold-in.

    >>> model = ALS(ALSConfig(factors=16)).fit(log)                     # doctest: +SKIP
    >>> model.forget_user_vector([3], log.without(ids).histories([3]))  # doctest: +SKIP
    """

    Config = ALSConfig
    users: np.ndarray | None = None  # x, (n_users, factors)
    items: np.ndarray | None = None  # y, (n_items, factors)
    known: np.ndarray | None = None  # who has a stored vector

    def __repr__(self) -> str:
        return self._named(f"factors={self.config.factors}", f"seed={self.config.seed}")

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Alternate; `valid` is not used."""
        check_kind(log, Interactions)
        counts = log.counts()
        transposed = counts.T.tocsr()
        rng = np.random.default_rng(self.config.seed)
        items = rng.normal(scale=0.01, size=(log.n_items, self.config.factors))
        for _ in range(self.config.epochs):
            users = self._solve(counts, items)
            items = self._solve(transposed, users)
        # once more, so that what is stored is the fold-in of its user under the final item vectors
        self.users, self.items = self._solve(counts, items), items
        self.known, self.bound = np.diff(counts.indptr) > 0, log.index_fingerprint
        return self

    def fold_in(self, histories: Histories) -> np.ndarray:
        """User vectors (B, factors) solved from histories alone; zeros for an empty history."""
        check_items(histories, len(fitted(self.items, self)), self.bound, users=False)
        return self._solve(histories.counts(), self.items)

    def score(self, histories: Histories) -> np.ndarray:
        """Stored vectors times item vectors, float64 (B, n_items); unknown users are folded in."""
        check_items(histories, len(fitted(self.items, self)), self.bound)
        codes = histories.user
        stored = (codes >= 0) & (codes < len(self.known))
        stored[stored] = self.known[codes[stored]]
        vectors = np.empty((len(codes), self.config.factors))
        vectors[stored] = self.users[codes[stored]]
        vectors[~stored] = self.fold_in(histories.select(np.flatnonzero(~stored)))
        return vectors @ self.items.T

    def forget_user_vector(self, users: np.ndarray, histories: Histories) -> Self:
        """Solve the stored vectors of `users` (B,) again from their B histories; no rows, no
        vector."""
        users = checked_codes(users, len(fitted(self.users, self)), "users", UnknownUser)
        if not np.array_equal(users, histories.user):
            do = "pass log.histories(users)"
            raise DataError("histories of other users", "histories", "those of `users`", do)
        self.users[users] = self.fold_in(histories)
        self.known[users] = np.diff(histories.offsets) > 0
        return self

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: section 5, c_uj · y_iᵀ W_u y_j, W_u = (YᵀCᵘY + λI)⁻¹.

        The weights sum to the score of the folded-in vector, not of a stored vector gone stale.
        """
        check_items(histories, len(fitted(self.items, self)), self.bound, users=False)
        # c_uj · W_u y_j of every interaction
        y, carried = self.items, np.zeros((len(histories.item), self.config.factors))
        for b, held, c, normal in self._systems(histories.counts(), y):
            solved = np.linalg.solve(normal, y[held].T * c).T
            own = histories.row(b)
            carried[own] = solved[np.searchsorted(held, histories.item[own])]
        return contribution_table(histories, items, lambda i, at: (y[i] * carried[at]).sum(axis=1))

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        arrays = {"users": fitted(self.users, self), "items": self.items, "known": self.known}
        self._write(folder, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        names = ("users", "items", "known")
        model, arrays = cls._read(folder, names)
        for name in names:
            setattr(model, name, np.array(arrays[name]))
        return model

    def _solve(self, counts: sparse.csr_array, y: np.ndarray) -> np.ndarray:
        """Equation 4 for every row of `counts`; rows without entries get zeros."""
        x = np.zeros((counts.shape[0], y.shape[1]))
        for u, held, c, normal in self._systems(counts, y):
            x[u] = np.linalg.solve(normal, c @ y[held])
        return x

    def _systems(self, counts: sparse.csr_array, y: np.ndarray) -> Iterator[tuple[Any, ...]]:
        """Of every row u of `counts` with entries: u, its items, their c, and YᵀCᵘY + λI."""
        gram, ridge = y.T @ y, self.config.l2 * np.eye(y.shape[1])
        for u in np.flatnonzero(np.diff(counts.indptr)):
            span = slice(counts.indptr[u], counts.indptr[u + 1])
            held, more = counts.indices[span], self.config.alpha * counts.data[span]
            yield u, held, 1 + more, gram + (y[held].T * more) @ y[held] + ridge
