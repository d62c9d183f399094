"""Unlearning on ml-100k: 120 people forget a genre, one after another; what is told apart from what?

    python benchmarks/unlearning_ml100k.py [--data FOLDER] [--jobs 2] [--parts controls seven …] [--tables]

Needs MovieLens 100K as RecBole atomic files (`ml-100k-recbole/ml-100k.inter`, `.item`) under
--data, WORKBENCH_DATA or WORKBENCH_TEST_DATA. Resumes where it was stopped: every base with a method
and every retrain is a cell. Parts are run in the order of `PARTS`; at the end, or at any time with
--tables, `benchmarks/results/unlearning_ml100k.csv` and `.md` are written from all cells that are there:
aggregates over the people who asked, never a row of one.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, load
from unlearning_ml100k_page import write
from unlearning_ml100k_parts import PARTS, ROUNDS, Part, methods

from workbench.recommend import (
    BPR,
    EASE,
    SGL,
    BPRConfig,
    ItemKNN,
    LightGCN,
    LightGCNConfig,
    SGLConfig,
)
from workbench.recommend.evaluation import evaluate_targets, top_lists
from workbench.recommend.ranking import scores_or_none
from workbench.recommend.tasks import Task, collaborative_task
from workbench.recommend.training import Training
from workbench.runs import folder_of, run
from workbench.settings import Frozen, settings
from workbench.unlearning import (
    Scenario,
    checkpoints_of,
    measures,
    placebo,
    reseeded,
    retrained,
    sensitive,
    stream,
)
from workbench.unlearning.exposure import exposure
from workbench.unlearning.measures import TOP, asked_of, exposed_never

TRAINING = Training(epochs=40, batch=2048, learning_rate=5e-3)
TRAINED = {"BPR": (BPR, BPRConfig), "LightGCN": (LightGCN, LightGCNConfig), "SGL": (SGL, SGLConfig)}
COUNTED = {"EASE": EASE, "ItemKNN": ItemKNN}
L2 = (0.0, 0.001, 0.003, 0.01, 0.03)
BASES, SEEDS = (1, 2), (11, 12, 13, 14, 15, 16)
REQUESTS, FEWER = 120, {"SGL": 40}
VALID, REFIT, BEFORE = "valid", "refit", "as they were"
"""Cells that are no method: a validation of one l2, a retrain, the bases before any request."""


class Cell(Frozen):
    """One cell: a method on one base (`seed`), or one of the three that are none.

    l2: of a trained model; None takes the model's defaults. placebo: the same people, as many rows
    outside the topic.
    """

    model: str
    topic: str
    l2: float | None
    method: str
    seed: int
    placebo: bool = False


@cache
def task() -> Task:
    """Temporal .8/.1/.1 per user."""
    return collaborative_task(load()[0])


@cache
def scenario(topic: str, n: int, other: bool = False) -> Scenario:
    """So many people with at least three films of the genre, drawn with seed 2, by user code; or as
    many rows of theirs outside it."""
    found = sensitive(task(), load()[1].items_of(topic), n=n, name=topic)
    return placebo(found, name=f"placebo of {topic}") if other else found


def asked_by(config: Cell) -> tuple[Scenario, int]:
    """The requests that a cell serves, and at how many moments the model is looked at."""
    n = FEWER.get(config.model, REQUESTS)
    often = config.model in ("BPR", *COUNTED) and config.topic == "Horror" and config.l2 != 0
    return scenario(config.topic, n, config.placebo), ROUNDS if often and not config.placebo else 1


def blank(config: Cell) -> Any:
    """The model, not fitted."""
    if config.model in COUNTED:
        return COUNTED[config.model]()
    kind, settings_of = TRAINED[config.model]
    return kind(settings_of(l2=config.l2, training=TRAINING))


@cache
def base(model: str, l2: float | None, seed: int) -> Any:
    """A fitted base; one a process."""
    config = Cell(model=model, topic="", l2=l2, method="", seed=seed)
    return reseeded(blank(config), seed).fit(task().train)


def clocked(algorithm: Callable[..., Any]) -> Callable[..., Any]:
    """The same algorithm, which also notes what it took of the processor: other work on the machine
    lengthens that less than the clock on the wall."""

    def timed(*given: Any) -> dict[str, Any]:
        begun = time.process_time()
        said = algorithm(*given)
        return (said or {}) | {"cpu_seconds": time.process_time() - begun}

    return timed


def cell(config: Cell, folder: Path) -> pd.DataFrame:
    """[done, measure, unit, value] of one cell, a unit a person, and −1 of what is nobody's; what
    became of its requests, and the scores of everybody at the end, stay in the folder."""
    if config.method == VALID:
        return validated(config)
    asked, looks = asked_by(config)
    marks = checkpoints_of(len(asked.requests), looks)
    if config.method == BEFORE:
        return as_they_were(config, asked, marks)
    if config.method == REFIT:
        found, begun = {}, time.process_time()
        for done in marks:
            found[done] = retrained(blank(config), asked, done, config.seed)
        costs = {"cpu seconds": (time.process_time() - begun) / len(marks)}
    else:
        row = methods(len(asked.requests))[config.method]
        row = replace(row, algorithm=clocked(row.algorithm))
        own = base(config.model, config.l2, config.seed)
        made = stream(row, own, asked, config.seed, looks)
        lines = made.outcomes.astype({"error": str})
        lines.to_json(folder / "outcomes.json", orient="records")
        found, costs = {done: made.models[done] for done in marks}, spent(lines)
    end = marks[-1]
    scores = scores_or_none(found[end], asked.known(end).histories(np.arange(task().train.n_users)))
    np.save(folder / "scores.npy", scores)
    tables = [measures(model, asked, done).assign(done=done) for done, model in found.items()]
    told = [{"done": end, "measure": name, "unit": -1, "value": v} for name, v in costs.items()]
    return pd.concat([*tables, pd.DataFrame(told)], ignore_index=True)


def spent(lines: pd.DataFrame) -> dict[str, float]:
    """What all requests of a stream took together, and how many of them failed or did nothing."""
    said = lines["status"].value_counts()
    counts = {name: float(said.get(name, 0)) for name in ("done", "no-op", "failed")}
    found = {"seconds": lines["seconds"].sum(), "cpu seconds": lines["cpu_seconds"].sum()}
    return counts | found | {"peak MB": lines["peak_bytes"].max() / 2**20}


def as_they_were(config: Cell, asked: Scenario, marks: tuple[int, ...]) -> pd.DataFrame:
    """Of a base that nobody has asked anything: what leavers were shown, all that they held masked;
    and what people are shown who never had a film of the topic."""
    model, tables = base(config.model, config.l2, config.seed), []
    for done in marks:
        held, people = asked_of(asked, done).kept, asked_of(asked, done).person
        shown = exposure(top_lists(model, held, TOP, held.matrix()), asked.items)
        before = {"measure": "as served before", "unit": people, "value": shown}
        never = exposed_never(model, asked, done).drop(columns="match")
        tables += [pd.DataFrame(before).assign(done=done), never.assign(done=done)]
    return pd.concat(tables, ignore_index=True)


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


def cells_of(part: Part, l2: float | None) -> list[Cell]:
    """References first, then the methods."""
    own = {"model": part.model, "topic": part.topic, "l2": l2, "placebo": part.placebo}
    bases, seeds = (BASES, SEEDS) if part.model in TRAINED else (BASES[:1], SEEDS[:1])
    made = [Cell(**own, method=BEFORE, seed=seed) for seed in bases]
    made += [Cell(**own, method=REFIT, seed=seed) for seed in seeds]
    return made + [Cell(**own, method=name, seed=s) for name in part.methods for s in bases]


def main() -> None:
    """Run the parts, and write the tables after each."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--parts", nargs="*", default=list(dict.fromkeys(p.name for p in PARTS)))
    parser.add_argument("--tables", action="store_true", help="of what is there; nothing is run")
    options = parser.parse_args()
    # where worker processes look too; no part of a config's hash
    os.environ[FOLDER] = str(options.data.resolve())
    folder, done = settings().runs / "unlearning_ml100k", []
    name = {"data": load()[0].fingerprint, "version": "2"}
    how = name | {"n_jobs": options.jobs, "progress": True, "strict": False, "keep": True}

    def place(config: Cell) -> Path:
        return folder_of(config, cell, folder, **name)

    for part in PARTS if not options.tables else ():
        if part.name in options.parts:
            run(cells_of(part, l2_of(part, folder, how)), cell, folder, **how)
    # the tables are of all parts that are there, whichever were run now
    for part in PARTS:
        l2 = l2_of(part, folder, how, place)
        cells = cells_of(part, l2) if l2 is not None or part.model in COUNTED else []
        done += [one for one in cells if is_there(place(one))]
    write(done, place, scenario_of, RESULTS)


def is_there(place: Path) -> bool:
    """Whether a cell is finished."""
    return (place / "result.parquet").exists()


def scenario_of(config: Cell) -> Scenario:
    """The requests of a cell."""
    return asked_by(config)[0]


def l2_of(
    part: Part, folder: Path, how: dict[str, Any], place: Callable[[Cell], Path] | None = None
) -> float | None:
    """The l2 of a part: the one it names, or that of the best mean over the bases; None of a counted
    model. place: nothing is trained, and None too where not all that it takes is there."""
    if part.model in COUNTED or part.l2 is not None:
        return part.l2
    # SGL takes the l2 of LightGCN, as a fit of it takes half a minute
    model = "LightGCN" if part.model == "SGL" else part.model
    own = {"model": model, "topic": "", "method": VALID}
    grid = [Cell(**own, l2=l2, seed=seed) for l2 in L2 for seed in BASES]
    if place is not None and not all(is_there(place(one)) for one in grid):
        return None
    table = run(grid, cell, folder, **how)
    return float(table.groupby("l2")["value"].mean().idxmax())


if __name__ == "__main__":
    main()
