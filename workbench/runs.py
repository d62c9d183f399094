"""Grids of runs that survive being stopped: one folder per config hash, whole or not there."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import shutil
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from workbench.errors import ConfigError, DataError, RunError, typed
from workbench.whole import PARTIAL, whole_file, whole_folder

DAY = 24 * 3600  # seconds
NAMING = ("function", "config_class", "config", "version", "data")  # facts that name a run
SHOWN = 10  # failed runs that an error names


def config_hash(
    config: BaseModel, function: Callable[..., Any], version: str = "1", data: Any = ""
) -> str:
    """sha256 of the canonical JSON of function, config class, config, version and data fingerprint:
    the name of a run's folder.

    data: a fingerprint, or what has one as an attribute. Raises `ConfigError` for what has no
    stable name: a bound or callable object in place of a function, NaN in a config.
    """
    return _hash(_facts(config, function, version, data))


@typed
def run(
    configs: Iterable[BaseModel],
    function: Callable[..., pd.DataFrame],
    folder: Path,
    n_jobs: int = 1,
    backend: str = "loky",
    *,
    version: str | int = "1",
    data: Any = "",
    progress: bool = False,
    keep: bool = False,
) -> pd.DataFrame:
    """Call `function(config)` for every config that has no result yet; return all results below
    each other.

    function: returns a table, whose index becomes a column unless it only counts; if it takes a
    second argument it gets the run's folder, to leave models in that `rescore` reads later.
    version: raise it when the function changes its meaning. A change of its own source is refused
    unless `keep` says that older results may stand; one of what it calls is not seen. data:
    fingerprint of what it reads, or the log itself. Each result is the folder `<hash>`:
    `result.parquet`, `manifest.json`. Stopping loses only the runs under way. A damaged result is
    named and made again; folders from before functions were part of the name are told of and left.

    Returns [run, <fields of the config>, <columns of the results>]. Raises `RunError` after the
    others are done where runs failed: each leaves `failed.json`, and is tried again the next time.
    """
    import joblib
    from tqdm import tqdm

    folder, cells = Path(folder), _cells(configs, function, version, data)
    try:
        pool = joblib.Parallel(n_jobs=n_jobs, backend=backend, return_as="generator_unordered")
        pool([])  # a number of jobs that there is not is told here
    except ValueError as error:
        raise ConfigError(str(error), "n_jobs, backend", "jobs, by loky or threading") from error
    _sweep(folder)
    _tell_of_old(folder, [facts for _, facts in cells.values()])
    source = {"source": _source(function)}  # here: a worker may not find it
    tables = {name: _finished(folder / name, {} if keep else source) for name in cells}
    todo = [name for name, table in tables.items() if table is None]
    one = joblib.delayed(_one)
    tasks = [one(function, *cells[name], source, folder / name) for name in todo]
    shown = {"disable": not (progress and todo), "desc": f"{len(cells)} runs", "total": len(todo)}
    try:
        said = dict(tqdm(pool(tasks), **shown))
    except BrokenExecutor as error:
        do = "run again with fewer n_jobs: what is finished is kept"
        raise RunError("a worker process was killed", str(folder), "memory for all", do) from error
    # what failed is told once everything else is done
    lines = [f"{name[:12]} {cells[name][0]!r}: {why}" for name, why in said.items() if why]
    if lines:
        what = f"{len(lines)} of {len(cells)} runs failed: {'; '.join(lines[:SHOWN])}"
        do = "see failed.json there, mend and run again (keep=True if that changed the function)"
        raise RunError(what, str(folder), "a table from every run", do)
    tables |= {name: read(folder / name) for name in todo}
    return _together(cells, tables)


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
        _result(Path(folder) / name, {} if keep else {"source": _source(of)})
    made = {name: function(config, Path(folder) / name) for name, (config, _) in cells.items()}
    return _together(cells, {name: _kept(table) for name, table in made.items()})


@typed
def is_done(
    config: BaseModel,
    function: Callable[..., Any],
    folder: Path,
    version: str | int = "1",
    data: Any = "",
) -> bool:
    """Whether `run` has a result of this config in the folder; a failed run has none."""
    place = Path(folder) / config_hash(config, function, version, data)
    return (place / "manifest.json").is_file()


@typed
def read(folder: Path) -> pd.DataFrame:
    """The table of one run; raises `DataError` where there is none, or a damaged one."""
    return _result(Path(folder), {})


def _cells(
    configs: Any, function: Any, version: Any, data: Any
) -> dict[str, tuple[BaseModel, dict[str, Any]]]:
    """Every config and what names its run, by that name."""
    if isinstance(configs, BaseModel):  # whose parts are its fields
        raise ConfigError("one config", "configs", "a list of them", "pass [config]")
    configs, cells = list(configs), {}
    for config in configs:
        facts = _facts(config, function, version, data)
        cells[_hash(facts)] = config, facts
    if len(cells) < len(configs):
        do = "drop the repeated ones"
        raise ConfigError("a config appears twice", "configs", "every config once", do)
    return cells


def _facts(
    config: BaseModel, function: Callable[..., Any], version: str, data: Any
) -> dict[str, Any]:
    """What names a run; refuses what has no stable name."""
    if not inspect.isfunction(function):
        what = f"{function!r} holds what its name does not say (bound arguments, or a state)"
        do = "make them fields of the config, so that other values are another run"
        raise ConfigError(what, "function", "a plain function of the config", do)
    try:
        values = config.model_dump(mode="json")
        names = [f"{thing.__module__}.{thing.__qualname__}" for thing in (function, type(config))]
        named = (*names, values, str(version), getattr(data, "fingerprint", data))
        facts = dict(zip(NAMING, named, strict=True))
        _hash(facts)
    except (AttributeError, TypeError, ValueError) as error:
        what = f"{config!r} cannot name a run ({error})"
        expected = "a pydantic config of plain values, and data as text"
        raise ConfigError(what, "configs", expected, "correct it") from error
    if "run" in values:
        raise ConfigError("a field called 'run'", "configs", "another name", "rename the field")
    return facts


def _hash(facts: dict[str, Any]) -> str:
    """sha256 of canonical JSON."""
    form = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    text = json.dumps(facts, allow_nan=False, **form)
    return hashlib.sha256(text.encode()).hexdigest()


def _source(function: Callable[..., Any]) -> str:
    """Digest of what a function says, comments and layout left out, and of the plain values that
    it holds."""
    try:
        said = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, SyntaxError):  # typed at a prompt, or a part of a longer line
        code = function.__code__
        said = repr((code.co_code, code.co_names, [str(c)[:20] for c in code.co_consts]))
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    plain = [value for value in held if isinstance(value, str | int | float)]
    return hashlib.sha256(repr((said, plain)).encode()).hexdigest()


def _result(folder: Path, told: dict[str, str]) -> pd.DataFrame:
    """The table of one run; told: what the manifest has to say besides."""
    where = str(folder), "manifest.json and result.parquet, whole", "call run(…): it makes the run"
    if not any((folder / name).exists() for name in ("manifest.json", "result.parquet")):
        raise DataError("no finished run", *where)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(folder / "result.parquet")
        good = _hash({name: manifest[name] for name in NAMING}) == folder.name
        if not good or len(table) != manifest["rows"]:
            raise ValueError("manifest and result do not match")
        same = told.items() <= manifest.items()
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"a damaged run ({error})", *where) from error
    if not same:
        what = f"made by {manifest['function']} before its source changed"
        do = "put it back, or pass version= (made anew, beside this) or keep=True (taken as it is)"
        raise ConfigError(what, str(folder), "a result of the function as it stands", do)
    return table


def _finished(folder: Path, source: dict[str, str]) -> pd.DataFrame | None:
    """The table of a finished run; None where it is to be made, after a warning if it was there."""
    try:
        return _result(folder, source)
    except DataError as error:
        if error.what != "no finished run":
            warnings.warn(f"{error} It is made again.", stacklevel=3)
        return None


def _one(
    function: Callable, config: BaseModel, facts: dict, source: dict[str, str], folder: Path
) -> tuple[str, str]:
    """Make one run: its folder's name, and why it failed, where it did."""
    failed, facts = folder / "failed.json", facts | source
    try:
        # the name is a hash that only runs have; what they did not write stops the run all the same
        with whole_folder(folder, Path.is_dir) as work:
            start = time.perf_counter()
            both = len(inspect.signature(function).parameters) > 1
            table = _kept(function(config, work) if both else function(config))
            seconds = round(time.perf_counter() - start, 3)
            table.to_parquet(work / "result.parquet", index=False)
            more = {"rows": len(table), "seconds": seconds}
            _write(work / "manifest.json", facts | more)
            failed.unlink(missing_ok=True)
        return folder.name, ""
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        with suppress(OSError, DataError), whole_file(failed) as new:
            _write(new, facts | {"error": why, "traceback": traceback.format_exc()})
        return folder.name, why


