"""What a folder of finished cells says: verdicts with intervals, costs, which methods did the same.

Read from what the cells left. Another metric is asked of the models that are kept; nothing is trained
or served again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.runs import folder_of, is_done, rescore
from workbench.unlearning.assessment import assess, sessions_told
from workbench.unlearning.grid import Plan
from workbench.unlearning.grid_cells import Measure, fit, load_model, measured, nothing, serve
from workbench.unlearning.grid_config import Asked, Fit, Source, Step
from workbench.unlearning.grid_names import name_of, scenario_of, task_of
from workbench.unlearning.methods import requests_asked, requests_per_retrain
from workbench.unlearning.outcome import NOTHING, STATUSES, step_length
from workbench.unlearning.scenario import ENOUGH, Scenario

CELL = ["source", "model", "settings", "asked"]
"""What retrains and methods of one comparison share."""
METHOD = ["algorithm", "code", "mode", "told", "batch"]
HEAD = ["data", "model", "topic", "draw"]
"""The same as a reader calls it; draw: the seed that drew who asks."""


def verdicts(plan: Plan, folder: Path, measure: Measure | None = None) -> pd.DataFrame:
    """Every method against the retrains, and retrains held out against the others, at every
    checkpoint: [data, model, topic, draw, <the columns of an `Assessment`>, sessions].

    sessions: of a session task, how many continued sessions were asked at the checkpoint; else none.

    measure: another one than the cells took, (model, scenario, done) -> [measure, unit, value]; asked
    of the kept models, nothing is trained again. Raises `DataError` where nothing is finished.

    >>> verdicts(plan(grid), folder).query("measure == 'deleted'")  # doctest: +SKIP
    """
    read = _asking(measure) if measure else measured
    found = _of(plan.steps, serve, folder, read)
    against = _of(plan.retrains, fit, folder, read)
    if not len(found) or not len(against):
        do = "workbench unlearn run goes on with it"
        raise DataError("no finished step and retrain yet", str(folder), "some of both", do)
    tables = []
    for head, part in _groups(found, CELL):
        same = _where(against, head)
        # a checkpoint counts once a retrain of it is there
        part = part[part["done"].isin(same["done"])]
        part = part.assign(method=[name_of(row) for row in part[METHOD].to_dict("records")])
        if len(part):
            own = assess(part.rename(columns={"seed": "base"}), same, plan.grid.margin).table
            own["sessions"] = _sessions(plan, head, own["checkpoint"])
            tables.append(_headed(own, head))
    return pd.concat(tables, ignore_index=True)


def costs(plan: Plan, folder: Path) -> pd.DataFrame:
    """What methods took: [data, model, topic, draw, method, requests, done, no-op, failed, seconds,
    steps, residual, step, peak_mb, pays_until].

    done, no-op, failed: lines, of which a batch is one. seconds: of all lines, per request served;
    what failed has cost and is not served. steps, residual, step: means of lines. pays_until: how
    many requests cost as much as one retrain.
    """
    steps = _of(plan.steps, serve, folder, _lines)
    retrains = _of(plan.retrains, fit, folder, _lines)
    rows = []
    for head, part in _groups(steps, [*CELL, *METHOD]):
        # streams below each other, each from its first request
        part = part.sort_values(["seed", "request"])
        counts = {status: int((part["status"] == status).sum()) for status in STATUSES}
        line = {"method": name_of(head), "requests": int(requests_asked(part).sum())} | counts
        # one second of a retrain is worth so many requests
        with np.errstate(divide="ignore"):
            line["seconds"] = float(np.divide(1.0, requests_per_retrain(1.0, part)))
        means = part[["steps", "residual", "step"]].apply(pd.to_numeric).mean()
        line |= means.to_dict() | {"peak_mb": part["peak_bytes"].max() / 2**20}
        fitted = _where(retrains, {name: head[name] for name in CELL})["train_seconds"]
        known = len(fitted) > 0
        line["pays_until"] = requests_per_retrain(fitted.mean(), part) if known else np.nan
        rows.append(_headed(pd.DataFrame([line]), head))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=[*HEAD, "method"])


def outcomes(plan: Plan, folder: Path) -> pd.DataFrame:
    """Every request that was served, as the lines of a `Stream`: [data, model, topic, draw, method,
    seed, request, status, step, seconds, peak_bytes, …], for a dashboard or a frontier."""
    rows = []
    for head, part in _groups(_of(plan.steps, serve, folder, _lines), [*CELL, *METHOD]):
        own = part.drop(columns=["run", "data", "marks", *CELL, *METHOD]).assign(
            method=name_of(head)
        )
        rows.append(_headed(own, head))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=[*HEAD, "method"])


def kept_models(
    plan: Plan, folder: Path, model: str, asked: Asked | None = None
) -> tuple[dict[str, list[Any]], list[Any], Scenario]:
    """What attacks are asked of: models of every method at the last checkpoint, one a base, the
    retrains, and the requests. asked: of the grid, its first unless told."""
    asked = asked or plan.grid.asked[0]
    found: dict[str, list[Any]] = {}
    for one in plan.steps:
        place = folder_of(one, serve, folder) / "model"
        last = (one.model, one.asked, one.request + 1) == (model, asked, one.marks[-1])
        if last and place.is_dir():
            found.setdefault(name_of(dict(one)), []).append(load_model(place))
    end = max((one.done for one in plan.retrains), default=0)
    same = [one for one in plan.retrains if (one.model, one.asked, one.done) == (model, asked, end)]
    there = [one for one in same if is_done(one, fit, folder)]
    retrained = [load_model(folder_of(one, fit, folder) / "model") for one in there]
    return found, retrained, scenario_of(plan.grid.sources[0], task_of(model), asked)


def apart(plan: Plan, folder: Path) -> pd.DataFrame:
    """How far the results of any two methods are from each other at the last checkpoint: [data,
    model, topic, draw, seed, one, other, apart, same].

    apart: ‖θ − θ'‖ / ‖θ‖ of the weights; same: below `NOTHING`, as of all methods that did nothing.
    Models that are not saved, or of other shapes, are left out.
    """
    last = [one for one in plan.steps if one.request + 1 == one.marks[-1]]
    columns = [*HEAD, "seed", "one", "other", "apart", "same"]
    rows = []
    for _, group in itertools.groupby(sorted(last, key=_base_key), _base_key):
        models = {}
        for one in group:
            place = folder_of(one, serve, folder) / "model"
            if place.is_dir():
                models[name_of(dict(one))] = load_model(place)
        head = {name: getattr(one, name) for name in CELL}
        for first, second in itertools.combinations(models, 2):
            if type(models[first]) is not type(models[second]):
                continue
            far = step_length(models[first], models[second])
            line = {"seed": one.seed, "one": first, "other": second, "apart": far}
            rows.append(_headed(pd.DataFrame([line | {"same": far < NOTHING}]), head))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)


def undertrained(plan: Plan, folder: Path) -> pd.DataFrame:
    """Bases beside their counted rivals: [data, model, ndcg, rival, rival_ndcg, undertrained]."""
    bases = _of(plan.bases, fit, folder, _lines)
    rivals = _of(plan.rivals, fit, folder, _lines)
    rows = []
    for head, part in _groups(bases, ["source", "model"]):
        for rival in _where(rivals, {"source": head["source"]}).to_dict("records"):
            if task_of(rival["model"]) != task_of(head["model"]):
                continue
            line = {"model": head["model"], "ndcg": part["ndcg"].mean(), "rival": rival["model"]}
            line |= {"rival_ndcg": rival["ndcg"], "data": _read(Source, head["source"]).name}
            rows.append(line | {"undertrained": line["ndcg"] < rival["ndcg"]})
    columns = ["data", "model", "ndcg", "rival", "rival_ndcg", "undertrained"]
    return pd.DataFrame(rows, columns=columns)


def summary(plan: Plan, folder: Path, found: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table of the benchmark: the primary endpoint at the last checkpoint with verdict and costs,
    equal methods, undertrained bases and too few sessions marked; in the order of the grid. found: of `verdicts`, where
    it has been made already."""
    table = verdicts(plan, folder) if found is None else found
    table = table[table["verdict"] != ""]
    table = table[table["checkpoint"] == table.groupby(HEAD)["checkpoint"].transform("max")]
    table = table.merge(costs(plan, folder), "left", [*HEAD, "method"])
    # notes: equal results, and bases that were not trained out
    pairs, weak = apart(plan, folder), undertrained(plan, folder)
    pairs, weak = pairs[pairs["same"].astype(bool)], weak[weak["undertrained"].astype(bool)]
    weak = set(zip(weak["data"], weak["model"], strict=True))
    table["note"] = [_note(row, pairs, weak) for row in table.to_dict("records")]
    return table.reset_index(drop=True)


