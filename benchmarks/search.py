"""A random search over the configs: the same number of trials for every model, chosen on
validation, told on test.

    python benchmarks/search.py [--trials 6] [--minutes 1] [--jobs 2] [--models BPR EASE …] [--data
    FOLDER]

Spaces: `benchmarks/spaces.toml`. Trial 0 is the default. Data: collaborative MovieLens 100K (random
80/10/10), session the RSC15 sample of session-rec (its own train, validation and test parts),
basket Ta-Feng (keyset 0). Every trained trial stops early on validation or after --minutes on one
thread. Resumes. Writes `results/search.csv`, `search.md` and `chosen.toml`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from boomerang import RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict
from scipy import sparse

from workbench import recommend
from workbench.data import Histories, Interactions, open_data, read_keyset, split
from workbench.recommend import evaluate_targets, next_items
from workbench.recommend.evaluation import joined
from workbench.runs import run
from workbench.settings import ROOT, settings
from workbench.statistics import bootstrap_mean

SPACES = tomllib.loads((ROOT / "benchmarks" / "spaces.toml").read_text(encoding="utf-8"))
FOLDER = "WORKBENCH_DATA"


class Trial(BaseModel):
    """One config of one model; `setting` is JSON of field -> value."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    task: str
    model: str
    trial: int
    setting: str
    minutes: float
    seed: int = 1


class Asked(NamedTuple):
    """Histories, what should be found, and what is never offered."""

    histories: Histories
    targets: sparse.csr_array | np.ndarray
    exclude: sparse.csr_array | None = None


@cache
def data(task: str) -> tuple[Interactions, Interactions, Asked, Asked]:
    """Logs to fit on (train, valid) and the questions of validation and test."""
    if task == "collaborative":
        log = open_data("ml-100k").log
        parts = split(log, "random", train=0.8, valid=0.1, seed=0)
        asked = []
        for on, known in (("valid", ("train",)), ("test", ("train", "valid"))):
            targets, seen = getattr(parts, on).matrix(), joined(parts, known)
            users = np.flatnonzero(np.diff(targets.indptr))
            asked.append(Asked(parts.train.histories(users), targets[users], seen.matrix()[users]))
        return parts.train, parts.valid, *asked
    if task == "session":
        parts = open_data("rsc15-100k", tune=True).split
        return (
            parts.train,
            parts.valid,
            Asked(*next_items(parts.valid)),
            Asked(*next_items(parts.test)),
        )
    parts = open_data("tafeng").split
    keyset = open_data("tafeng-keysets").file("tafeng_keyset_0.json")
    users = read_keyset(keyset, parts.train.users)
    whole = joined(parts, ("train", "test"))
    asked = [
        Asked(parts.train.histories(u), parts.test.matrix()[u]) for u in (users.valid, users.test)
    ]
    owner = whole.frame["user"]
    return (
        whole.select(np.isin(owner, users.train)),
        whole.select(np.isin(owner, users.valid)),
        *asked,
    )


def build(name: str, setting: dict[str, Any], minutes: float, seed: int) -> Any:
    """A model with some fields of its config changed; `training.x` names a field of the nested
    training settings."""
    kind = getattr(recommend, f"{name}Config")()
    if hasattr(kind, "training"):
        inner = {
            key.removeprefix("training."): value
            for key, value in setting.items()
            if key.startswith("training.")
        }
        inner |= {"minutes": minutes, "seed": seed, "threads": 1, "patience": 5}
        setting = {key: value for key, value in setting.items() if not key.startswith("training.")}
        setting["training"] = {**kind.training.model_dump(), **inner}
    return getattr(recommend, name)(type(kind)(**{**kind.model_dump(), **setting}))


def once(config: Trial) -> pd.DataFrame:
    """Fit one config; NDCG@10 on validation and test, the test with its interval over questions."""
    train, valid, asked, test = data(config.task)
    model = build(config.model, json.loads(config.setting), config.minutes, config.seed)
    start = time.process_time()
    model.fit(train, valid)
    seconds, record = time.process_time() - start, getattr(model, "record", None)
    values = []
    for question in (asked, test):
        found = evaluate_targets(
            model, question.histories, question.targets, (10,), exclude=question.exclude
        )
        values.append(found.loc[found["metric"] == "ndcg", "value"])
    mean, low, high = bootstrap_mean(values[1])
    row = {
        "validation": values[0].mean(),
        "test": mean,
        "low": low,
        "high": high,
        "questions": len(values[1]),
    }
    return pd.DataFrame(
        [row | {"epochs": 0 if record is None else len(record), "cpu_seconds": seconds}]
    )


