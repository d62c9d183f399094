"""The cells of a grid: models that are fitted, those fitted anew without what was forgotten, and one
step for every request that a method serves.

`run_grid` (`grid_run.py`) runs them, `summary` (`grid_table.py`) holds them against each other.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from workbench.unlearning.grid_config import Fit, Grid, Step
from workbench.unlearning.grid_names import (
    RIVALS,
    method_of,
    methods_of,
    model_class,
    opened,
    scenario_of,
    settings_of,
    task_of,
)
from workbench.unlearning.stream import checkpoints_of, ends_of


@dataclass(frozen=True)
class Plan:
    """The cells of a grid: bases and rivals, retrains, steps."""

    grid: Grid
    bases: tuple[Fit, ...]
    rivals: tuple[Fit, ...]
    retrains: tuple[Fit, ...]
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        chains = len({step.stream() for step in self.steps})
        fits = f"{len(self.bases)} bases, {len(self.rivals)} rivals, {len(self.retrains)} retrains"
        return f"Plan({self.grid.name}: {chains} cells, {len(self.steps)} requests, {fits})"


def plan(grid: Grid) -> Plan:
    """All cells of a grid. Raises `ConfigError` for names and settings that there are not, and
    `DataError` where nobody can ask for what is asked."""
    bases, rivals, retrains, steps = {}, {}, {}, {}
    for source, (model, told) in itertools.product(grid.sources, grid.models.items()):
        kind = model_class(model)
        task = task_of(model)
        shared = {"source": source, "data": opened(source)[0].fingerprint}
        own = shared | {"model": model, "settings": settings_of(kind, told, model)}
        rivals[Fit(**shared, model=RIVALS[task])] = None
        for asked in grid.asked:
            scenario = scenario_of(source, task, asked)
            marks = checkpoints_of(len(scenario.requests), grid.checkpoints)
            some = itertools.product(marks, grid.retrain_seeds)
            retrains |= dict.fromkeys(
                Fit(**own, asked=asked, done=done, seed=seed) for done, seed in some
            )
            for method, seed in itertools.product(methods_of(grid), grid.seeds):
                cell = own | method | {"asked": asked, "seed": seed, "marks": marks}
                its = [
                    Step(**cell, request=end - 1) for end in ends_of(method_of(method), scenario)
                ]
                bases[its[0].base()] = None
                steps |= dict.fromkeys(its)
    return Plan(grid, *(tuple(cells) for cells in (bases, rivals, retrains, steps)))
