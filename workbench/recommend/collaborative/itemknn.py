"""Item-based nearest neighbours (Sarwar, Karypis, Konstan & Riedl, WWW 2001), on binary cells.

    s_ij = C_ij / √(C_ii · C_jj),   C = XᵀX        cosine of two item columns; C_ij users have both i and j
    score(u, i) = Σ_{j ∈ N_k(i)} s_ij x_uj         N_k(i): the k items most like the *target* i; x_uj = 1 if u has j

`normalise` divides a row of s by its sum; `centre` scores m_i + Σ_j s_ij (x_uj − m_j), m_j the
share of users with j. Both are the ItemCF of the BARS benchmark (SIGIR 2022). C is whole numbers,
so `forget` equals a refit bit by bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.cells import Cells, Change, check_items, fitted, shared_out
from workbench.recommend.saving import csr_from, csr_parts, load_arrays, save_arrays


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


class ItemKNN:
    """Cosine neighbours from co-occurrence counts.

    >>> ItemKNN(ItemKNNConfig(k=50)).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    def __init__(self, config: ItemKNNConfig | None = None) -> None:
        self.config = config or ItemKNNConfig()
        self.cells: Cells | None = None
        self.pairs: sparse.csr_array | None = None  # C
        # s, sᵀ, offset
        self._derived: tuple[sparse.csr_array, sparse.csr_array, np.ndarray] | None = None

    def __repr__(self) -> str:
        return f"ItemKNN({', '.join(f'{n}={v}' for n, v in self.config if n in {'k', *self.config.model_fields_set})})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count pairs; `valid` is not used."""
        self.cells = Cells.of(log)
        self.pairs, self._derived = _tidy((x := self.cells.matrix.astype(np.int64)).T @ x), None
        return self

    @property
    def similarity(self) -> sparse.csr_array:
        """s, row = target item, only kept neighbours; derived from the counts whenever they have
        changed."""
        return self._derive()[0]

    @property
    def offset(self) -> np.ndarray:
        """m_i − Σ_j s_ij m_j, what an empty history scores; float64 (n_items,), zeros unless
        centred."""
        return self._derive()[2]

    def score(self, histories: Histories) -> np.ndarray:
        """Sum of similarities to the history's items, and the offset; float64 (B, n_items)."""
        _, turned, offset = self._derive()
        check_items(histories, len(offset))
        return (histories.matrix() @ turned).toarray() + offset

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: s_ij of history item j, shared among its rows; sums to
        score − `offset`."""
        similar = self.similarity
        return shared_out(
            histories, items, lambda i, at: np.asarray(similar[i, histories.item[at]]).reshape(-1)
        )

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        cells, changes = fitted(self.cells, self).without(removed)
        pairs = self.pairs + _difference(changes, self.pairs.shape[0]) if changes else self.pairs
        self.cells, self.pairs, self._derived = cells, _tidy(pairs), None
        return self

    def copy(self) -> Self:
        """An independent copy (no matrix is ever changed in place, so they are shared)."""
        twin = type(self)(self.config)
        twin.cells, twin.pairs, twin._derived = self.cells, self.pairs, self._derived
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        arrays = csr_parts(fitted(self.cells, self).counts, "cells") | csr_parts(
            self.pairs, "pairs"
        )
        save_arrays(folder, "ItemKNN", self.config, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, arrays = load_arrays(folder, "ItemKNN", ItemKNNConfig, ("cells.data", "pairs.data"))
        model = cls(config)
        model.cells, model.pairs = Cells(csr_from(arrays, "cells")), csr_from(arrays, "pairs")
        return model

    def _derive(self) -> tuple[sparse.csr_array, sparse.csr_array, np.ndarray]:
        if self._derived is None:
            similar = _neighbours(fitted(self.pairs, self), self.config)
            # shares of users
            m = self.pairs.diagonal() * float(self.config.centre) / self.cells.counts.shape[0]
            self._derived = similar, similar.T.tocsr(), m - similar @ m
        return self._derived


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
