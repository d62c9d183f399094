"""Requests one after another, each starting from the model that the last one left.

A request that fails is recorded, and the stream goes on from the model there was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.unlearning.outcome import FAILED, NO_OP, Algorithm, Outcome, unlearn
from workbench.unlearning.requests import Request, merged
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

    def start(self, base: Any, scenario: Scenario) -> Any:
        """The model that the method starts from; a copy, or what `prepare` makes."""
        return base.copy() if self.prepare is None else self.prepare(base, scenario.task.train)


@dataclass(frozen=True, eq=False)
class Stream:
    """What became of a model along a stream.

    outcomes: [request, status, step, seconds, peak_bytes, rows, seed, error], one line a request
    that was served, and the notes of the algorithm. models: by the number of requests done, at
    every checkpoint; the least is what it started from.
    """

    method: Method
    scenario: Scenario
    outcomes: pd.DataFrame = field(repr=False)
    models: dict[int, Any] = field(repr=False)

    def __repr__(self) -> str:
        told = _counts(self.outcomes, "status") or "nothing served"
        ends = _counts(self.outcomes, "end")
        told += f"; ended: {ends}" if ends else ""
        return f"Stream({self.method.name} on {self.scenario.name}: {told})"


def _counts(outcomes: pd.DataFrame, column: str) -> str:
    """How often each word stands in a column: "16 limit, 4 converged"; empty without the column."""
    said = outcomes[column].value_counts() if column in outcomes else {}
    return ", ".join(f"{n} {word}" for word, n in said.items())


def checkpoints_of(n_requests: int, n: int = 4) -> tuple[int, ...]:
    """After how many requests models are looked at: ¼, ½, ¾ and all of them.

    >>> checkpoints_of(40)
    (10, 20, 30, 40)
    """
    return tuple(sorted({max(1, round(n_requests * part / n)) for part in range(1, n + 1)}))


@lru_cache(maxsize=16)
def served(scenario: Scenario, batch: int = 1) -> tuple[Request, ...]:
    """The requests as a method with this batch sees them."""
    return tuple(merged(scenario.requests, batch))


def ends_of(method: Method, scenario: Scenario) -> tuple[int, ...]:
    """How many requests are done after each that the method serves; with batch=1 one more each."""
    return tuple(one.request + 1 for one in served(scenario, method.batch))


def seed_of(seed: int, k: int) -> int:
    """The seed of the k-th request: every one draws its own noise."""
    return int(np.random.SeedSequence([seed, k]).generate_state(1)[0])


def serve(method: Method, model: Any, scenario: Scenario, k: int, seed: int = 0) -> Outcome:
    """Serve the k-th request that the method sees (from 0), a batch where it waits for one.

    model: as the request before left it. A request of rows that are all outside the training part
    leaves nothing to do, but to a filter (a model with `bury`), which hides rows of validation too;
    one of rows that are nowhere, or forgotten already, has failed.
    """
    request = served(scenario, method.batch)[k]
    done = ends_of(method, scenario)[k - 1] if k else 0
    # a model stands for what it learned from; a filter for all that the service knows
    before = scenario.known(done) if hasattr(model, "bury") else scenario.train(done)
    if not len(request.within(before)) and len(request.within(scenario.valid(done))):
        notes = {"note": "no row of it is in the training part"}
        return Outcome(model.copy(), NO_OP, 0.0, 0.0, 0, notes)
    try:
        return unlearn(method.algorithm, model, before, request, method.config, seed_of(seed, k))
    except DataError as error:
        notes = {"error": f"DataError: {error}"}
        return Outcome(model.copy(), FAILED, 0.0, 0.0, 0, notes)


def stream(
    method: Method,
    base: Any,
    scenario: Scenario,
    seed: int = 0,
    checkpoints: int = 4,
) -> Stream:
    """Serve all requests of a scenario; the base stays as it is."""
    marks = checkpoints_of(len(scenario.requests), checkpoints)
    model, lines, done = method.start(base, scenario), [], 0
    models = {0: model}
    for k, end in enumerate(ends_of(method, scenario)):
        outcome = serve(method, model, scenario, k, seed)
        # between two batches the model waits: what is asked of it then is asked of the last one
        models |= {mark: model for mark in marks if done < mark < end}
        rows = sum(len(one) for one in scenario.requests[done:end])
        lines.append(line_of(outcome, end - 1, rows) | {"seed": seed_of(seed, k)})
        done, model = end, outcome.model
        if done in marks:
            models[done] = model
    return Stream(method, scenario, pd.DataFrame(lines), models)


def line_of(outcome: Outcome, request: int, rows: int) -> dict[str, Any]:
    """One line of `Stream.outcomes`."""
    line = {"request": request, "status": outcome.status, "step": outcome.step}
    cost = {"seconds": outcome.seconds, "peak_bytes": outcome.peak_bytes, "rows": rows}
    return line | cost | {"error": ""} | outcome.notes
