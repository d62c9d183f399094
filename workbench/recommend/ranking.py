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
    masked = -mask(scores, exclude)
    k = min(k, masked.shape[1])
    # A partition finds the k best without ordering the rest (three times as fast at 1,000 items); only rows where items
    # tie across the border need the whole order, to see which of them have the lower codes.
    best = np.sort(np.argpartition(masked, k - 1, axis=1)[:, :k], axis=1)
    border = np.take_along_axis(masked, best, axis=1).max(axis=1, keepdims=True, initial=-np.inf)
    tied = (masked <= border).sum(axis=1) > k
    best[tied] = np.argsort(masked[tied], axis=1, kind="stable")[:, :k]
    taken = np.take_along_axis(masked, best, axis=1)
    order = np.argsort(taken, axis=1, kind="stable")
    best, taken = (np.take_along_axis(part, order, axis=1) for part in (best, taken))
    return np.where(np.isposinf(taken), -1, best)


def ranks(scores: np.ndarray, items: np.ndarray, exclude: sparse.sparray | np.ndarray | None = None) -> np.ndarray:
    """The rank (1 = best) of item `items[b]` in row b under the tie rule; 0 where the item itself is masked."""
    masked = mask(scores, exclude)
    items = np.asarray(items)
    own = masked[np.arange(len(masked)), items][:, None]
    codes = np.arange(masked.shape[1])[None, :]
    ahead = (masked > own) | ((masked == own) & (codes < items[:, None]))
    return np.where(np.isneginf(own[:, 0]), 0, ahead.sum(axis=1) + 1)
