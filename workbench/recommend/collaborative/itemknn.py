"""Item-based nearest neighbours (Sarwar, Karypis, Konstan & Riedl, WWW 2001), on binary cells.

    s_ij = C_ij / √(C_ii · C_jj),   C = XᵀX        cosine of two item columns; C_ij users have both i and j
    score(u, i) = Σ_{j ∈ N_k(i) ∩ I_u} s_ij        N_k(i): the k items most like the *target* i

C holds whole numbers, so taking rows out of it is exact: the model after `forget` equals the refitted one bit by bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.collaborative.cells import Cells, Change, check_items, fitted, shared_out
from workbench.recommend.saving import csr_from, csr_parts, load_arrays, save_arrays

BLOCK = 1024  # rows made dense at a time


class ItemKNNConfig(BaseModel):
    """Settings of ItemKNN."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    k: PositiveInt | None = 100
    """Neighbours per target item; those that tie with the k-th are kept too. None keeps all."""


class ItemKNN:
    """Cosine neighbours from co-occurrence counts.

    >>> ItemKNN(ItemKNNConfig(k=50)).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    def __init__(self, config: ItemKNNConfig | None = None) -> None:
        self.config = config or ItemKNNConfig()
        self.cells: Cells | None = None
        self.pairs: sparse.csr_array | None = None  # C
        self._similar: sparse.csr_array | None = None  # s, row = target; made anew when first needed

    def __repr__(self) -> str:
        return f"ItemKNN(k={self.config.k})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count pairs; `valid` is not used."""
        self.cells = Cells.of(log)
        x = self.cells.matrix.astype(np.int64)
        self.pairs, self._similar = _tidy(x.T @ x), None
        return self

    @property
    def similarity(self) -> sparse.csr_array:
        """s, row = target item, only kept neighbours; derived from the counts whenever they have changed."""
        if self._similar is None:
            self._similar = _neighbours(fitted(self.pairs, self), self.config.k)
        return self._similar

    def score(self, histories: Histories) -> np.ndarray:
        """Sum of similarities to the history's items; float64 (B, n_items)."""
        check_items(histories, self.similarity.shape[0])
        return (histories.matrix() @ self.similarity.T).toarray()

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: s_ij for each history item j, shared among its rows; sums to the score."""
        similar = self.similarity
        return shared_out(histories, items, lambda i, at: np.asarray(similar[i, histories.item[at]]).reshape(-1))

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing if it cannot."""
        cells, changes = fitted(self.cells, self).without(removed)
        pairs = _tidy(self.pairs + _difference(changes, self.pairs.shape[0])) if changes else self.pairs
        self.cells, self.pairs, self._similar = cells, pairs, None if changes else self._similar
        return self

    def copy(self) -> Self:
        """An independent copy (no matrix is ever changed in place, so they are shared)."""
        twin = type(self)(self.config)
        twin.cells, twin.pairs, twin._similar = self.cells, self.pairs, self._similar
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        arrays = csr_parts(fitted(self.cells, self).counts, "cells") | csr_parts(self.pairs, "pairs")
        save_arrays(folder, "ItemKNN", self.config, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, arrays = load_arrays(folder, "ItemKNN", ItemKNNConfig, ("cells.data", "pairs.data"))
        model = cls(config)
        model.cells, model.pairs = Cells(csr_from(arrays, "cells")), csr_from(arrays, "pairs")
        return model


def _tidy(pairs: sparse.sparray) -> sparse.csr_array:
    """One form for equal counts: no stored zeros, columns ascending."""
    pairs = pairs.tocsr()
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs


def _difference(changes: list[Change], n: int) -> sparse.csr_array:
    """Σ over changed users of x_new x_newᵀ − x_old x_oldᵀ."""
    sides = [(items, sign) for change in changes for items, sign in ((change.after, 1), (change.before, -1))]
    rows = np.repeat(np.arange(len(sides)), [len(items) for items, _ in sides])
    columns = np.concatenate([items for items, _ in sides])
    x = sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(len(sides), n))
    signs = sparse.diags_array(np.array([sign for _, sign in sides]), dtype=np.int64)
    return x.T @ signs @ x


def _neighbours(pairs: sparse.csr_array, k: int | None) -> sparse.csr_array:
    n = pairs.shape[0]
    own = pairs.diagonal().astype(np.float64)
    blocks = []
    for start in range(0, n, BLOCK):
        block = pairs[start : start + BLOCK].toarray()
        at = np.arange(len(block))
        block[at, start + at] = 0  # an item is not its own neighbour
        root = np.sqrt(own[start : start + BLOCK, None] * own)
        similar = np.divide(block, root, out=np.zeros(block.shape), where=root > 0)
        if k is not None and k < n:
            last = np.partition(similar, n - k, axis=1)[:, n - k, None]
            # 1e-12: equal fractions such as 1/√3 and 3/√27 may differ in their last bit, and ties are kept
            similar[similar < last * (1 - 1e-12)] = 0
        blocks.append(sparse.csr_array(similar))
    return sparse.vstack(blocks, format="csr")
