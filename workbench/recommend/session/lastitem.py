"""Last item: offer again what was looked at last (a rule, ours; the control for repeated
consumption).

    score(S, i) = (1 + max_j c_j) · b_i(S) + c_i        b_i(S): place from the start of i's last row in S, 0 if not in S
                                                        c_i: rows of i in the log (POP)

The distinct items of the history, the latest first (the `items` latest of them, all by default: the
recency rule of the repeat-consumption literature), then all others by POP. Whole numbers, so order
and forgetting are exact.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import PositiveInt
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import contribution_table, entries
from workbench.recommend.counted import CountedModel
from workbench.recommend.rows import FittedRows
from workbench.recommend.session._common import last_positions, step, then_popular
from workbench.recommend.session._postings import best
from workbench.settings import Frozen


class LastItemConfig(Frozen):
    """Settings of the rule."""

    items: PositiveInt | None = None
    """How many of the latest distinct items are offered again before POP; None: all of the
    history's."""


class LastItem(CountedModel):
    """The history backwards, then POP.

    >>> LastItem(LastItemConfig(items=1)).fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = LastItemConfig
    State = FittedRows

    def score(self, histories: Histories) -> np.ndarray:
        """Places in the history, then counts in the log; float64 (B, n_items)."""
        rows = self._state_for(histories).rows
        return then_popular(self._offered(histories), rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: all of an item's place on its last row; sums to score −
        c_i."""
        unit = step(self._state_for(histories).rows)
        offered = self._offered(histories)
        place = np.arange(len(histories.item)) - histories.offsets[histories.rows] + 1

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            own = entries(offered, histories.rows[at], i)
            return unit * own * ((histories.item[at] == i) & (place[at] == own))

        return contribution_table(histories, items, weight, shared=False)

    def _offered(self, histories: Histories) -> sparse.csr_array:
        places = last_positions(histories)
        return places if self.config.items is None else best(places, self.config.items, places.data)
