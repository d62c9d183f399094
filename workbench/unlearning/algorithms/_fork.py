"""What the influence methods share `as_in_fork`: as the study's development code was read
(pierre-lubitzsch/RecBole, commit 74dc4d4b, `recbole/trainer/trainer.py`; nothing of it was run).

In training mode throughout (lines 513, 849, 1514, 2038, 2579, 3303 and 3812, one for each of the
seven; our reading does not say which is whose): gradients and products see dropout, another one in
each. Solving ends at the first direction of negative curvature (since commit 03c28ae; no line), or
at an absolute tolerance, and counts as done. λ is .01 as it stands, of no scale. Other differences
carry the number of a defect in our list of them, made by reading, and no line: each page says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.data import Interactions
from workbench.unlearning.algorithms._change import losses, sample
from workbench.unlearning.algorithms._influence import Influence
from workbench.unlearning.curvature import (
    Coordinates,
    Curvature,
    Product,
    Solution,
    gradient,
    solve,
)
from workbench.unlearning.requests import Request

ABSOLUTE = 1e-5
"""Residual at which solving ends."""
BATCH = 256
"""Rows of a batch of forget and clean rows."""


@dataclass(frozen=True)
class Loaders:
    """The three of the fork: all rows of the user, those without the removed ones, and whole
    histories of others. rows: of each, (3,)."""

    forget: Any
    clean: Any
    retain: Any
    rows: tuple[int, int, int]


def loaders(
    model: Any, before: Interactions, request: Request, times: int, floor: int, seed: int
) -> Loaders:
    """retain: `times` the rows of the user, `floor` at least, and a tenth of the log at most."""
    users, remaining = request.users(before), request.remaining(before)
    forget, clean = model.examples(before, users), model.examples(remaining, users)
    n_forget = int(np.isin(before.frame["user"], users).sum())
    wanted = min(max(times * n_forget, floor), len(before) // 10)
    others, _ = sample(before, users, max(wanted, 1), seed)
    n_retain = int(np.isin(before.frame["user"], others).sum())
    n_clean = n_forget - len(request.removed(before))
    return Loaders(forget, clean, model.examples(before, others), (n_forget, n_clean, n_retain))


@contextmanager
def in_training(model: Any, seed: int) -> Iterator[None]:
    """Within the block the module is in training mode, and draws from the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.module.train()
        try:
            yield
        finally:
            model.module.eval()


def mean_gradient(model: Any, examples: Any, at: Coordinates) -> torch.Tensor:
    """The gradient of the mean loss."""
    return gradient(model, examples, at) / max(losses(examples), 1)


def mean_hessian(model: Any, parts: list[Any], at: Coordinates, shift: float) -> Product:
    """v ↦ (∇² of the mean loss + shift) v, of the parts in turn, run anew for each product."""
    turn = iter(range(10**9))

    def product(vector: torch.Tensor) -> torch.Tensor:
        part = parts[next(turn) % len(parts)]
        weight = 1 / max(losses(part), 1)
        return Curvature(model, [(part, weight)], "hessian", at, shift, training=True)(vector)

    return product


def solved(product: Product, v: torch.Tensor, config: Influence) -> tuple[Solution, dict[str, Any]]:
    """H⁻¹ v to the absolute residual, and what the notes say of it."""
    size = max(float(v.norm()), 1e-300)
    found = solve(product, v, ABSOLUTE / size, config.steps)
    notes = {"curvature": "hessian", "steps": found.steps, "residual": found.residual}
    return found, notes | {"end": found.end, "damping": config.damping, "gradient": size}


def parts_of(examples: Any, size: int) -> list[Any]:
    """Examples in their order, `size` at a time; themselves where they are fewer."""
    cut = np.arange(size, len(examples), size)
    return [examples.select(rows) for rows in np.split(np.arange(len(examples)), cut)]


def repair(
    model: Any, before: Interactions, request: Request, times: int, seed: int, rate: float | None
) -> None:
    """One epoch on what remains of the users and on `times` their rows of others."""
    if not times:
        return
    users, remaining = request.users(before), request.remaining(before)
    n = int(np.isin(before.frame["user"], users).sum())
    others, _ = sample(remaining, users, times * n, seed)
    examples = model.examples(remaining, np.union1d(users, others))
    if losses(examples):
        model.tune(examples, epochs=1, learning_rate=rate, seed=seed)
