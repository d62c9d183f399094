"""What the influence methods share: one Newton step away from what was removed.

    θ' = θ − (H + λI)⁻¹ v,   v: `_change.py`        H = Σ_C ∇²ℓ + (N_O / |K|) Σ_K ∇²ℓ' + N μ I

Koh & Liang, Understanding Black-box Predictions via Influence Functions, ICML 2017. C: what the users
of the request keep; K: a sample of others, who stand for all N_O others; what belongs to these users
alone is not scaled. μ: weight decay, N: losses. v is a sum over the log, and so must H be: a sample
that stands for itself alone makes the step N_O / |K| too long.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms._change import (
    Change,
    begin_anew,
    change,
    losses,
    moves_others,
    sample,
)
from workbench.unlearning.curvature import (
    FLAT,
    NEGATIVE,
    Coordinates,
    Curvature,
    Kind,
    residual,
    solve,
)
from workbench.unlearning.outcome import Stopped
from workbench.unlearning.requests import Request

CAP = " + cap"
"""What is put to how solving ended, where the step was cut as well."""


class Influence(Frozen):
    """What the configs of the influence methods share."""

    mode: Literal["corrected", "as_in_fork"] = "corrected"
    """Right sign, one frozen batch, evaluation mode; or as the study's development code was read."""
    curvature: Kind = "gauss_newton"
    """H: gauss_newton (never negative), fisher (empirical) or hessian (may be negative)."""
    damping: NonNegativeFloat = 0.01
    """λ as a share of ‖H‖ (in the fork λ itself): of .1, .01 and .001 the one nearest to retrains in
    `benchmarks/curvature.py`. 0 only where l2 makes H positive."""
    steps: PositiveInt = 100
    """Products with H at most, as in the study."""
    tolerance: PositiveFloat = 1e-2
    """Residual at which solving ends, as a share of ‖v‖ (the fork's is absolute)."""
    batch: PositiveInt = 1024
    """Rows of others that stand for all others in H, as in the study."""
    scaled: bool = True
    """Whether they do stand for all others, or for themselves alone, as in code that leaves N out."""
    others: PositiveInt = 4096
    """Rows of others whose gradients are taken before and after, where caches move them."""
    cap: PositiveFloat | None = 0.1
    """Longest step, as a share of ‖θ‖ over what is moved; None lets it be any."""
    truncated: bool = False
    """Where solving meets a direction that bends down (`curvature="hessian"` alone can), take the step
    found before it, as the fork does. Otherwise there is no minimum to step to, and the request has
    failed (corrected only)."""


def curvature_after(
    model: Any,
    changed: Change,
    config: Influence,
    seed: int,
) -> Curvature:
    """H at the same coordinates, of C and of a sample of others; of C alone where nobody else's loss
    reads them."""
    mine = Coordinates(model, model.rows(users=changed.users))
    own = (mine.names, len(mine)) == (changed.at.names, len(changed.at))
    rows = 1 if own and not moves_others(model) else config.batch
    chosen, weight = sample(changed.remaining, changed.users, rows, seed + 1)
    stand = model.examples(changed.remaining, chosen)
    weight = weight if config.scaled else 1.0
    batches = [(changed.clean, 1.0), (stand, weight)]
    n = losses(changed.clean) + weight * losses(stand)
    ridge = model.config.training.weight_decay * n
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
    v. solver: in place of conjugate gradients, (curvature, v, config) -> Solution. Raises `Stopped`,
    with the notes so far, where H bends down, unless `config.truncated`.
    """
    changed = change(model, before, request, rows, config.others, seed)
    v = changed.v * begin_anew(model, changed.remaining, changed.users, changed.at)
    notes = {"curvature": config.curvature, "gradient": float(v.norm())}
    if not notes["gradient"]:
        # a session of one row asks nothing: it leaves no trace in these losses
        said = "no change" if changed.n_forget else "no examples"
        return notes | {"steps": 0, "residual": 0.0, "end": said, "damping": 0.0, "left": 0.0}
    # one frozen batch, damped relative to its largest eigenvalue
    H = curvature_after(model, changed, config, seed)
    if noise:
        v = v + noise * torch.from_numpy(np.random.default_rng((seed, 2)).standard_normal(len(v)))
    product = H.damped(config.damping)
    if solver is None:
        found = solve(product, v, config.tolerance, config.steps)
    else:
        found = solver(H, v, config)
    end, damping = found.end, config.damping * H.norm if config.damping else 0.0
    # of curvatures that are never negative it is rounding, where nothing bends
    if end == NEGATIVE and config.curvature != "hessian":
        end = FLAT
    notes |= {"steps": found.steps, "residual": found.residual, "end": end, "damping": damping}
    if end == NEGATIVE and not config.truncated:
        what = f"negative curvature at product {found.steps}, residual {found.residual:.2g}"
        do = "take gauss_newton, or more damping; truncated=True steps to where solving stopped"
        expected = "a matrix that bends upwards, or there is no minimum to step to"
        raise Stopped(what, config.curvature, expected, do, notes=notes)
    # not further than told, and then with what that leaves
    size, longest = float(found.x.norm()), np.inf
    if config.cap is not None:
        longest = config.cap * float(changed.at.read().norm())
    step, left = found.x, found.residual
    if size > longest:
        step, end = step * (longest / size), end + CAP
        left = residual(product, step, v)
    changed.at.move(-step)
    return notes | {"residual": left, "end": end, "left": left * float(v.norm())}
