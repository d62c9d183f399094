"""Windows against prefixes: what does one pass for all next items of a window save, and does it
cost quality?

    python benchmarks/schemes.py [--jobs 2] [--models GRU4Rec NARM SASRec] [--world-only] [--data
    FOLDER]

On sessions of the generated world (every session fits a window: the same questions, differently
batched) GRU4Rec, NARM and SASRec are trained both ways with three seeds. On MovieLens 100K, where
there is a copy, sequences are cut: GRU4Rec with strides 50, 25 and 10 tells what lost context
costs. Resumes; the tables hold all that is finished, of this call or an earlier one, and the notes
name the rest. Writes `benchmarks/results/schemes.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict

from workbench import recommend
from workbench.data import open_data, split
from workbench.data.splits import Split
from workbench.recommend import Popularity, Training, evaluate_targets, next_items
from workbench.recommend.evaluation import joined
from workbench.runs import is_done, run
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import load_world

MODELS = ("GRU4Rec", "NARM", "SASRec")
SEEDS = (1, 2, 3)
STRIDES = (50, 25, 10)


class Cell(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    data: str
    model: str
    prefixes: bool = False
    stride: int | None = None
    seed: int = 1
    epochs: int = 20
    patience: int = 3
    batch: int = 256
    k: int = 10


@cache
def parts(data: str) -> Split:
    """The world's sessions 80/10/10 in the order they begin; or ml-100k, the last two rows of
    everybody left out."""
    if data == "world":
        return split(load_world().log.by_session(), "session")
    return split(open_data("ml-100k").log, "leave_one_out")


def questions(made: Split, data: str):
    """Every next item of the test sessions; or everybody's last row."""
    return next_items(
        made.test, before=None if data == "world" else joined(made, ("train", "valid"))
    )


def measure(cell: Cell) -> pd.DataFrame:
    """[sequence, ndcg, seconds, epochs]: mean NDCG@k over the questions of each test sequence;
    seconds per epoch."""
    made = parts(cell.data)
    if cell.model == "Popularity":
        model, seconds, epochs = Popularity().fit(made.train), np.nan, 0
    else:
        training = Training(
            epochs=cell.epochs, patience=cell.patience, batch=cell.batch, seed=cell.seed, threads=1
        )
        config = getattr(recommend, f"{cell.model}Config")(
            prefixes=cell.prefixes, stride=cell.stride, training=training
        )
        model = getattr(recommend, cell.model)(config).fit(made.train, made.valid)
        seconds, epochs = model.record["seconds"].median(), len(model.record)
    table = evaluate_targets(model, *questions(made, cell.data), (cell.k,))
    values = table[table["metric"] == "ndcg"].groupby("user")["value"].mean()
    return pd.DataFrame(
        {"sequence": values.index, "ndcg": values.to_numpy(), "seconds": seconds, "epochs": epochs}
    )


def grid(models: list[str], real: bool) -> list[Cell]:
    """All cells; those of ml-100k only where there is a copy, with one seed."""
    cells = [Cell(data="world", model="Popularity")]
    cells += [
        Cell(data="world", model=model, prefixes=prefixes, seed=seed)
        for model in models
        for prefixes in (False, True)
        for seed in SEEDS
    ]
    if real:
        cells += [Cell(data="ml-100k", model="Popularity")]
        long = {"batch": 1024, "epochs": 8}
        cells += [Cell(data="ml-100k", model="GRU4Rec", stride=s, **long) for s in STRIDES]
    return cells


def interval(values: pd.Series) -> str:
    """Mean and 95 % interval over sequences."""
    return "{:.4f} [{:.4f}, {:.4f}]".format(*bootstrap_mean(values))


