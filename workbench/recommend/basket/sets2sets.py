"""Sets2Sets: Hu & He, Sets2Sets: Learning from Sequential Sets with Neural Networks, KDD 2019.

    xₜ = mean of E[i] over i in basket t;  hₜ = GRU(xₜ, hₜ₋₁)                       encoder; E, D: item tables
    aₜ = softmaxₜ(v · tanh(A [x̃; h_T] + B hₜ));  c = Σₜ aₜ hₜ                       x̃: the last basket's mean in D
    s  = GRU(ReLU(C [x̃; c]), h_T)                                                   decoder, one step: the next basket
    ŷ  = softmax(o ∘ (1 − [f > 0] ∘ g) + f ∘ g),  o = O s + b_O                     f: share of the baskets with item i
    ℓ  = Σᵢ wᵢ(ŷᵢ − yᵢ)² + λ · mean over i ∈ y, j ∉ y of exp(−(ŷᵢ − ŷⱼ))            wᵢ = most frequent / frequency of i

The mean over pairs factorises, mean exp(−ŷᵢ) · mean exp(ŷⱼ): the set loss is exact, costs
O(n_items) and makes no pair; ŷ ≤ 1 keeps the exponentials below e. Corrected, the default: the set
loss has its gradient, and the gate is two numbers per item, gᵢ = σ(pᵢ fᵢ + qᵢ). As in the authors'
code and the study: the set loss is cut off from the gradient (its weight 10 then moves nothing),
and g = σ(P f + q) with a weight for every pair of items. Inferred: the form of the attention (the
paper leaves `align` open; the authors' code weighs places of the history, not states, and adds up
item vectors where the paper takes their mean). Items that no row has get the weight 0, as there.
Adam with its usual β and ε (study: .9/.98, 1e-11). Scores are what stands in the softmax: same
order, no rounding to ties. Quick: users share batches, the gate is made at a user's own items only.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from workbench.data import Interactions
from workbench.errors import TooLarge
from workbench.recommend.basket._examples import BasketBatch, BasketExamples
from workbench.recommend.basket._next_basket import BasketNetwork, NextBasket
from workbench.recommend.trained import ConvexParts
from workbench.recommend.training import Training, recurrence
from workbench.settings import Frozen

LARGEST = 4096  # items of the published gate: 67 MB of weights, four times that while training


class Sets2SetsConfig(Frozen):
    """Settings of Sets2Sets; defaults of the study, but for what is corrected, and training."""

    hidden: PositiveInt = 32
    """Length of item vectors and states."""
    set_weight: NonNegativeFloat = 10.0
    """λ, the weight of the set loss (the paper tunes it)."""
    set_loss: Literal["gradient", "as_published"] = "gradient"
    """Corrected, or cut off from the gradient as in the authors' code."""
    gate: Literal["item", "published"] = "item"
    """A number per item, or the authors' weight for every pair of items (at most 4,096 items)."""
    max_baskets: PositiveInt = 100
    """Baskets of a history that are read, the last ones."""
    targets: Literal["last", "all"] = "all"
    """Train on the last basket of every user (study), or on every basket that has one before it:
    a question for each, so longer epochs, and on Ta-Feng .018 of Recall lost (see `training`)."""
    training: Training = Training(
        epochs=60, batch=16, learning_rate=3e-3, patience=6, metric="recall"
    )
    """How it is trained. Recall / NDCG / hit rate @10 on Ta-Feng as DNNTSP published it: .152 / .133
    / .431; on last baskets .170 / .147 / .460, which do not train the few baskets of the world."""


