"""From scores to lists, with one rule for ties everywhere: higher score first, then lower item
code."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from workbench.data import Histories
from workbench.errors import DataError, ModelError

CHUNK = 1 << 18  # scores ranked at a time: what fits a core's cache


def top_k(
    scores: np.ndarray, k: int, exclude: sparse.sparray | np.ndarray | None = None
) -> np.ndarray:
    """The k best item codes of each row, int64 (B, k); −1 where fewer than k items are left (−inf
    and NaN are none).

    >>> top_k(np.array([[1.0, 3.0, 3.0, 2.0]]), 3)
    array([[1, 2, 3]])
    """
    scores = np.asarray(scores)
    if scores.dtype != np.float32:
        scores = scores.astype(np.float64, copy=False)
    out = None if exclude is None else sparse.csr_array(exclude)
    k = min(k, scores.shape[1])
    lists = np.empty((len(scores), k), dtype=np.int64)
    rows = max(1, CHUNK // max(scores.shape[1], 1))
    for start in range(0, len(scores), rows):
        part = scores[start : start + rows]
        if out is not None:
            part = part.copy()
            part[out[start : start + rows].nonzero()] = -np.inf
        lists[start : start + rows] = _highest(part, k)
    return lists


def _highest(scores: np.ndarray, k: int) -> np.ndarray:
    """As `top_k`, nothing excluded, without a look at most scores beyond one comparison.

    Divide the items into groups: at least k scores are as high as t, the k-th highest of the
    groups' maxima, and those above t stand in fewer than k groups. Where fewer than k are above t,
    the list ends with the first that equal t.
    """
    width = max(1, scores.shape[1] // (16 * k))
    groups = scores.shape[1] // width
    highest = scores[:, : width * groups].reshape(-1, width, groups).max(axis=1)
    if np.isnan(highest).any():
        return _highest(np.where(np.isnan(scores), -np.inf, scores), k)
    t = np.partition(highest, groups - k, axis=1)[:, groups - k]
    row, item = np.divmod(np.flatnonzero(scores > t[:, None]), scores.shape[1])
    room = k - np.bincount(row, minlength=len(scores))
    level = [np.flatnonzero(scores[b] == t[b])[: room[b]] for b in np.flatnonzero(room > 0)]
    row = np.concatenate(
        [row, np.repeat(np.flatnonzero(room > 0), [len(items) for items in level])]
    )
    item = np.concatenate([item, *level])
    value = scores[row, item]
    order = np.lexsort((item, -value, row))
    row, item, value = row[order], item[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    listed = (place < k) & (value > -np.inf)
    lists = np.full((len(scores), k), -1, dtype=np.int64)
    lists[row[listed], place[listed]] = item[listed]
    return lists


def scores_of(model: Any, histories: Histories) -> np.ndarray:
    """The scores of any model, foreign ones too, once looked at: numbers (B, n_items).

    −inf takes an item out of every list, and so does NaN. Raises `ModelError` for another shape, for
    what no array of numbers can be made of, and for +inf.
    """
    found, want = model.score(histories), (len(histories), histories.n_items)
    try:
        scores = np.asarray(found)
        right = scores.shape == want and scores.dtype.kind in "biuf"
        if right and not np.isposinf(scores).any():
            return scores
    except (TypeError, ValueError, RuntimeError):  # a tensor with its graph, for instance
        pass
    what = (
        f"{type(found).__name__} of {getattr(found, 'dtype', '?')}, {getattr(found, 'shape', '?')}"
    )
    want = f"an array {want} of numbers below +inf, a score for every item of every history"
    raise ModelError(what, f"{type(model).__name__}.score", want, "return a numpy array")


def scores_or_none(model: Any, histories: Histories) -> np.ndarray:
    """The model's scores (B, n_items); NaN in the rows of empty histories where it cannot answer
    them, so that `top_k` lists nothing there."""
    filled = np.flatnonzero(np.diff(histories.offsets))
    try:
        return scores_of(model, histories)
    except DataError:  # it needs something to read
        if len(filled) == len(histories):
            raise
        scores = np.full((len(histories), histories.n_items), np.nan, dtype=np.float32)
        if len(filled):
            scores[filled] = scores_of(model, histories.select(filled))
        return scores
