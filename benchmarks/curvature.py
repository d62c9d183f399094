"""Which curvature should a Newton step away from deleted rows have: Gauss-Newton, Fisher, Hessian?

    python benchmarks/curvature.py [--data FOLDER] [--jobs 2] [--models …] [--topics …] [--bases 1 2]
        [--curvatures …] [--damping 0.01 0.1] [--steps 20] [--scaled yes no]

Twenty people of the generated world delete their horror novels one after another, from a graph, a
recurrent and an attention model; and forty people of MovieLens 100K their horror films from BPR, by
their own vectors alone (SCIF), where the data is under --data or WORKBENCH_DATA. Settings are chosen
on another topic, Crime novels. *scaled no*: the batch that H is made of stands for itself alone. Where a
Hessian bends down the truncated step is taken, as in the study's code; by default such requests fail.
Resumes where it was stopped; writes `benchmarks/results/curvature.{csv,md}`, where other lines stay.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, load
from pydantic import BaseModel, ConfigDict

from workbench.data import load_world
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

TOPIC, OTHER, FILMS = "Horror novels", "Crime novels", "Horror"
PEOPLE, FILM_PEOPLE, MARGIN = 20, 40, 0.03
RETRAINS = (11, 12, 13, 14)
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
    topic: str = TOPIC
    scaled: bool = True


@cache
def scenario(model: str, topic: str = TOPIC) -> Scenario:
    """The stream of requests that a model is asked to serve."""
    if model == "BPR, films":
        log, catalogue = load()
        return sensitive(collaborative_task(log), catalogue.items_of(FILMS), FILM_PEOPLE)
    world = load_world()
    task = collaborative_task if model == "LightGCN" else session_task
    return sensitive(task(world.log), world.catalogue.items_of(topic), PEOPLE)


@cache
def references(model: str, topic: str = TOPIC) -> list[Any]:
    """Models that never saw the rows."""
    asked = scenario(model, topic)
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
    asked = scenario(config.model, config.topic)
    never = references(config.model, config.topic)
    want = np.stack([deleted(model, asked) for model in never])
    method = Method("no-op", no_op)
    if config.curvature:
        names = ("curvature", "damping", "steps", "scaled")
        told = {name: getattr(config, name) for name in names} | {"truncated": True}
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
    """The lines of one model, as they are read."""
    done = table["curvature"].notna()
    columns = {"curvature": table["curvature"].map(NAMES).fillna("no-op")}
    columns |= {"λ / ‖H‖": table["damping"].map("{:g}".format).where(done, "")}
    columns |= {"H of": table["scaled"].map({True: "all", False: "the batch"}).where(done, "")}
    columns |= {"base": table["base"], "NDCG@10": table["ndcg"].map("{:.3f}".format)}
    columns["deleted, minus retrain"] = [
        f"{line.estimate:+.3f} [{line.low:+.3f}, {line.high:+.3f}]" for line in table.itertuples()
    ]
    columns["verdict"] = table["verdict"]
    for what, form in {"products": "{:.0f}", "residual": "{:.2g}", "step": "{:.2g}"}.items():
        columns[what] = table[what].map(form.format).replace("nan", "")
    columns["how solving ended"] = table["ends"].fillna("")
    return pd.DataFrame(columns)


def predicted(table: pd.DataFrame) -> pd.DataFrame:
    """What was predicted, what came: [prediction, range, came, ok]; steps as they were predicted,
    λ = .01, H of all, the first base."""
    told = tomllib.loads((ROOT / "data" / "predictions.toml").read_text("utf-8"))["unlearning"]
    first = table[(table["topic"] == TOPIC) & table["scaled"] & (table["base"] == 1)]
    first = first[first["damping"].isin([0.0, 0.01]) & ~first["model"].str.startswith("BPR")]
    found: dict[str, float] = {}
    for line in first.itertuples():
        model = line.model.lower()
        kind = line.curvature if isinstance(line.curvature, str) else "no_op"
        found[f"{model}_{kind}"] = line.estimate
        found[f"{model}_ndcg_{kind}_over_retrain"] = line.ndcg / line.retrain
    for kind, lines in first.groupby("curvature"):
        ends = lines["ends"].str.findall(r"negative curvature(?: \+ cap)? (\d+)").explode()
        share = ends.astype(float).sum() / PEOPLE / len(lines)
        found[f"{kind}_stops_at_negative_curvature"] = share
    lines = []
    for name, bounds in (told["curvature"] | told["hypotheses"]["two"]).items():
        if name in found:
            low, high = bounds
            came = low <= round(found[name], 2) <= high
            span = f"{low:+.2f} to {high:+.2f}"
            lines.append((name.replace("_", " "), span, f"{found[name]:+.2f}", came))
    told = pd.DataFrame(lines, columns=["prediction", "range", "came", "ok"])
    return told.assign(ok=told["ok"].map({True: "as predicted", False: "missed"}))


DEFAULTS = {"topic": TOPIC, "scaled": True}
KEY = ["model", "topic", "curvature", "damping", "scaled", "steps", "base"]
NOTES = """
How it was made. Generated world 2: {people} people with at least three products of the topic, all of them deleted one
person after another; LightGCN by users, GRU4Rec and SASRec by sessions. All weights are moved by one Newton step a
request (`gif`, corrected), solved with one frozen batch of 1,024 rows, λ relative to the largest eigenvalue, no step
longer than a tenth of ‖θ‖. *H of all*: the batch counts for all rows that it stands for, so that H and v are sums
over one log; *of the batch*: for itself alone, and steps are too long by as many times as it would stand for.
*Deleted*: mean percentile of what a person deleted among what they do not hold, from histories without it, less that
of {retrains} models that never saw the rows; 95 % interval over people and retrains, one base a line. Verdict at a
margin of {margin}. *Residual*: of the step that was taken. *How solving ended*: + cap where the step was cut as
well (*cap* alone, on GRU4Rec and Crime novels: how solving had ended was not kept); at negative curvature the step
found before it is taken (`truncated=True`), where by default the request fails. MovieLens 100K, where it is asked
for: {films} people, BPR with l2 = .01, the person's vector alone (`scif`, corrected).

