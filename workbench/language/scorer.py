"""What gives log-probabilities of a text without being a model that is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Passes:
    """One response after several prompts, token by token; the tokens are the same after all of
    them."""

    ids: tuple[int, ...] | None
    """Token ids of the response; None where the server gives no ids."""
    tokens: tuple[str, ...]
    """The tokens as text."""
    start: np.ndarray
    """First character of each token in the response."""
    end: np.ndarray
    """The character after its last."""
    log_probs: np.ndarray
    """Prompts × tokens, float64, nats."""
    merged: bool
    """Prompt and response tokenised together would give other tokens at their boundary."""


@runtime_checkable
class PromptScorer(Protocol):
    """What `score_tokens(scorer, tokenizer or None, pairs)` asks in place of running a model."""

    def of_ids(self, prompts: Sequence[Sequence[int]], ids: Sequence[int]) -> np.ndarray:
        """Log-probabilities (prompts × tokens, float64, nats) of `ids` after each prompt; used with
        a tokenizer."""

    def of_text(self, prompts: Sequence[str], response: str) -> Passes:
        """The same for text that the scorer tokenises itself; used where the tokenizer is None."""
