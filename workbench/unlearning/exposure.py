"""Who is shown what, who never had it, whose list changed: asked of every removal, of any model.

Everything stands on plain arrays: lists, int (B, k), item codes, −1 where a list has ended, no item
twice; and the sparse matrix (n_users, n_items) of what each user holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from workbench.data import Interactions
from workbench.data.checks import checked_codes
from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser
from workbench.recommend.protocol import fitted_copy
from workbench.recommend.ranking import cutoffs
from workbench.statistics import RESAMPLES, bonett_price, percentiles, wilson

CALIPER, LEAST = 0.1, 2
"""Alike: a tenth more or fewer items than a person has left, at least 2 more or fewer."""

PEOPLE = 60
"""Users on whose rows a model is asked whether its `forget` equals a refit."""


def listed(lists: np.ndarray, items: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Which places of the lists hold one of `items`; bool (B, k).

    items: codes, the same for every list; or a sparse matrix (B, n_items), non-zero where an item
    counts for that list (what each user deleted, say).
    """
    lists = np.asarray(lists)
    if not sparse.issparse(items):
        return np.isin(lists, items) & (lists >= 0)
    rows = np.broadcast_to(np.arange(len(lists))[:, None], lists.shape)
    # the place of a list that has ended is asked for item 0, and its answer not taken
    counts = items[rows.ravel(), np.maximum(lists, 0).ravel()] != 0
    return np.asarray(counts).reshape(lists.shape) & (lists >= 0)


def exposure(lists: np.ndarray, items: np.ndarray | sparse.csr_array) -> np.ndarray:
    """1 for a list that holds at least one of `items` (as in `listed`), else 0; float64 (B,).

    >>> exposure(np.array([[3, 1], [2, -1]]), np.array([1, 5]))
    array([1., 0.])
    """
    return listed(lists, items).any(axis=1).astype(np.float64)


def share(lists: np.ndarray, items: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Share of each list that `items` (as in `listed`) are; float64 (B,), 0 for an empty list."""
    length = (np.asarray(lists) >= 0).sum(axis=1)
    return listed(lists, items).sum(axis=1) / np.maximum(length, 1)


def never_had(
    log: Interactions | sparse.csr_array,
    items: np.ndarray,
    left: np.ndarray,
    n: int,
    caliper: float | None = CALIPER,
    users: np.ndarray | None = None,
) -> np.ndarray:
    """For each of B people the n users most like them who hold none of `items`; int64 (B, n): the
    one rule of everything that shows a row *never had*.

    log: interactions, or the matrix of what each user holds. left: (B,) the number of distinct
    items that a person has left; alike are users who hold about as many. Nearest first, among
    equals the lower code; −1 where nobody more is there, so that whoever shows the row can say how
    many have no match. caliper: nobody whose number is further away than this share of `left`, or
    than `LEAST` where that is more; None: however far. users: (B,) the people's own codes, who are
    no match of theirs; needed where a person may hold none of `items`. A user may match several
    people: see `matched_mean`.

    Raises `ConfigError` for an n that is no whole number from 1, or a negative caliper;
    `UnknownItem` for items that are no codes; `DataError` for more people than numbers, or fewer.

    >>> held = sparse.csr_array(np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1]]))
    >>> never_had(held, items=[0], left=[1], n=2)
    array([[2, 1]])
    """
    cutoffs(n, several=False, where="n")
    if caliper is not None and not caliper >= 0:
        raise ConfigError(f"caliper={caliper}", "never_had", "caliper ≥ 0, or None")
    if users is not None and len(users) != len(left):
        raise DataError("users and numbers that do not fit", "never_had", "one `left` a person")
    held = log.matrix() if isinstance(log, Interactions) else sparse.csr_array(log)
    # who could match anybody: holds something, and none of the items
    distinct = held.count_nonzero(axis=1)
    items = checked_codes(items, held.shape[1], "items", UnknownItem)
    holders = held[:, items].count_nonzero(axis=1) > 0
    free = np.flatnonzero(~holders & (distinct > 0))
    matches = np.full((len(left), n), -1, dtype=np.int64)
    for row, size in enumerate(left):
        # one person's candidates: all of these but themselves, within the caliper
        candidates = free if users is None else free[free != users[row]]
        apart = np.abs(distinct[candidates] - size)
        if caliper is not None:
            near = apart <= max(caliper * size, LEAST)
            candidates, apart = candidates[near], apart[near]
        # codes ascend, so a stable order puts the lower one first among equals
        nearest = candidates[np.argsort(apart, kind="stable")][:n]
        matches[row, : len(nearest)] = nearest
    return matches


def matched_mean(
    values: np.ndarray,
    matches: np.ndarray,
    seed: int = 0,
    level: float = 0.95,
    *,
    differences: bool = False,
) -> tuple[float, float, float]:
    """Mean over pairs of a person and their match, with an interval that draws *matches*.

    values: (B,) one number a pair, no NaN; matches: (B,) who the match was. A user who is the match
    of many people is one draw with all their pairs, so that few matches make a wide percentile
    interval; bounds are NaN where there is but one. Where all values are 0, or all 1, a bootstrap
    has no width, and the interval is that of `matched_share`; with differences=True (values are
    differences of two shares, and may all be −1) that of Bonett and Price for as many pairs.

    >>> matched_mean(np.array([1.0, 1.0, 0.0]), np.array([7, 7, 7]))[1:]  # one match: no width
    (nan, nan)
    """
    values, match, counts = _pairs(values, matches, "matched_mean")
    if len(counts) < 2:
        mean = float(values.mean()) if len(values) else np.nan
        return mean, np.nan, np.nan
    same = float(values[0])
    if (values == same).all() and same in ((-1, 0, 1) if differences else (0, 1)):
        n = _worth(counts)
        bounds = bonett_price(n * (same > 0), n * (same < 0), n, level)
        return same, *(bounds if differences else wilson(n * same, n, level))
    # a match is drawn whole: the sum and the number of its pairs
    sums = np.bincount(match, weights=values)
    how = {"paired": True, "n_resamples": RESAMPLES}
    return float(values.mean()), *percentiles((sums, counts), _ratio, seed, level, **how)


def matched_share(
    values: np.ndarray, matches: np.ndarray, level: float = 0.95
) -> tuple[float, float, float]:
    """Share of pairs whose value is 1, with Wilson's interval for as many draws as the matches are
    worth.

    values: (B,) 0, ½ or 1 a pair; matches: (B,) who was drawn with it. Matches of m₁, m₂ … pairs
    are worth (Σm)² / Σm² draws (Kish, 1965), B where each has one pair. Sensible at 0 and 1, where
    `matched_mean` has no width; NaN bounds without a pair.

    >>> tuple(round(x, 2) for x in matched_share(np.zeros(9), np.array([7, 7, 7, 8, 8, 8, 9, 9, 9])))
    (0.0, 0.0, 0.56)
    """
    values, _, counts = _pairs(values, matches, "matched_share")
    if not len(values):
        return np.nan, np.nan, np.nan
    if not np.isin(values, (0, 0.5, 1)).all():
        raise DataError("values that are no shares", "matched_share", "0, ½ or 1 for each match")
    n, mean = _worth(counts), float(values.mean())
    return mean, *wilson(mean * n, n, level)


def _pairs(
    values: np.ndarray, matches: np.ndarray, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values; the number of each one's match; and how many pairs each match stands in."""
    values, matches = np.asarray(values, dtype=np.float64), np.asarray(matches)
    if values.shape != matches.shape or np.isnan(values).any():
        raise DataError("values that do not fit", where, "one number for each match")
    _, match, counts = np.unique(matches, return_inverse=True, return_counts=True)
    return values, match, counts


