"""SEIF: the third of the NeurIPS 2023 machine-unlearning challenge, as the ERASE study takes it.

    w ← w + σ N(0, 1) |w|            erase
    θ ← θ − η ∇ (1/n) Σ a ℓ(K)       repair, four passes;  a = .05 where a loss is about an item that goes, else 1
    w ← w + .005 N(0, 1) |w|         once more, before the last pass

Original: convolutional weights of an image classifier, SGD with momentum, classes weighed.

As in the fork: σ = .6 on all tables and linear layers (picked by their names, so that recurrent
weights stay) at *every* request; a is averaged over the batch, which scales the whole loss and
weighs nothing; Adam (defect 14). The author took σ to a tenth of it later.

Where: pierre-lubitzsch/RecBole at 74dc4d4b, `recbole/trainer/trainer.py`, read, not run. Training
mode: one of lines 513, 849, 1514, 2038, 2579, 3303, 3812. Of defect 14 our reading has no line.

Corrected: noise on rows of the leavers and of the removed items alone, σ / √(1 + k) at request k;
an a for each loss. It says nothing of what a row taught the rows of others.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms import _repair
from workbench.unlearning.algorithms import _samples as samples
from workbench.unlearning.requests import Request


class SEIFConfig(Frozen):
    """Settings of SEIF; defaults of the study."""

    mode: Literal["corrected", "as_in_fork"] = "corrected"
    """Right, or as in the study's development code."""
    noise: NonNegativeFloat = 0.6
    """σ: noise as a share of each weight (the author's later re-tuning: .06)."""
    last_noise: NonNegativeFloat = 0.005
    """The same before the last pass."""
    weight: NonNegativeFloat = 0.05
    """a of a loss about an item that goes."""
    epochs: PositiveInt = 4
    """Passes of repair."""
    learning_rate: PositiveFloat = 7e-4
    """η."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """What repairs; the fork has Adam."""
    decay: bool = True
    """Less noise from request to request (corrected only)."""
    retain: PositiveInt = 32
    """Rows of others drawn, for each row of the leavers."""


def seif(
    model: Any,
    before: Interactions,
    request: Request,
    config: SEIFConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Shake what is the leavers', and repair with others.

    Notes: noise (σ of this request), shaken (entries), retained (rows), epochs.
    """
    config = config or SEIFConfig()
    fork = config.mode == "as_in_fork"
    remaining, gone = request.remaining(before), request.items(before)
    # who stays, on the new graph
    users, n_rows = request.users(before), 0
    n_rows = int(np.isin(before.frame["user"], users).sum())
    kept = samples.others(before, request, config.retain * n_rows, seed)
    kept = kept if fork else np.union1d(kept, users)
    model.rebuild(remaining)
    stays = model.examples(remaining, kept)
    # which entries are shaken, and how much
    masks = _tables(model) if fork else samples.owned(model, before, request)
    noise = config.noise
    if config.decay and not fork:
        noise /= np.sqrt(1 + request.request)
    draws = torch.Generator().manual_seed(samples.seed_of(seed, request, 2))

    def shake(size: float) -> None:
        with torch.no_grad():
            for name, value in model.module.named_parameters():
                drawn = torch.randn(value.shape, generator=draws).to(value)
                value.add_(size * drawn * value.abs() * masks[name])

    def first(epoch: int) -> None:
        if epoch == config.epochs - 1:
            shake(config.last_noise)

    # repair: losses about items that go count less
    frame = remaining.frame
    ids = frame["interaction"].to_numpy()[frame["item"].isin(gone).to_numpy()]

    def weigh(losses: torch.Tensor, batch: Any) -> torch.Tensor:
        share = torch.as_tensor(samples.about(batch, ids)).to(losses)
        weight = 1 - (1 - config.weight) * share
        return losses * (weight.mean() if fork else weight)

    shake(noise)
    _repair.repair(
        model,
        stays,
        config.epochs,
        config.learning_rate,
        samples.seed_of(seed, request, 3),
        "adam" if fork else config.optimiser,
        weigh,
        first,
    )
    shaken = sum(int(mask.sum()) for mask in masks.values())
    rows = int(np.isin(frame["user"], kept).sum())
    told = {"noise": float(noise), "shaken": shaken, "retained": rows, "epochs": config.epochs}
    return told | {"guarantee": "none"}


def _tables(model: Any) -> samples.Shares:
    """1 in tables and linear layers, else 0."""
    masks = {name: torch.zeros_like(value) for name, value in model.module.named_parameters()}
    for name, part in model.module.named_modules():
        for own, _ in part.named_parameters(recurse=False):
            if isinstance(part, torch.nn.Embedding | torch.nn.Linear):
                masks[f"{name}.{own}"] += 1
    return masks
