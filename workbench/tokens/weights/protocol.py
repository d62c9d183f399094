"""What a token loss is: the response tokens of a batch go in, one weight for each comes out.

    L = (1/n) Σ_i (sg[w_i] · ℓ_i + extra_i),        ℓ_i = −log P_θ(y_i | p_u, x, y_<i)

n is the number of response tokens of the whole step, accumulated batches included. A loss is any
object with a `name` and `weights(tokens)`. It may say more: `persona_free = False` when it does not
look at the pass without the persona (that pass is then not run), `through_both = True` when the
gradient goes through that pass as well, `columns` that it reads of the tokens, and `extra(tokens)`,
which is added as it is, gradient and all.

>>> class Surprised:
...     name = "PIR where the model is unsure"
...     def weights(self, tokens):
...         return tokens.pir.clamp(0.8, 5) * (1 - tokens.log_prob_with.exp())
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from workbench.errors import ConfigError, ModelError
from workbench.settings import Frozen

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Tokens:
    """The n response tokens of a batch, text after text, without padding; V is the size of the
    vocabulary.

    What a loss reads most (`log_prob_with`, `log_prob_without`, `pir`, `entropy`, `kl`; nats) has no
    gradient; the logits and `loss` have.
    """

    logits_with: Tensor
    """(n, V), from the pass with the persona."""
    labels: Tensor
    """(n,) the tokens y_i."""
    logits_without: Tensor | None = None
    """(n, V), from the pass without it, where it was run."""
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    """{name: (n,)} what was carried along, NaN for the end of a text, which no table scores."""

    @cached_property
    def loss(self) -> Tensor:
        """(n,) ℓ_i = −log p⁺_i."""
        return F.cross_entropy(self.logits_with, self.labels, reduction="none")

    @cached_property
    def log_prob_with(self) -> Tensor:
        """(n,) log p⁺_i."""
        return -self.loss.detach()

    @property
    def _bare(self):
        if self.logits_without is None:
            what, do = "the pass without the persona was not run", "set persona_free = True"
            raise ConfigError(what, "token loss", do=do)
        return self.logits_without.detach()

    @cached_property
    def log_prob_without(self) -> Tensor:
        """(n,) log p⁻_i."""
        return -F.cross_entropy(self._bare, self.labels, reduction="none")

    @cached_property
    def pir(self) -> Tensor:
        """(n,) log p⁺_i − log p⁻_i (Eq. 2)."""
        return self.log_prob_with - self.log_prob_without

    @cached_property
    def entropy(self) -> Tensor:
        """(n,) H_i = −Σ_v p⁺(v) log p⁺(v)."""
        log_probs = torch.log_softmax(self.logits_with.detach(), dim=-1)
        return torch.special.entr(log_probs.exp()).sum(dim=-1)

    @cached_property
    def kl(self) -> Tensor:
        """(n,) KL(p⁺ ‖ p⁻) = Σ_v p⁺(v) (log p⁺(v) − log p⁻(v))."""
        p, q = (torch.log_softmax(one, dim=-1) for one in (self.logits_with.detach(), self._bare))
        each = F.kl_div(q, p, reduction="none", log_target=True)
        return each.masked_fill(p.isneginf(), 0.0).sum(dim=-1)  # 0 · log 0 = 0

    def column(self, name: str) -> Tensor:
        """(n,) what was carried along under this name; raises `ConfigError` where it was not."""
        if name not in self.columns:
            expected, do = f"some of {sorted(self.columns)}", "carry(pairs, table)"
            raise ConfigError(f"no column {name!r}", "tokens", expected, do)
        return self.columns[name]


class TokenLoss(Protocol):
    """What every loss has; see the module for what it may have besides."""

    name: str

    def weights(self, tokens: Tokens) -> Tensor:
        """(n,) a finite weight for each token; its gradient is cut."""


def check_is_loss(loss: Any) -> None:
    """Raise `ConfigError` for what is no loss: a name of one, or its class."""
    named = isinstance(getattr(loss, "name", None), str) and not isinstance(loss, type)
    if not (named and callable(getattr(loss, "weights", None))):
        expected, do = "a name, and weights(tokens)", "pass an object, such as weights.PerCE()"
        raise ConfigError(f"{loss!r} has no name or no weights", "loss", expected, do)


class Loss(Frozen):
    """What the losses here have in common: settings that do not change, and are told apart."""


def token_weights(loss: TokenLoss, tokens: Tokens) -> Tensor:
    """(n,) the loss's weights, checked and without gradient: sg[w_i]."""
    weights = torch.as_tensor(loss.weights(tokens)).detach().to(tokens.loss)
    if weights.shape != tokens.labels.shape or not torch.isfinite(weights).all():
        what = f"weights of shape {tuple(weights.shape)}, or not all finite"
        expected = f"{len(tokens.labels)} finite weights, one a token"
        do = "a carried column is not a number at the end of a text: nan_to_num"
        raise ConfigError(what, f"loss {loss.name!r}", expected, do)
    return weights


def token_losses(loss: TokenLoss, tokens: Tokens) -> Tensor:
    """(n,) sg[w_i] · ℓ_i + extra_i, with gradient; raises `ModelError` when the model's numbers are
    not finite."""
    if not torch.isfinite(tokens.loss).all():
        do = "float32, a smaller rate"
        raise ModelError("the model returned no finite loss", expected="finite logits", do=do)
    losses = token_weights(loss, tokens) * tokens.loss
    return losses + loss.extra(tokens) if hasattr(loss, "extra") else losses
