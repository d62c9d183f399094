"""First-order Markov chain: what came right after the last item.

    score(S, i) = c(s_last → i)        c(a → b): how often a row of b directly follows one of a, within a sequence

The simple association of Ludewig & Jannach (UMUAI 2018) with steps of one, unsmoothed; a history
whose last item has no successor (or that is empty) gets the counts of POP. Their sequential rules
also count steps of more than one.

Speed: one sparse matrix of counts, of which a batch takes rows. Taking out a row makes its
neighbours adjacent, so `forget` counts the touched sequences before and after, in whole numbers:
equal to a refit bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.cells import contribution_table, entries, tidy
from workbench.recommend.counted import CountedModel
from workbench.recommend.rows import FittedRows
from workbench.recommend.session._common import last_items, last_rows, or_popular
from workbench.settings import Frozen


class MarkovConfig(Frozen):
    """The chain has nothing to set."""


@dataclass(frozen=True)
class Successors(FittedRows):
    """The rows, and c: whole numbers (n_items, n_items), row = the item before, columns
    ascending."""

    counts: sparse.csr_array

    @classmethod
    def made(cls, rows: Histories, config: Any = None) -> Successors:
        """Count."""
        at = np.flatnonzero(rows.rows[1:] == rows.rows[:-1])
        pairs = (np.ones(len(at), dtype=np.int64), (rows.item[at], rows.item[at + 1]))
        return cls(rows, tidy(sparse.coo_array(pairs, shape=(rows.n_items, rows.n_items))))

    def without(self, removed: Interactions) -> Successors:
        """Take rows out: the touched sequences are counted before and after. Raises `DataError` for
        rows not in here."""
        rows, touched = self.left(removed)
        before = Successors.made(self.rows.select(touched))
        after = Successors.made(rows.select(touched))
        return Successors(rows, tidy(self.counts + (after.counts - before.counts)))


class Markov(CountedModel):
    """Counts of direct successors.

    >>> Markov().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = MarkovConfig
    State = Successors

    def score(self, histories: Histories) -> np.ndarray:
        """Counts of the successors of each last item, else POP; float64 (B, n_items)."""
        state = self._state_for(histories)
        return or_popular(last_items(histories) @ state.counts.astype(np.float64), state.rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: all of the score on the last row; a score that fell
        back has no part."""
        counts = self._state_for(histories).counts
        last = last_rows(histories)

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return last[at] * entries(counts, histories.item[at], i)

        return contribution_table(histories, items, weight, shared=False)
