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
from workbench.runs import is_done, rescore
from workbench.unlearning.endpoints import Distance, distance
from workbench.unlearning.grid import (
    Asked,
    Fit,
    Plan,
    Source,
    Step,
    model_class,
    scenario_of,
    task_of,
)
from workbench.unlearning.grid_cells import Measure, fit, load_model, measured, serve
from workbench.unlearning.outcome import NOTHING, STATUSES, step_length

ENDPOINTS = ("deleted", "promoted")
"""Measures that have a verdict; of the others the distance is told, and no word said."""
CELL = ["source", "model", "settings", "asked"]
"""What retrains and methods of one comparison share."""
METHOD = ["algorithm", "mode", "told", "batch"]
DRAWS = 1_000


def verdicts(plan: Plan, folder: Path, measure: Measure | None = None) -> pd.DataFrame:
    """Every method against the retrains, and the retrains against each other, at every checkpoint.

    measure: another one than the cells took, (model, scenario, done) -> [measure, unit, value];
    asked of the kept models. Returns [data, model, topic, draw, algorithm, mode, done, measure,
    value, estimate, low, high, low90, high90, margin, verdict, decidable, n, bases, retrains]:
    estimate = unlearned less retrained. Raises `DataError` where nothing is finished.
    """
    read = _asking(measure) if measure else measured
    steps = [one for one in _there(plan.steps, serve, folder) if _at_mark(one)]
    retrains = _there(plan.retrains, fit, folder)
    if not steps or not retrains:
        do = "workbench unlearn run goes on with it"
        raise DataError("no finished step and retrain yet", str(folder), "some of both", do)
    found = rescore(steps, read, folder, of=serve).rename(columns={"done_at": "done"})
    against = rescore(retrains, read, folder, of=fit)
    rows = []
    for key, part in found.groupby([*CELL, "done", "measure"], sort=False, dropna=False):
        same = _where(against, dict(zip([*CELL, "done", "measure"], key, strict=True)))
        if same.empty:
            continue
        retrained = _wide(same)
        head = dict(zip([*CELL, "done", "measure"], key, strict=True))
        # the null: retrains against held-out retrains
        half = len(retrained) // 2
        if half:
            null = _line(retrained[:half], retrained[half:], plan.grid.margin, key[-1])
            rows.append(head | {"algorithm": "retrain", "mode": "", "batch": 1} | null)
        for name, its in part.groupby(METHOD, sort=False, dropna=False):
            own = dict(zip(METHOD, name, strict=True))
            rows.append(head | own | _line(_wide(its), retrained, plan.grid.margin, key[-1]))
    return _readable(pd.DataFrame(rows))


def costs(plan: Plan, folder: Path) -> pd.DataFrame:
    """What methods took: [data, model, topic, draw, algorithm, mode, requests, done, no-op, failed,
    seconds, peak_mb, steps, residual, step, pays_until].

    seconds, steps, residual, step: means per request. pays_until: requests at which a method costs
    as much as one retrain.
    """
    steps = rescore(_there(plan.steps, serve, folder), _lines, folder, of=serve)
    retrains = rescore(_there(plan.retrains, fit, folder), _lines, folder, of=fit)
    rows = []
    for key, part in steps.groupby([*CELL, *METHOD], sort=False, dropna=False):
        head = dict(zip([*CELL, *METHOD], key, strict=True))
        same = _where(retrains, {name: head[name] for name in CELL})
        counts = {status: int((part["status"] == status).sum()) for status in STATUSES}
        numbers = part[["seconds", "steps", "residual", "step"]].apply(pd.to_numeric).mean()
        cost = {"requests": len(part)} | counts | numbers.to_dict()
        cost["peak_mb"] = part["peak_bytes"].max() / 2**20
        cost["pays_until"] = same["train_seconds"].mean() / max(cost["seconds"], 1e-9)
        rows.append(head | cost)
    return _readable(pd.DataFrame(rows))