class Sets2SetsNetwork(BasketNetwork):
    """Encoder, attention decoder, and a gate to the history; see the equations above."""

    per_item: ClassVar = {
        **dict.fromkeys(("item.weight", "last.weight", "out.weight", "out.bias"), (0,)),
        "own": (1,),
        "gate.weight": (0, 1),
        "gate.bias": (0,),
    }

    def __init__(self, config: Sets2SetsConfig, n_items: int) -> None:
        super().__init__()
        d, self.n_items, self.config = config.hidden, n_items, config
        self.item, self.last = nn.Embedding(n_items, d), nn.Embedding(n_items, d)
        self.encoder, self.decoder = nn.GRU(d, d, batch_first=True), nn.GRUCell(d, d)
        self.asking, self.asked = nn.Linear(2 * d, d), nn.Linear(d, d, bias=False)
        self.align = nn.Linear(d, 1, bias=False)
        self.combine, self.out = nn.Linear(2 * d, d), nn.Linear(d, n_items)
        if config.gate == "item":
            self.own = nn.Parameter(torch.zeros(2, n_items))
        elif n_items > LARGEST:
            what, do = f"{n_items:,} items: {n_items**2:,} weights", 'take gate="item"'
            want = f"at most {LARGEST:,} items for the published gate"
            raise TooLarge(what, "Sets2Sets, gate", want, do)
        else:
            self.gate = nn.Linear(n_items, n_items)
        self.register_buffer("weight", torch.ones(n_items))

    def represent(self, read: BasketBatch) -> torch.Tensor:
        """s, the decoder's state; (E, d)."""
        n, longest = len(read.length), int(read.length.max(initial=1))
        row, item = read.row[read.node], self.put(read.item[read.node])
        share = self.put(1 / read.size).to(self.weight.dtype)[:, None]
        place = self.put(row * longest + read.time)
        mean = share.new_zeros(n * longest, self.item.embedding_dim)
        mean = mean.index_add(0, place, share * self.item(item))
        states = recurrence(self.encoder, mean.view(n, longest, -1))
        final = states[torch.arange(n, device=states.device), self.put(read.length - 1)]
        newest = self.put(np.flatnonzero(read.time == read.length[row] - 1))
        own = (share * self.last(item))[newest]
        last = own.new_zeros(n, own.shape[1]).index_add(0, self.put(row)[newest], own)
        asks = self.asking(torch.cat([last, final], 1))[:, None] + self.asked(states)
        there = self.put(np.arange(longest) < read.length[:, None])
        weights = self.align(asks.tanh())[..., 0].masked_fill(~there, -torch.inf).softmax(1)
        context = (weights[..., None] * states).sum(1)
        return self.decoder(torch.relu(self.combine(torch.cat([last, context], 1))), final)

    def scores(self, read: BasketBatch) -> torch.Tensor:
        """What stands in the softmax; (E, n_items)."""
        row, item = self.put(read.row), self.put(read.item)
        own = self.out(self.represent(read))
        share = self.put(read.count / read.length[read.row]).to(own.dtype)
        if self.config.gate == "item":
            gate = self.own[0, item] * share + self.own[1, item]
        else:
            gate = self.gate(torch.zeros_like(own).index_put((row, item), share))[row, item]
        gate = gate.sigmoid()
        return own.index_put((row, item), own[row, item] * (1 - gate) + share * gate)

    def loss_from(self, scores: torch.Tensor, read: BasketBatch) -> torch.Tensor:
        """Weighted squares plus λ · set loss, from what stands in the softmax, (E, n_items); (E,). A
        question that asks for every item has no set loss."""
        return self.loss_of(scores.softmax(1), read)

    def loss_of(self, made: torch.Tensor, read: BasketBatch) -> torch.Tensor:
        """The same from ŷ, (E, n_items); convex in it: squares, and exponentials of −(ŷᵢ − ŷⱼ)."""
        none = made.new_zeros(len(made))
        row, item = self.put(read.target_row), self.put(read.target_item)
        found = made[row, item]
        squares = (made**2 @ self.weight).index_add(0, row, self.weight[item] * (1 - 2 * found))
        if self.config.set_loss == "as_published":
            made, found = made.detach(), found.detach()
        n = none.index_add(0, row, torch.ones_like(found))
        inside = none.index_add(0, row, (-found).exp()) / n
        outside = made.exp().sum(1).index_add(0, row, -found.exp())
        outside = outside / (self.n_items - n).clamp(min=1)
        return squares + self.config.set_weight * inside * torch.where(n < self.n_items, outside, 0)


class Sets2Sets(NextBasket):
    """A recurrent network over baskets whose answer is blended with the user's own frequencies.

    >>> Sets2Sets().fit(split.train, split.valid)  # doctest: +SKIP
    """

    Config, Network = Sets2SetsConfig, Sets2SetsNetwork

    def convex_parts(self, examples: BasketExamples) -> ConvexParts:
        """ŷ: of the scores themselves squares after a softmax are not convex."""
        made = self.example_logits(examples).softmax(1)
        return [(made, lambda outputs: self.module.loss_of(outputs, examples.batch))]

    def cache(self, log: Interactions) -> None:
        """w anew from the baskets of a log; equal items of a basket count once. The largest count
        is in every w: a row less of the most frequent item moves every loss."""
        frame = log.deeds.frame.drop_duplicates(["user", "basket", "item"])
        count = np.bincount(frame["item"], minlength=self.module.n_items)
        weight = np.where(count > 0, count.max(initial=0) / np.maximum(count, 1), 0.0)
        self.module.weight.copy_(torch.as_tensor(weight))
