"""The user-item matrix counted in rows: a cell is 1 while at least one row of the user on the item
is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.errors import DataError, ModelError


class Change(NamedTuple):
    """What a request does to one user: the items held before and after, as ascending codes."""

    user: int
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Cells:
    """Rows per (user, item) as CSR with sorted columns; never changed in place, so that copies may
    share it.

    No zero is stored: a cell that is left without rows would otherwise still be named, in memory
    and in every file.
    """

    counts: sparse.csr_array

    @classmethod
    def of(cls, log: Interactions) -> Cells:
        """Count the rows of a log."""
        counts = log.counts().astype(np.int64)
        counts.sort_indices()
        return cls(counts)

    @property
    def matrix(self) -> sparse.csr_array:
        """1 where a row is left; float64 (n_users, n_items)."""
        full = self.counts.astype(float)  # a copy
        full.data[:] = 1.0
        return full

    def items(self, user: int) -> np.ndarray:
        """Items of a user, ascending."""
        return self.counts.indices[self.counts.indptr[user] : self.counts.indptr[user + 1]]

    def without(self, removed: Interactions) -> tuple[Cells, list[Change]]:
        """Take rows out; also the users whose cells left. Raises `DataError` for rows that are not
        in here."""
        counts, data = self.counts, self.counts.data.copy()
        users, items = (removed.frame[name].to_numpy() for name in ("user", "item"))
        touched = np.unique(users)
        for user in touched:
            start, end = counts.indptr[user], counts.indptr[user + 1]
            own = items[users == user]
            at = np.searchsorted(counts.indices[start:end], own)
            inside = at < end - start
            inside[inside] = counts.indices[start:end][at[inside]] == own[inside]
            if inside.all():
                np.subtract.at(data, start + at, 1)
            if not inside.all() or (data[start:end] < 0).any():
                raise DataError(
                    f"user code {user} has rows to remove that the model does not hold",
                    "removed",
                    "rows the model was fitted on and has not forgotten yet",
                    "pass log.only(ids) of that log, each row once",
                )
        held = data > 0
        indptr = np.concatenate([[0], np.cumsum(held)])[counts.indptr].astype(counts.indptr.dtype)
        left = Cells(
            sparse.csr_array((data[held], counts.indices[held], indptr), shape=counts.shape)
        )
        return left, changes(self, left, touched)

    def extended(self, added: Interactions) -> tuple[Cells, list[Change]]:
        """Put rows in; also the users who gained cells."""
        more = Cells((self.counts + Cells.of(added).counts).tocsr())
        more.counts.sort_indices()
        return more, changes(self, more, np.unique(added.frame["user"]))


def changes(old: Cells, new: Cells, users: np.ndarray) -> list[Change]:
    """The users among `users` whose items differ between two states."""
    both = [Change(int(user), old.items(user), new.items(user)) for user in users]
    return [change for change in both if not np.array_equal(change.before, change.after)]


def shared_out(
    histories: Histories, items: np.ndarray, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """Contributions [row, item, interaction, weight] of every interaction of history b to the
    scores of `items[b]`.

    items: (B,) or (B, m) target items, −1 for none. `weight(targets, at)` is what the history item
    at index `at` of the histories' arrays adds to the score of a target; the rows of one history
    item share it equally.
    """
    targets = np.asarray(items, dtype=np.int64).reshape(len(histories), -1 if np.size(items) else 0)
    cells = histories.rows * histories.n_items + histories.item
    _, inverse, rows_of_cell = np.unique(cells, return_inverse=True, return_counts=True)
    at = np.repeat(np.arange(len(cells)), targets.shape[1])
    target = targets[histories.rows].reshape(-1)
    at, target = at[target >= 0], target[target >= 0]
    table = pd.DataFrame(
        {"row": histories.rows[at], "item": target, "interaction": histories.interaction[at]}
    )
    table["weight"] = weight(target, at) / rows_of_cell[inverse][at]
    return table.sort_values(["row", "item"], kind="stable", ignore_index=True)


State = TypeVar("State")


def fitted(state: State | None, model: object) -> State:
    """The state of a model, or a `ModelError` that tells to fit it first."""
    if state is None:
        raise ModelError(
            f"{type(model).__name__} has not been fitted", do="call fit(log) or load(folder) first"
        )
    return state


def check_items(asked: Histories | Interactions, n_items: int) -> None:
    """Histories, or a log, must have been coded with the item index of the fitted log."""
    if asked.n_items != n_items:
        what = "histories" if isinstance(asked, Histories) else "a log"
        expected, do = (
            "the item index of the fitted log",
            "take a log with the same indexes, and histories from it",
        )
        raise ModelError(
            f"{what} of {asked.n_items} items for a model of {n_items}", what, expected, do
        )
