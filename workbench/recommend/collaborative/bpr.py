"""BPR-MF: Rendle, Freudenthaler, Gantner & Schmidt-Thieme, BPR: Bayesian Personalized Ranking, UAI
2009.

    ℓ(u, i, j) = −ln σ(x_uij) + (λ/2)(‖p_u‖² + ‖q_i‖² + ‖q_j‖²),   x_uij = p_uᵀ(q_i − q_j)
    score(u, i) = p_uᵀ q_i

As in the study: Adam over shuffled rows, no regulariser (λ = 0). The paper takes single steps of
gradient descent on pairs drawn with replacement, with a λ of its own for p, q_i and q_j. Quick
because an epoch's negatives come out of one search and the gradient of x is written by hand
(`_pairs.py`).
"""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from workbench.recommend.collaborative._pairs import Pairs, pairwise, penalty
from workbench.recommend.collaborative._user_item import Tables, UserItem
from workbench.recommend.protocol import fitted
from workbench.recommend.training import Training
from workbench.settings import Frozen


class BPRConfig(Frozen):
    """Settings of BPR-MF; defaults of the study."""

    embedding: PositiveInt = 64
    """d: length of a vector (paper: 8 to 128)."""
    l2: NonNegativeFloat = 0.0
    """λ: weight of the squared vectors of a pair (paper: chosen by search, above 0)."""
    training: Training = Training(epochs=100, batch=2048, metric="recall", k=20)
    """How it is trained; a batch counts pairs."""


class BPRNetwork(Tables):
    """Two tables of vectors."""

    first = staticmethod(nn.init.xavier_normal_)

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """P and Q."""
        return self.user.weight, self.item.weight


class BPR(UserItem):
    """Matrix factorisation that learns to put what a user holds before what the user does not.

    >>> BPR(BPRConfig(embedding=32)).fit(split.train, split.valid).score(log.histories([3]))  # doctest: +SKIP
    """

    Config, Network = BPRConfig, BPRNetwork

    def loss(self, examples: Pairs) -> torch.Tensor:
        """ℓ of every pair; (n,)."""
        users, items = fitted(self.module, self)()
        losses = pairwise(users, items, examples)
        return (
            losses + self.config.l2 * penalty(users, items, examples) if self.config.l2 else losses
        )