Why the predictions missed. They were made from a sketch with other code, after twenty requests: GRU4Rec .266 with the
Hessian, .520 and next to the retrains with Gauss-Newton. It was made on another world than they say (version 1: 196
products, 22,867 rows; four epochs at a rate of .02), and its Hessian is found again only where the batch stands for
itself alone. Repeated with this code on that world, with those settings, λ = .01, one base: Hessian of the batch .275
(deleted −.34), Gauss-Newton of the batch .322 (−.28); Hessian of all .530 (−.26); no-op .557 (+.09), retrains .556. So
it was the length of the step that took half of the model, not the curvature alone; Gauss-Newton's .520 did not return.

Settings. λ was chosen on {other}, with Gauss-Newton of all: .01 comes nearest to the retrains there, on LightGCN (.00
against −.21 at .001 and +.16 at .1) and by little on GRU4Rec (+.05 against −.06 and +.07). At .01 solving ends after
some 25 products, so that 100 are enough, and the cap is not met; at .001 LightGCN meets it in most requests and loses
utility. These are the defaults of the algorithms.

Not checked: basket models, other seeds of the requests, more bases than the table shows.
""".strip()


def merged(table: pd.DataFrame) -> pd.DataFrame:
    """The lines just made, and those of the file that were not asked for."""
    path = RESULTS / "curvature.csv"
    table = table.drop(columns=["run", "seconds"]).replace({"curvature": {"": np.nan}}).round(4)
    if path.exists():
        old = pd.read_csv(path)
        old = old.assign(**{c: d for c, d in DEFAULTS.items() if c not in old})
        table = pd.concat([old, table]).drop_duplicates(KEY, keep="last")
    order = table.assign(model=pd.Categorical(table["model"], list(MODELS)))
    order["topic"] = pd.Categorical(order["topic"], [TOPIC, OTHER, FILMS])
    order["curvature"] = pd.Categorical(order["curvature"], list(NAMES))
    by = ["model", "topic", "base", "scaled", "curvature", "damping", "steps"]
    rising = [True, True, True, False, True, True, True]
    order = order.reset_index(drop=True).sort_values(by, ascending=rising, na_position="first")
    table = table.reset_index(drop=True).loc[order.index].reset_index(drop=True)
    table.to_csv(path, index=False, lineterminator="\n")
    return table


def written(table: pd.DataFrame) -> str:
    """The page."""
    parts = ["# Which curvature"]
    parts.append("Made by `python benchmarks/curvature.py`; all numbers in `curvature.csv`.")
    for (model, topic), lines in table.groupby(["model", "topic"], sort=False):
        first = lines.iloc[0]
        parts += [f"## {model}, {topic}", markdown(shown(lines))]
        null = "mean of two less that of two others"
        parts.append(f"Retrains: NDCG@10 {first['retrain']:.3f}, {null} {first['null']:+.3f}.")
    parts += ["## Predictions", markdown(predicted(table))]
    notes = NOTES.format(
        people=PEOPLE, retrains=len(RETRAINS), margin=MARGIN, films=FILM_PEOPLE, other=OTHER
    )
    return "\n\n".join([*parts, "## Notes", notes]) + "\n"


def main() -> None:
    """Run the cells, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--topics", nargs="+", default=[TOPIC])
    parser.add_argument("--curvatures", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--damping", type=float, nargs="+", default=[0.01, 0.1])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--scaled", nargs="+", default=["yes"], choices=["yes", "no"])
    parser.add_argument("--bases", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.data.resolve())
    configs = []
    for model, topic, base in product(options.models, options.topics, options.bases):
        one = Cell(model=model, topic=FILMS if model == "BPR, films" else topic, base=base)
        dampings = (0.0, 0.01, 0.1) if model == "BPR, films" else options.damping
        ways = product(options.curvatures, dampings, options.scaled)
        told = [{"curvature": c, "damping": d, "scaled": s == "yes"} for c, d, s in ways]
        configs += [one, *(one.model_copy(update=way | {"steps": options.steps}) for way in told)]
    folder, data = settings().runs / "curvature", load_world().log.fingerprint
    table = run(configs, cell, folder, options.jobs, data=data, version="3", progress=True)
    RESULTS.mkdir(exist_ok=True)
    text = written(merged(table))
    (RESULTS / "curvature.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
