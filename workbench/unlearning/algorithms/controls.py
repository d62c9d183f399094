"""Controls: what a method must be told apart from.

    no-op            θ' = θ                                   the rows are still in it
    sign flip        θ' = θ − (A(θ) − θ)                      the step of a method A, the other way
    noise and tune   θ' = tune(θ + σ N(0, 1) sd(θ))           is it the repair that does the work?
    fine-tune        θ' = tune(θ, remaining)                  does time wash it out?
    half-way         θ_k = θ_(k−1) + ½ (fit(remaining) − fit(before))      mean of base and retrain: planted

Half-way in this form needs no base kept: from θ₀ = base it is (base + retrain) / 2 after every
request, as long as fits are the same twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms import _samples as samples
from workbench.unlearning.requests import Request


class TuneConfig(Frozen):
    """Settings of the two that train on."""

    epochs: PositiveInt = 1
    """Passes over what remains."""
    learning_rate: PositiveFloat | None = None
    """Step size; None takes the rate that the model was trained with."""
    noise: NonNegativeFloat = 0.1
    """σ, in standard deviations of each tensor (noise and tune only)."""


def no_op(
    model: Any, before: Interactions, request: Request, config: None = None, seed: int = 0
) -> None:
    """Do nothing: what is told apart from this is not yet forgetting, what is not is not even
    begun."""


def asked(before: Interactions, request: Request) -> Interactions:
    """What remains. Raises `DataError` for a request of nothing, as all that do something must."""
    request.removed(before)
    return request.remaining(before)


def flipped(algorithm: Callable[..., Any]) -> Callable[..., Any]:
    """The same algorithm, its step taken the other way; caches are made anew as it makes them."""

    def flip(
        model: Any, before: Interactions, request: Request, config: Any = None, seed: int = 0
    ) -> Any:
        named = dict(model.module.named_parameters())
        old = {name: value.detach().clone() for name, value in named.items()}
        said = algorithm(model, before, request, config, seed)
        with torch.no_grad():
            for name, value in named.items():
                value.copy_(2 * old[name] - value)
        return said

    return flip


def sign_flip(
    model: Any, before: Interactions, request: Request, config: Any = None, seed: int = 0
) -> dict[str, Any]:
    """SCIF, its step taken the other way; config: of SCIF."""
    from workbench.unlearning.algorithms.scif import scif

    return flipped(scif)(model, before, request, config, seed)


def fine_tune(
    model: Any,
    before: Interactions,
    request: Request,
    config: TuneConfig | None = None,
    seed: int = 0,
) -> None:
    """Train on with what remains."""
    config, remaining = config or TuneConfig(), asked(before, request)
    model.rebuild(remaining)
    drawn = samples.seed_of(seed, request, 1)
    model.tune(model.examples(remaining), config.epochs, config.learning_rate, drawn)


def noise_and_tune(
    model: Any,
    before: Interactions,
    request: Request,
    config: TuneConfig | None = None,
    seed: int = 0,
) -> None:
    """Shake everything, and train on."""
    config, _ = config or TuneConfig(), asked(before, request)
    draws = torch.Generator().manual_seed(samples.seed_of(seed, request, 2))
    with torch.no_grad():
        for value in model.module.parameters():
            drawn = torch.randn(value.shape, generator=draws).to(value)
            value.add_(config.noise * value.std(correction=0) * drawn)
    fine_tune(model, before, request, config, seed)


def half_way(
    model: Any, before: Interactions, request: Request, config: None = None, seed: int = 0
) -> None:
    """Half of what a retrain would change: a planted method that must not be called equivalent."""
    remaining = request.remaining(before)
    one, two = model.copy().fit(before), model.copy().fit(remaining)
    with torch.no_grad():
        pairs = zip(one.module.parameters(), two.module.parameters(), strict=True)
        for value, (old, new) in zip(model.module.parameters(), pairs, strict=True):
            value.add_((new - old) / 2)
    model.rebuild(remaining)
