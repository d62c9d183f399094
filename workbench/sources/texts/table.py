"""Examples from any table with a user, a prompt, a response and a history; the checks that all
readers share."""

from __future__ import annotations

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
    taken = {"user": user, "query": prompt, "response": response, "memories": history} | (
        {"item": item} if item else {}
    )
    missing = [column for column in taken.values() if column not in frame]
    if missing:
        raise DataError(
            f"no columns {missing}",
            "table",
            f"found: {list(frame.columns[:12])}",
            "name its own columns",
        )
    out = pd.DataFrame({role: frame[column].tolist() for role, column in taken.items()})
    out["text"] = np.arange(len(out))
    out["item"] = out["item"] if item else None
    kept = [name for name in frame if name not in taken.values() and name not in EXAMPLE]
    out = pd.concat([out, frame[kept].reset_index(drop=True)], axis=1)
    for row, past in enumerate(out["memories"]):
        if not isinstance(past, (str, list, tuple, np.ndarray)) or not all(
            isinstance(one, str) for one in past
        ):
            raise DataError(
                f"a history of {type(past).__name__}",
                f"table row {row}",
                "a list of texts, or one text",
            )
    out["memories"] = [_items(past) for past in out["memories"]]
    return check(out[EXAMPLE + kept], "table")


def check(examples: pd.DataFrame, where: str) -> pd.DataFrame:
    """The same table, once every row has a query and a response; `where` is the file that they come
    from."""
    if examples.empty:
        raise DataError("no examples", where, "one row at least", "check the file")
    for name in ("query", "response"):
        for row, text in enumerate(examples[name]):
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"empty {name}", f"{where} row {row}", "a text", "repair or remove this row"
                )
    return examples.reset_index(drop=True)


def fields(row: Any, names: Iterable[str], where: str) -> list[Any]:
    """The values of these fields of a JSON object; `DataError` names the first that is missing."""
    if not isinstance(row, Mapping):
        raise DataError(
            f"{type(row).__name__} instead of an object", where, "{…}", "check the file"
        )
    for name in names:
        if row.get(name) is None:
            raise DataError(
                f"no field {name!r}",
                where,
                f"found: {list(row)[:12]}",
                "check that this is the right file",
            )
    return [row[name] for name in names]


def rendered(pattern: str, names: Iterable[str], items: Any, where: str) -> list[str]:
    """Every item of a profile as one memory item: `pattern` with the item's fields put in."""
    if not isinstance(items, (list, tuple, np.ndarray)):
        raise DataError("the profile is no list", where, "a list of objects", "check the file")
    names = list(names)
    return [
        pattern.format(
            **dict(zip(names, fields(item, names, f"{where}, item {place}"), strict=True))
        )
        for place, item in enumerate(items)
    ]


def _items(past: Any) -> list[str]:
    lines = past.splitlines() if isinstance(past, str) else past
    return [one.strip() for one in lines if one.strip()]
