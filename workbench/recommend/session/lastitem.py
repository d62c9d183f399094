"""Last item: offer again what was looked at last (a rule, ours; the control for repeated consumption).

    score(S, i) = (1 + max_j c_j) · b_i(S) + c_i        b_i(S): place from the start of i's last row in S, 0 if not in S
                                                        c_i: rows of i in the log (POP)

The distinct items of the history, the latest first (the `items` latest of them, all by default: the recency rule of the
repeat-consumption literature), then all others by POP. Whole numbers, so order and forgetting are exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, PositiveInt
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.collaborative.cells import check_items, fitted
from workbench.recommend.session.postings import best
from workbench.recommend.session.rows import (
    cells,
    last_positions,
    load_rows,
    row_weights,
    save_rows,
    step,
    then_popular,
    without,
)


class LastItemConfig(BaseModel):
    """Settings of the rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    items: PositiveInt | None = None
    """How many of the latest distinct items are offered again before POP; None: all of the history's."""


class LastItem:
    """The history backwards, then POP.

    >>> LastItem(LastItemConfig(items=1)).fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    def __init__(self, config: LastItemConfig | None = None) -> None:
        self.config = config or LastItemConfig()
        self.rows: Histories | None = None

    def __repr__(self) -> str:
        return f"LastItem(items={self.config.items})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Keep the rows; `valid` is not used."""
        self.rows = log.histories()
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Places in the history, then counts in the log; float64 (B, n_items)."""
        rows = fitted(self.rows, self)
        check_items(histories, rows.n_items)
        return then_popular(self._offered(histories), rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: all of an item's place on its last row; sums to score − c_i."""
        check_items(histories, fitted(self.rows, self).n_items)
        unit, offered = step(self.rows), self._offered(histories)
        place = np.arange(len(histories.item)) - histories.offsets[histories.rows] + 1

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            own = cells(offered, histories.rows[at], i)
            return unit * own * ((histories.item[at] == i) & (place[at] == own))

        return row_weights(histories, items, weight)

    def _offered(self, histories: Histories) -> sparse.csr_array:
        places = last_positions(histories)
        return places if self.config.items is None else best(places, self.config.items, places.data)

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing if it cannot."""
        self.rows, _ = without(fitted(self.rows, self), removed)
        return self

    def copy(self) -> Self:
        """An independent copy (rows are never changed in place, so they are shared)."""
        twin = type(self)(self.config)
        twin.rows = self.rows
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        save_rows(folder, self, self.config, fitted(self.rows, self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, rows = load_rows(folder, "LastItem", LastItemConfig)
        model = cls(config)
        model.rows = rows
        return model
