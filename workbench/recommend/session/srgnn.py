"""SR-GNN: Wu et al., Session-based Recommendation with Graph Neural Networks, AAAI 2019.

A prefix s₁ … sₜ is a graph: its distinct items are the nodes, and u → w is an edge where w once
followed u.

    a_v = [mean over u → v of (W_in e_u + b_in);  mean over v → w of (W_out e_w + b_out)]      0 without such an edge
    x_v = GRUCell(a_v, e_v)                                             eq. 1 to 5, one step
    α_i = qᵀ σ(W₁ x_{sₜ} + W₂ x_{sᵢ} + c),   s_g = Σ_{i ≤ t} αᵢ x_{sᵢ}   eq. 6; a node counts once for each of its rows
    score = E W₃ [x_{sₜ}; s_g]                                          eq. 7 and 8

Edges are binary and then normalised by degree, as in the authors' code and in RecBole (the paper's
figure 2 counts repeated ones). The reset gate acts after U (tanh(W a + r ⊙ U e)), as in that code;
in the paper before it. W₃ has no bias, as in the paper; that code gives it one. b_in and b_out stand
inside of the mean; in the paper outside, so that a node without edges is told them too, and in that
code on both sides. With `use_actions` a node is a distinct pair of item and action.

Quick, and exactly as published: after one step a node depends on its own edges alone. So going from
one prefix to the next changes two nodes, the item just read and the one before it, and the graphs
of all prefixes of a window hold 2 L different node states, not L² / 2. With xₜ the state of sₜ when
it is read and yⱼ that of sⱼ after the next row is,

    s_g(t) = nₜ αₜ xₜ + Σ_{j < t} nⱼ [sⱼ not read again up to t] α(t, j) yⱼ       nⱼ: times sⱼ was read up to j

and windows cost what they cost NARM. More steps than one would carry changes further; neither paper
nor study has them.
"""

from __future__ import annotations

import torch
from pydantic import PositiveInt
from torch import nn

from workbench.recommend.session._additive import additive, asked_places, take
from workbench.recommend.session._next_item import NextItem, Reader
from workbench.recommend.training import Training
from workbench.settings import Frozen


class SRGNNConfig(Frozen):
    """Settings of SR-GNN; defaults of the study."""

    hidden: PositiveInt = 100
    """Length of an item vector and of a node's state, as in the paper."""
    max_length: PositiveInt = 50
    """Rows of a sequence that are read, the last ones (the paper reads all)."""
    stride: PositiveInt | None = None
    """Targets a window asks for; None: all it holds."""
    prefixes: bool = False
    """Train on one prefix per target, as published, in place of windows; the same but for rows
    beyond `max_length`."""
    use_actions: bool = False
    """Add an embedding of the action (view, cart, …) to the item's."""
    training: Training = Training(epochs=30, batch=256, weight_decay=1e-5)
    """How it is trained; a batch counts targets (paper: 100, and the learning rate falls to a tenth
    every 3 epochs)."""


class SRGNNNetwork(Reader):
    """Session graphs of all asked prefixes; see the equations above."""

    def __init__(self, config: SRGNNConfig, n_items: int, n_actions: int) -> None:
        d = config.hidden
        super().__init__(config, d, n_items, n_actions)
        self.w_in, self.w_out, self.cell = nn.Linear(d, d), nn.Linear(d, d), nn.GRUCell(2 * d, d)
        self.w1, self.w2 = nn.Linear(d, d), nn.Linear(d, d, bias=False)  # the bias of w1 is c
        self.q, self.w3 = nn.Parameter(torch.empty(d)), nn.Linear(2 * d, d, bias=False)
        for weight in self.parameters():
            nn.init.uniform_(weight, -(d**-0.5), d**-0.5)
        self.blank()

    def forward(
        self, items: torch.Tensor, actions: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """(B, L) codes -> (n, d) for the asked positions; no edge of a real row touches the padding
        on the right."""
        read = self.read(items, actions)
        node = items if self.action is None else items * self.action.num_embeddings + actions
        into, out, out_next, times, again = graphs(node, read.dtype)
        place, real = asked_places(asked)
        before = into @ nn.functional.pad(self.w_in(read), (0, 0, 1, 0))[:, :-1]
        after = nn.functional.pad(self.w_out(read), (0, 0, 0, 1))[:, 1:]
        x = self._step(take(before, place), take(out, place) @ after, take(read, place))
        y = self._step(before, out_next @ after, read)

        query = self.w1(x)
        j = torch.arange(items.shape[1], device=items.device)
        counts = times[:, None] * ((j < place[..., None]) & (again[:, None] > place[..., None]))
        own = (query + self.w2(x)).sigmoid() @ self.q * times.gather(1, place)
        s_g = own[..., None] * x + (additive(query, self.w2(y), self.q, place) * counts) @ y
        return self.w3(torch.cat([x, s_g], dim=2)[real])

    def _step(self, before: torch.Tensor, after: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        made = self.cell(torch.cat([before, after], dim=2).flatten(0, 1), state.flatten(0, 1))
        return made.view(state.shape)


def graphs(node: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """The graphs of all prefixes of each row; node (B, L) int64, equal numbers are one node.

    into (B, L, L): share of row q − 1 in what the node of row t is told by its predecessors once
    row t is read; out: share of row q + 1 in what its successors tell it then; out_next: the same
    once row t + 1 is read; times (B, L): how often the node was read up to row t; again (B, L): the
    row at which it is read next, L for never.
    """
    length = node.shape[1]
    at = torch.arange(length, device=node.device)
    equal = node[:, :, None] == node[:, None, :]
    same = equal & (at <= at[:, None])  # [t, q]: row q ≤ t is the same node
    # A pair of rows (q − 1, q) is a new edge where no earlier pair is the same.
    repeated = equal[:, 1:, 1:] & equal[:, :-1, :-1] & (at[1:] < at[1:, None])
    new = nn.functional.pad(~repeated.any(dim=2), (1, 0))  # the first row ends no pair
    begins = nn.functional.pad(new[:, 1:], (0, 1))
    parts = same & new[:, None], same & begins[:, None] & (at < at[:, None]), same & begins[:, None]
    shares = (part / part.sum(dim=2, keepdim=True, dtype=dtype).clamp(min=1) for part in parts)
    again = torch.where(equal & (at > at[:, None]), at, length).amin(dim=2)
    return *shares, same.sum(dim=2), again


class SRGNN(NextItem):
    """A gated graph network over the graph of a session.

    >>> SRGNN(SRGNNConfig(hidden=64)).fit(log.by_session())  # doctest: +SKIP
    """

    Config, Network = SRGNNConfig, SRGNNNetwork
