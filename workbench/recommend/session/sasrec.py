"""SASRec: Kang & McAuley, Self-Attentive Sequential Recommendation, ICDM 2018.

    x₀ = √d e(sₜ) + pₜ                                     e: item embedding, p: learned positions
    y = x + MHA(LN(x)),   x ← y + FFN(LN(y))               twice; position t attends to positions j ≤ t
    score = E LN(x)

Normalised before each part, as in the paper's section III-C, x + Dropout(g(LN(x))), so that queries,
keys and values all read LN(x); in the authors' code only the queries do, keys and values read x.
RecBole, and with it the study, normalises after each part (and the embeddings, which it does not
scale by √d). A linear map follows the heads, as in RecBole: neither paper nor authors' code has it.
The paper trains with one sampled negative per position and ReLU; the study with cross-entropy over
all items and GELU. RecBole makes a prefix of every target; here, as in the paper, one pass asks for
all targets of a window.

Positions are counted from the start of what is read, in training and in scoring alike: pₜ says how
many rows are seen before this one, not where in the whole sequence they stand. In a window that
starts in the middle of a sequence early positions stand for later rows than in prefixes, one more
reason why windows and prefixes are not the same model there. The authors' code pads on the left, so
that there the *last* row always has the last position.

No mask for padding as key is needed: it stands on the right, and j ≤ t leaves it out for every real
position. Attention is matrix products and a softmax: fused kernels cannot be differentiated twice.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import nn

from workbench.recommend.session._next_item import NextItem, Reader
from workbench.recommend.training import Training
from workbench.settings import Frozen


class SASRecConfig(Frozen):
    """Settings of SASRec; defaults of the study."""

    hidden: PositiveInt = 32
    """Length of an item vector and of every state (paper: 50)."""
    inner: PositiveInt = 128
    """Width of the feed-forward layers (paper: the hidden length)."""
    layers: PositiveInt = 2
    """Blocks of attention and feed-forward, as in the paper."""
    heads: PositiveInt = 2
    """Attention heads (paper: 1); divides `hidden`."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share dropped of embeddings and of what each part adds (paper: .5 on sparse data, .2 on
    MovieLens)."""
    attention_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of attention weights dropped."""
    max_length: PositiveInt = 50
    """Rows of a sequence that are read, the last ones (paper: 50, MovieLens 200)."""
    stride: PositiveInt | None = None
    """Targets a window asks for; None: all it holds."""
    prefixes: bool = False
    """Train on one prefix per target, as RecBole does, in place of windows."""
    use_actions: bool = False
    """Add an embedding of the action (view, cart, …) to the item's."""
    training: Training = Training(epochs=60, batch=256)
    """How it is trained; a batch counts targets."""

    @model_validator(mode="after")
    def _heads_divide(self) -> SASRecConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not divisible by heads {self.heads}")
        return self


class Block(nn.Module):
    """One layer of the equations above."""

    def __init__(self, config: SASRecConfig) -> None:
        super().__init__()
        d = config.hidden
        self.heads, self.attention_dropout = config.heads, nn.Dropout(config.attention_dropout)
        self.norm, self.queries_keys_values, self.out = (
            nn.LayerNorm(d, eps=1e-12),
            nn.Linear(d, 3 * d),
            nn.Linear(d, d),
        )
        self.forward_norm, self.dropout = nn.LayerNorm(d, eps=1e-12), nn.Dropout(config.dropout)
        self.inner, self.outer = nn.Linear(d, config.inner), nn.Linear(config.inner, d)

    def forward(self, x: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        """x (B, L, d); future (L, L) with −inf above the diagonal, 0 elsewhere."""
        b, length, d = x.shape
        parts = self.queries_keys_values(self.norm(x)).view(
            b, length, 3, self.heads, d // self.heads
        )
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(d // self.heads) + future, dim=3)
        read = (self.attention_dropout(weights) @ v).transpose(1, 2).reshape(b, length, d)
        x = x + self.dropout(self.out(read))
        return x + self.dropout(self.outer(nn.functional.gelu(self.inner(self.forward_norm(x)))))


class SASRecNetwork(Reader):
    """Embeddings, blocks, and a last normalisation; see the equations above."""

    def __init__(self, config: SASRecConfig, n_items: int, n_actions: int) -> None:
        d = config.hidden
        super().__init__(config, d, n_items, n_actions)
        self.position = nn.Embedding(config.max_length, d)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm, self.dropout = nn.LayerNorm(d, eps=1e-12), nn.Dropout(config.dropout)
        for name, weight in self.named_parameters():
            if "norm" not in name:
                nn.init.zeros_(weight) if name.endswith("bias") else nn.init.normal_(
                    weight, std=0.02
                )
        self.blank()

    def forward(
        self, items: torch.Tensor, actions: torch.Tensor, asked: torch.Tensor
    ) -> torch.Tensor:
        """(B, L) codes -> (n, d) for the asked positions."""
        read = self.read(items, actions)
        length = items.shape[1]
        x = self.dropout(math.sqrt(read.shape[2]) * read + self.position.weight[:length])
        future = torch.full((length, length), -math.inf, dtype=x.dtype, device=x.device).triu(1)
        for block in self.blocks:
            x = block(x, future)
        return self.norm(x[asked])


class SASRec(NextItem):
    """A network of causal self-attention.

    >>> SASRec(SASRecConfig(max_length=200, dropout=0.2)).fit(log)  # doctest: +SKIP
    """

    Config, Network = SASRecConfig, SASRecNetwork
