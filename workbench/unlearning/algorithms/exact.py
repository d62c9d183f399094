"""Exact: a model that is a sum over rows takes them out of the sum.

    state' = state − rows        equal to a refit, to rounding

Counts (TopFreq, ItemKNN, SKNN, TIFU-KNN, UP-CF), a rank-2 update of an inverse (EASE), and shards
(`sisa.py`). Nothing of a request is left in the model; what the model was taught by others stays, and
it may well offer the item again.
"""

from __future__ import annotations

from typing import Any

from workbench.data import Interactions
from workbench.recommend.protocol import must_offer
from workbench.unlearning.requests import Request


def exact(
    model: Any, before: Interactions, request: Request, config: None = None, seed: int = 0
) -> dict[str, Any]:
    """Forget as the model does. Raises `ConfigError` for a model that cannot."""
    do = "take retrain, or a counted model"
    must_offer(model, "forget", do=do)
    model.forget(request.removed(before))
    return {"guarantee": "equal to a refit"}
