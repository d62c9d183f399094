"""Re-solve the user: her vector anew, exactly, from what she keeps; the items stand still.

    p_u' = argmin_p Σ over her remaining pairs of ℓ(p; Q)        and, if told, q_i of what was removed, then p_u again

For matrix factorisation with l2 > 0 the first problem is convex, and so the answer is the only one,
wherever it begins. It is exact *given Q*: what her rows taught the items stays in Q, and the gap to a
retrain grows with the requests. Negatives of several epochs stand for the expectation that training
sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pydantic import PositiveInt
from scipy.optimize import minimize

from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.settings import Frozen
from workbench.unlearning.requests import Request


class ResolveUserConfig(Frozen):
    """What is solved anew."""

    items: bool = False
    """Solve the vectors of removed items too, over the pairs of all, and then the users again."""
    draws: PositiveInt = 8
    """Epochs whose negatives are averaged."""
    steps: PositiveInt = 200
    """Steps of L-BFGS at most, each solve."""


def resolve_user(
    model: Any,
    before: Interactions,
    request: Request,
    config: ResolveUserConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Solve anew. Raises `ConfigError` for a model without vectors of users.

    Notes: steps (of L-BFGS), residual (‖∇‖ where it ended, as a share of where it began), end
    (converged; limit, of steps; abnormal, where no step went down).
    """
    config = config or ResolveUserConfig()
    remaining, users = request.remaining(before), request.users(before)
    # a counted model has no parameters at all
    own = model.rows(users=users) if hasattr(model, "rows") else {}
    if not own:
        do = "take warm_start, or a model of users and items"
        what = f"{type(model).__name__} has no vectors of users"
        raise ConfigError(what, "resolve_user", "a parameter with an entry per user", do)
    model.rebuild(remaining)
    theirs = _drawn(model, remaining, users, config.draws)
    told = solve(model, own, theirs, config.steps)
    if config.items:
        everybody = _drawn(model, remaining, None, config.draws, request.items(before))
        solve(model, model.rows(items=request.items(before)), everybody, config.steps)
        told = solve(model, own, theirs, config.steps)
    return told | {"guarantee": "none"}


def _drawn(
    model: Any,
    log: Interactions,
    users: np.ndarray | None,
    draws: int,
    items: np.ndarray | None = None,
) -> Callable[[], torch.Tensor]:
    """The objective: the sum of losses, averaged over the negatives of so many epochs. items: the
    others stand still, and losses that do not read one of these are left out."""
    parts = [model.examples(log, users, epoch) for epoch in range(draws)]
    # along a graph every loss reads every vector
    if items is not None and not model.reads_graph:
        read = [np.isin(part.positive, items) | np.isin(part.negative, items) for part in parts]
        parts = [part.select(rows) for part, rows in zip(parts, read, strict=True)]
    return lambda: torch.stack([model.loss(part).sum() for part in parts]).mean()


def solve(
    model: Any, rows: dict[str, Any], objective: Callable[[], torch.Tensor], steps: int
) -> dict[str, Any]:
    """The entries of these rows that make the objective smallest, in place."""
    named = dict(model.module.named_parameters())
    parts = {name: named[name][index].shape for name, index in rows.items()}
    cuts = np.cumsum([shape.numel() for shape in parts.values()])[:-1]

    def put(flat: np.ndarray) -> None:
        with torch.no_grad():
            for (name, shape), part in zip(parts.items(), np.split(flat, cuts), strict=True):
                value = named[name]
                value[rows[name]] = torch.as_tensor(part.reshape(shape)).to(value)

    def ask(flat: np.ndarray) -> tuple[float, np.ndarray]:
        put(flat)
        value = objective()
        slopes = torch.autograd.grad(value, [named[name] for name in rows])
        picked = [slope[rows[name]].flatten() for slope, name in zip(slopes, rows, strict=True)]
        return float(value.detach()), torch.cat(picked).double().cpu().numpy()

    start = [named[name][index].detach().flatten() for name, index in rows.items()]
    start = torch.cat(start).double().cpu().numpy()
    begun = np.linalg.norm(ask(start)[1])
    # as near as its kind of numbers can come
    double = all(named[name].dtype == torch.float64 for name in rows)
    near = {"ftol": 1e-15, "gtol": 1e-8} if double else {}
    options = {"maxiter": steps} | near
    found = minimize(ask, start, jac=True, method="L-BFGS-B", options=options)
    put(found.x)
    return {
        "steps": int(found.nit),
        "residual": float(np.linalg.norm(found.jac) / max(begun, 1e-300)),
        "end": {0: "converged", 1: "limit"}.get(found.status, "abnormal"),
    }
