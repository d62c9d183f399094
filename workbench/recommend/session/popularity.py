"""S-POP: the items of the session, most frequent first (baseline of Hidasi et al., ICLR 2016).

    score(S, i) = (1 + max_j c_j) · n_i(S) + c_i        n_i(S): rows of i in S;  c_i: rows of i in the log (POP)

One score for "by count in the session, then by count in the log, then all others by count in the
log". Both terms are whole numbers, so the order is exact, and so is forgetting, which is
subtraction.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data import Histories
from workbench.recommend.cells import contribution_table
from workbench.recommend.counted import CountedModel
from workbench.recommend.rows import FittedRows
from workbench.recommend.session._common import step, then_popular
from workbench.settings import Frozen


class SessionPopularityConfig(Frozen):
    """S-POP has nothing to set."""


class SessionPopularity(CountedModel):
    """The session's own items by count, then POP.

    >>> SessionPopularity().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = SessionPopularityConfig
    State = FittedRows

    def score(self, histories: Histories) -> np.ndarray:
        """Counts in the history, then counts in the log; float64 (B, n_items)."""
        return then_popular(histories.counts(), self._state_for(histories).rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: each row of item i adds 1 + max c; sums to score −
        c_i."""
        unit = step(self._state_for(histories).rows)

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return unit * (histories.item[at] == i)

        return contribution_table(histories, items, weight, shared=False)
