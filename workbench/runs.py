"""Grids of runs that survive being stopped: one folder per config hash, whole or not there."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from workbench.errors import ConfigError, DataError
from workbench.whole import PARTIAL, whole_folder

DAY = 24 * 3600  # seconds


def config_hash(config: BaseModel, version: str = "1", data: str = "") -> str:
    """sha256 of the canonical JSON of config, method version and data fingerprint."""
    what = {"config": config.model_dump(mode="json"), "version": str(version), "data": data}
    text = json.dumps(
        what, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def run(
    configs: Sequence[BaseModel],
    function: Callable[..., pd.DataFrame],
    folder: Path,
    n_jobs: int = 1,
    backend: str = "loky",
    *,
    version: str = "1",
    data: str = "",
    progress: bool = False,
) -> pd.DataFrame:
    """Call `function(config)` for every config that has no result yet; return all results below
    each other.

    function: returns a table; if it takes a second argument it gets the run's folder, to leave
    models in that `rescore` reads later. version: raise it when the function changes its meaning.
    data: fingerprint of what it reads. Each result is the folder `<hash>`: `result.parquet`,
    `manifest.json`. Stopping loses only the runs under way.

    Returns [run, <fields of the config>, <columns of the results>].
    """
    import joblib
    from tqdm import tqdm

    folder = Path(folder)
    names = [config_hash(config, version, data) for config in configs]
    if len(set(names)) < len(names):
        raise ConfigError(
            "a config appears twice", "configs", "every config once", "drop the repeated ones"
        )
    if isinstance(function, functools.partial):
        do = "make them fields of the config, so that other values are another run"
        raise ConfigError(
            "a function with bound arguments", "function", "a function of the config", do
        )
    _sweep(folder)
    todo = [(c, name) for c, name in zip(configs, names, strict=True) if not _done(folder / name)]
    tasks = (
        joblib.delayed(_one)(function, config, folder / name, version, data)
        for config, name in todo
    )
    done = joblib.Parallel(n_jobs=n_jobs, backend=backend, return_as="generator_unordered")(tasks)
    list(tqdm(done, total=len(todo), disable=not (progress and todo), desc=f"{len(names)} runs"))
    return _together(configs, names, [read(folder / name) for name in names])


def rescore(
    configs: Sequence[BaseModel],
    function: Callable[[BaseModel, Path], pd.DataFrame],
    folder: Path,
    *,
    version: str = "1",
    data: str = "",
) -> pd.DataFrame:
    """`function(config, run_folder)` over finished runs: another metric from what they left,
    nothing trained again."""
    names = [config_hash(config, version, data) for config in configs]
    for name in names:
        read(Path(folder) / name)
    tables = [
        function(config, Path(folder) / name) for config, name in zip(configs, names, strict=True)
    ]
    return _together(configs, names, tables)


def read(folder: Path) -> pd.DataFrame:
    """The table of one run; raises `DataError` where there is none."""
    if not _done(folder):
        raise DataError(
            "no finished run", str(folder), "manifest.json and result.parquet", "call run(…) first"
        )
    return pd.read_parquet(folder / "result.parquet")


def _done(folder: Path) -> bool:
    return (folder / "manifest.json").is_file() and (folder / "result.parquet").is_file()


def _one(
    function: Callable[..., pd.DataFrame], config: BaseModel, folder: Path, version: str, data: str
) -> None:
    with whole_folder(folder) as work:
        start = time.perf_counter()
        both = len(inspect.signature(function).parameters) > 1
        table = function(config, work) if both else function(config)
        manifest: dict[str, Any] = {
            "config": config.model_dump(mode="json"),
            "version": version,
            "data": data,
        }
        manifest |= {
            "function": f"{function.__module__}.{function.__qualname__}",
            "rows": len(table),
        }
        manifest["seconds"] = round(time.perf_counter() - start, 3)
        table.to_parquet(work / "result.parquet", index=False)
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
        (work / "manifest.json").write_text(text, encoding="utf-8")


def _together(
    configs: Sequence[BaseModel], names: Sequence[str], tables: Sequence[pd.DataFrame]
) -> pd.DataFrame:
    """Tables below each other, each led by its run and the config's fields (nested ones as
    JSON)."""
    parts = []
    for config, name, table in zip(configs, names, tables, strict=True):
        fields = {
            key: _plain(value)
            for key, value in config.model_dump(mode="json").items()
            if key not in table
        }
        parts.append(table.assign(run=name[:12], **fields)[["run", *fields, *table.columns]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, list | dict) else value


def _sweep(folder: Path) -> None:
    """Drop what killed runs left behind; young leftovers may belong to a run of another process."""
    for path in folder.glob(f"{PARTIAL}*"):
        with suppress(OSError):  # another process may sweep too
            if time.time() - path.stat().st_mtime > DAY:
                shutil.rmtree(path, ignore_errors=True)
