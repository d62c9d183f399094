"""Models that never saw the rows: what everything is held against.

    retrained(k, seed) = fit(training rows − rows of the first k requests; seed)

Trained for the epochs of the config and never stopped by validation, as the base is: then they differ
from each other by their seed alone, and no validation row of a leaver picks an epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workbench.recommend.protocol import fitted_copy, reseeded, seeded
from workbench.unlearning.measures import measures
from workbench.unlearning.scenarios import Scenario

SEEDS = (11, 12, 13, 14, 15, 16)
"""Of retrains: six, none of which a base has."""


def retrained(model: Any, scenario: Scenario, done: int, seed: int) -> Any:
    """The model fitted anew without the first `done` requests."""
    return fitted_copy(reseeded(model, seed), scenario.train(done))


def retrains(model: Any, scenario: Scenario, done: int, seeds: Iterable[int]) -> list[Any]:
    """The same once for each seed."""
    return [retrained(model, scenario, done, seed) for seed in seeds]


@dataclass(eq=False)
class References:
    """Retrains of one model at any checkpoint, each made once and kept.

    seeds: of the retrains; a model without a seed has one. jobs: retrains at a time, in processes.

    >>> References(scenario, BPR()).at(10)  # doctest: +SKIP
    [BPR(…), BPR(…), …]
    """

    scenario: Scenario
    model: Any = field(repr=False)
    seeds: tuple[int, ...] = SEEDS
    jobs: int = 1
    _models: dict[tuple[int, int], Any] = field(default_factory=dict, repr=False)
    _tables: dict[int, pd.DataFrame] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.seeds = tuple(self.seeds) if seeded(self.model) else tuple(self.seeds)[:1]

    def at(self, done: int) -> list[Any]:
        """The retrains without the first `done` requests, in the order of the seeds."""
        todo = [seed for seed in self.seeds if (done, seed) not in self._models]
        if self.jobs > 1 and len(todo) > 1:
            import joblib

            one = joblib.delayed(retrained)
            tasks = [one(self.model, self.scenario, done, seed) for seed in todo]
            found = joblib.Parallel(n_jobs=self.jobs)(tasks)
        else:
            found = retrains(self.model, self.scenario, done, todo)
        self._models |= {(done, seed): model for seed, model in zip(todo, found, strict=True)}
        return [self._models[done, seed] for seed in self.seeds]

    def measured(self, done: int) -> pd.DataFrame:
        """`measures` of each: [seed, done, measure, unit, value]."""
        if done not in self._tables:
            models = dict(zip(self.seeds, self.at(done), strict=True))
            tables = [
                measures(model, self.scenario, done).assign(seed=seed, done=done)
                for seed, model in models.items()
            ]
            together = pd.concat(tables, ignore_index=True)
            self._tables[done] = together[["seed", "done", "measure", "unit", "value"]]
        return self._tables[done]
