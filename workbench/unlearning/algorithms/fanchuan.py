"""Fanchuan: the winner of the NeurIPS 2023 machine-unlearning challenge, as the ERASE study takes it.

    θ ← θ − η ∇ KL(uniform ‖ softmax(scores of F))              once
    θ ← θ + η ∇ mean log softmax(R_F R_Kᵀ / t),  t = 1.15       J times: the leavers like anybody, and each time
    θ ← θ − η ∇ ℓ(K)                                            a pass over what stays

R: representations, of users (pairs), of sessions, of baskets.

As in the fork: F are all rows of a leaver, so that the first push flattens everything that the
model knows of the person; R are contrasted with C and with K, plain products, which saturate;
both sides move. The author took t to .07 later.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. Of all else our reading has no line.

Corrected: the push is asked only of what was removed (losses about removed rows; for pairs the
items that the person does not hold by now); R of length 1, that of others held fixed; steps of both
kinds move rows of the leavers and of the removed items alone, and a repair with K and C all of them.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch.nn import functional

from workbench.data import Histories, Interactions
from workbench.recommend.training import OPTIMISERS
from workbench.settings import Frozen
from workbench.unlearning.algorithms import _repair
from workbench.unlearning.algorithms import _samples as samples
from workbench.unlearning.requests import Request


class FanchuanConfig(Frozen):
    """Settings of Fanchuan; defaults of the study."""

    mode: Literal["corrected", "as_in_fork"] = "corrected"
    """Right, or as in the study's development code."""
    rounds: PositiveInt = 8
    """J."""
    temperature: PositiveFloat = 1.15
    """t (the author's later re-tuning: .07)."""
    learning_rate: PositiveFloat | None = None
    """η; None takes the rate that the model was trained with."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """What takes the steps; the fork has Adam."""
    shared: bool = False
    """Pushes move layers that belong to nobody too (corrected only)."""
    retain: PositiveInt = 8
    """Rows of others drawn, for each row of the leavers."""
    slow: float = Field(default=0.1, ge=0, le=1)
    """Share of a step that other entries take in the repair (corrected only)."""


def fanchuan(
    model: Any,
    before: Interactions,
    request: Request,
    config: FanchuanConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Make the leavers look like anybody, and repair.

    Notes: push (the first KL), contrast (the last one), retained (rows), epochs (rounds).
    """
    config = config or FanchuanConfig()
    fork = config.mode == "as_in_fork"
    rate = config.learning_rate or model.config.training.learning_rate
    # the sides, on the new graph
    side, remaining = samples.sides(model, before, request), request.remaining(before)
    users = samples.others(before, request, config.retain * side.rows, seed)
    model.rebuild(remaining)
    leavers, staying = _filled(before, request.users(before)), _filled(remaining, users)
    clean = _filled(remaining, request.users(before))
    against = [clean, staying] if fork and len(clean) else [staying]
    kept = users if fork else np.union1d(users, request.users(before))
    stays = model.examples(remaining, kept)
    # which entries take which share of a step
    own = samples.owned(model, before, request, config.shared)
    pushed = {} if fork else {"share": own}
    slow = {name: config.slow + (1 - config.slow) * mask for name, mask in own.items()}
    repaired = {} if fork else {"share": slow}
    kind = "adam" if fork else config.optimiser
    steps = OPTIMISERS[kind](model.module.parameters(), lr=rate)
    # once: nothing is known of what goes
    with samples.drawing(model, samples.seed_of(seed, request, 2), training=fork):
        push = _uniform(model, side.forget, before, request, fork)
        if push is not None:
            _repair.step(model, steps, push, **pushed)
    # rounds: like anybody, then repair
    for number in range(config.rounds):
        with samples.drawing(model, samples.seed_of(seed, request, 3 + number), training=fork):
            made = [_contrast(model, leavers, those, config, fork) for those in against]
            contrast = torch.stack(made).sum()
            _repair.step(model, steps, contrast, **pushed)
        drawn = samples.seed_of(seed, request, 100 + number)
        _repair.repair(model, stays, 1, rate, drawn, kind, **repaired)
    first = float("nan") if push is None else push.item()
    told = {"push": first, "contrast": contrast.item(), "epochs": config.rounds}
    rows = int(np.isin(remaining.frame["user"], kept).sum())
    return told | {"retained": rows, "guarantee": "none"}


def _filled(log: Interactions, users: np.ndarray) -> Histories:
    """Histories of those of them who hold something."""
    return log.histories(np.intersect1d(users, log.frame["user"]))


def _uniform(
    model: Any, forget: Any, before: Interactions, request: Request, fork: bool
) -> torch.Tensor | None:
    """KL(uniform ‖ softmax(scores)), the mean over what is asked; None where nothing can be."""
    gone = samples.about(forget, request.within(before)) > 0
    logits = model.logits(forget)
    # pairs have a number a loss: the scores are those of the leavers
    if logits.ndim == 1:
        users = request.users(before)
        logits = model.logits(before.histories(users))
        held = torch.as_tensor(request.remaining(before).matrix()[users].toarray() > 0)
        free = torch.ones_like(held) if fork else ~held
    else:
        logits = logits if fork else logits[torch.as_tensor(gone)]
        free = torch.ones(logits.shape, dtype=torch.bool)
    if not len(logits):
        return None
    free = free.to(logits.device)
    log_p = logits.masked_fill(~free, -torch.inf).log_softmax(1)
    n = free.sum(1).clamp(min=1)
    return (-torch.where(free, log_p, 0.0).sum(1) / n - n.log()).mean()


def _contrast(
    model: Any, leavers: Histories, those: Histories, config: FanchuanConfig, fork: bool
) -> torch.Tensor:
    """−mean log softmax(R_F R_Kᵀ / t)."""
    one, two = model.represent(leavers), model.represent(those)
    if not fork:
        one, two = functional.normalize(one, dim=1), functional.normalize(two, dim=1).detach()
    return -(one @ two.T / config.temperature).log_softmax(1).mean()