def _worth(counts: np.ndarray) -> float:
    """How many draws matches of so many pairs each are worth (Kish, 1965)."""
    return float(counts.sum() ** 2 / (counts**2).sum())


def _ratio(sums: np.ndarray, counts: np.ndarray, axis: int) -> np.ndarray:
    return sums.sum(axis=axis) / counts.sum(axis=axis)


def replaced(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How many items of each list are others than before; int64 (B,).

    The order within a list does not count; of two lists of unequal length the longer one's items.
    """
    before, after = np.asarray(before), np.asarray(after)
    same = before[:, :, None] == after[:, None, :]
    kept = (same.any(axis=2) & (before >= 0)).sum(axis=1)
    return _lengths(before, after) - kept


def churn(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share of each list that was replaced; float64 (B,), 0 (the same set) to 1 (nothing in
    common).

    >>> churn(np.array([[1, 2]]), np.array([[2, 3]]))
    array([0.5])
    """
    length = _lengths(np.asarray(before), np.asarray(after))
    return replaced(before, after) / np.maximum(length, 1)


def _lengths(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Items in the longer of the two lists; (B,)."""
    return np.maximum((before >= 0).sum(axis=1), (after >= 0).sum(axis=1))


def apart(model: Any, other: Any, log: Interactions) -> float:
    """How far two models are apart: the largest difference of two scores, as a share of the largest
    score (of 1 where all are smaller).

    Asked with everybody's rows in `log`, of people whom no model has met, so that only shared
    weights count; of the people themselves where a model knows them by their codes alone.
    """
    known = log.histories(np.unique(log.frame["user"]))
    try:
        strangers = replace(known, user=np.full(len(known), -1, dtype=np.int32))
        found, want = model.score(strangers), other.score(strangers)
    except UnknownUser:
        found, want = model.score(known), other.score(known)
    # equal scores of −inf are no difference
    differences = np.abs(found[found != want] - want[found != want])
    return float(differences.max(initial=0.0) / np.abs(want[np.isfinite(want)]).max(initial=1.0))


def off_refit(model: Any, log: Interactions) -> float:
    """How far the model's `forget` is off a refit on what remains, see `apart`; 0 within rounding
    (1e-6), and for a model without `forget`.

    Found in copies fitted on the rows of `PEOPLE` users, on one request: every second of their
    first rows. *Exact* is said only where this is 0; that it holds for a whole log is a law of the
    model (`check_recommender`), not asked here.

    >>> off_refit(EASE().fit(log), log)  # doctest: +SKIP
    0.0
    """
    if not hasattr(model, "forget"):
        return 0.0
    from workbench.data import keep_core

    people = np.unique(log.frame["user"])[:PEOPLE]
    some = log.select(log.frame["user"].isin(people).to_numpy())
    some = keep_core(some, 1, 1, reindex=True).log
    ids = some.frame["interaction"][1:20:2]
    left = some.without(ids)
    fitted, refitted = fitted_copy(model, some), fitted_copy(model, left)
    off = apart(fitted.forget(some.only(ids)), refitted, left)
    return off if off > 1e-6 else 0.0
