"""Which curvature should a Newton step away from deleted rows have: Gauss-Newton, Fisher, Hessian?

    python benchmarks/curvature.py [--data FOLDER] [--jobs 2] [--models …] [--damping 0.01 0.1]

Twenty people of the generated world delete their horror novels one after another, from a graph, a
recurrent and an attention model; and forty people of MovieLens 100K their horror films from BPR, by
their own vectors alone (SCIF), where the data is under --data or WORKBENCH_DATA. Resumes where it
was stopped. Writes `benchmarks/results/curvature.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.data import keep_at_least, keep_core, load_world, open_data
from workbench.recommend import (
    BPR,
    BPRConfig,
    GRU4Rec,
    GRU4RecConfig,
    LightGCN,
    LightGCNConfig,
    SASRec,
    SASRecConfig,
    Training,
    evaluate_targets,
)
from workbench.recommend.tasks import collaborative_task, session_task
from workbench.runs import run
from workbench.settings import ROOT, settings
from workbench.unlearning import (
    Method,
    Scenario,
    distance,
    measures,
    reseeded,
    retrains,
    sensitive,
    stream,
)
from workbench.unlearning.algorithms import GIFConfig, SCIFConfig, gif, no_op, scif

TOPIC, FILMS = "Horror novels", "Horror"
PEOPLE, FILM_PEOPLE, MARGIN = 20, 40, 0.03
RETRAINS = (11, 12, 13, 14)
FOLDER = "WORKBENCH_DATA"
RESULTS = ROOT / "benchmarks" / "results"
PAIRS = Training(epochs=30, batch=2048, learning_rate=5e-3)
SESSIONS = Training(epochs=8, batch=256, learning_rate=5e-3)
MODELS = {
    "LightGCN": LightGCN(LightGCNConfig(l2=1e-3, training=PAIRS)),
    "GRU4Rec": GRU4Rec(GRU4RecConfig(hidden=32, training=SESSIONS)),
    "SASRec": SASRec(SASRecConfig(inner=64, training=SESSIONS.told(epochs=12))),
    "BPR, films": BPR(BPRConfig(l2=0.01, training=PAIRS.told(epochs=40))),
}
NAMES = {"gauss_newton": "Gauss-Newton", "fisher": "Fisher", "hessian": "Hessian"}


class Cell(BaseModel):
    """A model and a way to step; curvature empty: nothing is done, and retrains are told of."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    curvature: str = ""
    damping: float = 0.0
    base: int = 1
    steps: int = 20


def data_folder() -> Path:
    """Where the reader's own data is, or the data that tests use."""
    return Path(
        settings().own_data
        or os.environ.get("WORKBENCH_TEST_DATA")
        or ROOT.parent / "shared" / "data"
    )


@cache
def scenario(model: str) -> Scenario:
    """The stream of requests that a model is asked to serve."""
    if model == "BPR, films":
        data = open_data("ml-100k")
        kept = keep_core(keep_at_least(data.log, 4), reindex=True)
        films = kept.match(data.catalogue).items_of(FILMS)
        return sensitive(collaborative_task(kept.log), films, FILM_PEOPLE)
    world = load_world()
    task = collaborative_task if model == "LightGCN" else session_task
    return sensitive(task(world.log), world.catalogue.items_of(TOPIC), PEOPLE)


@cache
def references(model: str) -> list[Any]:
    """Models that never saw the rows."""
    asked = scenario(model)
    return retrains(MODELS[model], asked, len(asked.requests), RETRAINS)


@cache
def base(model: str, seed: int) -> Any:
    """The model before any request."""
    return reseeded(MODELS[model], seed).fit(scenario(model).task.train)


def deleted(model: Any, asked: Scenario) -> pd.Series:
    """Mean percentile of what each person deleted, over what is left of their sessions or of
    themselves."""
    found = measures(model, asked, len(asked.requests)).query("measure == 'deleted'")
    person = asked.task.people[found["unit"].to_numpy(int)]
    return found["value"].groupby(person).mean()


def ndcg(model: Any, asked: Scenario) -> float:
    """NDCG@10 of the task's test questions."""
    task = asked.task
    table = evaluate_targets(model, task.histories, task.targets, (10,), exclude=task.exclude)
    return float(table.loc[table["metric"] == "ndcg", "value"].mean())


