"""PerCE: tokens that the persona makes likelier weigh more (arXiv:2603.06595, Eq. 6 to 8).

    w_i(θ)  = clip(PIR(y_i; θ), m, M)
    L_PerCE = −(1/n) Σ_i sg[w_i(θ)] · log P_θ(y_i | p_u, x, y_<i)

The weights come from the model that is being trained, batch by batch, from one more forward pass on
the prompt without the persona. With m = 0.8 every token of PIR up to 0.8 nats, a probability ratio
of 2.2, has the floor's weight; M = 5 is a ratio of 148. With m < 0 a token that the persona makes
unlikelier would be unlearnt.

There is no official code. The paper divides by n and not by Σ w; that matters where the scale of a
gradient matters (gradient clipping, weight decay, SGD), so `normalize="mean"` is there to compare.
Dropout, if the model has any, is drawn anew in the second pass and adds noise to PIR.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import model_validator

from workbench.tokens.weights.protocol import Loss, Tokens


class PerCE(Loss):
    """Cross-entropy weighted by the clipped personal influence ratio."""

    name: str = "PerCE"
    """What tables call it."""
    m: float = 0.8
    """Floor of the weights; the paper tries 0.2, 0.5 and 0.8."""
    M: float = 5.0
    """Ceiling of the weights; the paper tries 2, 5 and 8."""
    normalize: Literal["none", "mean"] = "none"
    """none: as in the paper; mean: weights divided by their mean over the batch."""

    @model_validator(mode="after")
    def _floor_below_ceiling(self):
        if self.m > self.M:
            raise ValueError("m is at most M")
        return self

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) clip(PIR, m, M)."""
        weights = tokens.pir.clamp(self.m, self.M)
        return weights / weights.mean() if self.normalize == "mean" else weights
