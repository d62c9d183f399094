"""Grids of runs that survive being stopped: one folder per config hash, whole or not there."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from workbench._engines import each
from workbench._run_folders import (
    chain as _chain,
)
from workbench._run_folders import (
    facts_of,
    finished,
    hash_of,
    kept,
    left_by_the_dead,
    result_of,
    source_of,
    sweep,
)
from workbench.errors import ConfigError, RunError, typed

SHOWN = 10  # failed runs that an error names


def config_hash(
    config: BaseModel, function: Callable[..., Any], version: str = "1", data: Any = ""
) -> str:
    """sha256 of the canonical JSON of function, config class, config, version and data fingerprint:
    the name of a run's folder.

    data: a fingerprint, or what has one as an attribute. Raises `ConfigError` for what has no
    stable name: a bound or callable object in place of a function, NaN in a config.
    """
    return hash_of(facts_of(config, function, version, data))


@typed
def run(
    configs: Iterable[BaseModel],
    function: Callable[..., pd.DataFrame],
    folder: Path,
    n_jobs: int = 1,
    engine: str = "loky",
    *,
    chain: Callable[[BaseModel], Hashable] | None = None,
    version: str | int = "1",
    data: Any = "",
    progress: bool = False,
    keep: bool = False,
    retry_failed: bool = True,
    strict: bool = True,
) -> pd.DataFrame:
    """Call `function(config)` for every config that has no result yet; return all results below
    each other.

    function: returns a table, whose index becomes a column unless it only counts; if it takes a
    second argument it gets the run's folder, to leave models in that `rescore` reads later, and as
    a third the folder of all runs, to read there what others left (`folder_of`).
    engine: who works, all of them processes: `loky` on this machine; `dask`, `ray` (extras of that
    name) on a cluster that stands already, or on one made here. A worker that is killed is made up
    for, at most twice.
    chain: configs for which it says the same are one chain, done in their order by one worker, so
    that each may read the folder of the one before; after one that failed the others are not begun.
    version: raise it when the function changes its meaning. A change of its own source is refused
    unless `keep` says that older results may stand; one of what it calls is not seen. data:
    fingerprint of what it reads, or the log itself. Each result is the folder `<hash>`:
    `result.parquet`, `manifest.json`. Stopping loses only the runs under way. A damaged result is
    named and made again; folders from before functions were part of the name are told of and left.
    retry_failed: whether what failed the last time is tried again.

    Returns [run, <fields of the config>, <columns of the results>]. Raises `RunError` after the
    others are done where runs failed: each leaves `failed.json`. With strict=False it warns, and
    returns the results there are.
    """
    from tqdm import tqdm

    folder, cells = Path(folder), _cells(configs, function, version, data)
    # nothing is written before engine and jobs are known to be there
    work = partial(each, engine, _chain, n_jobs=n_jobs, swept=partial(sweep, folder))
    work(tasks=[])
    sweep(folder)
    _tell_of_old(folder, [facts for _, facts in cells.values()])
    source = {"source": source_of(function)}  # here: a worker may not find it
    tables = {name: finished(folder / name, {} if keep else source) for name in cells}
    todo = [name for name, table in tables.items() if table is None]
    # a task is a chain; without chains every run is one of its own
    chains: dict[Hashable, list[str]] = {}
    for name in todo:
        chains.setdefault(chain(cells[name][0]) if chain else name, []).append(name)
    links = [[(name, *cells[name]) for name in names] for names in chains.values()]
    tasks = [(function, part, source, folder, retry_failed) for part in links]
    said: dict[str, str] = {}
    shown = {"disable": not (progress and todo), "desc": f"{len(cells)} runs", "total": len(todo)}
    try:
        with tqdm(**shown) as bar:
            for ended in work(tasks=tasks):
                said |= dict(ended)
                bar.update(len(ended))
    except BrokenExecutor as error:
        raise _killed(folder, cells) from error
    sweep(folder)
    # what failed is told once everything else is done
    if failed := {name: why for name, why in said.items() if why}:
        told = _failed(folder, cells, failed)
        if strict:
            raise told
        warnings.warn(str(told), stacklevel=2)
    tables |= {name: read(folder / name) for name in todo if name not in failed}
    return _together(cells, {name: table for name, table in tables.items() if table is not None})


def folder_of(
    config: BaseModel,
    function: Callable[..., Any],
    folder: Path,
    version: str | int = "1",
    data: Any = "",
) -> Path:
    """Where `run` keeps the result of a config, whether or not there is one."""
    return Path(folder) / config_hash(config, function, str(version), data)


@typed
def rescore(
    configs: Iterable[BaseModel],
    function: Callable[[BaseModel, Path], pd.DataFrame],
    folder: Path,
    *,
    of: Callable[..., pd.DataFrame],
    version: str | int = "1",
    data: Any = "",
    keep: bool = False,
) -> pd.DataFrame:
    """`function(config, run_folder)` over finished runs of the function `of`: another metric from
    what they left, nothing trained again."""
    cells = _cells(configs, of, version, data)
    for name in cells:
        result_of(Path(folder) / name, {} if keep else {"source": source_of(of)})
    made = {name: function(config, Path(folder) / name) for name, (config, _) in cells.items()}
    return _together(cells, {name: kept(table) for name, table in made.items()})


@typed
def is_done(
    config: BaseModel,
    function: Callable[..., Any],
    folder: Path,
    version: str | int = "1",
    data: Any = "",
) -> bool:
    """Whether `run` has a result of this config in the folder; a failed run has none."""
    return (folder_of(config, function, folder, version, data) / "manifest.json").is_file()


@typed
def read(folder: Path) -> pd.DataFrame:
    """The table of one run; raises `DataError` where there is none, or a damaged one."""
    return result_of(Path(folder), {})


def _cells(
    configs: Any, function: Any, version: Any, data: Any
) -> dict[str, tuple[BaseModel, dict[str, Any]]]:
    """Every config and what names its run, by that name."""
    if isinstance(configs, BaseModel):  # whose parts are its fields
        raise ConfigError("one config", "configs", "a list of them", "pass [config]")
    configs, cells = list(configs), {}
    for config in configs:
        facts = facts_of(config, function, version, data)
        cells[hash_of(facts)] = config, facts
    if len(cells) < len(configs):
        do = "drop the repeated ones"
        raise ConfigError("a config appears twice", "configs", "every config once", do)
    return cells


def _killed(folder: Path, cells: dict[str, tuple[BaseModel, dict[str, Any]]]) -> RunError:
    """What to say of workers that were killed too often: at what they were."""
    names = dict.fromkeys(left_by_the_dead(folder).values())  # one may have left several
    at = [f"{name[:12]} {cells[name][0]!r}" for name in names if name in cells]
    what = f"workers were killed again and again, at last at {'; '.join(at) or 'no run'}"
    sweep(folder)
    do = "run again with fewer n_jobs: what is finished is kept"
    return RunError(what, str(folder), "memory for all", do)


def _failed(
    folder: Path, cells: dict[str, tuple[BaseModel, dict[str, Any]]], failed: dict[str, str]
) -> RunError:
    """What to say of runs that failed."""
    lines = [f"{name[:12]} {cells[name][0]!r}: {why}" for name, why in failed.items()]
    what = f"{len(lines)} of {len(cells)} runs failed: {'; '.join(lines[:SHOWN])}"
    do = "see failed.json there, mend and run again (keep=True if that changed the function)"
    return RunError(what, str(folder), "a table from every run", do)


def _tell_of_old(folder: Path, facts: Sequence[dict[str, Any]]) -> None:
    """Warn of results that were named before functions and classes were part of a name."""
    names = [hash_of({key: fact[key] for key in ("config", "version", "data")}) for fact in facts]
    if old := [name for name in names if (folder / name).is_dir()]:
        what = f"{folder}: {len(old)} results from before functions were part of a run's name, such"
        what += f" as {old[0]}, are left as they are and not read: they may be of another function"
        warnings.warn(f"{what}. Remove them when the new ones are there.", stacklevel=3)


def _together(
    cells: dict[str, tuple[BaseModel, dict[str, Any]]], tables: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Tables below each other, each led by its run and the config's fields (nested ones as
    JSON)."""
    parts = []
    for name, table in tables.items():
        fields = {"run": name[:12]}
        for key, value in cells[name][1]["config"].items():
            if key not in table:
                nested = isinstance(value, list | dict)
                fields[key] = json.dumps(value, sort_keys=True) if nested else value
        parts.append(table.assign(**fields)[[*fields, *table.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
