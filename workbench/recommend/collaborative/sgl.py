"""SGL: Wu, Wang, Feng, He, Chen, Lian & Xie, Self-supervised Graph Learning for Recommendation,
SIGIR 2021.

    ℓ(u, i, j) = −ln σ(ē_uᵀ(ē_i − ē_j)) + λ₁(s_u + s_i) + (λ₂/2)(‖e_u‖² + ‖e_i‖² + ‖e_j‖²)
    s_a = −ln exp(cos(z'_a, z''_a)/τ) / Σ_b exp(cos(z'_a, z''_b)/τ)                       equation 10: InfoNCE
    score(u, i) = ē_uᵀ ē_i

ē: LightGCN's propagated vectors; e: layer 0; z', z'': propagated along two views of the graph, each
normalised anew without the edges that were dropped (edge dropout, ED), other views every epoch.
Each edge is dropped by itself, with probability ρ, as the paper's masks are drawn; the authors' code
and RecBole draw ⌊(1 − ρ)E⌋ edges to keep. By itself, a row that is removed takes its own edge along
and no other. Every pair adds s of its user and of its positive item, as in the authors' code and in
RecBole: a node of many pairs counts often, whatever the batch. In the paper, as in the study, b
runs over all users, or all items; in training here over the unique ones of the batch unless
`negatives_from="all"`: fewer negatives, and cost that does not grow with the catalogue. Outside of
training b runs over all nodes, and the views are those of the seed: then a pair's ℓ knows no other
pair, the losses of users sum to the objective, and second derivatives are of one function. The
study drops 10 % of the edges (paper: 0 to 50 %, by data set). RecBole, and with it the study, adds
the norms of the batch's layer-0 vectors, not squared and shared by the batch: next to nothing. At
first the contrast swamps BPR, which starts at ln 2 with small gradients. On ml-100k (random split,
80,808 pairs, batch 2048, rate 5e-3) the study's τ = .2 and λ₁ = .1, the defaults here, leave BPR at
.693 for all of 10 epochs, with NDCG@10 .018; τ = .5 (RecBole's default) and λ₁ = .005 bring it to
.212, with .250. Dense logs want the latter. Quick because each layer of a view is one CSR product,
and softmax is made once for each node of a batch.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch.nn import functional

from workbench.recommend.collaborative._graph import propagate
from workbench.recommend.collaborative._pairs import Pairs, pairwise, penalty
from workbench.recommend.collaborative._user_item import Tables, UserItem
from workbench.recommend.protocol import fitted
from workbench.recommend.softmax import full_softmax
from workbench.recommend.trained import ConvexParts
from workbench.recommend.training import Training
from workbench.settings import Frozen


class SGLConfig(Frozen):
    """Settings of SGL; defaults of the study."""

    embedding: PositiveInt = 64
    """Length of a vector, as in the paper."""
    layers: PositiveInt = 3
    """L: steps along the graph, as in the paper."""
    drop: float = Field(default=0.1, ge=0, lt=1)
    """ρ: probability with which a view lacks an edge."""
    temperature: PositiveFloat = 0.2
    """τ: the smaller, the more the nearest wrong nodes count, as in the paper."""
    ssl: NonNegativeFloat = 0.1
    """λ₁: weight of the contrast between the views, as in the paper."""
    l2: NonNegativeFloat = 1e-4
    """λ₂: weight of the squared layer-0 vectors of a pair, as in the paper."""
    negatives_from: Literal["batch", "all"] = "batch"
    """Where the b come from while training: the unique nodes of the batch, or all of the graph
    (paper, study)."""
    training: Training = Training(epochs=100, batch=2048, metric="recall", k=20)
    """How it is trained; a batch counts pairs, and every batch costs 6 L products with a graph."""


class SGLNetwork(Tables):
    """Two tables of vectors, the graph they are sent along, and its two views."""

    time: tuple[int, int] | None = None

    def forward(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ē of users and items along the whole graph."""
        return self._along(self.graph.adjacency(self.user.weight))

    def views(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(users, items) along each of the two views: those of the seed and epoch, or outside of
        training the fixed ones."""
        # Epochs count from 1 here: 0 are the fixed views, which training never meets.
        time = self.time or (self.config.training.seed, 0)
        drop = self.config.drop
        seeds = [(*time, view) for view in (1, 2)]
        return [self._along(self.graph.dropped(drop, seed, self.user.weight)) for seed in seeds]

    def _along(self, adjacency: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return propagate(self.user.weight, self.item.weight, adjacency, self.config.layers)


class SGL(UserItem):
    """LightGCN that also has to recognise every node in a thinned graph.

    >>> SGL(SGLConfig(temperature=0.5)).fit(log).score(log.histories())  # doctest: +SKIP
    """

    Config, Network, reads_graph = SGLConfig, SGLNetwork, True
    beside = ("l2", "ssl")

    def loss(self, examples: Pairs) -> torch.Tensor:
        """ℓ of every pair; (n,)."""
        module, config = fitted(self.module, self), self.config
        losses = pairwise(*module(), examples) + config.l2 * penalty(
            module.user.weight, module.item.weight, examples
        )
        # u and i; the negatives j have no part in the contrast
        nodes = examples.tensors(losses.device)[:2]
        for first, second, node in zip(*module.views(), nodes, strict=True):
            losses = losses + config.ssl * self._contrast(first, second, node)
        return losses

    def _contrast(
        self, first: torch.Tensor, second: torch.Tensor, node: torch.Tensor
    ) -> torch.Tensor:
        """s of the node of each pair; (n,)."""
        unique, place = torch.unique(node, return_inverse=True)
        return full_softmax(*self._faced(first, second, unique)).index_select(0, place)

    def _faced(
        self, first: torch.Tensor, second: torch.Tensor, unique: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Nodes in one view, those in the other that they are told from, and where they stand
        there themselves."""
        near = functional.normalize(first.index_select(0, unique), dim=1) / self.config.temperature
        everywhere = self.config.negatives_from == "all" or self.module.time is None
        table = functional.normalize(
            second if everywhere else second.index_select(0, unique), dim=1
        )
        targets = unique if everywhere else torch.arange(len(unique), device=unique.device)
        return near, table, targets

    def convex_parts(self, examples: Pairs) -> ConvexParts:
        """With the contrast, by its own softmax: cosines of every node of the pairs, over τ."""
        parts, nodes = (
            super().convex_parts(examples),
            examples.tensors(self.module.user.weight.device)[:2],
        )
        for first, second, node in zip(*self.module.views(), nodes, strict=True):
            unique, count = torch.unique(node, return_counts=True)
            near, table, targets = self._faced(first, second, unique)
            contrast = partial(self._contrasts, targets=targets, count=count)
            parts.append((near @ table.T, contrast))
        return parts

    def _contrasts(
        self, cosines: torch.Tensor, targets: torch.Tensor, count: torch.Tensor
    ) -> torch.Tensor:
        """λ₁ s of each node, as often as pairs have it."""
        each = functional.cross_entropy(cosines, targets, reduction="none")
        return self.config.ssl * (count * each)

    def begin(self, seed: tuple[int, int] | None) -> None:
        """Views and negatives of an epoch, or, with None, those outside of training."""
        self.module.time = None if seed is None else (seed[0], seed[1] + 1)
