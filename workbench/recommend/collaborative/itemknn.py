"""Item-based nearest neighbours (Sarwar, Karypis, Konstan & Riedl, WWW 2001), on binary cells.

    s_ij = C_ij / √(C_ii · C_jj),   C = XᵀX        cosine of two item columns; C_ij users have both i and j
    score(u, i) = Σ_{j ∈ N_k(i)} s_ij x_uj         N_k(i): the k items most like the *target* i; x_uj = 1 if u has j

`normalise` divides a row of s by its sum; `centre` scores m_i + Σ_j s_ij (x_uj − m_j), m_j the
share of users with j. Both are the ItemCF of the BARS benchmark (SIGIR 2022). C is whole numbers,
so `forget` equals a refit bit by bit. C grows with the square of the longest history: one user (a
bot) with 20,000 items makes 400 million pairs, 10 GB, which is refused before it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd
from pydantic import PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.cells import PairCounts, contribution_table, entries
from workbench.recommend.collaborative._room import check_pairs
from workbench.recommend.counted import CountedModel
from workbench.settings import Frozen


class ItemKNNConfig(Frozen):
    """Settings of ItemKNN."""

    k: PositiveInt | None = 100
    """Neighbours per target item. None keeps all."""
    ties: bool = True
    """Keep also all that tie with the k-th; otherwise the lower codes win (BARS: some of them)."""
    normalise: bool = False
    """Divide the similarities of a target item by their sum (BARS: yes)."""
    centre: bool = False
    """Count how far a user is from the mean user in place of what the user has (BARS: yes)."""
    memory_limit_bytes: PositiveInt | None = None
    """Refuse to fit when the pairs need more; None: half of this machine's memory."""


@dataclass(frozen=True)
class Neighbours(PairCounts):
    """C, and what the equations make of it under the settings, once for each state."""

    @classmethod
    def of(cls, log: Interactions, config: ItemKNNConfig | None = None) -> Self:
        """Count the pairs of a log; raises `TooLarge` before memory is taken for them."""
        config = config or ItemKNNConfig()
        check_pairs(log.matrix(), config.k is None, config.memory_limit_bytes)
        return super().of(log, config)

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


class ItemKNN(CountedModel):
    """Cosine neighbours from co-occurrence counts.

    >>> ItemKNN(k=50).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    Config = ItemKNNConfig
    State = Neighbours

    def __repr__(self) -> str:
        shown = self.config.model_dump(exclude={"memory_limit_bytes"})
        return self._named(*(f"{name}={value}" for name, value in shown.items()))

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


def _neighbours(pairs: sparse.csr_array, config: ItemKNNConfig) -> sparse.csr_array:
    """s of the kept neighbours, row after row."""
    own = pairs.diagonal().astype(np.float64)
    parts = [(np.zeros(0), np.zeros(0, np.int32))]
    for i in range(len(own)):
        span = slice(pairs.indptr[i], pairs.indptr[i + 1])
        other = pairs.indices[span] != i  # an item is not its own neighbour
        j = pairs.indices[span][other]
        similar = pairs.data[span][other] / np.sqrt(own[i] * own[j])
        if config.k is not None and config.k < len(j):
            near = _nearest(similar, config.k, config.ties)
            j, similar = j[near], similar[near]
        if config.normalise:
            similar = similar / similar.sum()
        parts.append((similar, j))
    data, indices = (np.concatenate(some) for some in zip(*parts, strict=True))
    indptr = np.cumsum([len(j) for _, j in parts])
    return sparse.csr_array((data, indices, indptr), shape=pairs.shape)


def _nearest(similar: np.ndarray, k: int, ties: bool) -> np.ndarray:
    """Where the k highest stand, ascending; with `ties` also all that equal the k-th."""
    # equal fractions such as 1/√3 and 3/√27 may differ in their last bit
    last = np.partition(similar, -k)[-k] * (1 - 1e-12)
    near = np.flatnonzero(similar >= last)
    if ties:
        return near
    # the better ones first, then those that tie, by code
    order = np.argsort(similar[near] <= last * (1 + 3e-12), kind="stable")
    return np.sort(near[order[:k]])
