"""GRU4Rec: Hidasi et al., Session-based Recommendations with Recurrent Neural Networks, ICLR 2016.

    hₜ = GRU(e(sₜ), hₜ₋₁)          e: item embedding, with dropout
    score = E W hₜ                 W brings the hidden state back to the length of an item vector

As in the study: cross-entropy over all items. The paper trains on session-parallel batches with the
batch's other items as negatives, and BPR or TOP1 losses; BPR-max and TOP1-max are of the sequel
(Hidasi & Karatzoglou, CIKM 2018), whose authors' code is far better than most ports.
Quick because the recurrence runs once over a window for all of its targets; the published prefixes
(`prefixes=True`) run it once per target.
"""

from __future__ import annotations

import torch
from pydantic import Field, PositiveInt
from torch import nn

from workbench.recommend.session._next_item import NextItem, Reader
from workbench.recommend.training import Training, recurrence
from workbench.settings import Frozen


class GRU4RecConfig(Frozen):
    """Settings of GRU4Rec; defaults of the study."""

    embedding: PositiveInt = 64
    """Length of an item vector (the paper reads one-hot items)."""
    hidden: PositiveInt = 128
    """Length of the hidden state (paper: 100 to 1,000)."""
    layers: PositiveInt = 1
    """Recurrent layers, as in the paper."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the embedding's entries dropped while training (paper: 0 to .5)."""
    max_length: PositiveInt = 50
    """Rows of a sequence that are read, the last ones."""
    stride: PositiveInt | None = None
    """Targets a window asks for; None: all it holds."""
    prefixes: bool = False
    """Train on one prefix per target, as published, in place of windows."""
    use_actions: bool = False
    """Add an embedding of the action (view, cart, …) to the item's."""
    training: Training = Training(epochs=100, batch=256)
    """How it is trained; a batch counts targets."""


class GRU4RecNetwork(Reader):
    """Embedding, GRU, and a linear map back; see the equations above."""

    def __init__(self, config: GRU4RecConfig, n_items: int, n_actions: int) -> None:
        super().__init__(config, config.embedding, n_items, n_actions)
        self.dropout = nn.Dropout(config.dropout)
        self.gru = nn.GRU(
            config.embedding, config.hidden, config.layers, bias=False, batch_first=True
        )
        self.out = nn.Linear(config.hidden, config.embedding)
        nn.init.xavier_normal_(self.item.weight[:-1].data)
        for weight in self.gru.parameters():
            nn.init.xavier_uniform_(weight)
        self.blank()

    def forward(
        self, items: torch.Tensor, actions: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """(B, L) codes -> (n, d) for the asked positions; padding stands on the right, so no state
        ever reads it."""
        states = recurrence(self.gru, self.dropout(self.read(items, actions)))
        return self.out(states[asked])


class GRU4Rec(NextItem):
    """A recurrent network over the sequence.

    >>> GRU4Rec(GRU4RecConfig(hidden=64)).fit(log.by_session())  # doctest: +SKIP
    """

    Config, Network = GRU4RecConfig, GRU4RecNetwork