def apart(plan: Plan, folder: Path) -> pd.DataFrame:
    """How far the results of any two methods are from each other at the last checkpoint: [data,
    model, topic, draw, seed, one, other, apart, same].

    apart: ‖θ − θ'‖ / ‖θ‖ of the weights; same: below `NOTHING`. CEU and IDEA coincide once both are
    corrected; so do all methods that did nothing.
    """
    last = [one for one in _there(plan.steps, serve, folder) if one.request + 1 == one.marks[-1]]
    rows = []
    for _, group in itertools.groupby(sorted(last, key=_base_key), _base_key):
        group = list(group)
        models = {_name(one): load_model(_place(one, folder) / "model") for one in group}
        head = {"source": group[0].source, "model": group[0].model, "asked": group[0].asked}
        for one, other in itertools.combinations(models, 2):
            far = step_length(models[one], models[other])
            line = {"seed": group[0].seed, "one": one, "other": other, "apart": far}
            rows.append(head | line | {"same": bool(far < NOTHING)})
    return _readable(pd.DataFrame(rows))


def undertrained(plan: Plan, folder: Path) -> pd.DataFrame:
    """Bases beside their counted rivals: [data, model, ndcg, rival, rival_ndcg, undertrained]."""
    bases = rescore(_there(plan.bases, fit, folder), _lines, folder, of=fit)
    rivals = rescore(_there(plan.rivals, fit, folder), _lines, folder, of=fit)
    rows = []
    for (source, model), part in bases.groupby(["source", "model"], sort=False):
        same = rivals[(rivals["source"] == source) & (rivals["model"].map(_task) == _task(model))]
        for rival in same.to_dict("records"):
            own, its = part["ndcg"].mean(), rival["ndcg"]
            line = {"source": source, "model": model, "ndcg": own, "rival": rival["model"]}
            rows.append(line | {"rival_ndcg": its, "undertrained": bool(own < its)})
    return _readable(pd.DataFrame(rows))


def summary(plan: Plan, folder: Path) -> pd.DataFrame:
    """The table of the benchmark: endpoints at the last checkpoint with verdict and costs, equal
    methods and undertrained bases marked; in the order of the grid."""
    table = verdicts(plan, folder)
    table = table[table["measure"].isin(ENDPOINTS)]
    last = table.groupby(["data", "model", "topic", "draw"])["done"].transform("max")
    key = ["data", "model", "topic", "draw", "algorithm", "mode", "batch"]
    money = costs(plan, folder).rename(columns={"done": "served", "step": "length"})
    table = table[table["done"] == last].merge(
        money.drop(columns="told", errors="ignore"), "left", key
    )
    # notes: equal results, and bases that were not trained out
    pairs = apart(plan, folder)
    pairs = pairs[pairs["same"]] if len(pairs) else pairs
    weak = undertrained(plan, folder)
    weak = set(weak.loc[weak["undertrained"], "model"]) if len(weak) else set()
    table["note"] = [_note(row, pairs, weak) for row in table.to_dict("records")]
    return table.reset_index(drop=True)


def as_latex(table: pd.DataFrame) -> str:
    """The summary as LaTeX, estimates with their 95 % intervals."""
    shown = table[["data", "model", "algorithm", "mode", "done"]].copy()
    numbers = table[["estimate", "low", "high"]].to_numpy()
    shown["distance"] = [f"{a:+.3f} [{b:+.3f}, {c:+.3f}]" for a, b, c in numbers]
    shown["verdict"] = table["verdict"]
    if "note" in table:
        shown["note"] = table["note"]
    return shown.to_latex(index=False, escape=True)


# --- parts ----------------------------------------------------------------------------------------


def _there(cells: Sequence[Fit | Step], function: Any, folder: Path) -> list:
    return [one for one in cells if is_done(one, function, folder)]


