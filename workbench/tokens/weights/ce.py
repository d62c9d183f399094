"""Cross-entropy: every token weighs the same.

L_CE = −(1/n) Σ_i log P_θ(y_i | p_u, x, y_<i)
"""

from __future__ import annotations

from typing import ClassVar

import torch

from workbench.tokens.weights.protocol import Loss, Tokens


class CE(Loss):
    """Plain supervised fine-tuning on the response, with the persona in the prompt."""

    name: str = "CE"
    """What tables call it."""
    persona_free: ClassVar[bool] = False

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) ones."""
        return torch.ones_like(tokens.log_prob_with)
