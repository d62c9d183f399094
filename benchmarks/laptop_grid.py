"""The laptop grid of unlearning: three logs of others, nine models, seven algorithms in two modes, what practice does.

    python benchmarks/laptop_grid.py [--jobs 2] [--data FOLDER] [--plan] [--slice] [--only films]

Needs ml-100k, rsc15-100k and tafeng (`workbench data get`) under --data or WORKBENCH_DATA. One run of at
most 2.5 hours on two cores; resumes where it was stopped. Writes `benchmarks/results/laptop_grid.md` and
`.csv`: aggregates, never a row of a log. --plan says what it will take; --slice runs a grain of each
part (two requests, one epoch, two methods), which shows that it works, and writes nothing. With --only
the lines of other parts stay as they were written; the page says which parts are missing.
"""

from __future__ import annotations

import argparse
import os
from datetime import date
from pathlib import Path

import pandas as pd
from smoke_grid import markdown, whole_table

from workbench.settings import ROOT, settings
from workbench.unlearning import Grid, Plan, estimate, plan, read_grid, run_grid
from workbench.whole import whole_file

RESULTS = ROOT / "benchmarks" / "results" / "laptop_grid.md"
PARTS = ("films", "clicks", "baskets")
FULL = 7 * 9 * 3 * 2 * 3 * 120
"""Steps of a full grid: algorithms × models × data sets of a task × modes × base seeds × requests."""
SHOWN = [
    "run on",
    "data",
    "model",
    "method",
    "distance",
    "verdict",
    "decidable",
    "failed",
    "seconds",
]
SHOWN += ["pays_until", "note"]


def sliced(grid: Grid) -> Grid:
    """A grain of a grid: two requests, one epoch, doing nothing and one algorithm."""
    models = {}
    for name, told in grid.models.items():
        models[name] = told | {"training": told["training"] | {"epochs": 1}}
    few = {name: grid.algorithms[name] for name in ("no_op", "scif")}
    asked = tuple(one.model_copy(update={"n": 2, "together": 1}) for one in grid.asked)
    less = {"name": f"{grid.name}_slice", "models": models, "algorithms": few, "asked": asked}
    less |= {"modes": ("corrected",), "retrain_seeds": (11, 12), "checkpoints": 1}
    return grid.model_copy(update=less)


def page(table: pd.DataFrame, plans: list[Plan], missing: list[str]) -> str:
    """The results page. missing: the parts that have not been run."""
    bounds = table[["estimate", "low", "high"]].to_numpy(float)
    shown = table.assign(distance=[f"{a:+.3f} [{b:+.3f}, {c:+.3f}]" for a, b, c in bounds])
    steps = sum(len([step for step in made.steps if step.mode]) for made in plans)
    told = [
        "# Laptop grid of unlearning",
        f"{steps:,} requests of the seven algorithms, {steps / FULL:.0%} of the full "
        "grid (three logs a task, three base seeds, 120 requests). One base seed, one draw of "
        "people, who ask in ten or twenty groups; `as_in_fork` capped.",
        "*distance*: deleted items' mean percentile, unlearned less retrained, 95 % interval; margin "
        ".03, or half of what no-op gets, whichever is smaller; *decidable*: half of the 90 % interval. "
        "half_way and sign_flip are planted: neither may be *equivalent*. Where no-op is not *different* "
        "a model's rows tell nothing. Five groups wait for half_way and warm_start. The machine had "
        "other work: seconds compare within a model, and measure nothing.",
        markdown(shown[SHOWN].round(3)),
    ]
    if missing:
        told.insert(2, f"**Not run yet: {', '.join(missing)}.**")
    return "\n\n".join(told) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--engine", default="loky")
    parser.add_argument("--data", type=Path, default=settings().own_data)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--plan", action="store_true", help="say what it will take")
    parser.add_argument("--slice", action="store_true", help="a grain of each part")
    given = parser.parse_args()
    if given.data:
        os.environ["WORKBENCH_DATA"] = str(given.data.resolve())  # where workers look too
    grids = [read_grid(f"laptop_{name}") for name in given.only]
    plans = [plan(sliced(grid) if given.slice else grid) for grid in grids]
    for made in plans:
        folder = settings().runs / made.grid.name
        print(made, estimate(made, folder, given.jobs), flush=True)
        if not given.plan:
            print(run_grid(made, folder, given.jobs, given.engine, progress=True).to_string())
    if given.plan:
        return
    tables = []
    for name, made in zip(given.only, plans, strict=True):
        found = whole_table(made, settings().runs / made.grid.name)
        tables.append(found.assign(part=name, **{"run on": str(date.today())}))
    table = pd.concat(tables, ignore_index=True)
    if given.slice:
        print(table[["data", "model", "method", "estimate", "verdict"]].to_string())
        return
    # parts that did not run now, as they were written
    before = pd.read_csv(RESULTS.with_suffix(".csv"))
    table = pd.concat([before[~before["part"].isin(given.only)], table], ignore_index=True)
    table = table.sort_values("part", key=lambda part: part.map(PARTS.index), kind="stable")
    missing = [name for name in PARTS if name not in set(table["part"])]
    plans = [plan(read_grid(f"laptop_{name}")) for name in PARTS if name not in missing]
    lines = table.round(4).to_csv(index=False, lineterminator="\n")
    for path, said in (
        (RESULTS, page(table, plans, missing)),
        (RESULTS.with_suffix(".csv"), lines),
    ):
        with whole_file(path) as new:
            new.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()
