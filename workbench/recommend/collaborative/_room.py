"""Is there room for all pairs of items that somebody has both of? Asked before the first is made."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from workbench.recommend.gram import check_room
from workbench.settings import physical_memory

PAIR, NEIGHBOUR = 24, 32
"""Bytes while pairs are counted, for each; and while all of them are kept as neighbours."""


def check_pairs(x: sparse.csr_array, kept: bool = False, limit: int | None = None) -> None:
    """Refuse a matrix (n_users, n_items) whose pairs of items would not fit.

    kept: all pairs are kept as neighbours, too. limit: bytes, half of this machine's memory unless
    told. Raises `TooLarge` with the figures.
    """
    size = PAIR + NEIGHBOUR * kept
    limit = limit or physical_memory() // 2
    held, n = np.diff(x.indptr).astype(np.int64), x.shape[1]
    # at least those of the longest history; at most those of all, or all there can be
    pairs, most = int(held.max(initial=0)) ** 2, min(int(held @ held), n**2)
    if size * pairs <= limit < size * most:
        # in between they are counted, a few items at a time, for as long as they fit
        columns, pairs = x.T.tocsr(), 0
        step = max(1, limit // (8 * size * n))
        for start in range(0, n, step):
            pairs += (columns[start : start + step] @ x).nnz
            if size * pairs > limit:
                break
    what = f"{pairs:,} pairs of items or more need {size * pairs / 1e9:,.1f} GB"
    longest = f"the longest of {len(held):,} histories has {held.max(initial=0):,} items"
    do = "leave out users with so many rows, keep fewer items (keep_core)"
    check_room(size * pairs, limit, f"{what} ({longest})", do)
