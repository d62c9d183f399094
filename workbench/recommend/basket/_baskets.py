"""Histories read as baskets, and the rows and user vectors that a counted basket model keeps.

A basket is a set: equal items in one basket are one cell (basket, item), which is there while at
least one row of it is left. Baskets stand in the order in which they begin, items of a basket in
the order of their first rows. Both are found anew from the rows that are left, so that a basket
that is emptied makes the later ones move up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.data.histories import starts
from workbench.errors import DataError
from workbench.recommend.cells import contribution_table
from workbench.recommend.rows import FittedRows


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
            do = "map a column to basket, or log.select(log.frame['basket'].notna()) first"
            raise DataError(what, "histories", "a basket id in every row", do)
        rows, n_items = histories.rows, histories.n_items
        # baskets are numbered in the order in which they begin, and cells, basket after basket, in
        # that of their first rows
        both = pd.DataFrame({"row": rows, "basket": histories.basket})
        basket = both.groupby(["row", "basket"], sort=False).ngroup().to_numpy()
        order = np.argsort(basket, kind="stable")
        cell = np.empty(len(rows), np.int64)
        cell[order], cells = pd.factorize(basket[order] * n_items + histories.item[order])
        first = np.unique(basket, return_index=True)[1]
        owner, item = np.divmod(cells, max(n_items, 1))
        return cls(
            offsets=starts(np.bincount(rows[first], minlength=len(histories))),
            starts=starts(np.bincount(owner, minlength=len(first))),
            item=item.astype(histories.item.dtype),
            cell=cell,
            n_items=n_items,
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
        rows_of_cell = np.bincount(self.cell, minlength=len(self.item))
        share = weight[self.cell] / rows_of_cell[self.cell]

        def own(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return np.where(histories.item[at] == i, share[at], 0.0)

        return contribution_table(histories, items, own, shared=False)


class BasketRows(FittedRows):
    """The rows of a basket model. Positions are not kept: no basket model reads them."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("offsets", "item", "basket", "interaction")
    NAMES: ClassVar[tuple[str, ...]] = (*(f"held.{name}" for name in COLUMNS), "held.n")


class Weighing(Protocol):
    """Settings that say how much each basket counts."""

    def weights(self, baskets: Baskets) -> np.ndarray:
        """Weight of each basket (M,)."""


def user_vectors(baskets: Baskets, config: Weighing) -> sparse.csr_array:
    """Σ_t weight(t) · x_t of every history, x_t the 0/1 vector of basket t; (B, n_items)."""
    return baskets.summed(config.weights(baskets)[baskets.basket])


@dataclass(frozen=True)
class UserVectors(BasketRows):
    """The rows, and the vector of every user; a removal makes those of the touched users anew."""

    vectors: sparse.csr_array
    config: Weighing

    @classmethod
    def made(cls, rows: Histories, config: Weighing) -> UserVectors:
        """Add up; raises `DataError` where a row has no basket."""
        return cls(rows, user_vectors(Baskets.of(rows), config), config)

    def without(self, removed: Interactions) -> UserVectors:
        """Take rows out. Raises `DataError` for rows not in here."""
        rows, touched = self.left(removed)
        anew = user_vectors(Baskets.of(rows.select(touched)), self.config)
        return replace(self, rows=rows, vectors=replaced(self.vectors, touched, anew))


def replaced(matrix: sparse.csr_array, rows: np.ndarray, new: sparse.csr_array) -> sparse.csr_array:
    """A copy of `matrix` with the rows at `rows` exchanged for those of `new`."""
    take = np.arange(matrix.shape[0])
    take[rows] = matrix.shape[0] + np.arange(len(rows))
    return sparse.csr_array(sparse.vstack([matrix, new], format="csr")[take])