def as_latex(table: pd.DataFrame) -> str:
    """The summary as LaTeX, estimates with their 95 % intervals."""
    shown = table[["data", "model", "method", "checkpoint"]].copy()
    numbers = table[["estimate", "low", "high"]].to_numpy(float)
    shown["distance"] = [f"{a:+.3f} [{b:+.3f}, {c:+.3f}]" for a, b, c in numbers]
    shown[["verdict", "note"]] = table[["verdict", "note"]]
    return shown.to_latex(index=False, escape=True)


# --- parts ----------------------------------------------------------------------------------------


def _of(cells: Sequence[Fit | Step], function: Any, folder: Path, read: Any) -> pd.DataFrame:
    """What is read of the finished cells."""
    there = [one for one in cells if is_done(one, function, folder)]
    return rescore(there, read, folder, of=function, keep=True)


def _sessions(plan: Plan, head: dict[str, Any], checkpoints: pd.Series) -> pd.Series:
    """Continued sessions asked at each checkpoint; nothing of other tasks."""
    if task_of(head["model"]) != "session":
        return pd.Series(np.nan, checkpoints.index)
    where = _read(Source, head["source"]), _read(Asked, head["asked"])
    return checkpoints.map(lambda done: plan.facts.sessions(*where, int(done)))


def _asking(measure: Measure) -> Any:
    """A function for `rescore` that asks the kept model of a cell."""

    def asked(config: Fit | Step, folder: Path) -> pd.DataFrame:
        done = config.done if isinstance(config, Fit) else config.request + 1
        # while a batch waits, and for methods that are not saved, no model is kept
        at_mark = isinstance(config, Fit) or done in config.marks
        if not at_mark or not (folder / "model").is_dir():
            return nothing()
        scenario = scenario_of(config.source, task_of(config.model), config.asked)
        return measure(load_model(folder / "model"), scenario, done).assign(done=done)

    return asked


