"""What is done in a cell of the grid: a model is fitted, or one request is served.

`fit` and `serve` leave in their folder, beside the table that `run` keeps:
  model/             weights, graph and settings; of a stream the last two and those at checkpoints
  measures.parquet   [measure, unit, value, user]: what is measured of the model at a checkpoint

What `purge` sees here: rows of `measures.parquet`, by the code of the person in `user`. What it does not:
weights that were trained with a person, ids that counted models keep in their arrays, and lines about
one person's request (its number, how many rows, seconds). Those go with the folder alone.

A step whose predecessor's model was dropped is served from the nearest one that is left, the requests
between done once more. Everything is made from seeds, so that whatever is made again is the same.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ModelError
from workbench.recommend.evaluation import evaluate_targets
from workbench.recommend.protocol import fitted_copy
from workbench.recommend.saving import load_model as saved_model
from workbench.recommend.tasks import Task
from workbench.runs import folder_of, read
from workbench.unlearning.grid_config import Fit, Step
from workbench.unlearning.grid_names import method_of, model_class, scenario_of, situation, task_of
from workbench.unlearning.measures import measures
from workbench.unlearning.references import reseeded
from workbench.unlearning.scenario import Scenario
from workbench.unlearning.stream import Method, ends_of, line_of
from workbench.unlearning.stream import serve as serve_next
from workbench.whole import PARTIAL

Measure = Callable[[Any, Scenario, int], pd.DataFrame]
NOTES = ("curvature", "steps", "residual", "end", "damping", "gradient", "guarantee")
"""What of an algorithm's notes becomes a column."""
K, QUESTIONS = 10, 1_000


def fit(config: Fit, work: Path) -> pd.DataFrame:
    """Fit one model: one row, [rows, train_seconds], of bases and rivals also [ndcg, persons]."""
    kind = model_class(config.model)
    task = situation(config.source, task_of(config.model))
    log, scenario = task.train, None
    if config.asked is not None:
        scenario = scenario_of(config.source, task_of(config.model), config.asked)
        log, task = scenario.train(config.done), scenario.task
    # a start of its own seed, fitted on what is left
    fresh = reseeded(kind(config.settings) if config.settings else kind(), config.seed)
    start = time.perf_counter()
    model = fitted_copy(fresh, log)
    line = {"rows": len(log), "train_seconds": time.perf_counter() - start}
    model.save(work / "model")
    if config.done:
        _measured(model, scenario, (config.done,), work)
    else:
        line |= utility(model, task)
    return pd.DataFrame([line])


def serve(config: Step, work: Path, runs: Path) -> pd.DataFrame:
    """Serve one request: one line of `Stream.outcomes`, its notes as JSON."""
    scenario = scenario_of(config.source, task_of(config.model), config.asked)
    method = method_of(dict(config))
    ends = ends_of(method, scenario)
    k = ends.index(config.request + 1)
    begun = ends[k - 1] if k else 0
    # the model that the stream has come to; what is measured while a batch waits is asked of it
    model, first = _last(config, method, scenario, ends[:k], runs)
    for number in range(first, k):
        model = serve_next(method, model, scenario, number, config.seed).model
    _measured(model, scenario, [mark for mark in config.marks if begun < mark < ends[k]], work)
    outcome = serve_next(method, model, scenario, k, config.seed)
    if hasattr(outcome.model, "save"):
        outcome.model.save(work / "model")
    if ends[k] in config.marks:
        _measured(outcome.model, scenario, (ends[k],), work)
    # of a stream the last two models stay, and those at checkpoints
    if k > 1 and ends[k - 2] not in config.marks:
        _drop(step_folder(config, ends[k - 2] - 1, runs), runs)
    rows = sum(len(one) for one in scenario.requests[begun : ends[k]])
    line = line_of(outcome, config.request, rows)
    told = {name: line.pop(name) for name in outcome.notes if name != "error"}
    columns = {name: _plain(told.get(name)) for name in NOTES}
    notes = json.dumps(told, default=str, sort_keys=True)
    return pd.DataFrame([line | columns | {"notes": notes}])


def utility(model: Any, task: Task) -> dict[str, float]:
    """NDCG@10 on the test questions of a task (1,000 at most), every person once."""
    some = np.sort(np.random.default_rng(0).permutation(len(task.histories))[:QUESTIONS])
    exclude = None if task.exclude is None else task.exclude[some]
    histories = task.histories.select(some)
    found = evaluate_targets(model, histories, task.targets[some], K, exclude=exclude)
    found = found[found["metric"] == "ndcg"].dropna(subset=["value"])
    means = found["value"].groupby(task.person[some][found["row"]]).mean()
    return {"ndcg": means.mean(), "persons": len(means)}


def load_model(folder: Path) -> Any:
    """A model that a cell left; raises `ModelError` where there is none, or one of no known kind."""
    from workbench.unlearning.algorithms import Sisa, Tombstone

    return saved_model(folder, Sisa, Tombstone)


def step_folder(config: Step, request: int, runs: Path) -> Path:
    """Where the step of another request of the same stream is."""
    return folder_of(config.model_copy(update={"request": request}), serve, runs)


def measured(config: Fit | Step, folder: Path) -> pd.DataFrame:
    """What a cell measured, [done, measure, unit, value]; empty away from checkpoints. For
    `rescore`."""
    path = folder / "measures.parquet"
    if not path.is_file():
        return nothing()
    return pd.read_parquet(path).drop(columns="user")


def nothing() -> pd.DataFrame:
    """A table of measures without a line."""
    return pd.DataFrame({"done": [0], "measure": [""], "unit": [0], "value": [0.0]}).iloc[:0]


def _measured(model: Any, scenario: Scenario, marks: Iterable[int], work: Path) -> None:
    """Append what is measured after so many requests. `user`: the code of the person, by which
    `purge` finds the rows."""
    path = work / "measures.parquet"
    parts = [pd.read_parquet(path)] if path.is_file() else []
    parts += [measures(model, scenario, mark).assign(done=mark) for mark in marks]
    if parts:
        table = pd.concat(parts, ignore_index=True)
        table.assign(user=table["unit"]).to_parquet(path, index=False)


def _last(
    config: Step, method: Method, scenario: Scenario, ends: tuple[int, ...], runs: Path
) -> tuple[Any, int]:
    """The nearest model of the stream that is left, and the first request to be served on it."""
    for k in range(len(ends), 0, -1):
        folder = step_folder(config, ends[k - 1] - 1, runs) / "model"
        if folder.is_dir():
            try:
                return load_model(folder), k
            except (ModelError, OSError):  # another process may have dropped it meanwhile
                if folder.is_dir():
                    raise
    base = folder_of(config.base(), fit, runs)
    read(base)  # a base that is not there is told as a run
    return method.start(load_model(base / "model"), scenario), 0


def _drop(folder: Path, runs: Path) -> None:
    """Drop the model of a step, in one move."""
    gone = runs / f"{PARTIAL}dropped-{folder.name}"
    with suppress(OSError):  # it may be gone already
        os.replace(folder / "model", gone)
        shutil.rmtree(gone, ignore_errors=True)


def _plain(value: Any) -> Any:
    """Text and numbers as they are, anything else as text."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if np.ndim(value) == 0 else json.dumps(value, default=str)