def _kept(table: Any) -> pd.DataFrame:
    """The table with its index as a column, unless that only counts."""
    if not isinstance(table, pd.DataFrame) or "run" in table:
        found = "one with a column 'run'" if hasattr(table, "columns") else type(table).__name__
        do = "return one; call the column something else"
        raise DataError(f"returned {found}", "function", "a DataFrame without a column 'run'", do)
    counts = table.index.name is None and table.index.equals(pd.RangeIndex(len(table)))
    return table if counts else table.reset_index()


def _write(path: Path, facts: dict[str, Any]) -> None:
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def _tell_of_old(folder: Path, facts: Sequence[dict[str, Any]]) -> None:
    """Warn of results that were named before functions and classes were part of a name."""
    names = [_hash({key: fact[key] for key in ("config", "version", "data")}) for fact in facts]
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
    for name, (_, facts) in cells.items():
        table, fields = tables[name], {"run": name[:12]}
        for key, value in facts["config"].items():
            if key not in table:
                nested = isinstance(value, list | dict)
                fields[key] = json.dumps(value, sort_keys=True) if nested else value
        parts.append(table.assign(**fields)[[*fields, *table.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _sweep(folder: Path) -> None:
    """Drop what killed runs left behind; young leftovers may belong to a run of another process."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):  # another process may sweep too
            if time.time() - path.stat().st_mtime > DAY:
                shutil.rmtree(path, ignore_errors=True)
