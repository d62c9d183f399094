"""What a request changes in the sum of losses: v, and what stands for others in it.

    v = Σ_C ∇ℓ − Σ_F ∇ℓ + (N_O / |K|) (Σ_K ∇ℓ' − Σ_K ∇ℓ) + (|C| − |F|) μ θ        μ: weight decay

F: all examples of the users of the request; C: theirs after it, with F's draws and windows; K: a
sample of others, who stand for all N_O others. Near a minimum of the old sum of losses v is the
gradient of the new one. F is differentiated before the caches are made anew, C after; K both times
(ℓ, ℓ'), as graphs and item weights move the losses of everybody. Weight decay is trained beside a
*mean* of losses: the sum has μ/2 ‖θ‖² once a loss, and fewer losses have less of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workbench.data import Interactions
from workbench.recommend.trained import TrainedModel
from workbench.unlearning.curvature import Coordinates, gradient
from workbench.unlearning.requests import Request


@dataclass(frozen=True)
class Change:
    """v at some coordinates of a model that was rebuilt for what remains; C, how many losses F had,
    and the users of the request."""

    at: Coordinates
    v: torch.Tensor
    clean: Any
    n_forget: int
    users: np.ndarray
    remaining: Interactions


def losses(examples: Any) -> int:
    """How many losses examples have."""
    return int(getattr(examples, "n_targets", len(examples)))


def moves_others(model: Any) -> bool:
    """Whether something is kept of the log beside the weights, so that a row less moves the losses of
    others: a graph, or item weights."""
    return bool(getattr(model, "reads_graph", True)) and type(model).cache is not TrainedModel.cache


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
    moves = moves_others(model)
    if moves:
        chosen, weight = sample(before, users, others, seed)
        kept = model.examples(before, chosen)
        was = gradient(model, kept, at)
    # after: C, with what was drawn for F
    model.rebuild(remaining)
    clean = model.examples(remaining, users, like=old)
    v = v + gradient(model, clean, at)
    if moves:
        same = model.examples(remaining, chosen, like=kept)
        v = v + weight * (gradient(model, same, at) - was)
    # and the decay that went with each loss
    decay = model.config.training.weight_decay
    v = v + (losses(clean) - losses(old)) * decay * at.read()
    return Change(at, v, clean, losses(old), users, remaining)


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
