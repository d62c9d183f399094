"""Gowalla (the LightGCN split): neighbours, EASE and LightGCN beside their published numbers.

    python benchmarks/gowalla.py [--data FOLDER] [--items 15000] [--whole] [--minutes 10] [--models
    EASE LightGCN …]

Needs `gowalla-lightgcn/` (train.txt, test.txt) under --data, WORKBENCH_DATA or WORKBENCH_TEST_DATA.
All 29,858 users, training items masked. Every model is fitted and measured in a process of its own,
so that the peak of its memory is its own; finished models are not run again. EASE over all 40,981
items takes 14 GB and well over a quarter of an hour: it runs with --whole, otherwise on the most
popular --items. LightGCN trains for --minutes on one thread, far fewer epochs than published. The
table also holds what was finished before, and a row for what was not run. Writes
`benchmarks/results/gowalla.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict
from rivals.measure import peak_mb

from workbench.data import Histories, Interactions, open_data
from workbench.recommend import (
    EASE,
    EASEConfig,
    ItemKNN,
    ItemKNNConfig,
    LightGCN,
    LightGCNConfig,
    Popularity,
    Recommender,
    Training,
    evaluate,
)
from workbench.runs import is_done, run
from workbench.settings import settings

METRICS = {"recall": "Recall@20", "ndcg": "NDCG@20", "hit_rate": "HitRate@20"}
PUBLISHED = {  # Recall@20, NDCG@20, HitRate@20
    "ItemCF": (0.156994, 0.121364, 0.509445),  # BARS run record
    "EASE": (0.176493, 0.146657, 0.572677),  # BARS run record, λ = 80
    "LightGCN": (0.1824, 0.1547),  # its authors' later code: 3 layers, 1,000 epochs
}
COUNTED = ("Popularity", "ItemKNN, cosine", "ItemCF", "ItemCF, ties kept")


class Cell(BaseModel):
    """A model, and for EASE the number of most popular items it is fitted on (None: all)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    items: int | None = None


class TrainedCell(Cell):
    """A model that trains for so many minutes."""

    minutes: float


def make(cell: Cell) -> Recommender:
    """The model of a cell."""
    bars = {"k": 100, "normalise": True, "centre": True}
    if isinstance(cell, TrainedCell):
        training = Training(
            epochs=1000, batch=8192, learning_rate=5e-3, minutes=cell.minutes, seed=1, threads=1
        )
        return LightGCN(LightGCNConfig(embedding=64, layers=3, l2=1e-4, training=training))
    models = {
        "Popularity": Popularity,
        "ItemKNN, cosine": lambda: ItemKNN(ItemKNNConfig(k=100)),
        "ItemCF": lambda: ItemKNN(ItemKNNConfig(**bars, ties=False)),
        "ItemCF, ties kept": lambda: ItemKNN(ItemKNNConfig(**bars)),
        "EASE": lambda: EASE(EASEConfig(l2=80.0, memory_limit_bytes=16_000_000_000)),
    }
    return models[cell.model]()


class Popular:
    """A model over some of the items; all others score below them."""

    def __init__(self, model: Recommender, items: np.ndarray) -> None:
        self.model, self.items = model, items

    def fit(self, log: Interactions) -> Popular:
        """Fit on the rows of those items alone, coded anew."""
        self.model.fit(self.narrow(log))
        return self

    def narrow(self, log: Interactions) -> Interactions:
        """Their rows, items coded 0, 1, …"""
        codes = np.full(log.n_items, -1, np.int32)
        codes[self.items] = np.arange(len(self.items))
        kept = log.select(codes[log.frame["item"]] >= 0)
        return Interactions(
            kept.frame.assign(item=codes[kept.frame["item"]]), log.users, log.items[self.items]
        )

    def score(self, histories: Histories) -> np.ndarray:
        """Scores of those items, put back in their places."""
        codes = np.full(histories.n_items, -1, np.int32)
        codes[self.items] = np.arange(len(self.items))
        kept = histories.keep(codes[histories.item] >= 0)
        inside = self.model.score(replace(kept, item=codes[kept.item], n_items=len(self.items)))
        scores = np.full((len(histories), histories.n_items), inside.min() - 1)
        scores[:, self.items] = inside
        return scores


