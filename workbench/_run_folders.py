"""The folders of runs: how one is named, made, read, and told from what a killed worker left."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import os
import shutil
import socket
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from pydantic import BaseModel

from workbench.errors import ConfigError, DataError
from workbench.whole import PARTIAL, whole_file, whole_folder

DAY = 24 * 3600  # seconds
NAMING = ("function", "config_class", "config", "version", "data")  # facts that name a run
FAILED = "failed.json"
OWNER = "owner.json"
"""Beside a run that is being made: the machine, the process, and the name it will have."""


def facts_of(
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
        named_by = dict(zip(NAMING, named, strict=True))
        hash_of(named_by)
    except (AttributeError, TypeError, ValueError) as error:
        what = f"{config!r} cannot name a run ({error})"
        expected = "a pydantic config of plain values, and data as text"
        raise ConfigError(what, "configs", expected, "correct it") from error
    if "run" in values:
        raise ConfigError("a field called 'run'", "configs", "another name", "rename the field")
    return named_by


def hash_of(facts: dict[str, Any]) -> str:
    """sha256 of canonical JSON."""
    form = {"sort_keys": True, "separators": (",", ":"), "ensure_ascii": False}
    text = json.dumps(facts, allow_nan=False, **form)
    return hashlib.sha256(text.encode()).hexdigest()


def source_of(function: Callable[..., Any]) -> str:
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


def result_of(folder: Path, told: dict[str, str]) -> pd.DataFrame:
    """The table of one run; told: what the manifest has to say besides."""
    where = str(folder), "manifest.json and result.parquet, whole", "call run(…): it makes the run"
    if not any((folder / name).exists() for name in ("manifest.json", "result.parquet")):
        raise DataError("no finished run", *where)
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(folder / "result.parquet")
        good = hash_of({name: manifest[name] for name in NAMING}) == folder.name
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


def finished(folder: Path, source: dict[str, str]) -> pd.DataFrame | None:
    """The table of a finished run; None where it is to be made, after a warning if it was there."""
    try:
        return result_of(folder, source)
    except DataError as error:
        if error.what != "no finished run":
            warnings.warn(f"{error} It is made again.", stacklevel=3)
        return None


def one(
    function: Callable, config: BaseModel, facts: dict, source: dict[str, str], folder: Path
) -> tuple[str, str]:
    """Make one run: its folder's name, and why it failed, where it did."""
    failed, facts = folder / FAILED, facts | source
    try:
        # the name is a hash that only runs have; what they did not write stops the run all the same
        with whole_folder(folder, Path.is_dir) as work:
            owner = {"host": socket.gethostname(), "pid": os.getpid(), "run": folder.name}
            write(work.parent / OWNER, owner)
            start = time.perf_counter()
            # a function takes the config, and may take its own folder and that of all runs
            several = len(inspect.signature(function).parameters)
            table = kept(function(*(config, work, folder.parent)[: min(several, 3)]))
            seconds = round(time.perf_counter() - start, 3)
            table.to_parquet(work / "result.parquet", index=False)
            more = {"rows": len(table), "seconds": seconds}
            write(work / "manifest.json", facts | more)
            failed.unlink(missing_ok=True)
        return folder.name, ""
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        with suppress(OSError, DataError), whole_file(failed) as new:
            write(new, facts | {"error": why, "traceback": traceback.format_exc()})
        return folder.name, why


def chain(
    function: Callable,
    links: list[tuple[str, BaseModel, dict[str, Any]]],
    source: dict[str, str],
    folder: Path,
    retry: bool = True,
) -> list[tuple[str, str]]:
    """Make runs one after another: the name of each, and why there is none of it, if so. After one
    that failed the others are not begun."""
    said, broken = [], ""
    for name, config, facts in links:
        place = folder / name
        why = f"not begun, as {broken[:12]} before it failed" if broken else ""
        if not why and not _is_made(place):
            why = "" if retry else why_failed(place)
            why = why or one(function, config, facts, source, place)[1]
            broken = name if why else ""
        said.append((name, why))
    return said


def _is_made(folder: Path) -> bool:
    """Whether a worker that was killed had made this one before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return finished(folder, {}) is not None


def why_failed(folder: Path) -> str:
    """What stopped a run the last time; nothing where it did not fail."""
    try:
        return str(json.loads((folder / FAILED).read_text(encoding="utf-8"))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def kept(table: Any) -> pd.DataFrame:
    """The table with its index as a column, unless that only counts."""
    if not isinstance(table, pd.DataFrame) or "run" in table:
        found = "one with a column 'run'" if hasattr(table, "columns") else type(table).__name__
        do = "return one; call the column something else"
        raise DataError(f"returned {found}", "function", "a DataFrame without a column 'run'", do)
    counts = table.index.name is None and table.index.equals(pd.RangeIndex(len(table)))
    return table if counts else table.reset_index()


def write(path: Path, facts: dict[str, Any]) -> None:
    """Facts as JSON, to be read by people too."""
    text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def left_by_the_dead(folder: Path) -> dict[Path, str]:
    """Temporary folders whose process on this machine is no more, and the run each was to be."""
    found = {}
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            owner = json.loads((path / OWNER).read_text(encoding="utf-8"))
            if owner["host"] == socket.gethostname() and not _lives(owner["pid"]):
                found[path] = str(owner["run"])
    return found


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def sweep(folder: Path) -> None:
    """Drop what killed runs left behind; what says no owner may be another's for a day."""
    dead = left_by_the_dead(folder)
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):  # another process may sweep too
            if path in dead or time.time() - path.stat().st_mtime > DAY:
                shutil.rmtree(path, ignore_errors=True)
