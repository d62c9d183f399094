"""CEU: Wu, Shen, Ning, Wang & Wang, Certified Edge Unlearning for Graph Neural Networks, KDD 2023.

    θ' = θ − (H + λI)⁻¹ (v + b),   b ~ N(0, σ²)        paper: b is in the loss while training, bᵀθ
    ε  = c ‖r‖ / σ,   c = √(2 ln(1.5/δ)),   r = v + b − (H + λI) x        what such noise would certify

The paper certifies convex losses with bounded gradients that were trained with bᵀθ. None of the nine
models is one: ε is printed, the guarantee is none. Corrected, CEU and IDEA are one formula: without
noise and without IDEA's epoch afterwards they give the same model.

As in the fork: Δ = mean of F − mean of C and the neighbours, the second over batches (defect 7),
and θ −= H⁻¹Δ / (|F| + |C|) + N(0, .1²), *towards* what is to be forgotten (defect 6); λ added
twice.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. The end at negative curvature: commit
03c28ae. Of defects 6 and 7 our reading has no line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveInt

from workbench.data import Interactions
from workbench.unlearning.algorithms._fork import (
    BATCH,
    in_training,
    loaders,
    mean_gradient,
    mean_hessian,
    parts_of,
    solved,
)
from workbench.unlearning.algorithms._influence import Influence, newton
from workbench.unlearning.curvature import Coordinates, gradient
from workbench.unlearning.requests import Request


class CEUConfig(Influence):
    """Settings of CEU; those of the study where nothing else is said."""

    sigma: NonNegativeFloat = 0.001
    """σ: deviation of b (as in the fork .1, of noise on the weights; see `fork_sigma`)."""
    delta: float = Field(default=0.01, gt=0, lt=1)
    """δ, for the ε that is printed."""
    fork_sigma: NonNegativeFloat = 0.1
    """As in the fork: deviation of the noise on the weights."""
    retain: PositiveInt = 8
    """As in the fork: rows of others for each row of the user, 1,024 at least."""


def ceu(
    model: Any,
    before: Interactions,
    request: Request,
    config: CEUConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Move all weights by one Newton step on a gradient with noise; notes as all influence methods
    have them, and `sigma` and `epsilon`, the ε that the noise would certify in the paper's
    setting."""
    config = config or CEUConfig()
    if config.mode == "as_in_fork":
        return _as_in_fork(model, before, request, config, seed)
    notes = newton(model, before, request, config, seed, noise=config.sigma)
    c = np.sqrt(2 * np.log(1.5 / config.delta))
    epsilon = c * notes["left"] / config.sigma if config.sigma else float("inf")
    return notes | {"sigma": config.sigma, "epsilon": float(epsilon), "guarantee": "none"}


def _as_in_fork(
    model: Any, before: Interactions, request: Request, config: CEUConfig, seed: int
) -> dict[str, Any]:
    at = Coordinates(model)
    made = loaders(model, before, request, config.retain, 1024, seed)
    with in_training(model, seed):
        # one mean over rows, the other over batches
        delta = mean_gradient(model, made.forget, at)
        batches = len(parts_of(made.clean, BATCH)) + len(parts_of(made.retain, BATCH))
        rest = gradient(model, made.clean, at) + gradient(model, made.retain, at)
        delta = delta - rest / batches
        # λ twice
        product = mean_hessian(model, [made.retain], at, 2 * config.damping)
        found, notes = solved(product, delta, config)
        noise = config.fork_sigma * torch.randn(len(at), dtype=torch.float64)
        at.move(noise - found.x / (made.rows[0] + made.rows[1]))
    model.rebuild(request.remaining(before))
    notes["damping"] = 2 * config.damping
    return notes | {"sigma": config.fork_sigma, "guarantee": "none"}
