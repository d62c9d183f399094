"""Examples from any table with a user, a prompt, a response and a history; the checks that all
readers share."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError

EXAMPLE = ["text", "user", "item", "query", "response", "memories"]


def examples_from_table(
    frame: pd.DataFrame,
    user: str,
    prompt: str,
    response: str,
    history: str,
    item: str | None = None,
) -> pd.DataFrame:
    """Examples for `make_pairs` from a table of your own; the arguments name its columns.

    Other columns are kept, but for those that are called as a column of the examples. `history`
    holds a list of texts in every row, or one text whose lines are the memory items. `text` is the
    number of the row. Raises `DataError` with the row for a missing column, an empty prompt or
    response, or another history.

    >>> mine = pd.DataFrame({"who": ["ann"], "ask": ["A review?"], "said": ["Fine."], "past": [["Owns a tent."]]})
    >>> examples_from_table(mine, user="who", prompt="ask", response="said", history="past")["memories"].tolist()
    [['Owns a tent.']]
    """
    taken = {"user": user, "query": prompt, "response": response, "memories": history}
    taken |= {"item": item} if item else {}
    missing = [column for column in taken.values() if column not in frame]
    if missing:
        have = f"found: {list(frame.columns[:12])}"
        raise DataError(f"no columns {missing}", "table", have, "name its own columns")
    out = pd.DataFrame({role: frame[column].tolist() for role, column in taken.items()})
    kept = [name for name in frame if name not in taken.values() and name not in EXAMPLE]
    out = out.join(frame[kept].reset_index(drop=True)).assign(text=np.arange(len(out)))
    out["item"] = out["item"] if item else None
    out["memories"] = [_items(past, row) for row, past in enumerate(out["memories"])]
    return _checked(out[EXAMPLE + kept], "table")


def examples(rows: list[tuple], where: str, *more: str) -> pd.DataFrame:
    """Rows (text, user, item, query, response, memories, *more) as a table, once every row has a
    query and a response; `where` is the file that they come from."""
    return _checked(pd.DataFrame(rows, columns=[*EXAMPLE, *more]), where)


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    if table.empty:
        raise DataError("no examples", where, "one row at least", "check the file")
    for name in ("query", "response"):
        for row, text in enumerate(table[name]):
            if not isinstance(text, str) or not text.strip():
                do = "repair or remove this row"
                raise DataError(f"empty {name}", f"{where} row {row}", "a text", do)
    return table


def fields(row: Any, names: Iterable[str], where: str) -> list[Any]:
    """The values of these fields of a JSON object; `DataError` names the first that is missing."""
    if not isinstance(row, Mapping):
        what = f"{type(row).__name__} instead of an object"
        raise DataError(what, where, "{…}", "check the file")
    for name in names:
        if row.get(name) is None:
            do = "check that this is the right file"
            raise DataError(f"no field {name!r}", where, f"found: {list(row)[:12]}", do)
    return [row[name] for name in names]


def listed(things: Any, where: str) -> Any:
    """A list of a file, or of a parquet column; raises `DataError` for anything else."""
    if not isinstance(things, (list, tuple, np.ndarray)):
        what = f"{type(things).__name__} where a list is to be"
        raise DataError(what, where, "a list of objects", "check the file")
    return things


def rendered(pattern: str, items: Any, where: str) -> list[str]:
    """Every item of a profile as one memory item: `pattern` with the item's fields put in."""
    items = listed(items, where)
    names = [name for _, name, *_ in string.Formatter().parse(pattern) if name]
    for place, item in enumerate(items):
        fields(item, names, f"{where}, item {place}")
    return [pattern.format_map(item) for item in items]


def _items(past: Any, row: int) -> list[str]:
    """The memory items of a history."""
    lists = isinstance(past, (str, list, tuple, np.ndarray))
    if not lists or not all(isinstance(one, str) for one in past):
        what = f"a history of {type(past).__name__}"
        raise DataError(what, f"table row {row}", "a list of texts, or one text")
    lines = past.splitlines() if isinstance(past, str) else past
    return [one.strip() for one in lines if one.strip()]
