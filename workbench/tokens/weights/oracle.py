"""Oracle: the weights of PerCE's two ends, by the planted truth. A ceiling for any detector, not a
method.

    w_i = high if y_i is personal, else low
    L   = −(1/n) Σ_i w_i · log P_θ(y_i | p_u, x, y_<i)

Only where the personal words are planted, or marked by a reader.

>>> pairs = carry(pairs, mark(scored, corpus, pairs), personal="personal")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import ClassVar

import torch

from workbench.tokens.weights.protocol import Loss, Tokens


class Oracle(Loss):
    """Cross-entropy weighted by the truth."""

    name: str = "oracle"
    """What tables call it."""
    column: str = "personal"
    """Column that holds the truth, above 0 for personal tokens; the end of a text is none."""
    high: float = 5.0
    """Weight of personal tokens."""
    low: float = 0.8
    """Weight of the others."""
    persona_free: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The column with the truth."""
        return (self.column,)

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) high or low."""
        personal = tokens.column(self.column) > 0
        return torch.full_like(tokens.log_prob_with, self.low).masked_fill(personal, self.high)
