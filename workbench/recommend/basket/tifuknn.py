"""TIFU-KNN: temporal item frequencies and user neighbours (Hu, He, Gao & Zhang, SIGIR 2020).

    group of basket t of n:  min(m, n) groups in order of time, sizes ⌊n/m⌋, the latest n mod m groups one larger
    v_u = 1/min(m, n) Σ_g r_g^(m−1−g) · 1/|g| Σ_{t ∈ g} r_b^(n−1−t) · x_t       x_t: 0/1 vector of basket t = 0 … n − 1
    P_u = α v_u + (1 − α) · mean of v over the k users nearest to v_u           Euclidean distance

Two places differ from the paper, and Ta-Feng's measured numbers (data README) come out only so. The
decay r_b counts back from the last basket of the whole history (said there), in the paper from the
end of the group. r_g counts back from group m − 1 even where n < m, so that vectors of short
histories are shorter (inferred: counted from the last group there is, PHR@20 is .006 off). That the
*latest* groups take the extra baskets is inferred too (else .003 off).

Neighbours are the fitted users that still have rows, never the user who asks (by code; our choice:
in the study nobody who asks was fitted). Distances are rounded to 12 decimals, ties go to the lower
user code; where fewer than k users are there all of them count, and with nobody the second term is
0. Users unknown to the fit are scored from their history.

Forgetting makes the vectors of the touched users anew, each by the same sums as in a fit, so the
state has the same bits as a refit's. Distances come from one product of the sparse vectors with a
dense block of those who ask.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.basket._baskets import Baskets, UserVectors, user_vectors
from workbench.recommend.counted import CountedModel
from workbench.recommend.ranking import top_k
from workbench.settings import Frozen

BLOCK = 512  # histories compared at a time


class TIFUKNNConfig(Frozen):
    """Settings of TIFU-KNN, the study's for Ta-Feng (for Dunnhumby 900, .9, .6, .2, 3)."""

    neighbours: PositiveInt = 300
    """Nearest users whose mean vector is taken (k)."""
    within_decay: float = Field(0.9, gt=0, le=1)
    """Weight lost with every basket back from the last one (r_b)."""
    group_decay: float = Field(0.7, gt=0, le=1)
    """Weight lost with every group back from the last one (r_g)."""
    alpha: float = Field(0.7, ge=0, le=1)
    """Share of the user's own vector (α); 1 asks no neighbours."""
    groups: PositiveInt = 7
    """Groups a history is divided into (m)."""

    def weights(self, baskets: Baskets) -> np.ndarray:
        """What each basket (M,) counts in v of its user."""
        n = baskets.count
        groups = np.minimum(self.groups, n)
        size = n // groups
        larger = n % groups
        # baskets in groups of the smaller size, which come first
        cut = (groups - larger) * size
        t = n - 1 - baskets.age
        late = t >= cut
        group = np.where(late, groups - larger + (t - cut) // (size + 1), t // size)
        within = self.within_decay**baskets.age
        return within * self.group_decay ** (self.groups - 1 - group) / (size + late) / groups


class TIFUKNN(CountedModel):
    """Decayed item frequencies, mixed with those of the nearest users.

    >>> TIFUKNN(TIFUKNNConfig(neighbours=50)).fit(log).score(log.histories([3])).shape  # doctest: +SKIP
    (1, 200)
    """

    Config = TIFUKNNConfig
    State = UserVectors
    repeats = True
    reads_users = True  # one's own vector is no neighbour

    def score(self, histories: Histories) -> np.ndarray:
        """P_u of the histories, which need not be those fitted; float64 (B, n_items)."""
        vectors = self._state_for(histories).vectors  # v of the fitted users, (n_users, n_items)
        alpha = self.config.alpha
        own = user_vectors(Baskets.of(histories), self.config)
        scores = alpha * own.toarray()
        users = np.flatnonzero(np.diff(vectors.indptr))
        near, k = vectors[users], min(self.config.neighbours, len(users))
        squares = near.multiply(near).sum(axis=1)
        for start in range(0, len(histories) if alpha < 1 and len(users) else 0, BLOCK):
            some = slice(start, start + BLOCK)
            # ‖v − q‖² without ‖q‖², which is the same for all; each column is summed alone,
            # whatever the block
            distance = (squares[:, None] - 2 * (near @ own[some].toarray().T)).T
            own_row = histories.user[some, None] == users
            best = top_k(-np.round(distance, 12), k, own_row, alike=True)
            rows, at = np.nonzero(best >= 0)
            found = np.maximum((best >= 0).sum(axis=1), 1)
            mean = sparse.csr_array(
                (1 / found[rows], (rows, best[rows, at])), shape=(len(best), len(users))
            )
            scores[some] += (1 - alpha) * (mean @ near).toarray()
        return scores

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: what each row adds to α·v_u; equal rows of a basket
        share.

        Sums to the score for α = 1. Otherwise what is left, score − sum, is (1 − α) · the
        neighbours' mean: others' rows carry it, and no row of the history adds a share of its own
        (it only says who the neighbours are).
        """
        self._state_for(histories)  # refuses histories of another catalogue
        baskets = Baskets.of(histories)
        weight = self.config.alpha * self.config.weights(baskets)[baskets.basket]
        return baskets.contributions(histories, items, weight)
