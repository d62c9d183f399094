"""What the influence methods share: one Newton step away from what was removed.

    v = Σ_C ∇ℓ − Σ_F ∇ℓ + (N_O / |K|) (Σ_K ∇ℓ' − Σ_K ∇ℓ)        θ' = θ − (H + λI)⁻¹ v

Koh & Liang, Understanding Black-box Predictions via Influence Functions, ICML 2017. F: all examples
of the users of the request; C: theirs after it, with F's draws and windows; K: a sample of others,
who stand for all N_O others. Near a minimum of the old sum of losses v is the gradient of the new
one. F is differentiated before the caches are made anew, C after; K both times (ℓ, ℓ'), as graphs
and item weights move the losses of everybody. H = Σ_C ∇²ℓ + (N_O / |K|) Σ_K ∇²ℓ': what belongs to
these users alone is not scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.recommend.trained import TrainedModel
from workbench.settings import Frozen
from workbench.unlearning.curvature import (
    CAP,
    Coordinates,
    Curvature,
    Kind,
    gradient,
    residual,
    solve,
)
from workbench.unlearning.requests import Request


class Influence(Frozen):
    """What the configs of the influence methods share."""

    mode: Literal["corrected", "as_in_fork"] = "corrected"
    """Right sign, one frozen batch, evaluation mode; or as the study's development code was read."""
    curvature: Kind = "gauss_newton"
    """H: gauss_newton (never negative), fisher (empirical) or hessian (may be negative)."""
    damping: NonNegativeFloat = 0.01
    """λ as a share of ‖H‖ (in the fork λ itself). 0 only where l2 makes H positive."""
    steps: PositiveInt = 100
    """Products with H at most, as in the study."""
    tolerance: PositiveFloat = 1e-2
    """Residual at which solving ends, as a share of ‖v‖ (the fork's is absolute)."""
    batch: PositiveInt = 1024
    """Rows of others that stand for all others in H, as in the study."""
    others: PositiveInt = 4096
    """Rows of others whose gradients are taken before and after, where caches move them."""
    cap: PositiveFloat | None = 0.1
    """Longest step, as a share of ‖θ‖ over what is moved; None lets it be any."""


@dataclass(frozen=True)
class Change:
    """v at some coordinates of a model that was rebuilt for what remains; C, and how many losses F
    had."""

    at: Coordinates
    v: torch.Tensor
    clean: Any
    n_forget: int


def sample(log: Interactions, users: np.ndarray, rows: int, seed: int) -> tuple[np.ndarray, float]:
    """Users beside these, drawn until they have so many rows; and how many rows of others stand
    for each of theirs."""
    counts = np.bincount(log.frame["user"].to_numpy(), minlength=log.n_users)
    counts[users] = 0
    drawn = np.random.default_rng((seed, 1)).permutation(np.flatnonzero(counts))
    upto = np.searchsorted(np.cumsum(counts[drawn]), rows) + 1
    chosen = np.sort(drawn[:upto])
    return chosen, float(counts.sum() / max(counts[chosen].sum(), 1))


def change(
    model: Any,
    before: Interactions,
    request: Request,
    rows: dict[str, Any] | None = None,
    others: int = 4096,
    seed: int = 0,
) -> Change:
    """The change of the gradient that a request makes. The model is rebuilt on the way."""
    users, remaining = request.users(before), request.remaining(before)
    at = Coordinates(model, rows)
    model.module.eval()
    # before: F, and others where something is kept of the log beside the weights
    old = model.examples(before, users)
    v = -gradient(model, old, at)
    moves = type(model).cache is not TrainedModel.cache
    chosen, weight = sample(before, users, others, seed)
    kept = model.examples(before, chosen) if moves else None
    was = gradient(model, kept, at) if moves else None
    # after: C, with what was drawn for F
    model.rebuild(remaining)
    clean = model.examples(remaining, users, like=old)
    v = v + gradient(model, clean, at)
    if moves:
        same = model.examples(remaining, chosen, like=kept)
        v = v + weight * (gradient(model, same, at) - was)
    return Change(at, v, clean, len(old))


def begin_anew(
    model: Any, remaining: Interactions, users: np.ndarray, at: Coordinates
) -> torch.Tensor:
    """Vectors of users who hold nothing any more are again those that nothing has trained: no loss
    reads them, and no curvature knows where to. Returns 0 at such coordinates, 1 elsewhere; (n,)."""
    ones = at.spread(torch.ones(len(at), dtype=torch.float64))
    gone = np.setdiff1d(users, remaining.frame["user"].to_numpy())
    if not model.per_user or not len(gone):
        return at.read(ones)
    first = dict(model.copy().start(remaining).module.named_parameters())
    for name, index in model.rows(users=gone).items():
        with torch.no_grad():
            dict(model.module.named_parameters())[name][index] = first[name][index]
        if name in at.names:
            ones[at.names.index(name)][index] = 0.0
    return at.read(ones)


def curvature_after(
    model: Any,
    before: Interactions,
    request: Request,
    changed: Change,
    config: Influence,
    seed: int,
) -> Curvature:
    """H at the same coordinates, of C and of a sample of others."""
    remaining = request.remaining(before)
    chosen, weight = sample(remaining, request.users(before), config.batch, seed + 1)
    stand = model.examples(remaining, chosen)
    batches = [(changed.clean, 1.0), (stand, weight)]
    ridge = model.config.training.weight_decay * len(remaining)
    return Curvature(model, batches, config.curvature, changed.at, ridge)


def newton(
    model: Any,
    before: Interactions,
    request: Request,
    config: Influence,
    seed: int,
    rows: dict[str, Any] | None = None,
    noise: float = 0.0,
    solver: Any = None,
) -> dict[str, Any]:
    """Take the step, and say how: the notes of an outcome, and `left`, ‖residual‖ of what was
    taken.

    rows: what is moved, None for all. noise: standard deviation of what is added to every number of
    v. solver: in place of conjugate gradients, (curvature, v, config) -> Solution.
    """
    changed = change(model, before, request, rows, config.others, seed)
    v = changed.v * begin_anew(model, request.remaining(before), request.users(before), changed.at)
    notes = {"curvature": config.curvature, "gradient": float(v.norm())}
    if not notes["gradient"]:
        # a session of one row asks nothing: it leaves no trace in these losses
        said = "no change" if changed.n_forget else "no examples"
        return notes | {"steps": 0, "residual": 0.0, "end": said, "damping": 0.0, "left": 0.0}
    # one frozen batch, damped relative to its largest eigenvalue
    H = curvature_after(model, before, request, changed, config, seed)
    if noise:
        v = v + noise * torch.from_numpy(np.random.default_rng((seed, 2)).standard_normal(len(v)))
    product = H.damped(config.damping)
    if solver is None:
        found = solve(product, v, config.tolerance, config.steps)
    else:
        found = solver(H, v, config)
    # not further than told, and then with what that leaves
    size, longest = float(found.x.norm()), np.inf
    if config.cap is not None:
        longest = config.cap * float(changed.at.read().norm())
    step, end, left = found.x, found.end, found.residual
    if size > longest:
        step, end = step * (longest / size), CAP
        left = residual(product, step, v)
    changed.at.move(-step)
    damping = config.damping * H.norm if config.damping else 0.0
    notes |= {"steps": found.steps, "residual": left, "end": end, "damping": damping}
    return notes | {"left": left * float(v.norm())}