def cell(config: Cell) -> pd.DataFrame:
    """One line: utility, distance to the retrains, and how the steps were found."""
    asked = scenario(config.model)
    never = references(config.model)
    want = np.stack([deleted(model, asked) for model in never])
    method = Method("no-op", no_op)
    if config.curvature:
        told = {"curvature": config.curvature, "damping": config.damping, "steps": config.steps}
        films = config.model == "BPR, films"
        made = (scif, SCIFConfig(**told)) if films else (gif, GIFConfig(**told))
        method = Method(config.curvature, *made)
    served = stream(method, base(config.model, config.base), asked, checkpoints=1)
    model = served.models[len(asked.requests)]
    found = distance(deleted(model, asked).to_numpy()[None], want, MARGIN)
    line = {"ndcg": ndcg(model, asked), "estimate": found.estimate, "low": found.low}
    line |= {"high": found.high, "n": found.n, "verdict": found.verdict}
    line |= {"retrain": np.mean([ndcg(one, asked) for one in never])}
    half = len(want) // 2
    line |= {"null": np.nanmean(want[:half]) - np.nanmean(want[half:])}
    outcomes = served.outcomes
    line |= {"step": outcomes["step"].mean(), "seconds": outcomes["seconds"].mean()}
    line |= {"failed": int((outcomes["status"] == "failed").sum())}
    if config.curvature:
        line |= {"products": outcomes["steps"].mean(), "residual": outcomes["residual"].mean()}
        ends = outcomes["end"].value_counts()
        line |= {"ends": ", ".join(f"{end} {n}" for end, n in ends.items())}
    return pd.DataFrame([line])


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    rows = table.itertuples(index=False)
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table of one model, as it is read."""
    name = table["curvature"].map(NAMES).fillna("no-op")
    damping = table["damping"].map("{:g}".format).where(table["curvature"] != "", "")
    interval = [
        f"{line.estimate:+.3f} [{line.low:+.3f}, {line.high:+.3f}]" for line in table.itertuples()
    ]
    columns = {"curvature": name, "λ / ‖H‖": damping, "NDCG@10": table["ndcg"].map("{:.3f}".format)}
    columns |= {"deleted, minus retrain": interval, "verdict": table["verdict"]}
    for what, form in {"products": "{:.0f}", "residual": "{:.2g}", "step": "{:.2g}"}.items():
        columns[what] = table[what].map(form.format).replace("nan", "")
    columns["how solving ended"] = table["ends"].fillna("")
    return pd.DataFrame(columns)


FILMS_NOTE = """ MovieLens 100K, {films}: {people} people, BPR with l2 = .01, the vector of the person alone (`scif`,
corrected)."""
NOTES = """
How it was made. Generated world, {topic}: {people} people with at least three, all of them deleted one person after
another; LightGCN by users, GRU4Rec and SASRec by sessions. All weights are moved by one Newton step a request
(`gif`, corrected), solved by at most {steps} products with one frozen batch, λ relative to the largest eigenvalue, no
step longer than a tenth of ‖θ‖.{films} *Deleted*: mean percentile of what a person deleted
among what they do not hold, from histories
without it, less that of {retrains} models that never saw the rows; 95 % interval over people and retrains,
one base. Verdict at a margin of {margin}. *Residual*: of the step that was taken. Nothing was tuned, and nothing
chosen by these figures. NDCG@10 of the retrains: {ndcg}. Null, mean of two retrains less that of two others: {null}.

Not checked: more bases, other topics, basket models, other seeds of the requests; what a residual says where the step
was cut.
""".strip()


def main() -> None:
    """Run the cells, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--damping", type=float, nargs="+", default=[0.01, 0.1])
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.data.resolve())
    configs = []
    for model in options.models:
        dampings = (0.0, 0.01, 0.1) if model == "BPR, films" else options.damping
        configs.append(Cell(model=model))
        configs += [Cell(model=model, curvature=c, damping=d) for c in NAMES for d in dampings]
    folder = settings().runs / "curvature"
    data = load_world().log.fingerprint
    table = run(configs, cell, folder, options.jobs, data=data, version="1", progress=True)
    RESULTS.mkdir(exist_ok=True)
    rounded = table.drop(columns=["run", "seconds"]).round(4)
    rounded.to_csv(RESULTS / "curvature.csv", index=False, lineterminator="\n")
    parts = [
        "# Which curvature",
        "Made by `python benchmarks/curvature.py`, here of "
        f"{', '.join(options.models)}; all numbers in `curvature.csv`.",
    ]
    for model in options.models:
        parts += [f"## {model}", markdown(shown(table[table["model"] == model]))]
    first = table.groupby("model", sort=False)[["retrain", "null"]].first()
    told = {
        name: ", ".join(f"{model} {value:{form}}" for model, value in first[name].items())
        for name, form in {"retrain": ".3f", "null": "+.3f"}.items()
    }
    asked = "BPR, films" in options.models
    films = FILMS_NOTE.format(films=FILMS, people=FILM_PEOPLE) if asked else ""
    notes = NOTES.format(
        topic=TOPIC,
        films=films,
        people=PEOPLE,
        steps=20,
        retrains=len(RETRAINS),
        margin=MARGIN,
        ndcg=told["retrain"],
        null=told["null"],
    )
    text = "\n\n".join([*parts, "## Notes", notes]) + "\n"
    (RESULTS / "curvature.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
