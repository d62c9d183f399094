"""From scores to lists, with one rule for ties everywhere: higher score first, then lower item code."""

from __future__ import annotations

import numpy as np
from scipy import sparse


def mask(scores: np.ndarray, exclude: sparse.sparray | np.ndarray | None) -> np.ndarray:
    """A float64 copy of `scores` (B, n_items) with the items of `exclude` (same shape, non-zero = out) at −inf."""
    masked = np.array(scores, dtype=np.float64)
    if exclude is not None:
        rows, items = exclude.nonzero()
        masked[rows, items] = -np.inf
    return masked


def top_k(scores: np.ndarray, k: int, exclude: sparse.sparray | np.ndarray | None = None) -> np.ndarray:
    """The k best item codes of each row, int64 (B, k); −1 where fewer than k items are left.

    >>> top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 3)
    array([[1, 2, 3]])
    """
    masked = mask(scores, exclude)
    k = min(k, masked.shape[1])
    best = np.argsort(-masked, axis=1, kind="stable")[:, :k]
    taken = np.take_along_axis(masked, best, axis=1)
    return np.where(np.isneginf(taken), -1, best)


def ranks(scores: np.ndarray, items: np.ndarray, exclude: sparse.sparray | np.ndarray | None = None) -> np.ndarray:
    """The rank (1 = best) of item `items[b]` in row b under the tie rule; 0 where the item itself is masked."""
    masked = mask(scores, exclude)
    items = np.asarray(items)
    own = masked[np.arange(len(masked)), items][:, None]
    codes = np.arange(masked.shape[1])[None, :]
    ahead = (masked > own) | ((masked == own) & (codes < items[:, None]))
    return np.where(np.isneginf(own[:, 0]), 0, ahead.sum(axis=1) + 1)
