"""Bounded ascent, a control: climb the losses of what is to be forgotten, and stop in time.

    θ ← θ + η ∇ ℓ(removed)        until those rows cost what they cost first weights

On entries of the leavers and the removed items alone. It pushes what was deleted below where a
stranger would have it, by which a deleter can be told.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms import _samples as samples
from workbench.unlearning.requests import Request


class AscentConfig(Frozen):
    """Settings of bounded ascent."""

    learning_rate: PositiveFloat = 0.1
    """η, of the sum of losses."""
    steps: PositiveInt = 100
    """Steps at most."""


def ascent(
    model: Any,
    before: Interactions,
    request: Request,
    config: AscentConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Climb the losses about removed rows, on entries of the leavers and the removed items.

    Notes: steps, end (bound: as dear as to first weights; limit).
    """
    config = config or AscentConfig()
    asked = model.examples(before, request.users(before))
    gone = torch.as_tensor(samples.about(asked, request.within(before))) > 0
    own = samples.owned(model, before, request)
    other = model.copy()
    with torch.no_grad():
        new = samples.fresh(model, samples.seed_of(seed, request, 1))
        for name, value in other.module.named_parameters():
            value.copy_(new[name])
        bound = other.loss(asked)[gone].mean()
    model.rebuild(request.remaining(before))
    count = 0
    while count < config.steps:
        losses = model.loss(asked)[gone]
        if not len(losses) or losses.mean() >= bound:
            break
        slopes = samples.slopes(model, losses.sum())
        with torch.no_grad():
            for name, value in model.module.named_parameters():
                value.add_(config.learning_rate * own[name] * slopes[name])
        count += 1
    end = "bound" if count < config.steps else "limit"
    return {"steps": count, "end": end, "guarantee": "none"}
