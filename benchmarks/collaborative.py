"""The trained user-item models on ml-100k, beside their counted rivals.

    python benchmarks/collaborative.py [--data FOLDER] [--jobs 1] [--threads 1]

Needs MovieLens 100K as RecBole atomic files (`ml-100k-recbole/ml-100k.inter`) under --data,
WORKBENCH_DATA or WORKBENCH_TEST_DATA. The set-up is RecBole's quick start: every rating counts,
random 80/10/10 per user, items of the training *and* the validation part masked at test, batch
2,048, Adam at 1e-3, the epoch with the best validation MRR@10 kept, patience 25. SGL has settings
made for MovieLens, where the contrast of its defaults swamps the rest: temperature 0.5 and the
contrast weighed 0.005, Adam at 2e-3, patience 50. Resumes where it was stopped. Writes
`benchmarks/results/collaborative.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict

from workbench.data import open_data, split
from workbench.data.splits import Split
from workbench.recommend import BPR, EASE, SGL, ItemKNN, LightGCN, Popularity, evaluate
from workbench.recommend.training import Training
from workbench.runs import run
from workbench.settings import settings
from workbench.statistics import bootstrap_mean

COUNTED = {"Popularity": Popularity, "ItemKNN": ItemKNN, "EASE": EASE}
TRAINED = {"BPR": BPR, "LightGCN": LightGCN, "SGL": SGL}
# RecBole's temperature; weight and rate as tuned for ml-1m
MOVIELENS = {"SGL": {"temperature": 0.5, "ssl": 0.005}}
MOVIELENS_TRAINING = {"SGL": {"learning_rate": 2e-3, "patience": 50}}
METRICS = ("ndcg", "recall", "mrr")
PUBLISHED = {"ndcg": 0.2768, "recall": 0.2368, "mrr": 0.4519}  # RecBole's quick start, BPR


class Cell(BaseModel):
    """A model; a trained one with its seed, the most epochs, and the threads it may use."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    seed: int = 0
    epochs: int = 0
    threads: int = 1


@cache
def load() -> Split:
    """One random division for all."""
    log = open_data("ml-100k").log
    return split(log, "random", train=0.8, valid=0.1, seed=0)


def cell(config: Cell) -> pd.DataFrame:
    """[user, metric, value, seconds, epochs]: test values of every user, and what training took."""
    parts, seconds, epochs = load(), np.nan, 0
    if config.model in COUNTED:
        model = COUNTED[config.model]().fit(parts.train)
    else:
        kind = TRAINED[config.model]
        own = {"batch": 2048, "metric": "mrr", "k": 10, "patience": 25} | MOVIELENS_TRAINING.get(
            config.model, {}
        )
        training = Training(epochs=config.epochs, seed=config.seed, threads=config.threads, **own)
        settled = kind.Config(training=training, **MOVIELENS.get(config.model, {}))
        model = kind(settled).fit(parts.train, parts.valid)
        seconds, epochs = model.record["seconds"].median(), len(model.record)
    found = evaluate(model, parts, k=(10,), masked=("train", "valid"))
    found = found[found["metric"].isin(METRICS)][["user", "metric", "value"]]
    return found.assign(seconds=seconds, epochs=epochs)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """[model, metric, estimate, low, high, lowest, highest, n, seeds, epochs, seconds]: users'
    means over the seeds.

    low, high: 95 % over users; lowest, highest: the means of the single seeds.
    """
    rows = []
    for (model, metric), part in table.groupby(["model", "metric"], sort=False):
        users, seeds = part.groupby("user")["value"].mean(), part.groupby("seed")["value"].mean()
        row = (
            model,
            metric,
            *bootstrap_mean(users),
            seeds.min(),
            seeds.max(),
            len(users),
            len(seeds),
        )
        rows.append((*row, part["epochs"].median(), part["seconds"].median()))
    names = [
        "model",
        "metric",
        "estimate",
        "low",
        "high",
        "lowest",
        "highest",
        "n",
        "seeds",
        "epochs",
        "seconds",
    ]
    return pd.DataFrame(rows, columns=names)


def page(table: pd.DataFrame, threads: int, date: str) -> str:
    """The summary for readers."""
    lines = []
    for model, part in table.groupby("model", sort=False):
        line = {"model": model}
        for metric in METRICS:
            row = part[part["metric"] == metric].iloc[0]
            line[f"{metric}@10"] = f"{row['estimate']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"
            if row["seeds"] > 1:
                line[f"{metric}@10"] += f"; seeds {row['lowest']:.4f} to {row['highest']:.4f}"
        if row["seeds"] > 1:
            line |= {
                "epochs (median)": f"{row['epochs']:.0f}",
                "s per epoch (median)": f"{row['seconds']:.2f}",
            }
        lines.append(line)
    published = {"model": "BPR, published by RecBole"} | {
        f"{m}@10": f"{value:.4f}" for m, value in PUBLISHED.items()
    }
    about = " ".join(__doc__.split("WORKBENCH_TEST_DATA. ")[1].split(" Resumes")[0].split())
    text = (
        f"# Trained user-item models on ml-100k\n\nMade by `python "
        f"benchmarks/collaborative.py`. {about}\n\n"
    )
    text += (
        "Means over users, for trained models of their means over three seeds, with 95 "
        "% intervals over users; one\n"
    )
    text += (
        f"division of the log. Threads: {threads}. {date}, on a machine with other "
        f"work: seconds are upper bounds.\n\n"
    )
    return text + markdown(pd.DataFrame([*lines, published]).fillna("")) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--models", nargs="*", default=list(TRAINED))
    asked = parser.parse_args()
    os.environ[FOLDER] = str(asked.data)
    cells = [Cell(model=name) for name in COUNTED]
    trained = [name for name in TRAINED if name in asked.models]
    cells += [
        Cell(model=m, seed=s, epochs=asked.epochs, threads=asked.threads)
        for m in trained
        for s in (1, 2, 3)
    ]
    table = run(
        cells,
        cell,
        settings().runs / "collaborative",
        asked.jobs,
        data=load().train.fingerprint,
        progress=True,
    )
    found = summary(table)
    found.round(6).to_csv(RESULTS / "collaborative.csv", index=False)
    text = page(found, asked.threads, pd.Timestamp.now().strftime("%Y-%m-%d"))
    (RESULTS / "collaborative.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
