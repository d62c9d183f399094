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

from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.data import Histories, Interactions
from workbench.recommend.basket._baskets import Baskets, Held
from workbench.recommend.cells import check_items, fitted
from workbench.recommend.saving import load_arrays, save_arrays


class TopFreqConfig(BaseModel):
    """Settings of TopFreq."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    whose: Literal["G", "P", "GP"] = "GP"
    """Whose counts: everybody's (G), the user's own (P), or the user's own and then everybody's
    (GP)."""


class TopFreq:
    """Count baskets per item.

    >>> TopFreq(TopFreqConfig(whose="P")).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    def __init__(self, config: TopFreqConfig | None = None) -> None:
        self.config = config or TopFreqConfig()
        self.held: Held | None = None
        self.counts: np.ndarray | None = None  # g, int64 (n_items,)

    def __repr__(self) -> str:
        return f"TopFreq({self.config.whose})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count; `valid` is not used. Raises `DataError` where a row has no basket."""
        self.held = Held.of(log)
        self.counts = _counts(self.held.baskets())
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Counts with the order of ties built in (see above); float64 (B, n_items)."""
        counts = fitted(self.counts, self)
        check_items(histories, len(counts))
        if self.config.whose == "G":
            return np.tile(counts.astype(np.float64), (len(histories), 1))
        rest = (
            np.full(len(counts), -np.inf)
            if self.config.whose == "P"
            else counts / (counts.max(initial=0) + 1)
        )
        scores = np.tile(rest, (len(histories), 1))
        own = (baskets := Baskets.of(histories)).summed(_weights(histories, baskets))
        rows = np.repeat(np.arange(len(histories)), np.diff(own.indptr))
        scores[rows, own.indices] = own.data
        return scores

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: 1 per basket with the item, and r with the first;
        shared by equal rows.

        P, GP: sums to the score of every item in the history; of others, no row of the history
        carries the score. G: every weight 0, for the score reads no history.
        """
        check_items(histories, len(fitted(self.counts, self)))
        baskets = Baskets.of(histories)
        weights = _weights(histories, baskets)
        return baskets.contributions(
            histories, items, 0 * weights if self.config.whose == "G" else weights
        )

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        before = fitted(self.held, self)
        held, touched = before.without(removed)
        self.counts = (
            self.counts - _counts(before.baskets(touched)) + _counts(held.baskets(touched))
        )
        self.held = held
        return self

    def copy(self) -> Self:
        """An independent copy (no array is ever changed in place, so they are shared)."""
        twin = type(self)(self.config)
        twin.held, twin.counts = self.held, self.counts
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        save_arrays(folder, "TopFreq", self.config, fitted(self.held, self).arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; counts are made anew from the rows."""
        config, arrays = load_arrays(folder, "TopFreq", TopFreqConfig, Held.NAMES)
        model = cls(config)
        model.held = Held.load(arrays)
        model.counts = _counts(model.held.baskets())
        return model


def _counts(baskets: Baskets) -> np.ndarray:
    return np.bincount(baskets.item, minlength=baskets.n_items)


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
