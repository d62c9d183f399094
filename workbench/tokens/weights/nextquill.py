"""NextQuill: two weights by the difference of probabilities, and a preference for what the persona
changes.

    w_i = 0.9 if p⁺_i − p⁻_i > 0.05 else 0.1,   divided so that Σ_i w_i = 1
    L   = Σ_i w_i · ℓ_i + α · (1/n) Σ_i CE(softmax(z⁺_i − z⁻_i), y_i)

arXiv:2506.02368. z⁺ and z⁻ are the logits of the two passes, and the gradient of the second term
goes through both, so that one step costs two forward and two backward passes. The variant "JS"
takes for w_i the sum of KL(p⁺‖m) and KL(p⁻‖m), m = ½(p⁺ + p⁻), over the vocabulary (twice the
Jensen-Shannon divergence), likewise divided by its sum.

Here Σ w = n and L is divided by n, which is the same for one batch and goes on being right when
batches are accumulated. Where the authors' code differs (juntaoyou/NextQuill, train.py, commit
25e6a47): weights and preference term stand in two branches that exclude each other, and the run
that the file ends with (`causal=True`, α = 0.1) has the term and no weights: here `high=low`. In
the branch "JS" the gradient goes through the weights. The weights sum to 1 in every micro-batch,
whatever `num_items_in_batch` says.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field

from workbench.tokens.weights.protocol import Loss, Tokens


class NextQuill(Loss):
    """Weights by p⁺ − p⁻ and the causal preference term."""

    name: str = "NextQuill"
    """What tables call it."""
    high: float = Field(default=0.9, gt=0)
    """Weight, before division, of tokens above the threshold."""
    low: float = Field(default=0.1, gt=0)
    """Weight, before division, of the others."""
    threshold: float = 0.05
    """Difference of probabilities from which on a token counts as personal."""
    alpha: float = Field(default=0.1, ge=0)
    """Weight α of the preference term; 0 leaves it out, and its second backward pass."""
    strategy: Literal["target", "JS"] = "target"
    """target: by the probability of the token itself; JS: by the divergence of the two
    distributions."""

    @property
    def through_both(self) -> bool:
        """Whether the gradient goes through the pass without the persona."""
        return self.alpha > 0

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) weights of mean 1."""
        if self.strategy == "target":
            personal = tokens.log_prob_with.exp() - tokens.log_prob_without.exp() > self.threshold
            weights = torch.full_like(tokens.log_prob_with, self.low).masked_fill(
                personal, self.high
            )
        else:
            both = [tokens.logits_with.detach(), tokens.logits_without.detach()]
            with_, without = (torch.log_softmax(logits, dim=-1) for logits in both)
            middle = torch.logaddexp(with_, without) - math.log(2)
            kl = [(p.exp() * (p - middle)).sum(dim=-1) for p in (with_, without)]
            # below is rounding: equal passes, equal weights
            weights = (kl[0] + kl[1]).clamp(min=1e-6)
        return weights / weights.mean()

    def extra(self, tokens: Tokens) -> torch.Tensor:
        """(n,) α · CE(softmax(z⁺ − z⁻), y), with gradient through both passes."""
        if not self.alpha:
            return torch.zeros_like(tokens.loss)
        difference = tokens.logits_with - tokens.logits_without
        return self.alpha * F.cross_entropy(difference, tokens.labels, reduction="none")