def lines(table: pd.DataFrame) -> pd.DataFrame:
    """One line per model and scheme: values of a sequence are averaged over seeds first."""
    rows, first = [], {}
    for (model, prefixes, stride), some in table.groupby(
        ["model", "prefixes", "stride"], sort=False, dropna=False
    ):
        values = some.groupby("sequence")["ndcg"].mean()
        reference = first.setdefault(model, values)
        runs = some.drop_duplicates("run")
        trained = model != "Popularity"
        scheme = (
            "prefixes"
            if prefixes
            else "windows"
            if pd.isna(stride)
            else f"windows, stride {stride:.0f}"
        )
        row = {"model": model, "scheme": scheme if trained else "", "NDCG@10": interval(values)}
        row["less the first line"] = "" if reference is values else interval(values - reference)
        row["seeds"] = (
            " ".join(f"{v:.4f}" for v in some.groupby("seed")["ndcg"].mean()) if trained else ""
        )
        row["s/epoch"] = f"{runs['seconds'].median():.2f}" if trained else ""
        row["epochs"] = " ".join(map(str, runs["epochs"])) if trained else ""
        rows.append(row)
    return pd.DataFrame(rows)


def differing(cells: list[Cell]) -> str:
    """How the cells' training differs from the configs' defaults."""
    parts = []
    for model in MODELS:
        plain = getattr(recommend, f"{model}Config")().training
        some = [cell for cell in cells if cell.model == model]
        for name in ("epochs", "patience", "batch"):
            values = dict.fromkeys(getattr(cell, name) for cell in some)
            told = " or ".join(f"{value:,}" for value in values if value != getattr(plain, name))
            parts.append(
                f"{model} {name} {told} (default {getattr(plain, name):,})" if told else ""
            )
    return "; ".join(filter(None, parts))


def missing(every: list[Cell], done: list[Cell]) -> str:
    """The cells that have no result, one phrase for the seeds of a model and scheme."""
    found: dict[str, list[int]] = {}
    for cell in every:
        if cell not in done:
            scheme = (
                ""
                if cell.model == "Popularity"
                else " with prefixes"
                if cell.prefixes
                else " with windows"
            )
            stride = f" of stride {cell.stride}" if cell.stride else ""
            found.setdefault(f"{cell.data}, {cell.model}{scheme}{stride}", []).append(cell.seed)
    seeds = {what: ", ".join(map(str, some)) for what, some in found.items()}
    return "; ".join(f"{what} (seed {some})" for what, some in seeds.items()) or "nothing"


NOTES = """
Intervals: 95 % bootstrap over test sequences, of values averaged over the questions of a sequence and over the seeds;
*seeds* gives each seed's mean. *Less the first line*: paired difference to the model's first line. Nothing is masked.
Settings that differ from the configs' defaults: {settings}. Early stopping is on validation NDCG@10. One thread per
run; seconds are the median epoch of training alone, on a machine that did other work too: they compare schemes, they
are no record. World: {world}; sessions split 80/10/10 in the order they begin, every next item of a test session is a
question. {real}Not run: {missing}.
"""


def main() -> None:
    """Run what is missing, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--world-only", action="store_true")
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.data)
    real = not options.world_only and (options.data / "ml-100k-recbole").is_dir()
    folder = settings().runs / "schemes"
    run(grid(options.models, real), measure, folder, n_jobs=options.jobs, progress=True)
    every = grid(list(MODELS), True)
    done = [cell for cell in every if is_done(cell, measure, folder)]
    table = run(done, measure, folder)
    world = load_world()
    text = ["# Windows and prefixes", "Made by `python benchmarks/schemes.py`."]
    text += ["## Sessions of the generated world", markdown(lines(table[table["data"] == "world"]))]
    told = ""
    if (table["data"] == "ml-100k").any():
        text += [
            "## What lost context costs, MovieLens 100K",
            markdown(lines(table[table["data"] == "ml-100k"])),
        ]
        told = (
            "MovieLens 100K: all ratings, the last row of everybody is the question, "
            "the one before validates; at "
        )
        told += (
            "most 8 epochs, one seed. A window holds 50 rows; with stride s a target "
            "beyond the first 50 rows of a "
        )
        told += "sequence is shown at least 50 − s. "
    facts = {
        "world": f"generated, {world.size}, seed {world.seed}",
        "real": told,
        "settings": differing(done),
    }
    notes = NOTES.format(**facts, missing=missing(every, done))
    machine = f"Machine: {os.cpu_count()} cores, {platform.machine()}."
    page = "\n\n".join([*text, "## Notes", notes.strip().replace("\n", " "), machine]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "schemes.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
