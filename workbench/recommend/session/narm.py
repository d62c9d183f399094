"""NARM: Li et al., Neural Attentive Session-based Recommendation, CIKM 2017.

    hₜ = GRU(e(sₜ), hₜ₋₁)                         e: item embedding, with dropout
    c_g = hₜ,   αⱼ = vᵀ σ(A₁ hₜ + A₂ hⱼ)          eq. 7 and 8
    c_l = Σ_{j ≤ t} αⱼ hⱼ                         eq. 6
    score = E B [c_g; c_l]                        eq. 9 and 10, with dropout on [c_g; c_l]

The α are not normalised, as in the paper's equations; the released code takes their softmax over
the session. As in the study: cross-entropy over all items; the GRU and the maps have no biases. The paper trains
on prefixes with batches of 512 and item vectors of length 50. Quick because one recurrence serves
all targets of a window, and the attention of all its positions is made in blocks that stay in the
processor's cache (`additive.py`): O(L² d) a window, where prefixes cost a recurrence of O(L d²) per
target.
"""

from __future__ import annotations

import torch
from pydantic import Field, PositiveInt
from torch import nn

from workbench.recommend.session._additive import additive, asked_places, take
from workbench.recommend.session._next_item import NextItem, Reader
from workbench.recommend.training import Training, recurrence
from workbench.settings import Frozen


class NARMConfig(Frozen):
    """Settings of NARM; defaults of the study."""

    embedding: PositiveInt = 64
    """Length of an item vector (paper: 50)."""
    hidden: PositiveInt = 100
    """Length of the hidden state, as in the paper."""
    layers: PositiveInt = 1
    """Recurrent layers, as in the paper."""
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Share of the embedding's entries dropped while training, as in the paper."""
    context_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of the entries of [c_g; c_l] dropped while training, as in the paper."""
    max_length: PositiveInt = 50
    """Rows of a sequence that are read, the last ones."""
    stride: PositiveInt | None = None
    """Targets a window asks for; None: all it holds."""
    prefixes: bool = False
    """Train on one prefix per target, as published, in place of windows."""
    use_actions: bool = False
    """Add an embedding of the action (view, cart, …) to the item's."""
    training: Training = Training(epochs=30, batch=256)
    """How it is trained; a batch counts targets (paper: 512)."""


class NARMNetwork(Reader):
    """Global and local encoder and the bilinear decoder; see the equations above."""

    def __init__(self, config: NARMConfig, n_items: int, n_actions: int) -> None:
        d, hidden = config.embedding, config.hidden
        super().__init__(config, d, n_items, n_actions)
        self.dropout = nn.Dropout(config.dropout)
        self.context_dropout = nn.Dropout(config.context_dropout)
        self.gru = nn.GRU(d, hidden, config.layers, bias=False, batch_first=True)
        self.a1 = nn.Linear(hidden, hidden, bias=False)
        self.a2 = nn.Linear(hidden, hidden, bias=False)
        self.v = nn.Parameter(torch.empty(hidden))
        self.b = nn.Linear(2 * hidden, d, bias=False)
        maps = (self.a1.weight, self.a2.weight, self.v[None].data, self.b.weight)
        for weight in (self.item.weight[:-1].data, *maps):
            nn.init.xavier_normal_(weight)
        self.blank()

    def forward(
        self, items: torch.Tensor, actions: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """(B, L) codes -> (n, d) for the asked positions; j ≤ t leaves out the future and the
        padding on the right."""
        states = recurrence(self.gru, self.dropout(self.read(items, actions)))
        place, real = asked_places(asked)
        c_g = take(states, place)
        alpha = additive(self.a1(c_g), self.a2(states), self.v, place)
        past = torch.arange(items.shape[1], device=items.device) <= place[..., None]
        c_l = (alpha * past) @ states
        return self.b(self.context_dropout(torch.cat([c_g, c_l], dim=2)[real]))


class NARM(NextItem):
    """A recurrent network that looks back with attention.

    >>> NARM(NARMConfig(hidden=50)).fit(log.by_session())  # doctest: +SKIP
    """

    Config, Network = NARMConfig, NARMNetwork
