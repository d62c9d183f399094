"""S-POP: the items of the session, most frequent first (baseline of Hidasi et al., ICLR 2016).

    score(S, i) = (1 + max_j c_j) · n_i(S) + c_i        n_i(S): rows of i in S;  c_i: rows of i in the log (POP)

One score for "by count in the session, then by count in the log, then all others by count in the log". Both terms are
whole numbers, so the order is exact, and so is forgetting, which is subtraction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.data import Histories, Interactions
from workbench.recommend.collaborative.cells import check_items, fitted
from workbench.recommend.session.rows import load_rows, row_weights, save_rows, step, then_popular, without


class SessionPopularityConfig(BaseModel):
    """S-POP has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionPopularity:
    """The session's own items by count, then POP.

    >>> SessionPopularity().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    def __init__(self, config: SessionPopularityConfig | None = None) -> None:
        self.config = config or SessionPopularityConfig()
        self.rows: Histories | None = None

    def __repr__(self) -> str:
        return "SessionPopularity()"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Keep the rows; `valid` is not used."""
        self.rows = log.histories()
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Counts in the history, then counts in the log; float64 (B, n_items)."""
        rows = fitted(self.rows, self)
        check_items(histories, rows.n_items)
        return then_popular(histories.counts(), rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: each row of item i adds 1 + max c; sums to score − c_i."""
        check_items(histories, fitted(self.rows, self).n_items)
        unit = step(self.rows)
        return row_weights(histories, items, lambda i, at: unit * (histories.item[at] == i))

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
        config, rows = load_rows(folder, "SessionPopularity", SessionPopularityConfig)
        model = cls(config)
        model.rows = rows
        return model
