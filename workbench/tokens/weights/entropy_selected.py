"""EntCE: only the share of tokens at which the model is most undecided is trained on.

    L = −(1/(n·k%)) Σ_i 1[H_i in the top k%] · log P_θ(y_i | p_u, x, y_<i),     H_i = −Σ_v p⁺(v) log p⁺(v)

After "Beyond the 80/20 rule" (Wang et al. 2025, arXiv:2506.01939), where the high-entropy fifth of
the tokens carries reinforcement learning; named as a comparison in arXiv:2603.06595. The form as a
loss is our reading: no code is known.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field

from workbench.tokens.weights.protocol import Loss, Tokens


class EntCE(Loss):
    """Cross-entropy on the tokens of highest entropy."""

    name: str = "EntCE"
    """What tables call it."""
    share: float = Field(default=0.2, gt=0, le=1)
    """Share k% of the tokens that is trained on."""
    persona_free: ClassVar[bool] = False

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) n/k on the k tokens of highest entropy, 0 elsewhere: the mean is 1."""
        k = math.ceil(self.share * len(tokens.entropy))
        chosen = tokens.entropy.topk(k).indices
        return torch.zeros_like(tokens.entropy).index_fill(0, chosen, len(tokens.entropy) / k)
