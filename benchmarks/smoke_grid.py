"""The smoke grid of unlearning: nine models, seven algorithms, two modes, four requests each.

    python benchmarks/smoke_grid.py [--jobs 2] [--engine loky] [--folder FOLDER] [--models BPR …]

Everything included: bases, five retrain seeds at four checkpoints, measures, verdicts. `as_in_fork` is
capped at 50 products a solve. Resumes where it was stopped. Writes `benchmarks/results/smoke_grid.md`
and `.csv`, unless only some of the models are asked for. Bases are trained for a second: it shows that everything
runs, and no ranking.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path

import pandas as pd

from workbench.settings import ROOT, settings
from workbench.unlearning.grid import plan
from workbench.unlearning.grid_run import read_grid, run_grid
from workbench.unlearning.grid_table import apart, summary, undertrained, verdicts
from workbench.whole import whole_file

RESULTS = ROOT / "benchmarks" / "results" / "smoke_grid.md"
SHOWN = ["model", "method", "distance", "verdict", "decidable", "done", "no-op", "failed"]
SHOWN += ["seconds", "steps", "residual", "note"]


def markdown(table: pd.DataFrame) -> str:
    """A table as a page shows it."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    rows = table.astype(object).where(table.notna(), "").astype(str).itertuples(index=False)
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def page(made, folder: Path, table: pd.DataFrame, minutes: float, jobs: int, fresh: bool) -> str:
    """The results page."""
    grid, table = made.grid, table.copy()
    bounds = table[["estimate", "low", "high"]].to_numpy(float)
    table["distance"] = [f"{a:+.3f} [{b:+.3f}, {c:+.3f}]" for a, b, c in bounds]
    cells = len({step.stream() for step in made.steps if step.mode})
    pairs = apart(made, folder)
    equal = pairs[pairs["same"].astype(bool)][["model", "one", "other"]]
    took = f"{minutes:.1f} minutes with {jobs} workers" if fresh else "resumed, so no time is told"
    told = [
        "# Smoke grid of unlearning",
        f"{date.today()}: {cells} cells (and no-op), {len(made.steps)} requests in all, "
        f"{len(made.retrains)} retrains; {took}. Generated world, one base seed, retrain seeds "
        f"{', '.join(map(str, grid.retrain_seeds))}; `as_in_fork` capped at "
        f"{grid.as_in_fork.get('steps')} products a solve.",
        "*distance*: deleted items' mean percentile, unlearned less retrained, 95 % interval; "
        f"margin {grid.margin}, or half of what no-op gets. Four people: hardly anything can be "
        "decided. Bases are trained for a second, and marked *undertrained* below their counted "
        "rival. **No ranking can be read from this table.**",
        markdown(table[SHOWN].round(3)),
        "## Bases beside their counted rivals",
        markdown(undertrained(made, folder).round(3)),
        "## Methods with equal results",
        markdown(equal) if len(equal) else "None.",
    ]
    return "\n\n".join(told) + "\n"


def whole_table(made, folder: Path) -> pd.DataFrame:
    """The summary, and beside it NDCG@10 less that of the retrains."""
    found = verdicts(made, folder)
    table = summary(made, folder, found)
    last = found[
        (found["measure"] == "ndcg@10") & (found["checkpoint"] == found["checkpoint"].max())
    ]
    names = {name: f"ndcg_{name}" for name in ("estimate", "low", "high")}
    return table.merge(last[["model", "method", *names]].rename(columns=names), "left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--engine", default="loky")
    parser.add_argument("--folder", type=Path, default=settings().runs / "smoke")
    parser.add_argument("--models", nargs="+", help="only these; the page is not written")
    given = parser.parse_args()
    grid = read_grid("smoke")
    if given.models:
        grid = grid.model_copy(
            update={"models": {name: grid.models[name] for name in given.models}}
        )
    start, fresh = time.perf_counter(), not given.folder.exists()
    made = plan(grid)
    print(made)
    print(run_grid(made, given.folder, given.jobs, given.engine, progress=True).to_string())
    table = whole_table(made, given.folder)
    minutes = (time.perf_counter() - start) / 60
    text = page(made, given.folder, table, minutes, given.jobs, fresh)
    if given.models:
        print(text)
        return
    lines = table.round(4).to_csv(index=False, lineterminator="\n")
    for path, said in ((RESULTS, text), (RESULTS.with_suffix(".csv"), lines)):
        with whole_file(path) as new:
            new.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    pd.set_option("display.width", 200)
    main()
