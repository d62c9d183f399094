"""LossCE: only the share of tokens with the highest loss is trained on (selective language
modelling, Rho-1).

    ΔL_i = ℓ_i(θ) − ℓ_i(reference)
    L    = −(1/(n·k%)) Σ_i 1[i in the top k% of ΔL] · log P_θ(y_i | p_u, x, y_<i)

Lin et al. 2024, arXiv:2404.07965; the comparison "LossCE" of arXiv:2603.06595 belongs to the same
family, its share and whether it has a reference model are not known to us. Without a reference ΔL
is the loss itself. The top is taken in each batch that is run forward, so accumulated batches
choose within themselves. Tokens that the reference has not scored, the ends of texts, have no ΔL:
they are not among the n, and weigh 1.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field

from workbench.tokens.weights.protocol import Loss, Tokens


class LossCE(Loss):
    """Cross-entropy on the tokens that the model finds hardest, or harder than a reference model
    does."""

    name: str = "LossCE"
    """What tables call it."""
    share: float = Field(default=0.6, gt=0, le=1)
    """Share k% of the tokens that is trained on."""
    reference: str | None = None
    """Column that holds log p of the reference model, as `carry(pairs, score_tokens(…),
    reference="log_prob_with")`."""
    persona_free: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The reference's column, if there is one."""
        return (self.reference,) if self.reference else ()

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) n/k on the k tokens of highest excess loss, 0 elsewhere, 1 where it is unknown: the
        mean is 1."""
        excess = -tokens.log_prob_with
        if self.reference:
            excess = excess + tokens.column(self.reference)
        unknown = excess.isnan()
        n = len(excess) - int(unknown.sum())
        k = math.ceil(self.share * n)
        chosen = excess.masked_fill(unknown, -math.inf).topk(k).indices
        return unknown.to(excess).index_fill(0, chosen, n / max(k, 1))