def trials(task: str, model: str, n: int, minutes: float, seed: int = 0) -> list[Trial]:
    """The default, then n − 1 draws; the draws of a model depend on its name and the seed alone."""
    rng = np.random.default_rng([seed, *model.encode()])
    drawn = [{}] + [
        {name: draw(space, rng) for name, space in SPACES[task][model].items()}
        for _ in range(n - 1)
    ]
    made = [json.dumps(setting, sort_keys=True) for setting in drawn]
    return [
        Trial(task=task, model=model, trial=i, setting=s, minutes=minutes)
        for i, s in enumerate(made)
    ]


def draw(space: list | dict[str, float], rng: np.random.Generator) -> Any:
    """One value of a space."""
    if isinstance(space, list):
        return space[int(rng.integers(len(space)))]
    return float(f"{np.exp(rng.uniform(np.log(space['low']), np.log(space['high']))):.3g}")


def told(table: pd.DataFrame) -> pd.DataFrame:
    """Per model the default and the trial that is best on validation."""
    rows = []
    for (task, model), part in table.groupby(["task", "model"], sort=False):
        default, best = part[part["trial"] == 0].iloc[0], part.loc[part["validation"].idxmax()]
        interval = f"{best['test']:.4f} [{best['low']:.4f}, {best['high']:.4f}]"
        row = {
            "task": task,
            "model": model,
            "trials": len(part),
            "default, validation": f"{default['validation']:.4f}",
        }
        row |= {
            "chosen, validation": f"{best['validation']:.4f}",
            "default, test": f"{default['test']:.4f}",
        }
        row |= {
            "chosen, test": interval,
            "chosen": "default" if best["trial"] == 0 else best["setting"],
        }
        rows.append(row | {"CPU seconds, all trials": f"{part['cpu_seconds'].sum():.0f}"})
    return pd.DataFrame(rows)


NOTE = """
NDCG@10. {trials} trials for every model, trial 0 the default, the others drawn from `benchmarks/spaces.toml`; the best
on *validation* is chosen and told on test, with a 95 % bootstrap interval over questions (one seed: the interval leaves
out the spread over seeds). A trained trial stops after 5 epochs without gain or {minutes:g} minutes on one thread of
two cores. Collaborative: MovieLens 100K, random 80/10/10, training and validation items masked at test. Session: RSC15
sample, every prefix, nothing masked. Basket: Ta-Feng, keyset 0, nothing masked. {date}.
""".strip()


def main() -> None:
    """Run the trials; write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", nargs="*", help="only these")
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    chosen = parser.parse_args()
    os.environ[FOLDER] = str(chosen.data)
    every = [(task, model) for task, models in SPACES.items() for model in models]
    some = [pair for pair in every if not chosen.models or pair[1] in chosen.models]
    grid = [
        trial
        for task, model in some
        for trial in trials(task, model, chosen.trials, chosen.minutes)
    ]
    table = run(grid, once, settings().runs / "search", chosen.jobs, progress=True)
    best = told(table)
    if not chosen.models:
        table.drop(columns="run").round(5).to_csv(RESULTS / "search.csv", index=False)
        note = NOTE.format(trials=chosen.trials, minutes=chosen.minutes, date=chosen.date)
        (RESULTS / "search.md").write_text(
            f"# Random search\n\n{markdown(best)}\n\n{note}\n", encoding="utf-8"
        )
        lines = [
            "# The best of benchmarks/search.py on validation; an empty table means the defaults."
        ]
        for row in best.itertuples():
            setting = {} if row.chosen == "default" else json.loads(row.chosen)
            lines += [
                f"\n[{row.task}.{row.model}]",
                *(f"{json.dumps(k)} = {v}" for k, v in setting.items()),
            ]
        (RESULTS / "chosen.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(markdown(best))


if __name__ == "__main__":
    main()
