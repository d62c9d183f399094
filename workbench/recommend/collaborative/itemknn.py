"""Item-based nearest neighbours (Sarwar, Karypis, Konstan & Riedl, WWW 2001), on binary cells.

    s_ij = C_ij / √(C_ii · C_jj),   C = XᵀX        cosine of two item columns; C_ij users have both i and j
    score(u, i) = Σ_{j ∈ N_k(i)} s_ij x_uj         N_k(i): the k items most like the *target* i; x_uj = 1 if u has j

`normalise` divides a row of s by its sum; `centre` scores m_i + Σ_j s_ij (x_uj − m_j), m_j the
share of users with j. Both are the ItemCF of the BARS benchmark (SIGIR 2022). C is whole numbers,
so `forget` equals a refit bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.cells import Change, UserItemCounts, changes, contribution_table, entries
from workbench.recommend.counted import CountedModel
from workbench.recommend.saving import csr_from, csr_parts


class ItemKNNConfig(BaseModel):
    """Settings of ItemKNN."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    k: PositiveInt | None = 100
    """Neighbours per target item. None keeps all."""
    ties: bool = True
    """Keep also all that tie with the k-th; otherwise the lower codes win (BARS: some of them)."""
    normalise: bool = False
    """Divide the similarities of a target item by their sum (BARS: yes)."""
    centre: bool = False
    """Count how far a user is from the mean user in place of what the user has (BARS: yes)."""


@dataclass(frozen=True)
class PairCounts:
    """The cells, C counted over them, and what the equations make of C under the settings."""

    cells: UserItemCounts
    pairs: sparse.csr_array
    config: ItemKNNConfig

    NAMES: ClassVar[tuple[str, ...]] = ("cells.data", "pairs.data")

    @classmethod
    def of(cls, log: Interactions, config: ItemKNNConfig) -> PairCounts:
        """Count pairs."""
        cells = UserItemCounts.of(log)
        x = cells.matrix.astype(np.int64)
        return cls(cells, _tidy(x.T @ x), config)

    @property
    def n_items(self) -> int:
        """Items of the log that was counted."""
        return self.cells.n_items

    @cached_property
    def similarity(self) -> sparse.csr_array:
        """s: row = target item, only kept neighbours."""
        return _neighbours(self.pairs, self.config)

    @cached_property
    def turned(self) -> sparse.csr_array:
        """sᵀ."""
        return self.similarity.T.tocsr()

    @cached_property
    def offset(self) -> np.ndarray:
        """m_i − Σ_j s_ij m_j, what an empty history scores; (n_items,), zeros unless centred."""
        m = self.pairs.diagonal() * float(self.config.centre) / self.cells.counts.shape[0]
        return m - self.similarity @ m

    def without(self, removed: Interactions) -> PairCounts:
        """Take rows out. Raises `DataError` for rows that are not in here."""
        cells = self.cells.without(removed)
        moved = changes(self.cells, cells, removed)
        pairs = self.pairs + _difference(moved, self.n_items) if moved else self.pairs
        return replace(self, cells=cells, pairs=_tidy(pairs))

    def arrays(self) -> dict[str, np.ndarray]:
        """Both counts."""
        return self.cells.arrays() | csr_parts(self.pairs, "pairs")

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], config: ItemKNNConfig) -> PairCounts:
        """The inverse of `arrays`; raises `ModelError` for arrays that are no matrix."""
        return cls(UserItemCounts.from_arrays(arrays), csr_from(arrays, "pairs"), config)


class ItemKNN(CountedModel):
    """Cosine neighbours from co-occurrence counts.

    >>> ItemKNN(ItemKNNConfig(k=50)).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    Config = ItemKNNConfig
    State = PairCounts

    def score(self, histories: Histories) -> np.ndarray:
        """Sum of similarities to the history's items, and the offset; float64 (B, n_items)."""
        state = self._state_for(histories)
        return (histories.matrix() @ state.turned).toarray() + state.offset

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: s_ij of history item j, shared among its rows; sums to
        score − `state.offset`."""
        similar = self._state_for(histories).similarity

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return entries(similar, i, histories.item[at])

        return contribution_table(histories, items, weight)


def _tidy(pairs: sparse.sparray) -> sparse.csr_array:
    """One form for equal counts: no stored zeros, columns ascending."""
    pairs = pairs.tocsr()
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs


def _difference(changes: list[Change], n: int) -> sparse.csr_array:
    """Σ over changed users of x_new x_newᵀ − x_old x_oldᵀ."""
    sides = [
        (items, sign)
        for change in changes
        for items, sign in ((change.after, 1), (change.before, -1))
    ]
    rows = np.repeat(np.arange(len(sides), dtype=np.int32), [len(items) for items, _ in sides])
    columns = np.concatenate([items for items, _ in sides])
    x = sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(len(sides), n))
    signs = sparse.diags_array(np.array([sign for _, sign in sides]), dtype=np.int64)
    return x.T @ signs @ x


def _neighbours(pairs: sparse.csr_array, config: ItemKNNConfig) -> sparse.csr_array:
    own, k, parts = (
        pairs.diagonal().astype(np.float64),
        config.k,
        [(np.zeros(0), np.zeros(0, np.int32))],
    )
    for i in range(len(own)):
        span = slice(pairs.indptr[i], pairs.indptr[i + 1])
        other = pairs.indices[span] != i  # an item is not its own neighbour
        j = pairs.indices[span][other]
        similar = pairs.data[span][other] / np.sqrt(own[i] * own[j])
        if k is not None and k < len(j):
            # equal fractions such as 1/√3 and 3/√27 may differ in their last bit
            near = np.flatnonzero(similar >= (last := np.partition(similar, -k)[-k] * (1 - 1e-12)))
            if not config.ties:  # the better ones first, then those that tie, by code
                near = np.sort(
                    near[np.argsort(similar[near] <= last * (1 + 3e-12), kind="stable")[:k]]
                )
            j, similar = j[near], similar[near]
        parts.append((similar / similar.sum() if config.normalise else similar, j))
    data, indices = (np.concatenate(some) for some in zip(*parts, strict=True))
    return sparse.csr_array(
        (data, indices, np.cumsum([len(j) for _, j in parts])), shape=pairs.shape
    )
