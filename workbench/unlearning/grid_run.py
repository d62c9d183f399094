"""Running a grid: read it, say what it will take, run what is missing, say how far it is.

The folder of a grid holds `grid.json`, the grid as it was begun, what is known of its data, and a folder for
every cell. It can be stopped at any moment, and goes on where it was: at the request that was under way.
"""

from __future__ import annotations

import json
import tomllib
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from workbench._engines import standing
from workbench._run_folders import why_failed
from workbench.errors import ConfigError, DataError, TooLarge
from workbench.runs import folder_of, is_done, run
from workbench.settings import ROOT, physical_memory
from workbench.unlearning.grid import Plan, plan
from workbench.unlearning.grid_cells import fit, serve
from workbench.unlearning.grid_config import Fit, Grid, Step
from workbench.unlearning.grid_facts import Facts, keep_facts, kept_facts
from workbench.unlearning.grid_names import Own, own_names, task_of
from workbench.whole import whole_file

GRIDS = ROOT / "data" / "grids"
"""Grids that are shipped, by name."""
OWN = "own.json"
"""In the folder of a grid: what algorithms of one's own were when it ran."""
EPOCH = {
    "BPR": 0.010,
    "LightGCN": 0.020,
    "SGL": 0.064,
    "GRU4Rec": 0.138,
    "NARM": 0.175,
    "SASRec": 0.169,
    "SRGNN": 0.268,
    "DNNTSP": 0.045,
    "Sets2Sets": 0.050,
}
"""CPU seconds of an epoch on the generated world, one thread; the guess before anything ran."""
WORLD_ROWS = 11_324
REQUEST = {"": 1, "corrected": 2, "as_in_fork": 8}
"""Epochs that a request takes about as long as."""
PROCESS, MODEL = 600 << 20, 600 << 10
"""Bytes of a worker, and of a kept model, about."""


def read_grid(path: str | Path) -> Grid:
    """A grid from a TOML file, or a shipped one by its name; raises `ConfigError` for what is none."""
    file = Path(path)
    if not file.suffix:
        file = GRIDS / f"{path}.toml"
    try:
        return Grid.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        names = ", ".join(sorted(one.stem for one in GRIDS.glob("*.toml")))
        do = f"name a TOML file, or one of {names}"
        raise ConfigError(f"no grid ({error})", str(file), "a grid in TOML", do) from error
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise ConfigError(wrong["msg"], f"{file}, {where}", "fields of Grid") from error


def keep_grid(grid: Grid, folder: Path) -> None:
    """Write the grid into its folder, or one that has more models and algorithms than the one that
    was begun there; raises `ConfigError` for any other."""
    path = folder / "grid.json"
    text = grid.model_dump_json(indent=1)
    if path.is_file() and not _grown(kept_grid(folder), grid):
        what, do = "another grid was begun here", "name another folder"
        raise ConfigError(what, str(path), "the same grid, or more models or algorithms", do)
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")


def _grown(old: Grid, new: Grid) -> bool:
    """Whether a grid is another one with some more models or algorithms."""
    more = ("models", "algorithms")
    same = old.model_copy(update={name: getattr(new, name) for name in more}) == new
    return same and all(getattr(old, name).items() <= getattr(new, name).items() for name in more)


def kept_grid(folder: Path) -> Grid:
    """The grid of a folder; raises `DataError` where there is none."""
    path = Path(folder) / "grid.json"
    try:
        return Grid.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        do = "workbench unlearn run begins one"
        raise DataError(f"no grid ({error})", str(path), "the folder of a grid", do) from error


def _keep_own(made: Plan, folder: Path) -> None:
    """Write what one's own algorithms are now, so that they can be read of without an import."""
    names = ("algorithm", "code", "mode", "told", "batch")
    own = [one for one in made.steps if ":" in one.algorithm]
    lines = {json.dumps({name: one.model_dump(mode="json")[name] for name in names}) for one in own}
    if lines:
        with whole_file(folder / OWN) as new:
            new.write_text(f"[{', '.join(sorted(lines))}]", encoding="utf-8")


def _keep_facts(made: Plan, folder: Path) -> None:
    """Look up what `status` and the table will ask of the data, and write it."""
    for one in made.retrains:
        made.facts.rows(one.source, task := task_of(one.model))
        if task == "session":
            made.facts.sessions(one.source, one.asked, one.done)
    keep_facts(made.facts, made.grid, folder)


def kept_own(folder: Path) -> list[Own]:
    """What one's own algorithms were when a grid ran, for `plan`; raises `DataError` for a damaged
    file."""
    path = Path(folder) / OWN
    if not path.is_file():
        return []
    try:
        return TypeAdapter(list[Own]).validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", str(path), "as run_grid writes it") from error


def kept_plan(folder: Path) -> Plan:
    """The plan of a grid that was begun in a folder: no module of one's own is imported, and no log
    opened where what a run left in `facts.json` still holds."""
    grid = kept_grid(folder)
    return plan(grid, kept_own(folder), kept_facts(grid, folder))


