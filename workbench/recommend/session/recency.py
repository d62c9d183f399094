"""Recency: what everybody looked at lately (a rule, ours; "recently popular", Ji et al., SIGIR
2020, by position).

    score(S, i) = (1 + max_j c_j) · d_i + c_i        d_i: rows of i among the last ⌈share · n⌉ of the log's n rows
                                                     c_i: rows of i in the whole log (POP)

The same list for everybody: by count in the window, then by POP. The window is by position, not by
time, and is laid over the rows that are left when a question is asked: after a deletion it reaches
further back, as in a refit. With share = 1 it is POP by rows. Whole numbers, so order and
forgetting are exact.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import contribution_table
from workbench.recommend.counted import CountedModel
from workbench.recommend.rows import FittedRows
from workbench.recommend.session._common import then_popular
from workbench.settings import Frozen


class RecencyConfig(Frozen):
    """Settings of the rule."""

    share: float = Field(default=0.05, gt=0, le=1)
    """Share of the log's rows, the last ones, that are counted (ours; no study sets it)."""


class Recency(CountedModel):
    """Counts over the end of the log, then POP.

    >>> Recency(RecencyConfig(share=0.01)).fit(log).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = RecencyConfig
    State = FittedRows

    def score(self, histories: Histories) -> np.ndarray:
        """Counts in the window, then counts in the log, once per history; float64 (B, n_items)."""
        rows = self._state_for(histories).rows
        left = len(rows.item)
        skipped = left - int(np.ceil(self.config.share * left))
        # positions are distinct: those not before the one at place `skipped` are exactly the window
        late = (
            rows.item[rows.position >= np.partition(rows.position, skipped)[skipped]]
            if left
            else rows.item
        )
        counts = sparse.csr_array(
            np.bincount(late, minlength=rows.n_items).astype(np.float64)[None, :]
        )
        return np.tile(then_popular(counts, rows), (len(histories), 1))

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight], every weight 0: the score reads no history, only
        everybody's counts."""
        self._state_for(histories)  # refuses histories of another catalogue
        return contribution_table(histories, items, lambda i, at: np.zeros(len(i)))
