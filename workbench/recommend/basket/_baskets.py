"""Histories read as baskets, and the rows that a counted basket model holds.

A basket is a set: equal items in one basket are one cell (basket, item), which is there while at
least one row of it is left. Baskets stand in the order in which they begin, items of a basket in
the order of their first rows. Both are found anew from the rows that are left, so that a basket
that is emptied makes the later ones move up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.errors import DataError, ModelError


@dataclass(frozen=True)
class Baskets:
    """The baskets of B histories, ragged twice: M baskets, C cells (basket, item), N interactions.

    offsets (B + 1,): row b owns the baskets `offsets[b]:offsets[b + 1]`, oldest first. starts (M +
    1,): basket m holds the items `item[starts[m]:starts[m + 1]]`. cell (N,): the cell of each
    interaction of the histories.

    >>> baskets = Baskets.of(log.histories())  # doctest: +SKIP
    >>> histories.keep(baskets.age[baskets.basket[baskets.cell]] > 0)  # without the last baskets  # doctest: +SKIP
    """

    offsets: np.ndarray
    starts: np.ndarray
    item: np.ndarray
    cell: np.ndarray
    n_items: int

    @classmethod
    def of(cls, histories: Histories) -> Baskets:
        """Group the rows of histories; raises `DataError` where a row has no basket."""
        absent = int((histories.basket < 0).sum())
        if absent:
            what = f"{absent:,} of {len(histories.item):,} rows have no basket"
            raise DataError(
                what, "histories", "a basket id in every row", "map a column to basket when reading"
            )
        rows, n = histories.rows, len(histories.item)
        order = np.lexsort((histories.basket, rows))  # stable: within a basket still in log order
        new = np.ones(n, bool)
        new[1:] = (np.diff(rows[order]) != 0) | (np.diff(histories.basket[order]) != 0)
        first = order[new]  # the row with which each basket begins
        place = np.empty(len(first), np.int64)
        place[np.argsort(first)] = np.arange(len(first))
        basket = np.empty(n, np.int64)
        basket[order] = place[np.cumsum(new) - 1]
        # np.unique puts the cells of a basket in order of items; they shall stand in order of their
        # first rows
        key, begin, inverse = np.unique(
            basket * histories.n_items + histories.item, return_index=True, return_inverse=True
        )
        owner = key // max(histories.n_items, 1)
        order = np.lexsort((begin, owner))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        per_row = np.bincount(rows[first], minlength=len(histories))
        return cls(
            offsets=np.concatenate([[0], np.cumsum(per_row)]).astype(np.int64),
            starts=np.concatenate(
                [[0], np.cumsum(np.bincount(owner, minlength=len(first)))]
            ).astype(np.int64),
            item=histories.item[begin[order]],
            cell=place[inverse],
            n_items=histories.n_items,
        )

    @cached_property
    def row(self) -> np.ndarray:
        """The history each basket belongs to; (M,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @cached_property
    def basket(self) -> np.ndarray:
        """The basket each cell belongs to; (C,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    @cached_property
    def count(self) -> np.ndarray:
        """Baskets in the history of each basket; (M,)."""
        return np.diff(self.offsets)[self.row]

    @cached_property
    def age(self) -> np.ndarray:
        """How many baskets came after each basket: 0 for the last one of its history; (M,)."""
        return self.offsets[1:][self.row] - 1 - np.arange(len(self.row))

    def matrix(self) -> sparse.csr_array:
        """1 where a basket holds an item; float64 (M, n_items)."""
        return sparse.csr_array(
            (np.ones(len(self.item)), self.item, self.starts), shape=(len(self.row), self.n_items)
        )

    def summed(self, weight: np.ndarray) -> sparse.csr_array:
        """Weights (C,) of cells summed per history and item; (B, n_items), columns ascending.

        A row is summed in the order of its cells, so it has the same bits whichever histories stand
        beside it.
        """
        shape = (len(self.offsets) - 1, self.n_items)
        key, inverse = np.unique(
            self.row[self.basket] * self.n_items + self.item, return_inverse=True
        )
        data = np.bincount(inverse, weights=weight, minlength=len(key)).astype(float)
        rows, items = np.divmod(key, max(self.n_items, 1))
        indptr = np.searchsorted(rows, np.arange(shape[0] + 1))
        return sparse.csr_array((data, items, indptr), shape=shape)

    def contributions(
        self, histories: Histories, items: np.ndarray, weight: np.ndarray
    ) -> pd.DataFrame:
        """[row, item, interaction, weight]: cell c adds `weight[c]` (C,) to the score of its own
        item, 0 to others.

        histories: those the baskets were made of; items: (B,) or (B, m) targets, −1 for none. Rows
        of one cell share its weight equally.
        """
        share = weight[self.cell] / np.bincount(self.cell, minlength=len(self.item))[self.cell]
        targets = np.asarray(items, dtype=np.int64).reshape(
            len(histories), -1 if np.size(items) else 0
        )
        at = np.repeat(np.arange(len(histories.item)), targets.shape[1])
        target = targets[histories.rows].reshape(-1)
        at, target = at[target >= 0], target[target >= 0]
        table = pd.DataFrame(
            {"row": histories.rows[at], "item": target, "interaction": histories.interaction[at]}
        )
        table["weight"] = np.where(histories.item[at] == target, share[at], 0.0)
        return table.sort_values(["row", "item"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Held:
    """The rows a counted basket model was fitted on and has not forgotten; row u of `histories` is
    user code u.

    Never changed in place, so that copies may share it. Actions and positions are not kept: no
    basket model reads them.
    """

    histories: Histories
    NAMES: ClassVar = ("held.offsets", "held.item", "held.basket", "held.interaction", "held.n")

    @classmethod
    def of(cls, log: Interactions) -> Held:
        """All rows of a log; raises `DataError` where a row has no basket."""
        whole = log.histories()
        Baskets.of(whole)
        return cls._lean(whole)

    @classmethod
    def _lean(cls, histories: Histories) -> Held:
        nothing = np.zeros(len(histories.item), np.int8)
        return cls(replace(histories, action=nothing, position=nothing, actions=("",)))

    def baskets(self, users: np.ndarray | None = None) -> Baskets:
        """The baskets of some users, or of all."""
        return Baskets.of(self.histories if users is None else self.histories.select(users))

    def without(self, removed: Interactions) -> tuple[Held, np.ndarray]:
        """Take rows out; also the users they were taken from. Raises `DataError` for rows that are
        not held."""
        frame = removed.frame.sort_values("interaction")
        at = np.flatnonzero(np.isin(self.histories.interaction, frame["interaction"].to_numpy()))
        at = at[np.argsort(self.histories.interaction[at], kind="stable")]
        held = {
            "interaction": self.histories.interaction,
            "user": self.histories.rows,
            "item": self.histories.item,
        }
        if len(at) != len(frame) or any(
            not np.array_equal(held[name][at], frame[name]) for name in held
        ):
            raise DataError(
                f"{len(frame):,} rows to remove, of which the model does not hold all",
                "removed",
                "rows the model was fitted on and has not forgotten yet",
                "pass log.only(ids) of that log, each row once",
            )
        mask = np.ones(len(self.histories.item), bool)
        mask[at] = False
        return replace(self, histories=self.histories.keep(mask)), np.unique(
            frame["user"].to_numpy()
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """What a saved model needs of the rows."""
        whole = self.histories
        parts = (
            whole.offsets,
            whole.item,
            whole.basket,
            whole.interaction,
            np.array([whole.n_items]),
        )
        return dict(zip(self.NAMES, parts, strict=True))

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> Held:
        """The inverse of `arrays`; raises `ModelError` for arrays that are no histories."""
        offsets, item, basket, interaction, n = (arrays[name] for name in cls.NAMES)
        whole = (
            len(n) == 1 and len(offsets) > 0 and offsets[0] == 0 and (np.diff(offsets) >= 0).all()
        )
        if (
            not whole
            or {len(item), len(basket), len(interaction)} != {offsets[-1]}
            or ((item < 0) | (item >= n[0])).any()
        ):
            raise ModelError(
                "held rows are no histories", "arrays.safetensors", do="save the model again"
            )
        user, none = np.arange(len(offsets) - 1, dtype=np.int32), np.zeros(0, np.int8)
        return cls._lean(
            Histories(user, offsets, item, none, basket, none, interaction, int(n[0]), ())
        )


def replaced(matrix: sparse.csr_array, rows: np.ndarray, new: sparse.csr_array) -> sparse.csr_array:
    """A copy of `matrix` with the rows at `rows` exchanged for those of `new`."""
    take = np.arange(matrix.shape[0])
    take[rows] = matrix.shape[0] + np.arange(len(rows))
    return sparse.csr_array(sparse.vstack([matrix, new], format="csr")[take])
