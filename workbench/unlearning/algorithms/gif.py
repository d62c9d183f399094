"""GIF: Wu et al., GIF: A General Graph Unlearning Strategy via Influence Function, WWW 2023
(arXiv 2304.02835).

    θ' = θ + H⁻¹ (∇L_F(G) + ∇L_N(G) − ∇L_N(G'))        N: whom removed edges reach, G': the graph without
    h₀ = v,   h_{t+1} = v + h_t − (H + λI) h_t / s,   (H + λI)⁻¹ v ≈ h_T / s        Neumann; converges for ‖H + λI‖ < s

With C among N this is −v of `_influence.py`, whose K stands for N: two steps along the graph reach
nearly everybody. Of models without a graph v is C and F alone. Corrected: solved by conjugate
gradients, or by Neumann's series with s = 1.1 ‖H + λI‖. The series needs some multiple of ‖H‖/λ
steps; cut off earlier it is little more than a scaled step down the gradient, as its residual says.

As in the fork: h ← v + h − (.01/1000) H h, a hundred times, never divided by s, so that h ≈ 101 v
(defect 4); H is left out of recurrent models (defect 3); then an epoch on 8 times the rows.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. Of defects 3 and 4 and of the epoch our
reading has no line.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.unlearning.algorithms._fork import (
    in_training,
    loaders,
    mean_gradient,
    mean_hessian,
    repair,
)
from workbench.unlearning.algorithms._influence import Influence, newton
from workbench.unlearning.curvature import (
    CONVERGED,
    LIMIT,
    NEGATIVE,
    Coordinates,
    Curvature,
    Solution,
    residual,
)
from workbench.unlearning.requests import Request

RECURRENT = ("GRU4Rec", "NARM", "Sets2Sets")
"""Models whose H the fork leaves out."""


class GIFConfig(Influence):
    """Settings of GIF; those of the study where nothing else is said."""

    solver: Literal["cg", "neumann"] = "cg"
    """Corrected: conjugate gradients, or the paper's series."""
    scale: PositiveFloat = 1000.0
    """As in the fork: s (the authors: 50)."""
    retain: PositiveInt = 8
    """As in the fork: rows of others for each row of the user."""
    finetune: NonNegativeInt | None = None
    """Rows of others for each row of the user in an epoch afterwards; None: none, and 8 as in the
    fork (the study: 8 to 16)."""
    learning_rate: PositiveFloat | None = None
    """Of that epoch; None takes the model's."""


def gif(
    model: Any,
    before: Interactions,
    request: Request,
    config: GIFConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Move all weights by one Newton step, caches before and after it; notes as all influence
    methods have them."""
    config = config or GIFConfig()
    if config.mode == "as_in_fork":
        notes, times = _as_in_fork(model, before, request, config, seed), 8
    else:
        solver = neumann if config.solver == "neumann" else None
        notes, times = newton(model, before, request, config, seed, solver=solver), 0
    times = times if config.finetune is None else config.finetune
    repair(model, before, request, times, seed, config.learning_rate)
    return notes | {"guarantee": "none"}


def neumann(curvature: Curvature, v: torch.Tensor, config: Influence) -> Solution:
    """(H + λI)⁻¹ v by the series, to the same tolerance as conjugate gradients; it too ends where a
    direction bends down, along which it would grow for ever."""
    product = curvature.damped(config.damping)
    scale = 1.1 * (1 + config.damping) * curvature.norm
    goal, h, steps, end = config.tolerance * float(v.norm()), v.clone(), 0, LIMIT
    last = None
    while steps < config.steps:
        # what is left: r = v − (H + λI) h / s
        left = v - product(h) / scale
        steps += 1
        if float(left.norm()) <= goal:
            end = CONVERGED
            break
        # r − r' = (H + λI) r / s, so that rᵀ(r − r') tells how H bends along r
        if last is not None and float(last @ (last - left)) <= 0:
            h, end = h - last, NEGATIVE
            break
        h, last = h + left, left
    return Solution(h / scale, steps, residual(product, h / scale, v), end)


def _as_in_fork(
    model: Any, before: Interactions, request: Request, config: GIFConfig, seed: int
) -> dict[str, Any]:
    at = Coordinates(model)
    made = loaders(model, before, request, config.retain, 32, seed)
    with in_training(model, seed):
        v = mean_gradient(model, made.forget, at) + mean_gradient(model, made.retain, at)
        model.rebuild(request.remaining(before))
        v = v - mean_gradient(model, made.retain, at)
        # a factor of 1e-5 before H, and no division at the end
        recurrent = type(model).__name__ in RECURRENT
        product = mean_hessian(model, [made.retain], at, 0.0)
        h = v.clone()
        for _ in range(config.steps):
            bend = 0.0 if recurrent else config.damping / config.scale * product(h)
            h = v + h - bend
        at.move(h)
    notes = {"curvature": "none" if recurrent else "hessian", "steps": config.steps}
    notes |= {"residual": float("nan"), "end": LIMIT, "damping": config.damping}
    return notes | {"gradient": float(v.norm())}
