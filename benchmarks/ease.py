"""EASE: memory and time of a fit and of an exact deletion, and how far it is from a refit.

    python benchmarks/ease.py [--largest 20000] [--data FOLDER]

Writes `benchmarks/results/ease.md`. The curve uses random logs (50 users and 1,000 rows per 100
items, Zipf); the accuracy uses MovieLens 100K (temporal training part) where there is a copy.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import RESULTS, data_folder, markdown

from workbench.data import Interactions, keep_at_least, keep_core, open_data, split
from workbench.errors import TooLarge
from workbench.recommend import EASE, EASEConfig
from workbench.settings import physical_memory

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)


def random_log(items: int, seed: int = 0) -> Interactions:
    """Ten rows per item, half as many users as items, popularity falling as 1/rank."""
    rng = np.random.default_rng(seed)
    users, weight = items // 2, 1 / np.arange(1, items + 1)
    item = rng.choice(items, 10 * items, p=weight / weight.sum())
    frame = pd.DataFrame({"user": rng.integers(0, users, len(item)), "item": item})
    return Interactions.from_table(
        frame, users=pd.Index(range(users)), items=pd.Index(range(items))
    )


def times(call, arguments) -> np.ndarray:
    """Milliseconds of each call."""
    taken = []
    for argument in arguments:
        start = time.perf_counter()
        call(argument)
        taken.append(1e3 * (time.perf_counter() - start))
    return np.array(taken)


def requests(log: Interactions, n: int = 40, seed: int = 0) -> list[Interactions]:
    """n users delete half of their rows each."""
    users = np.random.default_rng(seed).choice(np.unique(log.frame["user"]), n, replace=False)
    return [log.only(log.rows_of(int(u))["interaction"].iloc[::2]) for u in users]


def curve(largest: int) -> pd.DataFrame:
    """One line per number of items."""
    rows = []
    for n in (size for size in SIZES if size <= largest):
        log = random_log(n)
        tracemalloc.start()
        start = time.perf_counter()
        try:
            model = EASE().fit(log)
        except TooLarge as error:
            rows.append({"items": f"{n:,}", "fit": str(error)})
            continue
        finally:
            seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        taken = times(model.forget, requests(log, 10))
        row = {
            "items": f"{n:,}",
            "P": f"{8e-9 * n * n:.2f} GB",
            "peak of the fit": f"{1e-9 * peak:.2f} GB",
        }
        rows.append(
            row | {"fit": f"{seconds:.1f} s", "deletion (median)": f"{np.median(taken):.1f} ms"}
        )
        print(rows[-1], flush=True)
    return pd.DataFrame(rows).fillna("")


def accuracy(folder: Path) -> pd.DataFrame:
    """Forty requests one after another on ml-100k against a refit."""
    rated = open_data("ml-100k", folder).log
    log = keep_core(keep_at_least(rated, 4), reindex=True).log
    log = split(log, "temporal").train
    model, asked = EASE().fit(log), requests(log)
    times(model.copy().forget, asked[:3])  # warm
    taken = times(model.forget, asked)
    rest = log.without(np.concatenate([r.frame["interaction"] for r in asked]))
    start = time.perf_counter()
    refit = EASE().fit(rest)
    seconds = time.perf_counter() - start
    everybody = rest.histories()
    row = {
        "items": f"{log.n_items:,}",
        "requests": len(asked),
        "deletion (median)": f"{np.median(taken):.2f} ms",
    }
    row |= {"slowest": f"{taken.max():.2f} ms", "refit": f"{1e3 * seconds:.0f} ms"}
    row["largest difference of P"] = f"{np.abs(model.inverse - refit.inverse).max():.1e}"
    row["of scores"] = f"{np.abs(model.score(everybody) - refit.score(everybody)).max():.1e}"
    return pd.DataFrame([row])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--largest", type=int, default=SIZES[-1])
    options = parser.parse_args()
    parts = ["# EASE: exact deletion", "Made by `python benchmarks/ease.py`."]
    if (options.data / "ml-100k-recbole").is_dir():
        parts += [
            "## Forty requests one after another, MovieLens 100K",
            markdown(accuracy(options.data)),
        ]
        print(parts[-1], flush=True)
    parts += ["## Memory and time, random logs", markdown(curve(options.largest))]
    try:
        EASE(EASEConfig()).fit(random_log(int((physical_memory() / 8) ** 0.5)))
    except TooLarge as error:
        parts += ["Above half of the machine's memory it refuses:", f"> {error}"]
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    parts += [
        f"Machine: {os.cpu_count()} cores, {physical_memory() / 1e9:.0f} GB, "
        f"{platform.machine()}, {threads} threads."
    ]
    text = "\n\n".join(parts) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ease.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
