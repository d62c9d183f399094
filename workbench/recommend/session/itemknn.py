"""Session item-kNN: what stands in the same sequences as the last item (baseline of Hidasi et al.,
ICLR 2016).

    score(S, i) = c_ij / √((n_i + λ)(n_j + λ)),   j = s_last,  i ≠ j
                  c_ij: sequences that hold i and j;  n_i: sequences that hold i;  λ:
                  `regularisation`

λ damps rare items, which meet by chance. The last item itself is no neighbour of its own (inferred
from measured numbers). A history without neighbours (or empty) gets the counts of POP.

Speed: no item × item matrix is kept. Posting lists of the last items times sequences give exactly
the rows of C that are asked for, in whole numbers; `forget` takes postings out and equals a refit
bit by bit.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import NonNegativeFloat
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import contribution_table, entries, revalued
from workbench.recommend.counted import CountedModel
from workbench.recommend.session._common import last_items, last_rows, or_popular
from workbench.recommend.session._postings import Postings
from workbench.settings import Frozen


class SessionItemKNNConfig(Frozen):
    """Settings of session item-kNN."""

    regularisation: NonNegativeFloat = 20.0
    """λ: sequences added to every item's count."""


class SessionItemKNN(CountedModel):
    """Damped cosine to the last item.

    >>> SessionItemKNN().fit(log.by_session()).score(histories).shape  # doctest: +SKIP
    (60858, 43097)
    """

    Config = SessionItemKNNConfig
    State = Postings

    def score(self, histories: Histories) -> np.ndarray:
        """Similarities to the last item, else POP; float64 (B, n_items)."""
        return or_popular(self._similar(histories), self.state.rows)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: all of the score on the last row; a score that fell
        back has no part."""
        similar = self._similar(histories)
        last = last_rows(histories)

        def weight(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return last[at] * entries(similar, histories.rows[at], i)

        return contribution_table(histories, items, weight, shared=False)

    def _similar(self, histories: Histories) -> sparse.csr_array:
        """Similarity of each history's last item to all others; (B, n_items)."""
        postings = self._state_for(histories)
        last = last_items(histories)
        together = ((last @ postings.items) @ postings.sessions).tocsr()
        length = np.diff(together.indptr)
        # the last item of each entry's history
        own = np.repeat(last.indices, length[np.diff(last.indptr) > 0])
        held = np.diff(postings.items.indptr) + self.config.regularisation
        similar = together.data / np.sqrt(held[own] * held[together.indices])
        similar[together.indices == own] = 0.0
        return revalued(together, similar)
