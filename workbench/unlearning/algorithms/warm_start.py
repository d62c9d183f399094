"""Warm start: reset what is the leavers', and train on for a few epochs.

    p_u ← first weights  for all u who asked  (q_i of what they removed, if told);   θ' = tune(θ, remaining)

What a shop does: no request by request, but once for many (`Method(…, batch=n)`), at a fraction of a
retrain. The rows of others still hold what the leavers taught them, and a few epochs wash out some
of it. A model that reads histories has nothing of a person to reset: here it is trained on.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms._samples import fresh, seed_of
from workbench.unlearning.requests import Request


class WarmStartConfig(Frozen):
    """What is reset, and how long is trained on."""

    epochs: PositiveInt = 5
    """Passes over what remains."""
    learning_rate: PositiveFloat | None = None
    """Step size; None takes the rate that the model was trained with."""
    users: bool = True
    """Reset the leavers."""
    items: bool = False
    """Reset the items that were removed: nearer by exposure, and their neighbours' ranks suffer."""


def warm_start(
    model: Any,
    before: Interactions,
    request: Request,
    config: WarmStartConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Reset and tune. Notes: reset (entries)."""
    config = config or WarmStartConfig()
    users = request.users(before) if config.users else ()
    items = request.items(before) if config.items else ()
    named, new = dict(model.module.named_parameters()), fresh(model, seed_of(seed, request, 1))
    n_reset = 0
    with torch.no_grad():
        for name, index in model.rows(users, items).items():
            named[name][index] = new[name][index]
            n_reset += named[name][index].numel()
    remaining = request.remaining(before)
    model.rebuild(remaining)
    drawn = seed_of(seed, request, 2)
    model.tune(model.examples(remaining), config.epochs, config.learning_rate, drawn)
    return {"reset": n_reset, "guarantee": "none"}
