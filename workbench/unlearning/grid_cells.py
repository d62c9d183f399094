"""What is done in a cell of the grid: a model is fitted, or one request is served.

`fit` and `serve` leave in their folder, beside the table that `run` keeps:
  model/             weights, graph and settings; of a stream the last two and those at checkpoints
  measures.parquet   [measure, unit, value, user]: what is measured of the model at a checkpoint

A step whose predecessor's model was dropped is served from the nearest one that is left, the requests
between done once more. Everything is made from seeds, so that whatever is made again is the same.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ModelError
from workbench.recommend.evaluation import evaluate_targets
from workbench.recommend.protocol import fitted_copy
from workbench.recommend.tasks import Task
from workbench.runs import folder_of, read
from workbench.unlearning.endpoints import measures
from workbench.unlearning.grid import (
    Fit,
    Step,
    algorithm_of,
    model_class,
    scenario_of,
    served,
    situation,
    task_of,
)
from workbench.unlearning.outcome import unlearn
from workbench.unlearning.references import reseeded
from workbench.unlearning.scenarios import Scenario
from workbench.unlearning.stream import Method, line_of
from workbench.whole import PARTIAL

Measure = Callable[[Any, Scenario, int], pd.DataFrame]
NOTES = ("curvature", "steps", "residual", "end", "damping", "gradient", "guarantee")
"""What of an algorithm's notes becomes a column."""
K = 10


def fit(config: Fit, work: Path) -> pd.DataFrame:
    """Fit one model. [ndcg, low persons …]: one row, how good it is and what it took."""
    task = situation(config.source, task_of(model_class(config.model)))
    kind = model_class(config.model)
    fresh = reseeded(kind(config.settings) if config.settings else kind(), config.seed)
    # fitted on what is left, or on all
    scenario = None
    log = task.train
    if config.asked is not None:
        scenario = scenario_of(config.source, task_of(kind), config.asked)
        log = scenario.train(config.done)
    start = time.perf_counter()
    model = fitted_copy(fresh, log)
    seconds = time.perf_counter() - start
    model.save(work / "model")
    # what is measured of it
    if scenario is not None:
        _measured(model, scenario, config.done, work)
    found = utility(model, task)
    line = {"ndcg": found["value"].mean(), "persons": len(found), "train_seconds": seconds}
    return pd.DataFrame([line | {"rows": len(log)}])


def serve(config: Step, work: Path, runs: Path) -> pd.DataFrame:
    """Serve one request: one line of `Stream.outcomes`, its notes as JSON."""
    scenario = scenario_of(config.source, task_of(model_class(config.model)), config.asked)
    method = replace(algorithm_of(config.algorithm), batch=config.batch)
    method = replace(method, config=config.told or method.config)
    requests = served(config, scenario)
    place = [request.request for request in requests].index(config.request)
    # the model that the stream has come to
    model, first = _last(config, method, scenario, place, runs)
    for number in range(first, place + 1):
        begun = requests[number - 1].request + 1 if number else 0
        before = scenario.train(begun)
        outcome = unlearn(
            method.algorithm, model, before, requests[number], method.config, config.seed
        )
        model = outcome.model
    model.save(work / "model")
    # what is measured between two batches is asked of the model after the second
    marks = [mark for mark in config.marks if begun < mark <= config.request + 1]
    for mark in marks:
        _measured(model, scenario, mark, work)
    # of a stream the last two models stay, and those at checkpoints
    _drop(config, requests, place - 2, runs)
    line = line_of(outcome, config.request, len(requests[place]))
    told = {name: line.pop(name, None) for name in (*NOTES, *outcome.notes) if name != "error"}
    columns = {name: _plain(told[name]) for name in NOTES}
    return pd.DataFrame([line | columns | {"notes": json.dumps(told, default=str)}])


def utility(model: Any, task: Task) -> pd.DataFrame:
    """NDCG@10 on the test questions of a task, every person once: [measure, unit, value]."""
    found = evaluate_targets(model, task.histories, task.targets, K, exclude=task.exclude)
    found = found[found["metric"] == "ndcg"].dropna(subset=["value"])
    means = found["value"].groupby(task.person[found["row"]]).mean()
    return pd.DataFrame({"measure": "ndcg", "unit": means.index, "value": means.to_numpy()})


def load_model(folder: Path) -> Any:
    """A model that a cell left; raises `ModelError` where there is none, or one of no known kind."""
    try:
        kind = json.loads((folder / "model.json").read_text(encoding="utf-8"))["model"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        do = "run the cell again"
        raise ModelError(f"no model ({error})", str(folder), "a saved model", do) from error
    return model_class(kind).load(folder)


def step_folder(config: Step, request: int, runs: Path) -> Path:
    """Where the step of another request of the same stream is."""
    return folder_of(config.model_copy(update={"request": request}), serve, runs)


def measured(config: Fit | Step, folder: Path) -> pd.DataFrame:
    """What a cell measured, [done, measure, unit, value]; empty away from checkpoints. For
    `rescore`."""
    path = folder / "measures.parquet"
    if not path.is_file():
        return pd.DataFrame(columns=["done", "measure", "unit", "value"])
    return pd.read_parquet(path).drop(columns="user")


def _measured(model: Any, scenario: Scenario, done: int, work: Path) -> None:
    """Append what is measured after so many requests. `user`: the code of the person, by which
    `purge` finds the rows."""
    found = pd.concat([measures(model, scenario, done), utility(model, scenario.task)])
    people = np.where(
        found["measure"] == "ndcg", found["unit"], scenario.task.people[found["unit"]]
    )
    path = work / "measures.parquet"
    parts = [pd.read_parquet(path)] if path.is_file() else []
    table = pd.concat([*parts, found.assign(done=done, user=people)], ignore_index=True)
    table.to_parquet(path, index=False)


def _last(
    config: Step, method: Method, scenario: Scenario, place: int, runs: Path
) -> tuple[Any, int]:
    """The nearest model before the step at `place`, and the first step that is to be served on it."""
    requests = served(config, scenario)
    for before in range(place - 1, -1, -1):
        folder = step_folder(config, requests[before].request, runs) / "model"
        if folder.is_dir():
            return load_model(folder), before + 1
    base = folder_of(config.base(), fit, runs)
    read(base)  # a base that is not there is told as a run
    model = load_model(base / "model")
    return (method.prepare(model, scenario.task.train) if method.prepare else model), 0


def _drop(config: Step, requests: list, place: int, runs: Path) -> None:
    """Drop the model of the step at `place`, in one move, unless it is at a checkpoint."""
    if place < 0:
        return
    begun = requests[place - 1].request + 1 if place else 0
    if any(begun < mark <= requests[place].request + 1 for mark in config.marks):
        return
    folder = step_folder(config, requests[place].request, runs)
    gone = runs / f"{PARTIAL}dropped-{folder.name}"
    with suppress(OSError):  # it may be gone already
        os.replace(folder / "model", gone)
        shutil.rmtree(gone, ignore_errors=True)


def _plain(value: Any) -> Any:
    """Text and numbers as they are, anything else as text."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if np.ndim(value) == 0 else json.dumps(value, default=str)
