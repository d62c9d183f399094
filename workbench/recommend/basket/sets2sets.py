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
order, no rounding to ties. Quick because users share batches (the study's batch is 1), and the gate
is computed at the user's own items only.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from workbench.data import Interactions
from workbench.errors import TooLarge
from workbench.recommend.basket._examples import BasketBatch
from workbench.recommend.basket._next_basket import NextBasket
from workbench.recommend.training import Training
from workbench.settings import Frozen

# items for which the published gate is made: 67 MB of weights, four times that while training
LARGEST = 4096


class Sets2SetsConfig(Frozen):
    """Settings of Sets2Sets; defaults of the study, but for what is corrected."""

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
    targets: Literal["last", "all"] = "last"
    """Train on the last basket of every user (study), or on every basket that has one before it."""
    training: Training = Training(epochs=20, batch=64)
    """How it is trained; a batch counts questions (users, with `targets="last"`). The study's batch
    of 1 takes 64 times the steps; with 64 the gate of the history has barely moved when validation
    stops the training on Ta-Feng."""


class Sets2SetsNetwork(nn.Module):
    """Encoder, attention decoder, and the gate between it and the history; see the equations
    above."""

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
        self.asking, self.asked, self.align = (
            nn.Linear(2 * d, d),
            nn.Linear(d, d, bias=False),
            nn.Linear(d, 1, False),
        )
        self.combine, self.out = nn.Linear(2 * d, d), nn.Linear(d, n_items)
        if config.gate == "item":
            self.own = nn.Parameter(torch.zeros(2, n_items))
        elif n_items > LARGEST:
            what, do = f"{n_items:,} items: {n_items**2:,} weights", 'take gate="item"'
            raise TooLarge(
                what, "Sets2Sets, gate", f"at most {LARGEST:,} items for the published gate", do
            )
        else:
            self.gate = nn.Linear(n_items, n_items)
        self.register_buffer("weight", torch.ones(n_items))

    def represent(self, read: BasketBatch) -> torch.Tensor:
        """s, the decoder's state; (E, d)."""
        n, longest = len(read.length), int(read.length.max(initial=1))
        row, item = read.row[read.node], self._put(read.item[read.node])
        share = self._put(1 / read.size).to(self.weight.dtype)[:, None]
        place = self._put(row * longest + read.time)
        read_in = share.new_zeros(n * longest, self.item.embedding_dim).index_add(
            0, place, share * self.item(item)
        )
        # cuDNN's recurrence is quick, but has no second derivative, and outside of training not
        # even a first one.
        with torch.backends.cudnn.flags(enabled=self.training, deterministic=True):
            states, _ = self.encoder(read_in.view(n, longest, self.item.embedding_dim))
        final = states[torch.arange(n, device=states.device), self._put(read.length - 1)]
        newest = self._put(np.flatnonzero(read.time == read.length[row] - 1))
        own = (share * self.last(item))[newest]
        last = own.new_zeros(n, own.shape[1]).index_add(0, self._put(row)[newest], own)
        asks = self.asking(torch.cat([last, final], 1))[:, None] + self.asked(states)
        there = self._put(np.arange(longest) < read.length[:, None])
        weights = self.align(asks.tanh())[..., 0].masked_fill(~there, -torch.inf).softmax(1)
        context = (weights[..., None] * states).sum(1)
        return self.decoder(torch.relu(self.combine(torch.cat([last, context], 1))), final)

    def scores(self, read: BasketBatch) -> torch.Tensor:
        """What stands in the softmax; (E, n_items)."""
        row, item = self._put(read.row), self._put(read.item)
        own = self.out(self.represent(read))
        share = self._put(read.count / read.length[read.row]).to(own.dtype)
        if self.config.gate == "item":
            gate = torch.sigmoid(self.own[0, item] * share + self.own[1, item])
        else:
            gate = torch.sigmoid(self.gate(torch.zeros_like(own).index_put((row, item), share)))[
                row, item
            ]
        return own.index_put((row, item), own[row, item] * (1 - gate) + share * gate)

    def losses(self, read: BasketBatch) -> torch.Tensor:
        """Weighted squares plus λ · set loss; (E,)."""
        return self.loss_from(self.scores(read), read)

    def loss_from(self, scores: torch.Tensor, read: BasketBatch) -> torch.Tensor:
        """The same from what stands in the softmax, (E, n_items); (E,). A question that asks for
        every item has no set loss."""
        made, at = (
            scores.softmax(1),
            (self._put(read.target_row), self._put(read.target_item)),
        )
        found, weight, none = made[at], self.weight[at[1]], made.new_zeros(len(made))
        squares = (made**2 @ self.weight).index_add(0, at[0], weight * (1 - 2 * found))
        if self.config.set_loss == "as_published":
            made, found = made.detach(), found.detach()
        n = none.index_add(0, at[0], torch.ones_like(found))
        inside = none.index_add(0, at[0], (-found).exp()) / n
        outside = made.exp().sum(1).index_add(0, at[0], -found.exp()) / (self.n_items - n).clamp(
            min=1
        )
        return squares + self.config.set_weight * inside * torch.where(n < self.n_items, outside, 0)

    def _put(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(array, device=self.weight.device)


class Sets2Sets(NextBasket):
    """A recurrent network over baskets whose answer is blended with the user's own frequencies.

    >>> Sets2Sets().fit(split.train, split.valid)  # doctest: +SKIP
    """

    Config, Network = Sets2SetsConfig, Sets2SetsNetwork

    def cache(self, log: Interactions) -> None:
        """w anew from the baskets of a log; equal items of a basket count once. The largest count
        is in every w: a row less of the most frequent item moves every loss."""
        frame = log.frame.drop_duplicates(["user", "basket", "item"])
        count = np.bincount(frame["item"], minlength=self.module.n_items)
        weight = np.where(count > 0, count.max(initial=0) / np.maximum(count, 1), 0.0)
        self.module.weight.copy_(torch.as_tensor(weight))
