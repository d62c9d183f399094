"""Unlearning on ml-100k: 120 people forget a genre, one after another; what is told apart from what?

    python benchmarks/unlearning_ml100k.py [--data FOLDER] [--jobs 2] [--model BPR] [--topic Horror]
        [--methods no-op,half-way]

Needs MovieLens 100K as RecBole atomic files (`ml-100k-recbole/ml-100k.inter`, `.item`) under
--data, WORKBENCH_DATA or WORKBENCH_TEST_DATA. Resumes where it was stopped: every base with a method
and every retrain is a cell. Writes `benchmarks/results/unlearning_ml100k.csv` and `.md`: aggregates
over the people who asked, never a row of one.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions, keep_at_least, keep_core, open_data
from workbench.recommend import BPR, SGL, BPRConfig, LightGCN, LightGCNConfig, SGLConfig
from workbench.recommend.evaluation import evaluate_targets
from workbench.recommend.tasks import Task, collaborative_task
from workbench.recommend.training import Training
from workbench.runs import run
from workbench.settings import ROOT, Frozen, settings
from workbench.statistics import bootstrap_mean
from workbench.unlearning import (
    Method,
    Scenario,
    assess,
    checkpoints_of,
    measures,
    reseeded,
    retrained,
    sensitive,
    stream,
)
from workbench.unlearning.algorithms import (
    TuneConfig,
    WarmStartConfig,
    ascent,
    fine_tune,
    flipped,
    half_way,
    no_op,
    retrain,
    warm_start,
)
from workbench.unlearning.algorithms.retrain import RetrainConfig
from workbench.unlearning.measures import exposed_never

FOLDER = "WORKBENCH_DATA"
RESULTS = ROOT / "benchmarks" / "results"
TRAINING = Training(epochs=40, batch=2048, learning_rate=5e-3)
MODELS = {"BPR": (BPR, BPRConfig), "LightGCN": (LightGCN, LightGCNConfig), "SGL": (SGL, SGLConfig)}
L2 = (0.0, 0.001, 0.003, 0.01, 0.03)
BASES, SEEDS = (1, 2), (11, 12, 13, 14, 15, 16)
REQUESTS = {"BPR": 120, "LightGCN": 120, "SGL": 40}
QUARTER = 4
"""Methods that wait serve a quarter of the requests at a time."""


def methods(n: int) -> dict[str, Method]:
    """The rows: controls first. n: requests of the scenario."""
    wait = -(-n // QUARTER)
    rows = [
        Method("no-op", no_op),
        Method("sign flip", flipped(ascent)),
        Method("half-way", half_way, batch=wait),
        Method("retrain", retrain, RetrainConfig(reseed=True), batch=wait),
        Method("ascent", ascent),
        Method("warm start", warm_start, WarmStartConfig(epochs=5), batch=wait),
        Method("fine-tune", fine_tune, TuneConfig(epochs=1), batch=wait),
    ]
    return {row.name: row for row in rows}


class Cell(Frozen):
    """One cell: a method on one base (`seed`), a retrain of one seed (method `refit`), the row
    *never had* of one base, or a validation of one l2 (method `valid`)."""

    model: str
    topic: str
    l2: float
    method: str
    seed: int


def data_folder() -> Path:
    """Where the reader's own data is, or the data that tests use."""
    given = settings().own_data or os.environ.get("WORKBENCH_TEST_DATA")
    return Path(given or ROOT.parent / "shared" / "data")


@cache
def load() -> tuple[Interactions, Catalogue]:
    """Ratings of 4 and more, 5-core on both sides."""
    data = open_data("ml-100k")
    kept = keep_core(keep_at_least(data.log, 4), reindex=True)
    return kept.log, kept.match(data.catalogue)


@cache
def task() -> Task:
    """Temporal .8/.1/.1 per user."""
    return collaborative_task(load()[0])


@cache
def scenario(topic: str, n: int) -> Scenario:
    """So many people with at least three films of the genre, drawn with seed 2, by user code."""
    return sensitive(task(), load()[1].items_of(topic), n=n, name=topic)


def blank(config: Cell):
    """The model, not fitted."""
    kind, settings_of = MODELS[config.model]
    return kind(settings_of(l2=config.l2, training=TRAINING))


@cache
def base(model: str, l2: float, seed: int):
    """A fitted base; one a process."""
    config = Cell(model=model, topic="", l2=l2, method="", seed=seed)
    return reseeded(blank(config), seed).fit(task().train)


def cell(config: Cell, folder: Path) -> pd.DataFrame:
    """[done, measure, unit, value] of one cell; what became of its requests stays in the folder."""
    if config.method == "valid":
        return validated(config)
    n = REQUESTS[config.model]
    asked, marks = scenario(config.topic, n), checkpoints_of(n)
    if config.method == "refit":
        found = {done: retrained(blank(config), asked, done, config.seed) for done in marks}
    else:
        own = base(config.model, config.l2, config.seed)
        if config.method == "never had":
            return exposed_never(own, asked, n).assign(done=n)
        made = stream(methods(n)[config.method], own, asked, seed=config.seed)
        made.outcomes.astype({"error": str}).to_json(folder / "outcomes.json", orient="records")
        costs = made.outcomes[["seconds", "peak_bytes"]].sum()
        found = {done: made.models[done] for done in marks}
    tables = [measures(model, asked, done).assign(done=done) for done, model in found.items()]
    table = pd.concat(tables, ignore_index=True)
    if config.method != "refit":
        line = {"done": n, "measure": "seconds", "unit": -1, "value": costs["seconds"]}
        table = pd.concat([table, pd.DataFrame([line])], ignore_index=True)
    return table


