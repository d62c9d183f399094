"""PerCE with PIR from a frozen teacher: no cold start, and no pass without the persona while
training.

    w_i = clip(PIR(y_i; θ_teacher), m, M)
    L   = −(1/n) Σ_i w_i · log P_θ(y_i | p_u, x, y_<i)

An extension of ours, not of arXiv:2603.06595, where the model that is being trained weighs its own
tokens. The teacher does not change, so its scores are computed once, before training, and carried
along with the tokens; any other column of a token table (KL, Shapley values, PIR against other
users) can stand in for them. What the teacher's training cost belongs to the cost of this method.

>>> pairs = carry(pairs, score_tokens(teacher, tokenizer, pairs), teacher="pir")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import ClassVar

import torch

from workbench.tokens.weights.protocol import Loss, Tokens


class FrozenTeacher(Loss):
    """Cross-entropy weighted by scores that were computed beforehand, clipped."""

    name: str = "frozen teacher"
    """What tables call it."""
    column: str = "teacher"
    """Column that holds the teacher's PIR; the end of a text, which no table scores, counts as
    0."""
    m: float = 0.8
    """Floor of the weights."""
    M: float = 5.0
    """Ceiling of the weights."""
    persona_free: ClassVar[bool] = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The column with the teacher's scores."""
        return (self.column,)

    def weights(self, tokens: Tokens) -> torch.Tensor:
        """(n,) clip(PIR of the teacher, m, M)."""
        return tokens.column(self.column).nan_to_num().clamp(self.m, self.M)
