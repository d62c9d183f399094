"""Smallest sets on ml-100k: how many films have to go until the first pick leaves the top 10?

    python benchmarks/smallest.py [--data FOLDER] [--users 200]

Data as in `benchmarks/boomerang.py`, whose filter it shares. Writes
`benchmarks/results/smallest.md`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from boomerang import FOLDER, RESULTS, data_folder, fitted, load

from workbench.recommend import top_k
from workbench.reports import smallest_set


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--users", type=int, default=200)
    options = parser.parse_args()
    os.environ[FOLDER] = str(options.data.resolve())
    log, model = load()[0], fitted("EASE")
    found, seconds = [], []
    for user in np.random.default_rng(0).choice(log.n_users, options.users, replace=False):
        history = log.histories([user])
        pick = int(top_k(model.score(history), 1, history.matrix())[0, 0])
        start = time.perf_counter()
        smallest_set(model, history, pick, prove=0)
        seconds.append(time.perf_counter() - start)
        found.append(smallest_set(model, history, pick, orders=20))
    sizes = np.array([len(one.items) for one in found if one.found])
    low, middle, high = np.percentile(sizes, [25, 50, 75])
    random = np.median([one.random for one in found if one.found])
    text = f"""# Smallest sets

Made by `python benchmarks/smallest.py`. MovieLens 100K, ratings ≥ 4, 5-core, EASE λ = 100: films that have to leave the
history, seen films masked, until the first pick is out of the top 10. {len(found)} users, drawn.

| | films |
|---|---|
| greedy by exact contribution, then pruned: median (quartiles) | {middle:g} ({low:g} to {high:g}) |
| random order: median over users of the median of 20 orders | {random:g} |
| no set does it | {sum(not one.found for one in found)} of {len(found)} users |
| proven smallest (all smaller sets tried) | {sum(one.proven for one in found)} of {len(found)} users |
| time without proof, median | {1e3 * np.median(seconds):.1f} ms |
"""
    (RESULTS / "smallest.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
