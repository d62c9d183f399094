"""Models that never saw the rows: what everything is held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workbench.recommend.protocol import fitted_copy
from workbench.unlearning.scenarios import Scenario


def reseeded(model: Any, seed: int) -> Any:
    """A copy whose next fit draws from another seed; of a model without one, a copy."""
    own = model.copy()
    training = getattr(own.config, "training", None)
    if training is not None:
        told = training.model_copy(update={"seed": seed})
        own.config = own.config.model_copy(update={"training": told})
    return own


def retrains(model: Any, scenario: Scenario, done: int, seeds: Iterable[int]) -> list[Any]:
    """The model fitted anew without the first `done` requests, once for each seed."""
    return [fitted_copy(reseeded(model, seed), scenario.train(done)) for seed in seeds]
