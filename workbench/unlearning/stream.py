"""Requests one after another, each starting from the model that the last one left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workbench.unlearning.outcome import Algorithm, Outcome, unlearn
from workbench.unlearning.requests import merged
from workbench.unlearning.scenarios import Scenario


@dataclass(frozen=True)
class Method:
    """A row of the table: an algorithm with its settings, under a name.

    config: of the algorithm, None for its defaults. prepare: makes of the base, a fitted model, and
    the training log the model that the method starts from (shards, another model); None takes the base.
    batch: requests that wait for each other and are served as one.
    """

    name: str
    algorithm: Algorithm = field(repr=False)
    config: Any = None
    prepare: Callable[[Any, Any], Any] | None = field(default=None, repr=False)
    batch: int = 1


@dataclass(frozen=True, eq=False)
class Stream:
    """What became of a model along a stream.

    outcomes: [request, status, step, seconds, peak_bytes, rows, error], one line a request that was
    served. models: by the number of requests done, at every checkpoint; 0 is what it started from.
    """

    method: Method
    scenario: Scenario
    outcomes: pd.DataFrame = field(repr=False)
    models: dict[int, Any] = field(repr=False)


def checkpoints_of(n_requests: int, n: int = 4) -> tuple[int, ...]:
    """After how many requests models are looked at: ¼, ½, ¾ and all of them.

    >>> checkpoints_of(40)
    (10, 20, 30, 40)
    """
    return tuple(sorted({max(1, round(n_requests * part / n)) for part in range(1, n + 1)}))


def stream(
    method: Method, base: Any, scenario: Scenario, seed: int = 0, checkpoints: int = 4
) -> Stream:
    """Serve all requests of a scenario; the base stays as it is."""
    marks = checkpoints_of(len(scenario.requests), checkpoints)
    model = base.copy() if method.prepare is None else method.prepare(base, scenario.task.train)
    models, lines, served = {0: model}, [], 0
    for request in merged(scenario.requests, method.batch):
        outcome = unlearn(
            method.algorithm, model, scenario.train(served), request, method.config, seed
        )
        served, model = request.request + 1, outcome.model
        lines.append(line_of(outcome, request.request, len(request)))
        # between two batches the model waits: what is asked of it then is asked of the last one
        models |= {mark: model for mark in marks if mark <= served and mark not in models}
    return Stream(method, scenario, pd.DataFrame(lines), models)


def line_of(outcome: Outcome, request: int, rows: int) -> dict[str, Any]:
    """One line of `Stream.outcomes`."""
    line = {"request": request, "status": outcome.status, "step": outcome.step}
    cost = {"seconds": outcome.seconds, "peak_bytes": outcome.peak_bytes, "rows": rows}
    return line | cost | {"error": ""} | outcome.notes
