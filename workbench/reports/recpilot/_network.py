"""The simulator's network: T5 from scratch, and what a departure from the paper adds to it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from workbench.data import Histories
from workbench.reports.recpilot._run_length import run_length
from workbench.reports.recpilot._sizes import SimulatorConfig
from workbench.reports.recpilot.grammar import BOS, EOS, PAD, Vocabulary

DECAYS = (2.0, 8.0)
"""Visits after which an own action counts 1/e, once short and once long."""


class Read(NamedTuple):
    """Histories as tensors: tokens (B, L) padded on the right, and own actions (B, F, n_items)."""

    tokens: torch.Tensor
    own: torch.Tensor | None


class Encoded(NamedTuple):
    """What the decoder reads: states (B, L, d), which of them count, and own actions."""

    states: torch.Tensor
    filled: torch.Tensor
    own: torch.Tensor | None

    def repeat(self, n: int) -> Encoded:
        """Each history n times, in a row."""
        return Encoded(*(None if part is None else part.repeat_interleave(n, 0) for part in self))


def read(histories: Histories, vocabulary: Vocabulary, config: SimulatorConfig) -> Read:
    """The last tokens of each history, a block of bos and eos a visit; an empty one is an empty
    block. Action codes are the vocabulary's."""
    rows = histories.rows
    visit = np.where(histories.session < 0, -1 - np.arange(len(rows)), histories.session)
    # a visit ends with its history, whatever its number
    _, visit = np.unique(np.stack([rows, visit]), axis=1, return_inverse=True)
    flat, row = run_length(histories.item, histories.action, visit, vocabulary)
    owner = rows[row]
    length = np.bincount(owner, minlength=len(histories))
    left = np.cumsum(length)[owner] - np.arange(len(flat)) - 1
    kept = left < config.history
    length = np.minimum(length, config.history)
    tokens = np.full((len(histories), max(length.max(initial=0), 2)), PAD)
    tokens[owner[kept], (length[owner] - 1 - left)[kept]] = flat[kept]
    tokens[length == 0, :2] = BOS, EOS
    own = torch.from_numpy(own_actions(histories, vocabulary)) if config.own else None
    return Read(torch.from_numpy(tokens), own)


def own_actions(histories: Histories, vocabulary: Vocabulary) -> np.ndarray:
    """log(1 + what was done with each product), an action and a decay a line: float32 (B,
    2·n_actions, n_items)."""
    n = len(vocabulary.actions)
    found = np.zeros((len(histories), len(DECAYS) * n, histories.n_items), dtype=np.float32)
    for place, decay in enumerate(DECAYS):
        at = (histories.rows, place * n + histories.action, histories.item)
        np.add.at(found, at, np.exp(-histories.ago / decay))
    return np.log1p(found)


class Network(nn.Module):
    """T5 with tied, scaled output, a tied linear head on the encoder, and a gate for own actions."""

    def __init__(self, config: SimulatorConfig, vocabulary: Vocabulary) -> None:
        from transformers import T5Config, T5ForConditionalGeneration

        super().__init__()
        sizes = {"d_model": config.hidden, "d_ff": config.inner, "d_kv": config.head_size}
        sizes |= {"num_layers": config.layers, "num_heads": config.heads}
        marks = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": BOS}
        told = T5Config(
            vocab_size=vocabulary.size,
            dropout_rate=config.dropout,
            use_cache=False,
            **sizes,
            **marks,
        )
        told._attn_implementation = "eager"
        self.t5 = T5ForConditionalGeneration(told)
        for name, part in self.t5.named_modules():
            if name.endswith("Attention"):
                part.dropout = 0.0
        self.causal, self.items_from = config.auxiliary > 0, vocabulary.items_from
        self.head = nn.Linear(config.hidden, config.hidden, bias=False) if self.causal else None
        self.gate = None
        if config.own:
            lines = len(DECAYS) * len(vocabulary.actions)
            self.gate = nn.Linear(config.hidden, lines, bias=False)
            nn.init.zeros_(self.gate.weight)

    def encode(self, history: Read) -> Encoded:
        """The states of histories; with an auxiliary loss each sees what is before it alone."""
        filled = history.tokens != PAD
        mask = filled.long()
        if self.causal:
            length = filled.shape[1]
            seen = torch.ones(length, length, dtype=torch.bool).tril() & filled[:, None, :]
            mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[:, None]
        states = self.t5.encoder(input_ids=history.tokens, attention_mask=mask).last_hidden_state
        return Encoded(states, filled, history.own)

    def decode(self, encoded: Encoded, before: torch.Tensor) -> torch.Tensor:
        """Logits (n, T, size) of the token after each of `before` (n, T), which begins with bos."""
        states = self.t5.decoder(
            input_ids=before,
            encoder_hidden_states=encoded.states,
            encoder_attention_mask=encoded.filled.long(),
        ).last_hidden_state
        return self.logits(states, encoded.own)

    def logits(self, states: torch.Tensor, own: torch.Tensor | None) -> torch.Tensor:
        """Of decoder states (n, T, d); padding and bos are never said."""
        table = self.t5.shared.weight
        logits = (table.shape[1] ** -0.5 * states) @ table.T
        if self.gate is not None:
            bonus = self.gate(states) @ own
            logits = logits + nn.functional.pad(bonus, (self.items_from, 0))
        never = torch.zeros(logits.shape[-1], dtype=torch.bool)
        never[[PAD, BOS]] = True
        return logits.masked_fill(never, -torch.inf)

    def next_product(self, states: torch.Tensor) -> torch.Tensor:
        """The head: scores (…, n_items) of the product after each encoder state."""
        items = self.t5.shared.weight[self.items_from :]
        return self.head(states) @ (items.shape[1] ** -0.5 * items).T


def said(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """log p of tokens (n, T) under logits (n, T, size): 0 on padding, −inf where nothing is
    allowed."""
    # where nothing is allowed there is no distribution, and no gradient either
    some = torch.isfinite(logits).any(dim=-1, keepdim=True)
    spread = torch.log_softmax(torch.where(some, logits, 0.0), dim=-1)
    found = spread.gather(2, tokens[..., None])[..., 0]
    return found.masked_fill(~some[..., 0], -torch.inf).masked_fill(tokens == PAD, 0.0)
