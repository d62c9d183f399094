"""SCIF: Li et al., Selective and Collaborative Influence Function for Efficient Recommendation
Unlearning, Expert Systems with Applications 2023 (arXiv 2304.10199).

    θ_S' = θ_S − (H_SS + λI)⁻¹ v_S,   v = Σ_C ∇ℓ − Σ_F ∇ℓ        S: rows of the user; of models without, of items

Only what belongs to the request is moved (*selective*). The paper puts an average label in the place
of what is removed (*collaborative*); the study, and this page, the user's remaining rows. Items keep
what they know of the user, so that every request leaves a little behind, and many leave much.

As in the fork: S is the whole user table; of session models the item table and the output layer;
of basket models everything. g = (−Σ_F + Σ_C + Σ_K) / n, n = 8|F| (|F| − |C|) − |C|, a count times
a count (defect 10); every step of the solver sees another batch of 16, divided by its size twice
(defect 9); θ −= x / number of batches, ‖x / …‖ ≤ `max_norm`. Ours leaves out that its inner loop
repeats a direction.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. The end at negative curvature: commit
03c28ae. Of S, of g and of defects 9 and 10 our reading has no line.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.unlearning.algorithms._change import losses
from workbench.unlearning.algorithms._fork import in_training, loaders, parts_of, solved
from workbench.unlearning.algorithms._influence import CAP, Influence, newton
from workbench.unlearning.curvature import Coordinates, Curvature, gradient
from workbench.unlearning.requests import Request

OUTPUT = {"GRU4Rec": ("out.",), "NARM": ("b.",), "SRGNN": ("w3.",), "SASRec": ()}
"""The output layer of each session model, by the first letters of its parameters."""


class SCIFConfig(Influence):
    """Settings of SCIF; those of the study where nothing else is said."""

    rows: Literal["users", "items", "both"] = "users"
    """What is moved: rows of the users, of the items removed, or both; of a model without users'
    rows always the items'."""
    cap: PositiveFloat | None = 1.0
    """Longest step, as a share of the rows moved: a vector by its own length."""
    retain: PositiveInt = 8
    """As in the fork: rows of others for each row of the user (the author's later work: 16)."""
    hessian_batch: PositiveInt = 16
    """As in the fork: examples of a product."""
    max_norm: PositiveFloat | None = None
    """As in the fork: longest step (its README's example: 10)."""


def scif(
    model: Any,
    before: Interactions,
    request: Request,
    config: SCIFConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Move the rows of the request by one Newton step; notes as all influence methods have them.

    >>> unlearn(scif, model, log, Request(0, ids), SCIFConfig(damping=0.1))  # doctest: +SKIP
    Outcome(done, step 0.0042)
    """
    config = config or SCIFConfig()
    if config.mode == "as_in_fork":
        return _as_in_fork(model, before, request, config, seed)
    users, items = request.users(before), request.items(before)
    rows = model.rows(users=users) if model.per_user and config.rows != "items" else {}
    if config.rows != "users" or not model.per_user:
        rows = rows | model.rows(items=items)
    return newton(model, before, request, config, seed, rows) | {"guarantee": "none"}


def _as_in_fork(
    model: Any, before: Interactions, request: Request, config: SCIFConfig, seed: int
) -> dict[str, Any]:
    at = Coordinates(model, _selected(model))
    made = loaders(model, before, request, config.retain, 32, seed)
    with in_training(model, seed):
        # a count times a count
        n_forget, n_clean, n_retain = made.rows
        count = 8 * n_forget * (n_forget - n_clean) - n_clean
        v = -gradient(model, made.forget, at) + gradient(model, made.clean, at)
        v = (v + gradient(model, made.retain, at)) / max(count, 1)
        # another batch in each product, divided twice
        parts = parts_of(made.retain, config.hessian_batch)
        turn = iter(range(10**9))

        def product(vector: Any) -> Any:
            part = parts[next(turn) % len(parts)]
            weight = 1 / max(losses(part), 1) ** 2
            options = {"ridge": config.damping, "training": True}
            return Curvature(model, [(part, weight)], "hessian", at, **options)(vector)

        found, notes = solved(product, v, config)
        step = found.x / int(np.ceil(n_retain / config.hessian_batch))
        if config.max_norm is not None and float(step.norm()) > config.max_norm:
            step = step * (config.max_norm / float(step.norm()))
            notes["end"] += CAP
        at.move(-step)
    model.rebuild(request.remaining(before))
    return notes | {"guarantee": "none"}


def _selected(model: Any) -> dict[str, Any]:
    """What the fork moves: whole parameters."""
    named = [name for name, _ in model.module.named_parameters()]
    if model.per_user:
        return dict.fromkeys(model.per_user, ...)
    output = OUTPUT.get(type(model).__name__)
    if output is None:
        return dict.fromkeys(named, ...)
    return {name: ... for name in named if name.startswith(("item.", *output))}
