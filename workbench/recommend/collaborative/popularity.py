"""Popularity: score(u, i) = c_i, the number of users who have item i. The same list for
everybody."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data import Histories
from workbench.recommend.cells import UserItemCounts, contribution_table
from workbench.recommend.counted import CountedModel
from workbench.settings import Frozen


class PopularityConfig(Frozen):
    """Popularity has nothing to set."""


class Popularity(CountedModel):
    """Count users per item. Forgetting is subtraction, exact in integers.

    >>> Popularity().fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    Config = PopularityConfig
    State = UserItemCounts

    def score(self, histories: Histories) -> np.ndarray:
        """The counts, once per history; float64 (B, n_items)."""
        counts = self._state_for(histories).matrix.sum(axis=0)
        return np.tile(np.asarray(counts, dtype=np.float64), (len(histories), 1))

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight], every weight 0: the score reads no history, only
        everybody's counts."""
        self._state_for(histories)  # refuses histories of another catalogue
        return contribution_table(histories, items, lambda i, at: np.zeros(len(i)))
