"""From scores to lists, with one rule for ties everywhere: higher score first, then lower item
code. And one for having nothing to say: where all items that may be offered have one score, the
codes alone would order them, and there is no list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from workbench.data import Histories
from workbench.errors import ConfigError, DataError, ModelError, UnknownUser

CHUNK = 1 << 18  # scores ranked at a time: what fits a core's cache
BATCH = 1 << 22  # scores held at a time


def cutoffs(
    k: int | Sequence[int] | np.ndarray, several: bool = True, where: str = "k"
) -> list[int]:
    """Where lists are cut: a whole number from 1, or several; `ConfigError` for anything else."""
    given = np.asarray(k)
    whole = given.dtype.kind in "iu" and given.ndim <= several and given.size
    if not whole or given.min() < 1:
        want = "a whole number from 1" + several * ", or several such as (10, 20)"
        raise ConfigError(f"{where} = {k!r}", where, want)
    return given.reshape(-1).tolist()


def top_k(
    scores: np.ndarray,
    k: int,
    exclude: sparse.sparray | np.ndarray | None = None,
    *,
    alike: bool = False,
) -> np.ndarray:
    """The k best item codes of each row, int64 (B, k); −1 where fewer than k items are left (−inf
    and NaN are none).

    A row whose items, the excluded ones left out, all have one score has no list, unless there is
    one item only: all −1. alike: list them by code all the same, as for neighbours, of whom any
    will do. Raises `ConfigError` for a k that is no whole number from 1, `DataError` for scores or
    `exclude` of another shape.

    >>> top_k(np.array([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0]]), 3)
    array([[ 1,  2,  3],
           [-1, -1, -1]])
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.dtype.kind not in "biuf":
        what = f"{scores.dtype} of shape {scores.shape}"
        raise DataError(what, "scores", "numbers (lists, items)")
    if scores.dtype != np.float32:
        scores = scores.astype(np.float64, copy=False)
    out = None if exclude is None else one_a_list(exclude, scores.shape, "exclude")
    k = min(*cutoffs(k, several=False), scores.shape[1])
    lists = np.empty((len(scores), k), dtype=np.int64)
    if not k:
        return lists
    rows = max(1, CHUNK // max(scores.shape[1], 1))
    for start in range(0, len(scores), rows):
        part = scores[start : start + rows]
        if out is not None:
            part = part.copy()
            part[out[start : start + rows].nonzero()] = -np.inf
        lists[start : start + rows] = found = _highest(part, k)
        if not alike:
            lists[start + _undecided(part, found)] = -1
    return lists


def lists_of(
    score: Callable[[Histories], np.ndarray],
    histories: Histories,
    k: int,
    exclude: sparse.csr_array | None = None,
    *,
    seen: bool = False,
    size: int | None = None,
) -> np.ndarray:
    """The k best items of each history, as `top_k` lists them, with no more than `size` scores made
    at a time. seen: leave out what the history holds, in place of `exclude`."""
    lists = np.empty((len(histories), min(k, histories.n_items)), dtype=np.int64)
    step = max(1, (size or BATCH) // max(histories.n_items, 1))
    for start in range(0, len(histories), step):
        rows = np.arange(start, min(start + step, len(histories)))
        part = histories.select(rows)
        out = part.matrix() if seen else None if exclude is None else exclude[rows]
        lists[rows] = top_k(score(part), k, out)
    return lists


def one_a_list(matrix: Any, shape: tuple[int, ...], where: str) -> sparse.csr_array:
    """What is said of every list and item, as CSR; `DataError` for another shape."""
    found = getattr(matrix, "shape", None)
    if found != shape:
        raise DataError(f"{where} of shape {found}", where, f"{shape}: one row per history")
    return sparse.csr_array(matrix)


def _undecided(scores: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """The rows whose items all have one score."""
    # only where the first of the list ties with its last one need the others be looked at
    last = np.maximum((lists >= 0).sum(axis=1) - 1, 0)
    rows = np.arange(len(lists))
    first = scores[rows, lists[:, 0]]
    rows = np.flatnonzero(first == scores[rows, lists[rows, last]])
    there = scores[rows] > -np.inf
    least = np.where(there, scores[rows], np.inf).min(axis=1)
    return rows[(least == first[rows]) & (there.sum(axis=1) > 1)]


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
    """The model's scores (B, n_items); NaN in the rows that it cannot answer (empty histories,
    unknown users), so that `top_k` lists nothing there. Code −1 is nobody's, and no unknown user: a
    model that needs to know whose the history is raises `UnknownUser`."""
    filled = np.diff(histories.offsets) > 0
    try:
        return scores_of(model, histories)
    except DataError:  # it needs something to read
        if filled.all():
            raise
        parts = [np.flatnonzero(filled)]
    except UnknownUser:  # halves find whom
        if (histories.user < 0).any():
            raise
        parts = np.split(np.arange(len(histories)), [len(histories) // 2])
    scores = np.full((len(histories), histories.n_items), np.nan, dtype=np.float32)
    for rows in parts:
        if 0 < len(rows) < len(histories):
            found = scores_or_none(model, histories.select(rows))
            scores = scores.astype(np.result_type(scores, found), copy=False)
            scores[rows] = found
    return scores
