"""Do two workers do twice the work? Pure cells, one torch thread each, workers warm.

    python benchmarks/engines.py [--engines loky dask ray] [--cells 16]

A cell multiplies matrices for about a second and writes nothing large. Workers are started, and torch
imported in them, before the clock. Prints seconds with one and with two workers of each engine that is
installed, and their ratio; run it on an idle machine of two cores at least. Goal: 1.8.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from workbench.runs import run
from workbench.settings import Frozen

NEEDS = {"loky": "joblib", "dask": "distributed", "ray": "ray"}
SIZE, PRODUCTS = 400, 250


class Cell(Frozen):
    """One cell."""

    n: int
    """Its number."""


def pure(config: Cell) -> pd.DataFrame:
    """A second of arithmetic on one thread."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.eye(SIZE) + config.n / 1e6
    for _ in range(PRODUCTS):
        matrix = matrix @ matrix / matrix.norm()
    return pd.DataFrame({"value": [float(matrix.sum())]})


def warm(stack: ExitStack, engine: str, workers: int) -> None:
    """A cluster of so many workers that stays for the whole measurement; loky keeps its own."""
    if engine == "dask":
        import distributed

        how = {"threads_per_worker": 1, "dashboard_address": None}
        cluster = stack.enter_context(distributed.LocalCluster(n_workers=workers, **how))
        stack.enter_context(distributed.Client(cluster))
    elif engine == "ray":
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        stack.callback(ray.shutdown)


def seconds(engine: str, workers: int, cells: int) -> float:
    """Of `cells` runs on warm workers."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        warm(stack, engine, workers)
        first = [Cell(n=-1 - n) for n in range(2 * workers)]
        run(first, pure, Path(folder), workers, engine)
        start = time.perf_counter()
        run([Cell(n=n) for n in range(cells)], pure, Path(folder), workers, engine)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", choices=list(NEEDS), default=list(NEEDS))
    parser.add_argument("--cells", type=int, default=16)
    given = parser.parse_args()
    for engine in given.engines:
        if find_spec(NEEDS[engine]) is None:
            print(f"{engine}: not installed")
            continue
        one, two = (seconds(engine, workers, given.cells) for workers in (1, 2))
        print(f"{engine}: {one:.1f} s with one worker, {two:.1f} s with two: {one / two:.2f} times")


if __name__ == "__main__":
    main()
