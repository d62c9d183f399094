"""S-KNN: session-based nearest neighbours (Jannach & Ludewig, RecSys 2017).

    sim(S, X)   = |S ∩ X| / √(|S| |X|)                         cosine of two sets of items
    score(S, i) = Σ_{X ∈ N(S)} sim(S, X) · 1[i ∈ X]            N(S): the k sequences most like S

N(S) is taken from the m most recent sequences that share an item with S, of each of its items the m
most recent (recent: by the last row's position in the log). Ties in likeness go to the more recent
one (inferred: the paper does not say). A history without neighbours gets the counts of POP. Items
of S itself are scored like all others.

Speed: two sparse products a batch, S × posting lists and neighbours × sessions. `forget` takes
postings out; the limits k and m act when asked, so it equals a refit bit by bit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import PositiveInt
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import contribution_table, entries, entry_rows, revalued
from workbench.recommend.counted import CountedModel
from workbench.recommend.session._common import or_popular
from workbench.recommend.session._postings import Postings
from workbench.settings import Frozen


class SKNNConfig(Frozen):
    """Settings of S-KNN."""

    k: PositiveInt = 100
    """Neighbours of a history (the paper tries 100 to 500)."""
    m: PositiveInt = 1000
    """Most recent sequences that are compared, of each item and in all (the paper: 500 or
    1,000)."""


class SKNN(CountedModel):
    """Sums of similarities over neighbour sessions.

    >>> SKNN(SKNNConfig(k=50)).fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = SKNNConfig
    State = Postings

    def score(self, histories: Histories) -> np.ndarray:
        """Sum of the similarities of the neighbours that hold an item, else POP; float64 (B,
        n_items)."""
        similar, _ = self._neighbours(histories)
        return or_popular(similar @ self.state.sessions, self.state.rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: Σ_X 1[j ∈ X, i ∈ X] / √(|S| |X|) for history item j,
        shared among its rows.

        Sums to the score; a score that fell back to POP has no part.
        """
        similar, shared = self._neighbours(histories)
        part = revalued(similar, similar.data / shared.data)
        added = (part[histories.rows] * self.state.items[histories.item]) @ self.state.sessions
        return contribution_table(histories, items, lambda i, at: entries(added, at, i))

    def _neighbours(self, histories: Histories) -> tuple[sparse.csr_array, sparse.csr_array]:
        """sim(S, X) and |S ∩ X| of the neighbours; both (B, S)."""
        postings = self._state_for(histories)
        asked = histories.matrix()
        shared = postings.nearest(asked, self.config.k, self.config.m)
        size = np.diff(asked.indptr)[entry_rows(shared)]
        similar = shared.data / np.sqrt(size * postings.size[shared.indices])
        return revalued(shared, similar), shared