def run_grid(
    made: Plan,
    folder: Path,
    n_jobs: int = 1,
    engine: str = "loky",
    *,
    retry_failed: bool = False,
    progress: bool = False,
    keep: bool = False,
) -> pd.DataFrame:
    """Run what is missing of a grid and return `status`.

    Bases, rivals and retrains come first; what failed is told and left, and the rest goes on.
    keep: older results may stand though a cell's own source was changed since.
    """
    folder = Path(folder)
    of_main = [name for name in own_names(made.grid) if name.startswith("__main__:")]
    if of_main and (n_jobs != 1 or engine != "loky"):
        what = f"{', '.join(of_main)} is of this notebook, which other processes cannot see"
        do = "take n_jobs=1, or write it into a module: module:function"
        raise ConfigError(what, "algorithms", "what every process can import", do)
    keep_grid(made.grid, folder)
    _keep_own(made, folder)
    _keep_facts(made, folder)
    how = {"n_jobs": n_jobs, "engine": engine, "progress": progress, "keep": keep}
    how |= {"retry_failed": retry_failed, "strict": False}
    # the longest first, so that no worker is left with one at the end
    fits = sorted(
        (*made.bases, *made.rivals, *made.retrains), key=partial(_guess, made.facts), reverse=True
    )
    left = status(made, folder)["left"].sum()
    # both share one cluster; what is finished needs none
    with standing(engine, n_jobs) if left else nullcontext():
        run(fits, fit, folder, **how)
        run(made.steps, serve, folder, chain=Step.stream, **how)
    return status(made, folder)


def status(made: Plan, folder: Path) -> pd.DataFrame:
    """How far a grid is: [cells, all, done, failed, left, seconds_left, about], read from finished
    folders. seconds_left: CPU seconds, from what was measured here, or guessed (`about` says which).
    """
    rows = []
    kinds = {"bases": made.bases, "rivals": made.rivals, "retrains": made.retrains}
    for name, cells in {**kinds, "requests": made.steps}.items():
        function = serve if name == "requests" else fit
        done = [one for one in cells if is_done(one, function, folder)]
        ended = set(done)
        left = [one for one in cells if one not in ended]
        failed = [one for one in left if why_failed(folder_of(one, function, folder))]
        took = {}
        for one in done:
            took.setdefault(_pace(one), []).append(_seconds(made.facts, one, function, folder))
        means = {pace: sum(some) / len(some) for pace, some in took.items()}
        seconds = sum(means.get(_pace(one)) or _guess(made.facts, one) for one in left)
        about = "measured" if left and all(_pace(one) in means for one in left) else "guessed"
        line = {"cells": name, "all": len(cells), "done": len(done), "failed": len(failed)}
        rows.append(
            line | {"left": len(left), "seconds_left": seconds, "about": about if left else ""}
        )
    return pd.DataFrame(rows)


def estimate(made: Plan, folder: Path, n_jobs: int) -> dict[str, Any]:
    """What a run will take: cells, minutes, memory and disk in MiB; raises `TooLarge` where the
    workers would need more memory than there is."""
    left = status(made, folder)
    seconds = float(left["seconds_left"].sum())
    marks = len({(step.stream(), mark) for step in made.steps for mark in step.marks})
    fits = len(made.bases) + len(made.rivals) + len(made.retrains)
    disk = (marks + 2 * len({step.stream() for step in made.steps}) + fits) * MODEL
    memory = (1 + max(n_jobs, 1)) * PROCESS
    if memory > physical_memory():
        what = f"{n_jobs} workers need about {memory >> 20:,} MiB"
        raise TooLarge(what, "n_jobs", f"at most {physical_memory() >> 20:,}", "take fewer")
    counts = {"cells left": int(left["left"].sum()), "of": int(left["all"].sum())}
    minutes = {"minutes, about": round(seconds / max(n_jobs, 1) / 60, 1)}
    return counts | minutes | {"MiB of memory": memory >> 20, "MiB of disk": disk >> 20}


def _pace(cell: Fit | Step) -> tuple[str, ...]:
    """Cells of one pace."""
    more = (cell.algorithm, cell.mode) if isinstance(cell, Step) else ()
    return (cell.source.name, cell.model, *more)


def _guess(facts: Facts, cell: Fit | Step) -> float:
    """CPU seconds that a cell will take, about."""
    rows = facts.rows(cell.source, task_of(cell.model))
    epoch = EPOCH.get(cell.model, 0.02) * rows / WORLD_ROWS
    epochs = getattr(getattr(cell.settings, "training", None), "epochs", 1)
    if isinstance(cell, Step):
        epochs = REQUEST.get(cell.mode, 2)
    return epoch * epochs + 0.1


def _seconds(facts: Facts, cell: Fit | Step, function: Any, folder: Path) -> float:
    try:
        text = (folder_of(cell, function, folder) / "manifest.json").read_text(encoding="utf-8")
        return float(json.loads(text)["seconds"])
    except (OSError, ValueError, KeyError) as error:
        warnings.warn(f"a run that cannot be read ({error})", stacklevel=2)
        return _guess(facts, cell)