def validated(config: Cell) -> pd.DataFrame:
    """NDCG@10 on the validation rows of everybody: what l2 is chosen by."""
    model, valid = base(config.model, config.l2, config.seed), task().valid.matrix()
    users = np.flatnonzero(np.diff(valid.indptr))
    known = task().train
    table = evaluate_targets(
        model, known.histories(users), valid[users], 10, exclude=known.matrix()[users]
    )
    value = table.loc[table["metric"] == "ndcg", "value"].mean()
    return pd.DataFrame([{"done": 0, "measure": "valid ndcg@10", "unit": -1, "value": value}])


def chosen(table: pd.DataFrame) -> float:
    """The l2 of the best mean over the bases."""
    return float(table.groupby("l2")["value"].mean().idxmax())


def predicted() -> dict:
    """What was written down before: the margin, and sizes."""
    with (ROOT / "data" / "predictions.toml").open("rb") as file:
        return tomllib.load(file)["unlearning"]


def assessed(table: pd.DataFrame) -> pd.DataFrame:
    """All lines of one model, topic and l2."""
    refit = table[table["method"] == "refit"]
    rows = table[~table["method"].isin(["refit", "never had"]) & (table["unit"] >= 0)]
    lines = assess(rows.rename(columns={"seed": "base"}), refit, predicted()["margin"]).to_frame()
    # beside the verdicts: the row never had, and what a method costs
    never = table.loc[table["method"] == "never had"].groupby("unit")["value"].mean()
    last = lines["checkpoint"].max()
    extra = []
    if len(never):
        mean, low, high = bootstrap_mean(never, shares=False)
        told = {"method": "never had", "measure": "exposed", "checkpoint": last, "n": len(never)}
        extra.append(told | {"unlearned": mean, "low": low, "high": high})
    for method, part in table[table["measure"] == "seconds"].groupby("method"):
        told = {"method": method, "measure": "seconds", "checkpoint": last}
        extra.append(told | {"unlearned": part["value"].mean(), "n": len(part)})
    return pd.concat([lines, pd.DataFrame(extra)], ignore_index=True)


def page(table: pd.DataFrame) -> str:
    """The table of the README: the primary endpoint at the last checkpoint, and what stands beside
    it."""
    parts = ["# Unlearning on ml-100k", "Made by `python benchmarks/unlearning_ml100k.py`."]
    for (model, topic, l2), part in table.groupby(["model", "topic", "l2"], sort=False):
        last = part[part["checkpoint"] == part["checkpoint"].max()]
        wide = last.pivot_table(index="method", columns="measure", values="estimate", sort=False)
        lines = ["| method | deleted, minus retrain | verdict | decidable | exposed | NDCG@10 |"]
        lines.append("|---|---|---|---|---|---|")
        first = last[last["measure"] == "deleted"]
        for one in first.itertuples():
            bounds = f"{one.estimate:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
            beside = f"{wide.exposed[one.method]:+.3f} | {wide['ndcg@10'][one.method]:+.4f}"
            told = f"{bounds} | {one.verdict} | {one.decidable:.3f} | {beside}"
            lines.append(f"| {one.method} | {told} |")
        one = first.iloc[0]
        parts.append(f"## {model}, {topic}, l2 = {l2:g}")
        parts.append(
            f"After {one.checkpoint} requests, {one.n} people, margin {one.margin:.3f}; retrain "
            f"against retrain [{one.null_low:+.3f}, {one.null_high:+.3f}] (the middle 95 %)."
        )
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run the grid, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--model", nargs="*", default=["BPR"], choices=MODELS)
    parser.add_argument("--topic", nargs="*", default=["Horror"])
    parser.add_argument("--methods", default="")
    parser.add_argument("--trap", action="store_true", help="BPR once more, with l2 = 0")
    options = parser.parse_args()
    # where worker processes look too; no part of a config's hash
    os.environ[FOLDER] = str(options.data.resolve())
    names = options.methods.split(",") if options.methods else list(methods(120))
    how = {"n_jobs": options.jobs, "data": load()[0].fingerprint, "version": "1", "progress": True}
    folder, tables = settings().runs / "unlearning_ml100k", []
    for model in options.model:
        grid = [
            Cell(model=model, topic="", l2=l2, method="valid", seed=seed)
            for l2 in L2
            for seed in BASES
        ]
        best = chosen(run(grid, cell, folder, **how))
        print(f"{model}: l2 = {best:g} by validation")
        for topic in options.topic:
            for l2 in (best, 0.0) if options.trap and model == "BPR" else (best,):
                own = {"model": model, "topic": topic, "l2": l2}
                cells = [Cell(**own, method="refit", seed=seed) for seed in SEEDS]
                cells += [Cell(**own, method="never had", seed=seed) for seed in BASES]
                cells += [Cell(**own, method=name, seed=s) for name in names for s in BASES]
                tables.append(assessed(run(cells, cell, folder, **how)).assign(**own))
    table = pd.concat(tables, ignore_index=True)
    table = table[["model", "topic", "l2", *table.columns.drop(["model", "topic", "l2"])]]
    RESULTS.mkdir(exist_ok=True)
    table.round(4).to_csv(RESULTS / "unlearning_ml100k.csv", index=False, lineterminator="\n")
    text = page(table)
    (RESULTS / "unlearning_ml100k.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
