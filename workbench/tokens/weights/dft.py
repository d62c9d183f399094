"""DFT, dynamic fine-tuning: the more probable a token is already, the more it weighs.

    L = −(1/n) Σ_i sg[p⁺_i] · log p⁺_i

Wu et al. 2025, arXiv:2508.05629. The weight makes the gradient that of the probability, −∇p⁺, which
does not grow without bound for improbable tokens. A contrast to loss selection, which favours the
improbable ones.
"""

from __future__ import annotations

from typing import ClassVar

import torch

from workbench.tokens.weights.protocol import Loss, Tokens


class DFT(Loss):
    """Cross-entropy weighted by the token's own probability."""

    name: str = "DFT"
    """What tables call it."""
    persona_free: ClassVar[bool] = False

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) p⁺."""
        return tokens.log_prob_with.exp()
