"""IDEA: Dong, Zhang, Lei, Zou & Li, IDEA: A Flexible Framework of Certified Unlearning for Graph
Neural Networks, KDD 2024 (arXiv 2407.19398).

    θ' = θ − (H + λI)⁻¹ v + N(0, σ²)
    σ  = ζ √(2 ln(1.25/δ)) / ε        ζ: distance to the model fitted anew, here ‖residual‖ / λ, as in a quadratic

The paper bounds ζ by constants of the loss (Lipschitz, strong convexity) that these models do not
have: the ε that the noise would hide ζ with is printed, the guarantee is none. Noise of σ = .1 on
weights that start at .01 to .1 leaves little of a model, and the epoch afterwards does the work.
Corrected, IDEA and CEU are one formula: without noise and without that epoch they give the same
model.

As in the fork: Δ = mean of C − mean of F and θ *+=* H⁻¹Δ, towards what is to be forgotten (defect
5); σ = max(.1, λ‖x‖ / (ε √(2 ln(1.25/δ)))) (defect 8); then an epoch on 128 times the rows.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. The end at negative curvature: commit
03c28ae. Of defects 5 and 8 and of the epoch our reading has no line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.unlearning.algorithms._fork import (
    in_training,
    loaders,
    mean_gradient,
    mean_hessian,
    repair,
    solved,
)
from workbench.unlearning.algorithms._influence import Influence, newton
from workbench.unlearning.algorithms._noise import classical_sigma, implied_epsilon
from workbench.unlearning.curvature import Coordinates
from workbench.unlearning.requests import Request


class IDEAConfig(Influence):
    """Settings of IDEA; those of the study where nothing else is said."""

    sigma: NonNegativeFloat | None = 0.001
    """σ (authors: .001 to .6, tuned for each model); None: the one that ε and δ ask for."""
    epsilon: float = Field(default=0.1, gt=0, le=1)
    """ε that σ is made for where it is None, and as in the fork."""
    delta: float = Field(default=0.01, gt=0, lt=1)
    """δ."""
    finetune: NonNegativeInt = 128
    """Rows of others for each row of the user in an epoch afterwards; 0: none."""
    learning_rate: PositiveFloat | None = None
    """Of that epoch; None takes the model's."""
    retain: PositiveInt = 8
    """As in the fork: rows of others for each row of the user, 1,024 at least."""
    fork_sigma: NonNegativeFloat | None = None
    """As in the fork: σ; None: .1 at least, as there; 0 takes the noise away and leaves the sign."""


def idea(
    model: Any,
    before: Interactions,
    request: Request,
    config: IDEAConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Move all weights by one Newton step, add noise, train an epoch; notes as all influence
    methods have them, and `sigma` and `epsilon`, the ε that the noise would hide the residual
    with."""
    config = config or IDEAConfig()
    if config.sigma is None and not config.damping:
        raise ConfigError(
            "damping 0", "sigma None", "a damping above 0: σ is made for ‖residual‖ / λ"
        )
    if config.mode == "as_in_fork":
        notes = _as_in_fork(model, before, request, config, seed)
    else:
        notes = newton(model, before, request, config, seed)
        # without damping nothing bounds the distance
        left, damping = notes["left"], notes["damping"]
        distance = left / damping if left and damping else np.inf if left else 0.0
        sigma = config.sigma
        if sigma is None:
            sigma = classical_sigma(distance, config.epsilon, config.delta)
        at = Coordinates(model)
        noise = np.random.default_rng((seed, 3)).standard_normal(len(at))
        if sigma and notes["gradient"]:
            at.move(sigma * torch.from_numpy(noise))
        notes |= {"sigma": sigma, "epsilon": implied_epsilon(distance, sigma, config.delta)}
    if notes["gradient"]:
        repair(model, before, request, config.finetune, seed, config.learning_rate)
    return notes | {"guarantee": "none"}


def _as_in_fork(
    model: Any, before: Interactions, request: Request, config: IDEAConfig, seed: int
) -> dict[str, Any]:
    at = Coordinates(model)
    made = loaders(model, before, request, config.retain, 1024, seed)
    with in_training(model, seed):
        delta = mean_gradient(model, made.clean, at) - mean_gradient(model, made.forget, at)
        product = mean_hessian(model, [made.retain], at, config.damping)
        found, notes = solved(product, delta, config)
        zeta = config.damping * float(found.x.norm())
        upside_down = zeta / (config.epsilon * np.sqrt(2 * np.log(1.25 / config.delta)))
        sigma = float(max(0.1, upside_down)) if config.fork_sigma is None else config.fork_sigma
        at.move(found.x + sigma * torch.randn(len(at), dtype=torch.float64))
    model.rebuild(request.remaining(before))
    return notes | {"sigma": sigma}
