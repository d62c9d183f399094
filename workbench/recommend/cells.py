"""The user-item matrix counted in rows, and the item pairs counted over it: a cell is 1 while at
least one row of the user on the item is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.data.histories import starts
from workbench.errors import DataError, ModelError, UnknownItem
from workbench.recommend.protocol import held_at
from workbench.recommend.saving import csr_from, csr_parts

UNKNOWN = np.iinfo(np.int64).min
"""An id that no log can give."""
Change = tuple[np.ndarray, np.ndarray]
"""What a request does to one user: the items held before and after, as ascending codes."""


@dataclass(frozen=True)
class UserItemCounts:
    """Rows per (user, item) as CSR with sorted columns, and their ids; never changed in place, so
    that copies may share it.

    No zero is stored: a cell that is left without rows would otherwise still be named, in memory
    and in every file. ids (N,): cell after cell the rows that are left, in log order; all `UNKNOWN`
    of a folder that was written before they were kept, so that none of them can be forgotten.
    """

    counts: sparse.csr_array
    ids: np.ndarray

    NAMES: ClassVar[tuple[str, ...]] = ("cells.data",)

    @classmethod
    def of(cls, log: Interactions, config: Any = None) -> UserItemCounts:
        """Count the rows of a log; no setting changes them."""
        frame = log.deeds.frame
        order = np.lexsort((frame["item"], frame["user"]))  # stable
        ids = frame["interaction"].to_numpy()[order]
        return cls(tidy(log.counts().astype(np.int64)), ids)

    @property
    def n_items(self) -> int:
        """Items of the log that was counted."""
        return self.counts.shape[1]

    @property
    def matrix(self) -> sparse.csr_array:
        """1 where a row is left; float64 (n_users, n_items)."""
        full = self.counts.astype(float)  # a copy
        full.data[:] = 1.0
        return full

    def items(self, user: int) -> np.ndarray:
        """Items of a user, ascending."""
        return self.counts.indices[self.counts.indptr[user] : self.counts.indptr[user + 1]]

    def without(self, removed: Interactions) -> UserItemCounts:
        """Take rows out. Raises `DataError` for rows that are not in here."""
        # the ids of cell e stand at begin[e]:begin[e + 1]
        begin, left = starts(self.counts.data), self.counts.copy()

        def cell(at: np.ndarray) -> np.ndarray:
            return np.searchsorted(begin, at, side="right") - 1

        offsets = begin[left.indptr]
        at = held_at(removed, offsets, self.ids, lambda at: self.counts.indices[cell(at)])
        np.subtract.at(left.data, cell(at), 1)
        left.eliminate_zeros()  # columns stay in order
        return UserItemCounts(left, np.delete(self.ids, at))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a saved model needs."""
        named = {} if UNKNOWN in self.ids[:1] else {"cells.ids": self.ids}
        return csr_parts(self.counts, "cells") | named

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], config: Any = None) -> UserItemCounts:
        """The inverse of `arrays`; raises `ModelError` for arrays that are no matrix."""
        counts = csr_from(arrays, "cells")
        rows = int(counts.data.sum())
        ids = arrays.get("cells.ids", np.broadcast_to(UNKNOWN, rows))
        if ids.shape != (rows,) or counts.data.min(initial=1) < 1:
            raise ModelError("cells.ids do not fit", "arrays.safetensors", f"{rows} row ids")
        return cls(counts, ids)


@dataclass(frozen=True)
class PairCounts:
    """The cells, and C = XᵀX over them: users who have both items, whole numbers (n_items,
    n_items).

    Never changed in place. A method that makes more of C under its settings extends this.
    """

    cells: UserItemCounts
    pairs: sparse.csr_array
    config: Any = None

    NAMES: ClassVar[tuple[str, ...]] = ("cells.data", "pairs.data")

    @classmethod
    def of(cls, log: Interactions, config: Any = None) -> Self:
        """Count the pairs of a log."""
        cells = UserItemCounts.of(log)
        return cls(cells, tidy(_together(cells.counts)), config)

    @property
    def n_items(self) -> int:
        """Items of the log that was counted."""
        return self.cells.n_items

    def without(self, removed: Interactions) -> Self:
        """Take rows out: the touched users are counted before and after. Raises `DataError` for
        rows that are not in here."""
        cells = self.cells.without(removed)
        users = np.unique(removed.frame["user"])
        before = _together(self.cells.counts[users])
        after = _together(cells.counts[users])
        return replace(self, cells=cells, pairs=tidy(self.pairs + (after - before)))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a saved model needs."""
        return self.cells.arrays() | csr_parts(self.pairs, "pairs")

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], config: Any = None) -> Self:
        """The inverse of `arrays`; raises `ModelError` for arrays that are no matrix."""
        return cls(UserItemCounts.from_arrays(arrays), csr_from(arrays, "pairs"), config)


def _together(cells: sparse.csr_array) -> sparse.csr_array:
    x = cells.astype(bool).astype(np.int64)
    return x.T @ x


def tidy(pairs: sparse.sparray) -> sparse.csr_array:
    """One form for equal counts: no stored zeros, columns ascending."""
    pairs = pairs.tocsr()
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs


def changes(old: UserItemCounts, new: UserItemCounts, moved: Interactions) -> list[Change]:
    """The users of the rows taken out or put in whose items differ between two states."""
    both = [(old.items(user), new.items(user)) for user in np.unique(moved.frame["user"])]
    return [change for change in both if not np.array_equal(*change)]


def revalued(matrix: sparse.csr_array, data: np.ndarray) -> sparse.csr_array:
    """The same entries with other values."""
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def entry_rows(matrix: sparse.csr_array) -> np.ndarray:
    """The row of every entry, int64: as a column code, times a width, it must not overflow."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def entries(matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Some entries of a sparse matrix as a plain array (n,)."""
    return np.asarray(matrix[rows, columns]).reshape(-1) if len(rows) else np.zeros(0)


def contribution_table(
    histories: Histories,
    items: np.ndarray,
    weight: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    shared: bool = True,
) -> pd.DataFrame:
    """Contributions [row, item, interaction, weight] of every interaction of history b to the
    scores of `items[b]`.

    items: (B,) or (B, m) codes of target items, −1 for none. `weight(targets, at)` is what the history item
    at index `at` of the histories' arrays adds to the score of a target: an item's weight, which
    the rows of that item share equally; with `shared=False` each row's own.
    """
    # every row beside every target of its history
    items = items if np.ndim(items) < 2 else np.asarray(items)
    targets = checked_codes(items, histories.n_items, "items", UnknownItem, least=-1)
    if targets.size and len(histories) not in (1, len(items)):
        what = f"{len(items)} rows of targets for {len(histories)} histories"
        raise DataError(what, "items", "one row, or one code, a history")
    targets = targets.reshape(len(histories), -1 if targets.size else 0)
    at = np.repeat(np.arange(len(histories.item)), targets.shape[1])
    target = targets[histories.rows].reshape(-1)
    at, target = at[target >= 0], target[target >= 0]
    table = pd.DataFrame(
        {"row": histories.rows[at], "item": target, "interaction": histories.interaction[at]}
    )
    table["weight"] = np.asarray(weight(target, at), dtype=np.float64)
    if shared:
        cells = histories.rows * histories.n_items + histories.item
        _, cell, rows_of_cell = np.unique(cells, return_inverse=True, return_counts=True)
        table["weight"] /= rows_of_cell[cell][at]
    return table.sort_values(["row", "item"], kind="stable", ignore_index=True)
