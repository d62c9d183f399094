"""DNNTSP: Yu et al., Predicting Temporal Sets with Deep Neural Networks, KDD 2020.

The nodes of a user are the items of the baskets 1 … T that are read; E: item table.

    wᵗᵢⱼ = baskets with both i and j / the largest such count of the user     where both stand in basket t; wᵗᵢᵢ = 1
    cᵗᵢ  = ReLU(b + Σⱼ wᵗᵢⱼ W cⱼ)                       weighted graph convolution in every basket, from c = E
    hᵗᵢ  = Σ_{s ≤ t} softmaxₛ(Qcᵗᵢ · Kcˢᵢ / √d) Vcˢᵢ    attention per item over time; no look at later baskets
    zᵢ   = Σₜ (a · hᵗᵢ) hᵗᵢ                             weighted sum over time
    E_u[i] = (1 − βᵢγᵢ) E[i] + βᵢγᵢ zᵢ                  βᵢ = 1 for the user's nodes, else 0; γ: learned, one per item
    score = w · E_u[i] + b_o                            for all items; loss: multi-label soft margin (mean over items)

An item that does not stand in basket t keeps its own path there, cᵗᵢ = ReLU(b + W cᵢ): every node
has T states, as in the paper. Inferred: counts are over the baskets that are read, never the
target. H leaves out the kinks of ReLU. The authors' code differs: two convolutions with batch
normalisation (left out here: a user's scores would depend on who shares the batch), the self weight
divided by the largest count too, four heads. Quick, where published code loops over pairs: they are
flat lists, found by sorting, summed by `index_add`, never a (T, N, N) table. An absent item has one
state however often it is absent, so it is held once and attended to with its multiplicity: exact,
and true of most states. A user differs from w · E + b_o at their own nodes only; the rest is
computed once a batch.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import PositiveInt, model_validator
from torch import nn

from workbench.recommend.basket._examples import BasketBatch
from workbench.recommend.basket._next_basket import BasketNetwork, NextBasket
from workbench.recommend.training import Training
from workbench.settings import Frozen


class DNNTSPConfig(Frozen):
    """Settings of DNNTSP; defaults of the study, or the paper, but for training."""

    embedding: PositiveInt = 32
    """Length of an item vector, and of all states."""
    layers: PositiveInt = 1
    """Graph convolutions one after another (authors' code: 2, with batch normalisation)."""
    heads: PositiveInt = 1
    """Heads of the attention over time, as in the paper's equation (authors' code: 4); divides
    `embedding`."""
    max_baskets: PositiveInt = 50
    """Baskets of a history that are read, the last ones."""
    targets: Literal["last", "all"] = "last"
    """Train on the last basket of every user (study), or on every basket that has one before it."""
    training: Training = Training(
        epochs=60, batch=16, learning_rate=3e-3, patience=6, metric="recall"
    )
    """How it is trained; a batch counts questions. Recall@10 on Ta-Feng as the authors published it, of
    three seeds: .172 (paper: .175); on the generated world .32. Chosen on validation users of both: there
    batch 32 with patience 10 has .002 more and a rate that falls nothing more; here batch 32 has
    .010 less, and batch 64 trains nothing without more patience, with it less well."""

    @model_validator(mode="after")
    def _heads_divide(self) -> DNNTSPConfig:
        if self.embedding % self.heads:
            raise ValueError(f"embedding {self.embedding} is not divisible by heads {self.heads}")
        return self


class DNNTSPNetwork(BasketNetwork):
    """Graph convolution, attention over time and gate; see the equations above."""

    per_item: ClassVar = {"item.weight": (0,), "gate": (0,)}

    def __init__(self, config: DNNTSPConfig, n_items: int) -> None:
        super().__init__()
        d, self.n_items, self.heads = config.embedding, n_items, config.heads
        self.item = nn.Embedding(n_items, d)
        self.convolutions = nn.ModuleList(nn.Linear(d, d) for _ in range(config.layers))
        self.attention = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(3))  # Q, K, V
        self.time = nn.Linear(d, 1, bias=False)
        self.gate = nn.Parameter(torch.rand(n_items))
        self.out = nn.Linear(d, 1)

    def forward(self, read: BasketBatch) -> torch.Tensor:
        """z of every node; (V, d)."""
        to, of, together = map(self.put, read.pairs)
        own, node = self.item(self.put(read.item)), self.put(read.node)
        weight = together.to(self.gate.dtype)[:, None]
        states = torch.cat([own[node], own])  # of the cells, then of every node where it is absent
        for convolution in self.convolutions:
            states = torch.relu(convolution(states.index_add(0, to, weight * states[of])))
        asks, keys, pair, at, key, times = map(self.put, read.looks)
        query, against, value = (
            part(states).unflatten(1, (self.heads, -1)) for part in self.attention
        )
        scores = ((query[asks] * against[keys]).sum(2) / query.shape[2] ** 0.5)[pair]
        n, index = int(read.length[read.row].sum()), at[:, None].expand_as(scores)
        top = scores.new_full((n, self.heads), -torch.inf).scatter_reduce(
            0, index, scores.detach(), "amax"
        )
        shares = times[:, None] * (scores - top[at]).exp()
        shares = shares / shares.new_zeros(n, self.heads).index_add(0, at, shares)[at]
        # h = Σ shares · value is never made: a · h and Σ (a · h) h are sums of numbers over the
        # same list.
        said = (value * self.time.weight.view(self.heads, -1)).sum(2)
        weights = shares.new_zeros(n).index_add(0, at, (shares * said[key]).sum(1))
        total = torch.zeros_like(said).index_add(0, key, weights[at, None] * shares)
        owner = torch.cat([node, torch.arange(len(own), device=own.device)])
        return torch.zeros_like(own).index_add(0, owner, (total[..., None] * value).flatten(1))

    def represent(self, read: BasketBatch) -> torch.Tensor:
        """Mean of the user's zⱼ; (E, d)."""
        z, nodes = self(read), self.put(np.bincount(read.row, minlength=len(read.length)))
        total = z.new_zeros(len(nodes), z.shape[1]).index_add(0, self.put(read.row), z)
        return total / nodes[:, None]

    def scores(self, read: BasketBatch) -> torch.Tensor:
        """w · E_u + b_o; (E, n_items)."""
        base, change = self._scores(read)
        at = self.put(read.row), self.put(read.item)
        return base.expand(len(read.length), -1).index_put(at, base[at[1]] + change)

    def losses(self, read: BasketBatch) -> torch.Tensor:
        """Σ over items of softplus(s) − y s, divided by their number; (E,)."""
        base, change = self._scores(read)
        own, softplus = base[self.put(read.item)], nn.functional.softplus
        node = softplus(own + change) - softplus(own)
        node = node - torch.where(self.put(read.wanted), change, 0)
        total = softplus(base).sum().expand(len(read.length))
        total = total.index_add(0, self.put(read.row), node)
        asked = -base[self.put(read.target_item)]
        return total.index_add(0, self.put(read.target_row), asked) / self.n_items

    def loss_from(self, scores: torch.Tensor, read: BasketBatch) -> torch.Tensor:
        """The same from all scores (E, n_items), item by item; (E,)."""
        wanted = torch.zeros_like(scores)
        wanted[self.put(read.target_row), self.put(read.target_item)] = 1
        return (nn.functional.softplus(scores) - wanted * scores).mean(1)

    def _scores(self, read: BasketBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """w · E + b_o (n_items,), and what the gate changes at every node (V,)."""
        base, item = self.out(self.item.weight)[:, 0], self.put(read.item)
        return base, self.gate[item] * ((self(read) - self.item(item)) @ self.out.weight[0])


class DNNTSP(NextBasket):
    """Graphs of items in baskets, attention over time, and a gate between a user's items and
    everybody's.

    >>> DNNTSP(DNNTSPConfig(targets="all")).fit(split.train, split.valid)  # doctest: +SKIP
    """

    Config, Network = DNNTSPConfig, DNNTSPNetwork
