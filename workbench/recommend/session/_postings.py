"""Which sequence holds which item, both ways, and the sequences most like a question: the core of
the kNN models."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.data.histories import starts
from workbench.recommend.cells import entry_rows, tidy
from workbench.recommend.rows import FittedRows


@dataclass(frozen=True)
class Postings(FittedRows):
    """The rows as a 0/1 matrix and its transpose; never changed in place, so that copies may share
    it.

    sessions: X (S, n_items), 1 where a sequence has at least one row on an item. items: Xᵀ, the
    posting lists.
    """

    sessions: sparse.csr_array
    items: sparse.csr_array
    _recent: dict[int, sparse.csr_array] = field(default_factory=dict, repr=False)

    @classmethod
    def made(cls, rows: Histories, config: Any = None) -> Postings:
        """Index rows."""
        x = _ones(rows)
        return cls(rows, x, x.T.tocsr())

    def without(self, removed: Interactions) -> Postings:
        """Take rows out; an item leaves a sequence with its last row there. Raises `DataError` for
        rows not in here."""
        rows, touched = self.left(removed)
        gone = (_ones(self.rows.select(touched)) - _ones(rows.select(touched))).tocoo()
        cells = (gone.data, (touched[gone.row], gone.col))
        gone = sparse.coo_array(cells, shape=self.sessions.shape).tocsr()
        return Postings(rows, tidy(self.sessions - gone), tidy(self.items - gone.T))

    @cached_property
    def size(self) -> np.ndarray:
        """|X|: distinct items of each sequence (S,)."""
        return np.diff(self.sessions.indptr).astype(np.float64)

    @cached_property
    def last(self) -> np.ndarray:
        """How recent each sequence is: the position of its last row in the log; −1 for an empty one
        (S,)."""
        ends, filled = self.rows.offsets[1:], np.diff(self.rows.offsets) > 0
        last = np.full(len(ends), -1, dtype=np.int64)
        last[filled] = self.rows.position[ends[filled] - 1]
        return last

    def recent(self, m: int) -> sparse.csr_array:
        """Posting lists cut to the m most recent sequences (all postings stay in `items`)."""
        if m not in self._recent:
            self._recent[m] = best(self.items, m, self.last[self.items.indices])
        return self._recent[m]

    def nearest(self, asked: sparse.csr_array, k: int, m: int) -> sparse.csr_array:
        """The k sequences most like each question, among its m most recent candidates; (B, S),
        Σ_shared asked.

        asked: (B, n_items) positive whole weights of the items asked about. A candidate is one of
        the m most recent sequences of at least one of them. Likeness is Σ_shared asked / √|X|:
        compared as a square, which for whole numbers is one correctly rounded division, so that
        equal ones tie exactly; of those the more recent is taken.
        """
        shared = (asked @ self.items).tocsr()
        recent = self.recent(m)
        if recent is not self.items:
            candidates = asked.astype(bool).astype(np.float64) @ recent
            candidates.data[:] = 1.0
            shared = (shared * candidates).tocsr()
        shared = best(shared, m, self.last[shared.indices])
        shared = best(
            shared, k, shared.data**2 / self.size[shared.indices], self.last[shared.indices]
        )
        shared.sort_indices()  # one order of summation, whatever was cut
        return shared


def best(matrix: sparse.csr_array, limit: int, *keys: np.ndarray) -> sparse.csr_array:
    """The `limit` entries of each row with the highest keys (aligned with `matrix.data`; the first
    key decides first).

    A matrix in which no row is longer is returned as it is.
    """
    length = np.diff(matrix.indptr)
    if not (length > limit).any():
        return matrix
    row = entry_rows(matrix)
    at = np.flatnonzero((length > limit)[row])
    order = at[np.lexsort((*(-key[at] for key in reversed(keys)), row[at]))]
    # `order` has the same row at each place
    place = np.arange(len(order)) - np.searchsorted(row[at], row[at])
    kept = np.ones(len(row), dtype=bool)
    kept[order[place >= limit]] = False
    cut = (matrix.data[kept], matrix.indices[kept], starts(np.minimum(length, limit)))
    return sparse.csr_array(cut, shape=matrix.shape)


def _ones(rows: Histories) -> sparse.csr_array:
    x = rows.counts()  # not `matrix`, which keeps a second one
    x.data[:] = 1.0
    return tidy(x)
