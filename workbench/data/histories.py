"""Ragged histories: what models read of a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from workbench.data.checks import checked_codes, checked_mask, whole_numbers
from workbench.errors import DataError


@dataclass(frozen=True)
class Histories:
    """Ragged histories of B users: row b owns the slice `offsets[b]:offsets[b + 1]` of every array.

    Shapes: user (B,), offsets (B + 1,), all others (N,). `basket` and `session` are -1 where there
    is none (`session` is None where the histories were not taken from a log); `action` holds codes
    into `actions`; `day` is datetime64[D], NaT where unknown (None as `session`). Within a row,
    interactions stand in log order. `bound` is the
    `index_fingerprint` of the log they were taken from: a model of other indexes refuses them.
    """

    user: np.ndarray
    offsets: np.ndarray
    item: np.ndarray
    action: np.ndarray
    basket: np.ndarray
    position: np.ndarray
    interaction: np.ndarray
    n_items: int
    actions: tuple[str, ...]
    session: np.ndarray | None = None
    day: np.ndarray | None = None
    bound: str | None = None

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return f"Histories({len(self)} users, {len(self.item)} interactions, {self.n_items} items)"

    def row(self, b: int) -> slice:
        """The slice of row b."""
        return slice(int(self.offsets[b]), int(self.offsets[b + 1]))

    @cached_property
    def rows(self) -> np.ndarray:
        """For each interaction the row it belongs to; shape (N,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def ago(self) -> np.ndarray:
        """Visits since each interaction, int64 (N,): 0 in the last visit of its history.

        A visit is a session, else a basket, else a day, else an interaction alone; it stands where
        its last interaction does.
        """
        visit = np.arange(len(self.item))
        for name in (self.day, self.basket, self.session):
            if name is not None:
                known = ~np.isnat(name) if name.dtype.kind == "M" else name >= 0
                code = np.unique(name, return_inverse=True)[1]
                visit = np.where(known, visit.max(initial=0) + 1 + code, visit)
        # the same visit of another history is another one
        apart = self.rows * (visit.max(initial=0) + 1) + visit
        _, visit = np.unique(apart, return_inverse=True)
        # where each visit ends: the ends of a history, in order, are its visits
        ends = np.zeros(visit.max(initial=-1) + 1, dtype=np.int64)
        np.maximum.at(ends, visit, np.arange(len(visit)))
        in_order = np.sort(ends)
        through = np.searchsorted(in_order, self.offsets[1:])
        return through[self.rows] - 1 - np.searchsorted(in_order, ends[visit])

    def matrix(self) -> sparse.csr_array:
        """0/1 matrix (B, n_items): which items each history holds, however often."""
        return self._matrix.copy()  # made once, a copy each: a caller may write into it

    @cached_property
    def _matrix(self) -> sparse.csr_array:
        counts = self.counts()
        counts.data[:] = 1.0
        return counts

    def counts(self) -> sparse.csr_array:
        """How many interactions each history holds per item; float64 (B, n_items)."""
        shape = (len(self), self.n_items)
        return sparse.coo_array(
            (np.ones(len(self.item)), (self.rows, self.item)), shape=shape
        ).tocsr()

    def without(self, interactions: Iterable[int]) -> Histories:
        """The same users, some interactions taken out; emptied rows stay, empty."""
        return self.keep(~np.isin(self.interaction, unique_ids(interactions)))

    def select(self, rows: Sequence[int] | np.ndarray) -> Histories:
        """Some of the rows, in the order asked for."""
        rows = checked_codes(rows, len(self), "rows")
        start, end = self.offsets[rows], self.offsets[rows + 1]
        return self.take(spans(start, end)[1], self.user[rows], end - start)

    def keep(self, mask: np.ndarray) -> Histories:
        """The interactions where `mask` (N,) is true; emptied rows stay, empty."""
        mask = checked_mask(mask, len(self.item))
        kept = np.bincount(self.rows[mask], minlength=len(self))
        return self.take(np.flatnonzero(mask), self.user, kept)

    def parts(self, kept: np.ndarray) -> Histories:
        """The one history here, once for each row of `kept` (m, N), with what that row keeps."""
        return self.select(np.zeros(len(kept), dtype=np.int64)).keep(kept.ravel())

    def take(self, take: np.ndarray, user: np.ndarray, lengths: np.ndarray) -> Histories:
        """Histories made of the interactions at `take`: row b owns the next `lengths[b]` of
        them."""
        parts = {
            name: getattr(self, name)[take]
            for name in ("item", "action", "basket", "position", "interaction", "session", "day")
            if getattr(self, name) is not None
        }
        return replace(self, user=user, offsets=starts(lengths), **parts)


def unique_ids(ids: Iterable[int]) -> np.ndarray:
    """Interaction ids as a sorted int64 array without repeats; raises `DataError` for what are no
    ids, a mask for instance."""
    do = "log.frame.loc[mask, 'interaction'] are the ids of a mask"
    return np.unique(whole_numbers(ids, "interactions", "interaction ids", do, DataError))


def starts(lengths: np.ndarray) -> np.ndarray:
    """Where each of B ragged rows starts in a flat array, and where the last one ends; int64 (B +
    1,).

    >>> starts(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def spans(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the spans `start[s]` to `end[s] − 1`, span by span: (span, number).

    >>> [part.tolist() for part in spans(np.array([4, 0]), np.array([6, 1]))]
    [[0, 0, 1], [4, 5, 0]]
    """
    n = end - start
    span = np.repeat(np.arange(len(n)), n)
    return span, np.arange(n.sum()) + np.repeat(start - (np.cumsum(n) - n), n)


def ids_among(interactions: Iterable[object], known: Iterable[int]) -> np.ndarray:
    """Which of these ids are among the known; sorted."""
    ids = unique_ids(interactions)
    return ids[np.isin(ids, known)]


def places(ids: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each id stands among others, −1 for one that does not; int64, as many as ids.

    >>> places(np.array([7, 2, 9]), np.array([2, 5, 7])).tolist()
    [2, 0, -1]
    """
    known, first = np.unique(among, return_index=True)
    at = np.searchsorted(known, ids)
    found = at < len(known)
    found[found] = known[at[found]] == ids[found]
    place = np.full(len(ids), -1)
    place[found] = first[at[found]]
    return place