def _lines(config: Fit | Step, folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "result.parquet")


def _groups(table: pd.DataFrame, by: list[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Parts that are alike in some columns, and how."""
    if table.empty:
        return []
    groups = table.groupby(by, sort=False, dropna=False)
    return [(dict(zip(by, key, strict=True)), part) for key, part in groups]


def _where(table: pd.DataFrame, same: dict[str, Any]) -> pd.DataFrame:
    mask = np.ones(len(table), bool)
    for name, value in same.items():
        mask &= (table[name].isna() if value is None else table[name] == value).to_numpy()
    return table[mask]


def _headed(table: pd.DataFrame, head: dict[str, Any]) -> pd.DataFrame:
    """A table led by what its cells share, as a reader calls it."""
    asked = _read(Asked, head["asked"])
    own = (_read(Source, head["source"]).name, head["model"], str(asked), asked.seed)
    for place, (name, value) in enumerate(zip(HEAD, own, strict=True)):
        table.insert(place, name, value)
    return table


def _read(kind: Any, value: Any) -> Any:
    return value if isinstance(value, kind) else kind.model_validate_json(value)


def _base_key(step: Step) -> tuple[str, ...]:
    return step.base().model_dump_json(), step.asked.model_dump_json()


def _note(row: dict[str, Any], pairs: pd.DataFrame, weak: set[tuple[str, str]]) -> str:
    """What a reader of a row has to know besides."""
    said = ["undertrained"] if (row["data"], row["model"]) in weak else []
    if row.get("sessions", ENOUGH) < ENOUGH:
        said.append(sessions_told(int(row["sessions"])))
    mine = _where(pairs, {name: row[name] for name in HEAD})
    others = {
        *mine["other"][mine["one"] == row["method"]],
        *mine["one"][mine["other"] == row["method"]],
    }
    if others:
        said.append(f"same as {', '.join(sorted(others))}")
    return "; ".join(said)