def measure(cell: Cell) -> pd.DataFrame:
    """Fit and evaluate in this process."""
    split = open_data("gowalla-lightgcn").split
    model, coverage = make(cell), 1.0
    if cell.items is not None:
        count = split.train.frame["item"].value_counts()
        model = Popular(model, np.sort(count.index[: cell.items].to_numpy()))
        coverage = float(split.test.frame["item"].isin(model.items).mean())
    start = time.perf_counter()
    model.fit(split.train)
    model.score(split.train.histories([0]))  # what is derived when first needed belongs to the fit
    fitted = time.perf_counter()
    table = evaluate(model, split, k=(20,))
    ended = time.perf_counter()
    means = table.groupby("metric")["value"].mean()
    row = {name: float(means[metric]) for metric, name in METRICS.items()}
    record = getattr(model, "record", None)
    row |= {
        "users": table["user"].nunique(),
        "targets covered": coverage,
        "fit seconds": fitted - start,
    }
    row |= {"evaluation seconds": ended - fitted, "peak GB": peak_mb() * 2**20 / 1e9}
    return pd.DataFrame([row | {"epochs": 0 if record is None else len(record)}])


def apart(cell: Cell) -> pd.DataFrame:
    """`measure` in a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, cell).result()


def told(cell: Cell, row: dict | None) -> dict[str, str]:
    """A line of the table; without a row, why there is none."""
    shown = {
        "model": cell.model
        if cell.items is None
        else f"{cell.model}, {cell.items:,} most popular items"
    }
    published = dict(
        zip(METRICS.values(), PUBLISHED.get(cell.model.split(",")[0], ()), strict=False)
    )
    for metric in METRICS.values():
        known = metric in published
        shown[metric] = (
            f"{row[metric]:.6f}"
            if row
            else f"not run: {why(cell)}"
            if metric == "Recall@20"
            else ""
        )
        shown[f"{metric} published"] = f"{published[metric]:.6g}" if known else ""
        shown[f"{metric} difference"] = (
            f"{row[metric] - published[metric]:+.6f}" if row and known else ""
        )
    if not row:
        return shown
    shown |= {"epochs": f"{row['epochs']:.0f}" if isinstance(cell, TrainedCell) else "none"}
    shown |= {
        "targets covered": f"{100 * row['targets covered']:.1f} %",
        "fit": f"{row['fit seconds']:.0f} s",
    }
    return shown | {
        "evaluation": f"{row['evaluation seconds']:.0f} s",
        "peak memory": f"{row['peak GB']:.1f} GB",
    }


def why(cell: Cell) -> str:
    """What would run a cell."""
    if cell.model == "EASE" and cell.items is None:
        return "14 GB and well over a quarter of an hour, `--whole`"
    return f"`--models '{cell.model}'`"


NOTES = (
    "ItemCF: cosine of binary columns, 100 neighbours per target item, rows "
    "divided by their sum, centred on item "
    "means (BARS settings). Which of the items that tie with the 100th neighbour "
    "are kept is not part of that "
    "definition: of ties the lower code wins here; *ties kept* takes all of them.",
    "EASE over all items (P takes 13.4 GB) is run with `--whole`; otherwise it "
    "knows the most popular items only, and "
    "all targets outside them count as missed.",
    "LightGCN: 3 layers, 64 dimensions, λ 1e-4, batch 8,192, Adam at 5e-3, one "
    "thread, one seed, neither validation "
    "nor early stopping: the weights after the last epoch that began within "
    "{minutes:g} minutes. The published numbers "
    "are those of 1,000 epochs at 1e-3, so the difference is what the missing "
    "epochs and the other settings cost.",
)


def main() -> None:
    """Measure, print, write."""
    names = [*COUNTED, "EASE", "LightGCN"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--items", type=int, default=15_000)
    parser.add_argument("--whole", action="store_true", help="EASE over all items (14 GB)")
    parser.add_argument("--minutes", type=float, default=10, help="of training LightGCN")
    parser.add_argument(
        "--models", nargs="+", choices=names, default=names, help="run only these now"
    )
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.data)
    cells = [Cell(model=name) for name in COUNTED] + [
        Cell(model="EASE", items=options.items),
        Cell(model="EASE"),
    ]
    cells.append(TrainedCell(model="LightGCN", minutes=options.minutes))
    asked = [
        c for c in cells if c.model in options.models and (c != Cell(model="EASE") or options.whole)
    ]
    folder = settings().runs / "gowalla"
    run(asked, apart, folder, progress=True)
    rows = []
    for cell in cells:
        done = cell in asked or is_done(cell, apart, folder)
        rows.append(told(cell, run([cell], apart, folder).to_dict("records")[0] if done else None))
    table = pd.DataFrame(rows).fillna("")
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "gowalla.csv", index=False)
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    made = (
        f"Made by `python benchmarks/gowalla.py` on {datetime.date.today()}: 29,858 "
        f"users, 40,981 items, "
    )
    text = ["# Gowalla, the LightGCN split", made + "training items masked.", markdown(table)]
    text += [note.format(minutes=options.minutes) for note in NOTES]
    text += [
        f"Machine: {os.cpu_count()} CPU cores ({platform.machine()}), shared with "
        f"other work, {threads} threads."
    ]
    page = "\n\n".join(text) + "\n"
    (RESULTS / "gowalla.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
