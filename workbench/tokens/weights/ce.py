"""Cross-entropy: every token weighs the same.

L_CE = −(1/n) Σ_i log P_θ(y_i | p_u, x, y_<i)
"""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import BaseModel, ConfigDict

from workbench.tokens.weights.protocol import Tokens


class CE(BaseModel):
    """Plain supervised fine-tuning on the response, with the persona in the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = "CE"
    """What tables call it."""
    persona_free: ClassVar[bool] = False

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) ones."""
        return torch.ones_like(tokens.log_prob_with)
