"""RecBole atomic files: tab separated, a header `name:type`, one file each for log, items and
users."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers, require
from workbench.data.times import as_times
from workbench.errors import DataError, typed
from workbench.sources.columns import (
    as_ids,
    chosen,
    require_roles,
    roles_of,
    tell,
    tell_unread,
)
from workbench.sources.files import exists, found, read_frame
from workbench.sources.guesses import ROLES as NAMES
from workbench.sources.guesses import by_names
from workbench.sources.logs.dataset import Dataset, make_dataset
from workbench.sources.notes import doubts_of

PARTS = ("inter", "item", "user")
ROLES = {"user": "user_id", "item": "item_id", "timestamp": "timestamp", "value": "rating"}
"""What the columns of an `.inter` file are called; others are found by their names, as in a
table."""
GUESSED = {role: NAMES[role] for role in ("user", "item", "timestamp", "value")}
TITLES = ("title", "movie_title", "name", "item_name", "product_name")
TOPICS = ("class", "genre", "genres", "categories", "category")


@typed
def read_recbole(
    folder: str | Path,
    topics: str | None = None,
    *,
    mapping: dict[str, str] | None = None,
    time_unit: str = "s",
) -> Dataset:
    """Read RecBole atomic files `<name>.inter`, and `.item` and `.user` where there are such.

    folder: theirs, or the common prefix `folder/name`. topics: the column of the `.item` file whose
    words are topics (class, genre, categories unless told). mapping: role → column of the `.inter`
    file, without its type, laid over user_id, item_id, timestamp and rating, or over names such as
    `time` and `label` (a label is a value: `keep_at_least(log, 1)` leaves out those of 0);
    time_unit: of numeric times (s, ms, us, ns). Columns that nobody reads are named by a warning.
    Format: recbole.io, atomic files: tab separated, header name:type.
    """
    folder = Path(folder).expanduser()
    here, stem = (folder, "*") if folder.is_dir() else (folder.parent, folder.name)
    files = [*here.glob(f"{stem}.inter"), *here.glob(f"{stem}.inter.gz")]
    logs = sorted({path.name.split(".inter")[0] for path in files})
    if len(logs) != 1:
        count = f"{len(logs)} files end" if logs else "no file ends"
        expected = "one data set: name.inter, name.item, name.user"
        raise DataError(f"{count} in .inter", str(folder), expected, "name folder/name")
    where = f"{logs[0]}.inter"
    table, items, people = (_atomic(here / f"{logs[0]}.{part}") for part in PARTS)
    guess = by_names(table.columns, GUESSED)
    guess |= {role: column for role, column in ROLES.items() if column in table}
    taken = roles_of(guess, mapping, GUESSED)
    for role in ("user", "item"):
        if taken.get(role) not in table:
            have = ", ".join(table.columns)
            expected = f"user_id:token and item_id:token; found: {have}"
            do = f"pass mapping={{'{role}': '…'}} with the name of one column"
            raise DataError("no column user_id or item_id", where, expected, do)
    require_roles(table, taken, where)
    tell_unread(table.columns, taken.values(), where)
    if taken.get("value") == "label":
        tell(f"{where}: label is read as a value; keep_at_least(log, 1) leaves out rows of 0")
    table = chosen(table, {column: role for role, column in taken.items()})
    times = table.get("timestamp")
    if times is not None:
        table["timestamp"] = as_times(times, len(table), where, time_unit)
    if items is not None:
        items = _described(items, topics)
    data = make_dataset(table, items, people, where)
    for doubt in doubts_of(data.log, times):
        tell(f"{where}: {doubt}")
    return data


def _described(items: pd.DataFrame, topics: str | None) -> pd.DataFrame:
    """The items with their `title`, and with `topics` as lists of words."""
    title = next((name for name in TITLES if name in items), None)
    column = topics or next((name for name in TOPICS if name in items), None)
    if column is None:
        return items.rename(columns={title: "title"})
    require(items, [column], "items")
    words = items[column].map(lambda text: str(text).split(), "ignore")
    return items.rename(columns={title: "title", column: "topics"}).assign(topics=words)


def _atomic(path: Path) -> pd.DataFrame | None:
    """One RecBole atomic file, its columns without their types; None where there is no such
    file."""
    if not exists(path):
        return None
    table = read_frame(found(path), sep="\t", quoting=csv.QUOTE_NONE)
    for header in table.columns:
        kind = header.partition(":")[2]
        if kind not in ("token", "token_seq", "float", "float_seq"):
            where = f"{path.name}, line 1"
            raise DataError(f"column {header!r} has no type", where, "name:token, name:float, …")
        if kind == "float":
            table[header] = as_numbers(table[header], path.name)
        elif kind == "token":
            table[header] = as_ids(table[header])
    return table.rename(columns=lambda header: header.partition(":")[0])
