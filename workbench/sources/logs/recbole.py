"""RecBole atomic files: tab separated, a header `name:type`, one file each for log, items and
users."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers
from workbench.errors import DataError
from workbench.sources.columns import as_ids
from workbench.sources.files import exists, found, read_frame
from workbench.sources.logs.dataset import Dataset, make_dataset


def read_recbole(folder: str | Path, topics: str | None = None) -> Dataset:
    """Read RecBole atomic files `<name>.inter`, and `.item` and `.user` where there are such.

    folder: theirs, or the common prefix `folder/name`. topics: the column of the `.item` file whose
    words are topics (class, genre, categories unless told). Format: recbole.io, atomic files: tab
    separated, header name:type.
    """
    folder = Path(folder)
    here, stem = (folder, "*") if folder.is_dir() else (folder.parent, folder.name)
    logs = sorted(
        {p.name.split(".inter")[0] for end in ("", ".gz") for p in here.glob(f"{stem}.inter{end}")}
    )
    if len(logs) != 1:
        found = f"{len(logs)} files end in .inter" if logs else "no file ends in .inter"
        raise DataError(
            found, str(folder), "one data set: name.inter, name.item, name.user", "name folder/name"
        )
    parts = {part: _atomic(here / f"{logs[0]}.{part}") for part in ("inter", "item", "user")}
    table = parts["inter"]
    if table is None or not {"user_id", "item_id"} <= set(table.columns):
        raise DataError(
            "no column user_id or item_id", f"{logs[0]}.inter", "user_id:token and item_id:token"
        )
    known = {"user": "user_id", "item": "item_id", "timestamp": "timestamp", "value": "rating"}
    roles = {role: column for role, column in known.items() if column in table}
    return make_dataset(table, roles, parts["item"], parts["user"], topics, f"{logs[0]}.inter")


def _atomic(path: Path) -> pd.DataFrame | None:
    """One RecBole atomic file, its columns without their types; None where there is no such
    file."""
    if not exists(path):
        return None
    table = read_frame(found(path), sep="\t", quoting=csv.QUOTE_NONE)
    for header in table.columns:
        kind = header.partition(":")[2]
        if kind not in ("token", "token_seq", "float", "float_seq"):
            raise DataError(
                f"column {header!r} has no type",
                f"{path.name}, line 1",
                "name:token, name:float, …",
            )
        if kind == "float":
            table[header] = as_numbers(table[header], path.name)
        elif kind == "token":
            table[header] = as_ids(table[header])
    return table.rename(columns=lambda header: header.partition(":")[0])
