"""The most frequent items: of everybody (G), of the user (P), of the user and then of everybody
(GP).

    G-TopFreq   score(i) = g_i                                       g_i: baskets of the fitted log that hold item i
    P-TopFreq   score(u, i) = p_ui + r_ui,  −∞ where p_ui = 0        p_ui: baskets of the history that hold item i
    GP-TopFreq  score(u, i) = p_ui + r_ui,  g_i / (max g + 1) where p_ui = 0

The baselines of Hu, He, Gao & Zhang (SIGIR 2020) and of Li, Jullien, Ariannezhad & de Rijke (TOIS
2023), in which few trained models beat them. Equal own counts go to the item bought first: r_ui =
(n − place of i) / (n + 1), where the n items of the history have the places 0, 1, … in the order of
their first rows. r lies strictly between 0 and 1 and two places differ by 1 / (n + 1), so counts
decide first, then places, then (for items never bought) g, which stays below 1. In float64 this is
exact while p·(n + 1) and g stay below 2⁵⁰: far beyond any log.

The study's text says "ties by first purchase" and no more. That P-TopFreq stops with the last own
item (−∞: `top_k` gives −1), and that items of one basket stand in the order of their rows, is
inferred: only so do the measured numbers of the Ta-Feng splits come out, all to the fourth digit.
Counts are whole numbers, so that forgetting is subtraction, exact bit by bit. G reads no history; P
reads only the history and holds rows for nothing but to refuse strange ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.recommend.basket._baskets import BasketRows, Baskets
from workbench.recommend.cells import entry_rows
from workbench.recommend.counted import CountedModel
from workbench.settings import Frozen


class TopFreqConfig(Frozen):
    """Settings of TopFreq."""

    whose: Literal["G", "P", "GP"] = "GP"
    """Whose counts: everybody's (G), the user's own (P), or the user's own and then everybody's
    (GP)."""


@dataclass(frozen=True)
class BasketCounts(BasketRows):
    """The rows, and g: baskets that hold an item, int64 (n_items,)."""

    counts: np.ndarray

    @classmethod
    def made(cls, rows: Histories, config: Any = None) -> BasketCounts:
        """Count; raises `DataError` where a row has no basket."""
        return cls(rows, np.bincount(Baskets.of(rows).item, minlength=rows.n_items))

    def without(self, removed: Interactions) -> BasketCounts:
        """Take rows out: the touched users are counted before and after. Raises `DataError` for
        rows not in here."""
        rows, touched = self.left(removed)
        before = BasketCounts.made(self.rows.select(touched))
        after = BasketCounts.made(rows.select(touched))
        return BasketCounts(rows, self.counts - before.counts + after.counts)


class TopFreq(CountedModel):
    """Count baskets per item.

    >>> TopFreq(TopFreqConfig(whose="P")).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    Config = TopFreqConfig
    State = BasketCounts
    repeats = True

    def score(self, histories: Histories) -> np.ndarray:
        """Counts with the order of ties built in (see above); float64 (B, n_items)."""
        counts = self._state_for(histories).counts
        if self.config.whose == "G":
            return np.tile(counts.astype(np.float64), (len(histories), 1))
        rest = counts / (counts.max(initial=0) + 1)
        if self.config.whose == "P":
            rest = np.full(len(counts), -np.inf)
        scores = np.tile(rest, (len(histories), 1))
        baskets = Baskets.of(histories)
        own = baskets.summed(_weights(histories, baskets))
        scores[entry_rows(own), own.indices] = own.data
        return scores

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: 1 per basket with the item, and r with the first;
        shared by equal rows.

        P, GP: sums to the score of every item in the history; of others, no row of the history
        carries the score. G: every weight 0, for the score reads no history.
        """
        self._state_for(histories)  # refuses histories of another catalogue
        baskets = Baskets.of(histories)
        weights = _weights(histories, baskets)
        if self.config.whose == "G":
            weights = 0 * weights
        return baskets.contributions(histories, items, weights)


def _weights(histories: Histories, baskets: Baskets) -> np.ndarray:
    """What each cell (C,) adds to the score of its item: 1, and r in the basket in which the item
    was bought first."""
    rows = baskets.row[baskets.basket]
    _, first = np.unique(rows * histories.n_items + baskets.item, return_index=True)
    first = np.sort(first)  # cells stand in the order of first rows, history after history
    n = np.bincount(rows[first], minlength=len(histories))
    place = np.arange(len(first)) - np.repeat(np.cumsum(n) - n, n)
    weights = np.ones(len(baskets.item))
    weights[first] += (np.repeat(n, n) - place) / (np.repeat(n, n) + 1)
    return weights
