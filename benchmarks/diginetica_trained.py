"""The trained session models on Diginetica, beside rules and neighbours fitted on the same
sessions.

    python benchmarks/diginetica_trained.py [--part 4] [--minutes 12] [--seeds 1] [--jobs 2] [--data
    FOLDER]

Fits on the most recent 1/part of the training sessions (a tenth of them, the latest, for early
stopping), asks all 60,858 test prefixes; items of the session are not removed. One thread each.
Resumes. Writes `results/diginetica_trained.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict
from search import build

from workbench import recommend
from workbench.data import Histories, open_data, split
from workbench.data.splits import Split
from workbench.recommend.evaluation import evaluate_lists, next_items, top_lists
from workbench.runs import run
from workbench.settings import settings

FOLDER = "WORKBENCH_DATA"
COUNTED = ["SessionPopularity", "Markov", "SKNN", "VSKNN"]
TRAINED = ["GRU4Rec", "NARM", "SASRec", "SRGNN"]
PUBLISHED = {
    "GRU4Rec": "29.45/8.33 (authors' own code 49.95/15.42)",
    "NARM": "49.70/16.17",
    "SRGNN": "50.73/17.59",
}
PUBLISHED |= {"SessionPopularity": "21.06/13.69", "SASRec": ""}
K = 20


class Cell(BaseModel):
    """One model on one part of the sessions."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    part: int
    minutes: float = 0
    seed: int = 0
    setting: str = "{}"  # what differs from the model's defaults, as JSON


def setting_of(model: str) -> str:
    """What the search chose for this model on RSC15's validation sessions (`chosen.toml`), and what
    is watched here."""
    found = tomllib.loads((RESULTS / "chosen.toml").read_text(encoding="utf-8"))["session"][model]
    watched = {"training.k": K, "training.metric": "mrr", "training.validation_users": 4000}
    return json.dumps(found | watched, sort_keys=True)


@cache
def load(part: int) -> tuple[Split, Histories, np.ndarray]:
    """The most recent 1/part of the training sessions, divided again, and the questions."""
    whole = open_data("diginetica").split
    frame = whole.train.frame
    place = frame.groupby("user")["position"].transform("min").rank(method="dense").to_numpy()
    recent = whole.train.select(place > place.max() * (1 - 1 / part))
    return split(recent, "session", train=0.9, valid=0.1, by="position"), *next_items(whole.test)


def once(cell: Cell) -> pd.DataFrame:
    """Fit and ask; one row per kind of target."""
    parts, histories, items = load(cell.part)
    if cell.model in TRAINED:
        model = build(cell.model, json.loads(cell.setting), cell.minutes, cell.seed)
    else:
        model = getattr(recommend, cell.model)()
    start = time.process_time()
    model.fit(parts.train, parts.valid)
    seconds, record = time.process_time() - start, getattr(model, "record", None)
    rows, lists = [], top_lists(model, histories, K)
    for only in ("all", "repeat", "novel"):
        found = evaluate_lists(lists, histories, items, (K,), only=only)
        for metric in ("hit_rate", "mrr"):
            values = found[found["metric"] == metric]
            by_session = values.groupby("user")["value"].agg(["sum", "size"])
            low, high = interval(by_session["sum"].to_numpy(), by_session["size"].to_numpy())
            rows.append((only, metric, values["value"].mean(), low, high, len(values)))
    table = pd.DataFrame(rows, columns=["targets", "metric", "value", "low", "high", "questions"])
    clicks, epochs = len(parts.train), 0 if record is None else len(record)
    return table.assign(clicks=clicks, epochs=epochs, cpu_seconds=seconds)


def interval(sums: np.ndarray, sizes: np.ndarray, resamples: int = 1000) -> tuple[float, float]:
    """95 % bootstrap over sessions of a mean over their questions."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    return tuple(np.quantile(drawn @ sums / (drawn @ sizes), [0.025, 0.975]))


def told(table: pd.DataFrame) -> pd.DataFrame:
    """One row per model: P@20 / MRR@20 in percent, of all, repeat and novel targets; means over
    seeds."""
    rows = []
    for model, part in table.groupby("model", sort=False):
        row = {"model": model, "seeds": part["seed"].nunique()}
        for only in ("all", "repeat", "novel"):
            some = (
                part[part["targets"] == only].groupby("metric")[["value", "low", "high"]].mean()
                * 100
            )
            row[f"{only}, P@20 / MRR@20"] = (
                f"{some.loc['hit_rate', 'value']:.2f} / {some.loc['mrr', 'value']:.2f}"
            )
            if only == "all":
                row["P@20, 95 %"] = (
                    f"[{some.loc['hit_rate', 'low']:.2f}, {some.loc['hit_rate', 'high']:.2f}]"
                )
        row["published, all sessions"] = PUBLISHED.get(model, "")
        row |= {"epochs": part["epochs"].max(), "CPU seconds": f"{part['cpu_seconds'].mean():.0f}"}
        rows.append(row)
    return pd.DataFrame(rows)


NOTE = """
P@20 / MRR@20 in percent over {questions:,} test prefixes, full ranking, items of the session stay in. All models are
fitted on the most recent 1/{part} of the training sessions ({clicks:,} clicks, after a tenth was kept for early
stopping), so they stand below what the whole log would give and are compared with each other, not with the published
column, whose models saw all sessions. Trained models have the settings that `benchmarks/search.py` chose on another
log, RSC15 (`chosen.toml`), and stop after five epochs without gain or {minutes:g} minutes on one thread of two busy
cores, whichever is first. Mind the column *epochs*: what the clock cut was not trained out, and its row says what so
few minutes buy, not what the model can do.
Intervals: bootstrap over test sessions (the spread over seeds is not in them).
{date}.
""".strip()


def main() -> None:
    """Run the grid, write and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    chosen = parser.parse_args()
    os.environ[FOLDER] = str(chosen.data)
    seeds = range(1, chosen.seeds + 1)
    grid = [Cell(model=m, part=chosen.part) for m in COUNTED]
    limits = {"part": chosen.part, "minutes": chosen.minutes}
    grid += [
        Cell(model=m, seed=seed, setting=setting_of(m), **limits) for seed in seeds for m in TRAINED
    ]
    table = run(grid, once, settings().runs / "diginetica", chosen.jobs, progress=True)
    table.drop(columns="run").round(6).to_csv(RESULTS / "diginetica_trained.csv", index=False)
    facts = {"questions": int(table["questions"].max()), "clicks": int(table["clicks"].max())}
    note = NOTE.format(part=chosen.part, minutes=chosen.minutes, date=chosen.date, **facts)
    text = f"# Diginetica, trained session models\n\n{markdown(told(table))}\n\n{note}\n"
    (RESULTS / "diginetica_trained.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
