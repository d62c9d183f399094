"""Permuted weights: another loss's weights, dealt out at random within the batch. A control.

    w'_i = w_π(i),   π a random permutation of the batch's tokens

The histogram of the weights is kept and so is the scale of the gradient; what is lost is which
token has which weight. A gain that stays under permutation did not come from knowing the personal
words.

The permutation has its own generator, so that the order of batches stays that of the other methods.
It is seeded with `seed` and the bits of the batch's summed log-probability: new in every step, the
same in a run that was resumed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field

from workbench.tokens.weights.protocol import Loss, Tokens, check_is_loss


class Permuted(Loss):
    """The weights of `loss` in random order.

    >>> Permuted(loss=PerCE())  # doctest: +SKIP
    """

    loss: Any
    """The loss whose weights are dealt out; an `extra` term of it is left out."""
    seed: int = Field(default=0, ge=0)
    """Seed of the permutations."""
    name: str = "permuted"
    """What tables call it."""

    @property
    def persona_free(self) -> bool:
        """As the loss has it."""
        return getattr(self.loss, "persona_free", True)

    @property
    def columns(self) -> tuple[str, ...]:
        """As the loss has them."""
        return tuple(getattr(self.loss, "columns", ()))

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) the loss's weights, shuffled."""
        check_is_loss(self.loss)
        weights = self.loss.weights(tokens)
        bits = tokens.log_prob_with.double().sum().cpu().numpy().view(np.uint64)
        order = np.random.default_rng([self.seed, int(bits)]).permutation(len(weights))
        return weights[torch.as_tensor(order, device=weights.device)]
