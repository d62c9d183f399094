"""What the counted session models share: POP where a model has nothing to say, and what is last in a
history."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from workbench.data import Histories


def popularity(rows: Histories) -> np.ndarray:
    """POP: rows per item; float64 (n_items,)."""
    return np.bincount(rows.item, minlength=rows.n_items).astype(np.float64)


def or_popular(scores: sparse.csr_array, rows: Histories) -> np.ndarray:
    """Scores as float64 (B, n_items); a history for which every score is 0 gets the counts of POP
    instead."""
    scores.eliminate_zeros()
    dense = scores.toarray()
    dense[np.diff(scores.indptr) == 0] = popularity(rows)
    return dense


def then_popular(first: sparse.csr_array, rows: Histories) -> np.ndarray:
    """Ranked by the whole numbers of `first` (B, n_items), then by POP, in one score: (1 + max POP)
    · first + POP.

    Whole numbers below 2⁵³, so the order is exact.
    """
    counts = popularity(rows)
    return (first * step(rows)).toarray() + counts


def step(rows: Histories) -> float:
    """1 + the largest count of POP: what one unit of `then_popular`'s first key adds to a score."""
    return 1.0 + popularity(rows).max(initial=0.0)


def last_rows(histories: Histories) -> np.ndarray:
    """Which rows are the last of their history; bool (N,)."""
    last = np.zeros(len(histories.item), dtype=bool)
    last[histories.offsets[1:][np.diff(histories.offsets) > 0] - 1] = True
    return last


def last_items(histories: Histories) -> sparse.csr_array:
    """1 at the last item of each history that is not empty; float64 (B, n_items)."""
    return histories.keep(last_rows(histories)).counts()


def last_positions(histories: Histories) -> sparse.csr_array:
    """The last position of each item of each history, from 1; float64 (B, n_items), columns
    ascending."""
    place = np.arange(len(histories.item)) - histories.offsets[histories.rows] + 1.0
    cell = histories.rows * histories.n_items + histories.item
    # of equal cells the first in reverse: the last
    cell, back = np.unique(cell[::-1], return_index=True)
    where = (cell // histories.n_items, cell % histories.n_items)
    return sparse.coo_array(
        (place[::-1][back], where), shape=(len(histories), histories.n_items)
    ).tocsr()
