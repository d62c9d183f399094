"""The cells of a grid: models that are fitted, those fitted anew without what was forgotten, and one
step for every request that a method serves.

`run_grid` (`grid_run.py`) runs them, `summary` (`grid_table.py`) holds them against each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.unlearning.grid_config import Asked, Fit, Grid, Source, Step
from workbench.unlearning.grid_facts import Facts
from workbench.unlearning.grid_names import (
    RIVALS,
    Own,
    methods_of,
    model_class,
    must_fit,
    settings_of,
    task_of,
)
from workbench.unlearning.stream import checkpoints_of


@dataclass(frozen=True)
class Plan:
    """The cells of a grid: bases and rivals, retrains, steps."""

    grid: Grid
    bases: tuple[Fit, ...]
    rivals: tuple[Fit, ...]
    retrains: tuple[Fit, ...]
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    """What a reader has to know: fewer people than were asked for, algorithms that are left out."""
    facts: Facts = field(default_factory=Facts, repr=False, compare=False)
    """What was looked up in the data."""

    def __repr__(self) -> str:
        chains = len({step.stream() for step in self.steps})
        fits = f"{len(self.bases)} bases, {len(self.rivals)} rivals, {len(self.retrains)} retrains"
        return f"Plan({self.grid.name}: {chains} cells, {len(self.steps)} requests, {fits})"


def plan(grid: Grid, kept: Sequence[Own] | None = None, facts: Facts | None = None) -> Plan:
    """All cells of a grid. Raises `ConfigError` for names and settings that there are not, and
    `DataError` where nobody can ask for what is asked.

    Modules of algorithms called `module:function` are imported, unless `kept` says what such a method
    was when the grid ran (`kept_own`); what it does not say is left out, and told in `notes`. facts:
    what is known of the data (`kept_facts`); what is not is looked up.
    """
    facts = Facts() if facts is None else facts
    bases, rivals, retrains, steps = {}, {}, {}, {}
    methods = methods_of(grid, kept)
    there = {one["algorithm"] for one in methods}
    notes = [
        f"{name}: not run yet, and not imported" for name in grid.algorithms if name not in there
    ]
    for (model, _), name in itertools.product(grid.models.items(), grid.algorithms):
        must_fit(name, model)
    for source, (model, told) in itertools.product(grid.sources, grid.models.items()):
        kind = model_class(model)
        task = task_of(model)
        shared = {"source": source, "data": facts.fingerprint(source)}
        own = shared | {"model": model, "settings": settings_of(kind, told, model)}
        rivals[Fit(**shared, model=RIVALS[task])] = None
        for asked in grid.asked:
            n = facts.requests(source, task, asked)
            notes += _fewer(asked, facts.people(source, task, asked), source, task)
            marks = checkpoints_of(n, grid.checkpoints)
            some = itertools.product(marks, grid.retrain_seeds)
            retrains |= dict.fromkeys(
                Fit(**own, asked=asked, done=done, seed=seed) for done, seed in some
            )
            for method, seed in itertools.product(methods, grid.seeds):
                cell = own | method | {"asked": asked, "seed": seed, "marks": marks}
                ends = [*range(method["batch"], n, method["batch"]), n]
                its = [Step(**cell, request=end - 1) for end in ends]
                bases[its[0].base()] = None
                steps |= dict.fromkeys(its)
    cells = (tuple(cells) for cells in (bases, rivals, retrains, steps))
    return Plan(grid, *cells, tuple(dict.fromkeys(notes)), facts)


def _fewer(asked: Asked, n: int, source: Source, task: str) -> list[str]:
    """What to say where fewer people can ask than were asked for."""
    if asked.kind in ("spam", "flood") or asked.n is None or n >= asked.n:
        return []
    return [f"{asked} on {source.name}, {task}: {asked.n:,} asked for, {n:,} can ask"]
