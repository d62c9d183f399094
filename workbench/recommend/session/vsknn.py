"""V-SKNN: session neighbours with more weight on the last items (Ludewig & Jannach, UMUAI 2018),
cosine form.

    w_j         = position of j in S / |clicks of S|           the last of its positions, from 1
    sim(S, X)   = Σ_{j ∈ S ∩ X} w_j / (√|X| · √(Σ_{j ∈ S} w_j²))
    score(S, i) = Σ_{X ∈ N(S)} max(0, 1 − decay · r(S, X)) · sim(S, X) · 1[i ∈ X]
                  r: how far back the newest item of S ∩ X was clicked last; 1 for the last click

N(S): the k most alike of the m most recent candidates, as in S-KNN. The paper compares by a dot
product without norms and weighs by 1 − .1 r for r < 10, else 0; the cosine and position weights w
are inferred from measured numbers. A history without neighbours of weight above 0 gets the counts
of POP.

Speed: as in S-KNN. The clicks of S cancel in sim, so the products sum whole numbers and ties are
exact; r is looked up for the k neighbours only. `forget` takes postings out and equals a refit bit
by bit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import NonNegativeFloat, PositiveInt
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import contribution_table, entries, entry_rows, revalued
from workbench.recommend.counted import CountedModel
from workbench.recommend.session._common import last_positions, or_popular
from workbench.recommend.session._postings import Postings
from workbench.settings import Frozen


class VSKNNConfig(Frozen):
    """Settings of V-SKNN."""

    k: PositiveInt = 100
    """Neighbours of a history."""
    m: PositiveInt = 1000
    """Most recent sequences that are compared, of each item and in all."""
    decay: NonNegativeFloat = 0.1
    """Weight a neighbour loses for each click that its newest shared item lies back."""


class VSKNN(CountedModel):
    """Sums of position-weighted similarities over neighbour sessions.

    >>> VSKNN().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = VSKNNConfig
    State = Postings

    def score(self, histories: Histories) -> np.ndarray:
        """Weighted similarities of the neighbours that hold an item, summed, else POP; float64 (B,
        n_items)."""
        _, shared, part = self._neighbours(histories)
        similar = revalued(part, shared.data * part.data)
        return or_popular(similar @ self.state.sessions, self.state.rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: what item j of the history adds to every sim(S, X),
        shared among its rows.

        Sums to the score; a score that fell back to POP has no part.
        """
        asked, _, part = self._neighbours(histories)
        added = (part[histories.rows] * self.state.items[histories.item]) @ self.state.sessions
        position = entries(asked, histories.rows, histories.item)
        return contribution_table(
            histories, items, lambda i, at: position[at] * entries(added, at, i)
        )

    def _neighbours(
        self, histories: Histories
    ) -> tuple[sparse.csr_array, sparse.csr_array, sparse.csr_array]:
        """Positions p_j of S (B, n_items); Σ_shared p_j and what each unit of p_j is worth, both
        (B, S)."""
        postings = self._state_for(histories)
        asked = last_positions(histories)
        shared = postings.nearest(asked, self.config.k, self.config.m)
        b = entry_rows(shared)
        norm = (asked**2).sum(axis=1)
        back = np.diff(histories.offsets)[b] - _newest(asked, shared, postings.sessions) + 1
        weight = np.maximum(0.0, 1.0 - self.config.decay * back)
        unit = weight / np.sqrt(postings.size[shared.indices] * norm[b])
        return asked, shared, revalued(shared, unit)


def _newest(
    asked: sparse.csr_array, shared: sparse.csr_array, sessions: sparse.csr_array
) -> np.ndarray:
    """The highest position in S of an item that S and each neighbour share; aligned with
    `shared.data`."""
    held = sessions[shared.indices]  # one row per neighbour
    wanted = entry_rows(shared)[entry_rows(held)] * asked.shape[1] + held.indices
    own = entry_rows(asked) * asked.shape[1] + asked.indices
    at = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
    place = np.where(own[at] == wanted, asked.data[at], 0.0) if len(wanted) else np.zeros(0)
    # a neighbour has an item, or is none
    return np.maximum.reduceat(place, held.indptr[:-1]) if len(place) else place
