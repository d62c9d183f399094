"""What the tests of engines have done by workers that are killed, in a process of its own.

    python -m tests.killed ENGINE FOLDER

Small cells first, which import no torch; then a tiny grid of real models. One cluster serves all.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench._engines import standing
from workbench.errors import RunError
from workbench.runs import run


class Cell(BaseModel):
    """A run of a chain."""

    model_config = ConfigDict(frozen=True)
    chain: int
    n: int


def chains(first: int, last: int) -> list[Cell]:
    """Three runs in each of so many chains."""
    return [Cell(chain=c, n=n) for c in range(first, last) for n in range(3)]


def value(config: Cell) -> int:
    return config.chain * 1000 + config.n**2


def die(once: Path) -> None:
    """Be killed, where it says so: always, or the first time."""
    if once.exists():
        if once.read_text() != "always":
            once.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def cell(config: Cell, work: Path, runs: Path) -> pd.DataFrame:
    time.sleep(0.02)
    die(runs.parent / f"deadly-{config.chain}-{config.n}")
    (work / "left.txt").write_text(str(config))
    return pd.DataFrame({"value": [value(config)], "torch": ["torch" in sys.modules]})


def killer(model, before, request, config=None, seed=0) -> None:
    """An algorithm whose worker is killed once, at the second request."""
    if request.request == 1 and "DEADLY" in os.environ:
        die(Path(os.environ["DEADLY"]))
    model.tune(model.examples(request.remaining(before)), epochs=1, seed=seed)


def tiny():
    """A grid of eight cells, one epoch each."""
    from workbench.unlearning.grid import plan
    from workbench.unlearning.grid_config import Asked, Grid

    once = {"epochs": 1, "batch": 2048, "learning_rate": 5e-3}
    grid = Grid(
        name="tiny",
        models={"BPR": {"l2": 0.01, "training": once}},
        algorithms={"no_op": {}, "tests.killed:killer": {}},
        asked=(Asked(topic="Baby & pregnancy", n=2),),
        retrain_seeds=(11, 12),
        checkpoints=1,
    )
    return plan(grid)


@contextmanager
def timed(told: dict, name: str):
    start = time.perf_counter()
    yield
    told[name] = round(time.perf_counter() - start, 1)


def main(engine: str, folder: Path) -> None:
    told, seconds = {}, {}
    runs, chain = folder / "cells", {"chain": lambda one: one.chain}
    (folder / "deadly-1-2").write_text("once")
    (folder / "deadly-3-1").write_text("always")
    (folder / "once").write_text("once")
    with standing(engine, 2):
        with timed(seconds, "cells"):
            table = run(chains(0, 3), cell, runs, 2, engine, **chain)
        told["values"], told["torch"] = table["value"].tolist(), bool(table["torch"].any())
        told["left"] = sorted(path.name for path in runs.glob(".partial*"))
        # one that no worker outlives, beside one that is done
        with timed(seconds, "named"):
            try:
                run(chains(0, 5), cell, runs, 2, engine, **chain)
            except RunError as error:
                told["error"] = str(error)
        told["torch"] |= "torch" in sys.modules
        with timed(seconds, "grid"):
            from workbench.unlearning.grid_run import run_grid

            left = run_grid(tiny(), folder / "grid", 2, engine)["left"].sum()
        told["unserved"] = int(left)
    print(json.dumps(told | {"seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
