"""LightGCN: He, Deng, Wang, Li, Zhang & Wang, Simplifying and Powering Graph Convolution Network,
SIGIR 2020.

    E^(l+1) = Â E^(l),   Ē = (E^(0) + … + E^(L)) / (L + 1),   Â = D^−½ A D^−½        equations 7 and 8 of the paper
    ℓ(u, i, j) = −ln σ(ē_uᵀ(ē_i − ē_j)) + (λ/2)(‖e_u‖² + ‖e_i‖² + ‖e_j‖²)         e: layer 0, not the propagated ē
    score(u, i) = ē_uᵀ ē_i

As in the study: Adam, Xavier's first weights. The paper has 3 layers and, in its authors' code,
first weights of normal(0, .1). The regulariser of the pairs of a batch stands for λ‖E^(0)‖²;
RecBole, and with it the study, adds the norms of the batch's layer-0 vectors, not squared and
divided by the batch. The graph is that of the last `fit` or `rebuild`: after a removal, weights
that were not rebuilt still send messages along deleted edges. Quick because a layer is one CSR
product for users and items together, and its gradient the same product; the tables that lists are
made from are kept until weights or graph change (`_graph.py`, `_user_item.py`).
"""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat, PositiveInt

from workbench.recommend.collaborative._graph import propagate
from workbench.recommend.collaborative._pairs import Pairs, pairwise, penalty
from workbench.recommend.collaborative._user_item import Tables, UserItem
from workbench.recommend.protocol import fitted
from workbench.recommend.training import Training
from workbench.settings import Frozen


class LightGCNConfig(Frozen):
    """Settings of LightGCN; defaults of the study."""

    embedding: PositiveInt = 64
    """Length of a vector, as in the paper."""
    layers: PositiveInt = 2
    """L: steps along the graph (paper: 3)."""
    l2: NonNegativeFloat = 1e-4
    """λ: weight of the squared layer-0 vectors of a pair, as in the paper."""
    training: Training = Training(epochs=100, batch=2048, metric="recall", k=20)
    """How it is trained; a batch counts pairs, and every batch costs 2 L products with Â: larger
    ones are cheaper."""


class LightGCNNetwork(Tables):
    """Two tables of vectors and the graph they are sent along."""

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ē of users and items."""
        adjacency = self.graph.adjacency(self.user.weight)
        return propagate(self.user.weight, self.item.weight, adjacency, self.config.layers)


class LightGCN(UserItem):
    """Matrix factorisation whose vectors are averaged over the neighbourhood of the graph.

    >>> LightGCN(LightGCNConfig(layers=3)).fit(log).rebuild(log.without([17])).score(log.histories())  # doctest: +SKIP
    """

    Config, Network, reads_graph = LightGCNConfig, LightGCNNetwork, True

    def loss(self, examples: Pairs) -> torch.Tensor:
        """ℓ of every pair; (n,). Propagates once, however many pairs there are."""
        module = fitted(self.module, self)
        losses = pairwise(*module(), examples)
        return losses + self.config.l2 * penalty(module.user.weight, module.item.weight, examples)
