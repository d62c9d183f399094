"""Kookmin: the second of the NeurIPS 2023 machine-unlearning challenge, as the ERASE study takes it.

    s = |ḡ(C ∪ K) − ḡ(F)|      mean gradients of what stays and of what goes, entry by entry
    θ_S ← first weights        S: the share r of each tensor whose s is smallest
    θ ← θ − η ∇ ℓ(C ∪ K)       few passes; entries outside S take a tenth of the step

Original: convolutional weights of an image classifier are reset, the others learn at a tenth.

As in the fork: S is cut from *all* entries, and in a table of vectors almost all gradients are 0,
so that ties decide and strangers' rows are wiped; kaiming-uniform for matrices, N(0, .02²) else;
rate ×.1 and gradients ×10 on S under Adam, which levels factors of gradients and so does nothing
(defects 11, 12).

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. Of defects 11 to 13 our reading has no
line.

Corrected: S is cut from non-zero gradients among rows of the leavers, of the removed items, and
layers that belong to nobody; ties at random; reset to first weights of the model's own kind; the
tenth is a share of the *step*. Repeated resets still compound: r of the shared layers each request.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms import _repair
from workbench.unlearning.algorithms import _samples as samples
from workbench.unlearning.requests import Request


class KookminConfig(Frozen):
    """Settings of Kookmin; defaults of the study."""

    mode: Literal["corrected", "as_in_fork"] = "corrected"
    """Right, or as in the study's development code."""
    init_rate: float = Field(default=0.01, gt=0, le=1)
    """r: share of each tensor that is reset (the author's later re-tuning: .001)."""
    learning_rate: PositiveFloat | None = None
    """η; None takes the rate that the model was trained with."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """What repairs; the fork has Adam."""
    slow: float = Field(default=0.1, ge=0, le=1)
    """Share of a step that entries take which were not reset."""
    shared: bool = True
    """Reset entries of layers that belong to nobody too."""
    retain: PositiveInt = 8
    """Rows of others drawn, for each row of the leavers."""
    repair: PositiveInt = 16
    """Rows repaired with, for each row of the leavers: 1 + so many / drawn passes."""


def kookmin(
    model: Any,
    before: Interactions,
    request: Request,
    config: KookminConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Reset what matters least to what stays, and repair.

    Notes: gradient (‖ḡ(C ∪ K) − ḡ(F)‖), reset (entries), retained (rows), epochs.
    """
    config = config or KookminConfig()
    fork = config.mode == "as_in_fork"
    rate = config.learning_rate or model.config.training.learning_rate
    # the sides: the gradient of what goes on the old graph, of what stays on the new one
    side = samples.sides(model, before, request)
    remaining = request.remaining(before)
    users = samples.others(before, request, config.retain * side.rows, seed)
    kept = np.union1d(users, request.users(before))
    with samples.drawing(model, samples.seed_of(seed, request, 2), training=fork):
        goes = samples.slopes(model, model.loss(side.forget).mean())
    model.rebuild(remaining)
    stays = model.examples(remaining, kept)
    with samples.drawing(model, samples.seed_of(seed, request, 2), training=fork):
        left = samples.slopes(model, model.loss(stays).mean())
    apart = {name: (left[name] - goes[name]).abs() for name in goes}
    # which entries, and their new values
    rng = np.random.default_rng((seed, request.request, 3))
    if fork:
        slots = {name: _smallest(far, config.init_rate) for name, far in apart.items()}
        new = _kaiming(model, samples.seed_of(seed, request, 4))
    else:
        masks = samples.owned(model, before, request, config.shared)
        able = {name: (masks[name] > 0) & (goes[name] != 0) for name in goes}
        slots = {
            name: _smallest(far, config.init_rate, able[name], rng) for name, far in apart.items()
        }
        new = samples.fresh(model, samples.seed_of(seed, request, 4))
    with torch.no_grad():
        for name, value in model.module.named_parameters():
            value.copy_(torch.where(slots[name], new[name], value))
    # repair
    gain = {name: torch.where(slot, 10.0, 1.0) for name, slot in slots.items()}
    share = {name: torch.where(slot, 1.0, config.slow) for name, slot in slots.items()}
    rows = int(np.isin(remaining.frame["user"], kept).sum())
    epochs = 1 + config.repair * side.rows // max(rows, 1)
    how = {"gain": gain} if fork else {"share": share}
    rate, kind = (0.1 * rate, "adam") if fork else (rate, config.optimiser)
    _repair.repair(model, stays, epochs, rate, samples.seed_of(seed, request, 5), kind, **how)
    length = float(torch.stack([far.square().sum() for far in apart.values()]).sum().sqrt())
    reset = sum(int(slot.sum()) for slot in slots.values())
    told = {"gradient": length, "reset": reset, "retained": rows, "epochs": epochs}
    return told | {"guarantee": "none"}


def _smallest(
    far: torch.Tensor,
    share: float,
    able: torch.Tensor | None = None,
    rng: np.random.Generator | None = None,
) -> torch.Tensor:
    """The share of the able entries that is smallest, one at least where there is any; as a mask.
    Ties: in order, or, with an rng, at random."""
    flat, slot = far.detach().cpu().numpy().ravel(), np.zeros(far.numel(), bool)
    able = np.arange(far.numel()) if able is None else np.flatnonzero(able.cpu().numpy())
    able = able if rng is None else rng.permutation(able)
    chosen = able[np.argsort(flat[able], kind="stable")]
    slot[chosen[: int(np.ceil(share * len(able)))]] = True
    return torch.as_tensor(slot.reshape(far.shape), device=far.device)


def _kaiming(model: Any, seed: int) -> samples.Shares:
    """What the fork resets to."""
    made = {}
    with samples.drawing(model, seed):
        for name, value in model.module.named_parameters():
            new = torch.empty_like(value)
            if new.ndim == 2:
                torch.nn.init.kaiming_uniform_(new, a=5**0.5)
            else:
                torch.nn.init.normal_(new, std=0.02)
            made[name] = new
    return made
