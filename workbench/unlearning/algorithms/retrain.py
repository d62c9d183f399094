"""Retrain: fit anew on what remains. The reference, and on a laptop often the cheapest method.

    θ' = fit(before − removed)

Requests that wait for each other share one retrain: `Method(…, batch=n)`.
"""

from __future__ import annotations

from typing import Any

from workbench.data import Interactions
from workbench.settings import Frozen
from workbench.unlearning.algorithms._samples import seed_of
from workbench.unlearning.references import reseeded
from workbench.unlearning.requests import Request


class RetrainConfig(Frozen):
    """How a model is fitted anew."""

    reseed: bool = False
    """Draw first weights, batches and negatives anew for each request, from `seed`; else they are
    those of the base."""


def retrain(
    model: Any,
    before: Interactions,
    request: Request,
    config: RetrainConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit the model anew, for as many epochs as its config says."""
    if (config or RetrainConfig()).reseed:
        model.config = reseeded(model, seed_of(seed, request, 1)).config
    model.fit(request.remaining(before))
    return {"guarantee": "is a refit"}