def _at_mark(step: Step) -> bool:
    return any(step.request + 1 - step.batch < mark <= step.request + 1 for mark in step.marks)


def _asking(measure: Measure) -> Any:
    """A function for `rescore` that asks the kept model of a cell."""

    def asked(config: Fit | Step, folder: Path) -> pd.DataFrame:
        scenario = scenario_of(config.source, _task(config.model), config.asked)
        model = load_model(folder / "model")
        marks = [config.done] if isinstance(config, Fit) else _marks(config)
        parts = [measure(model, scenario, done).assign(done=done) for done in marks]
        return pd.concat(parts, ignore_index=True)

    return asked


def _marks(step: Step) -> list[int]:
    return [m for m in step.marks if step.request + 1 - step.batch < m <= step.request + 1]


def _lines(config: Fit | Step, folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "result.parquet")


def _wide(table: pd.DataFrame) -> np.ndarray:
    """(seeds, units), NaN where a unit has no value."""
    return table.pivot(index="seed", columns="unit", values="value").to_numpy()


def _where(table: pd.DataFrame, same: dict[str, Any]) -> pd.DataFrame:
    mask = np.ones(len(table), bool)
    for name, value in same.items():
        mask &= (table[name].isna() if pd.isna(value) else table[name] == value).to_numpy()
    return table[mask]


def _line(one: np.ndarray, two: np.ndarray, margin: float, measure: str) -> dict[str, Any]:
    """Distance and verdict of (bases, units) against (seeds, units)."""
    nothing = [np.nan] * 5
    whole = ~(np.isnan(one).any(axis=0) | np.isnan(two).any(axis=0))
    found = Distance(*nothing, margin, 0)
    if whole.any():
        found = distance(one, two, margin, draws=DRAWS)
    line = {"value": np.nanmean(one) if one.size else np.nan, "estimate": found.estimate}
    line |= {name: getattr(found, name) for name in ("low", "high", "low90", "high90")}
    verdict = found.verdict if measure in ENDPOINTS and whole.any() else ""
    line |= {"margin": margin, "verdict": verdict, "decidable": found.decidable}
    return line | {"n": int(whole.sum()), "bases": len(one), "retrains": len(two)}


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Nested fields as what a reader calls them: data, topic, draw (the seed that drew the people)."""
    if table.empty:
        return table
    table = table.copy()
    source = [_read(Source, text).name for text in table.pop("source")]
    table.insert(0, "data", source)
    if "asked" in table:
        asked = [_read(Asked, text) for text in table.pop("asked")]
        table.insert(2, "topic", [one.topic for one in asked])
        table.insert(3, "draw", [one.seed for one in asked])
    return table.drop(columns=["settings"], errors="ignore")


def _read(kind: Any, value: Any) -> Any:
    return value if isinstance(value, kind) else kind.model_validate_json(value)


def _task(model: str) -> str:
    return task_of(model_class(model))


def _name(step: Step) -> str:
    return " ".join(
        filter(None, (step.algorithm, step.mode, f"×{step.batch}"[: 3 * (step.batch > 1)]))
    )


def _base_key(step: Step) -> tuple[str, ...]:
    return step.base().model_dump_json(), step.asked.model_dump_json()


def _place(step: Step, folder: Path) -> Path:
    from workbench.runs import folder_of

    return folder_of(step, serve, folder)


def _note(row: dict[str, Any], pairs: pd.DataFrame, weak: set[str]) -> str:
    """What a reader of a row has to know besides."""
    said = ["undertrained"] if row["model"] in weak else []
    name = " ".join(filter(None, (row["algorithm"], row["mode"])))
    if len(pairs):
        mine = pairs[pairs["model"] == row["model"]]
        others = set(mine.loc[mine["one"] == name, "other"]) | set(
            mine.loc[mine["other"] == name, "one"]
        )
        if others:
            said.append(f"same as {', '.join(sorted(others))}")
    return "; ".join(said)
