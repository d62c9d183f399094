"""First-order Markov chain: what came right after the last item.

    score(S, i) = c(s_last → i)        c(a → b): how often a row of b directly follows one of a, within a sequence

The simple association of Ludewig & Jannach (UMUAI 2018) with steps of one, unsmoothed; a history whose last item has no
successor (or that is empty) gets the counts of POP. Their sequential rules also count steps of more than one.

Speed: one sparse matrix of counts, of which a batch takes rows. Taking out a row makes its neighbours adjacent, so
`forget` counts the touched sequences before and after, in whole numbers: equal to a refit bit by bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.recommend.collaborative.cells import check_items, fitted
from workbench.recommend.session.rows import (
    cells,
    last_items,
    last_rows,
    load_rows,
    or_popular,
    row_weights,
    save_rows,
    without,
)


class MarkovConfig(BaseModel):
    """The chain has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Markov:
    """Counts of direct successors.

    >>> Markov().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    def __init__(self, config: MarkovConfig | None = None) -> None:
        self.config = config or MarkovConfig()
        self.rows: Histories | None = None
        self.successors: sparse.csr_array | None = None  # c, row = the item before

    def __repr__(self) -> str:
        return "Markov()"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count; `valid` is not used."""
        self.rows = log.histories()
        self.successors = _successors(self.rows)
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Counts of the successors of each last item, else POP; float64 (B, n_items)."""
        rows = fitted(self.rows, self)
        check_items(histories, rows.n_items)
        return or_popular(last_items(histories) @ self.successors.astype(np.float64), rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: all of the score on the last row; a score that fell back has no part."""
        successors, last = fitted(self.successors, self), last_rows(histories)
        check_items(histories, successors.shape[0])
        return row_weights(histories, items, lambda i, at: last[at] * cells(successors, histories.item[at], i))

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing if it cannot."""
        rows, touched = without(fitted(self.rows, self), removed)
        change = _successors(rows.select(touched)) - _successors(self.rows.select(touched))
        successors = (self.successors + change).tocsr()
        successors.eliminate_zeros()
        self.rows, self.successors = rows, successors
        return self

    def copy(self) -> Self:
        """An independent copy (nothing is ever changed in place, so it is shared)."""
        twin = type(self)(self.config)
        twin.rows, twin.successors = self.rows, self.successors
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        save_rows(folder, self, self.config, fitted(self.rows, self))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, rows = load_rows(folder, "Markov", MarkovConfig)
        model = cls(config)
        model.rows, model.successors = rows, _successors(rows)
        return model


def _successors(rows: Histories) -> sparse.csr_array:
    """Whole numbers (n_items, n_items), columns ascending."""
    at = np.flatnonzero(rows.rows[1:] == rows.rows[:-1])
    pairs = (np.ones(len(at), dtype=np.int64), (rows.item[at], rows.item[at + 1]))
    counts = sparse.coo_array(pairs, shape=(rows.n_items, rows.n_items)).tocsr()
    counts.sort_indices()
    return counts
