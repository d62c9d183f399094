"""Texts of one's own: a table with a user, a prompt, a response and a history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.tokens.encoding import check_columns
from workbench.tokens.prompts import EXAMPLE


def examples(
    frame: pd.DataFrame,
    user: str,
    prompt: str,
    response: str,
    history: str,
    item: str | None = None,
) -> pd.DataFrame:
    """Examples for `score_tokens`, `trust` and `make_pairs` from a table of your own; the arguments
    name its columns.

    Other columns are kept, but for those that are called as a column of the examples. `history`
    holds a list of texts in every row, or one text whose lines are the memory items. `text` is the
    number of the row. Raises `DataError` with the row for a missing column, an empty prompt or
    response, or another history, and for a column that is there twice.

    >>> mine = pd.DataFrame({"who": ["ann"], "ask": ["A review?"], "said": ["Fine."], "past": [["Owns a tent."]]})
    >>> examples(mine, user="who", prompt="ask", response="said", history="past")["memories"].tolist()
    [['Owns a tent.']]
    """
    taken = {"user": user, "query": prompt, "response": response, "memories": history}
    taken |= {"item": item} if item else {}
    check_columns(frame, (), "table")
    for role, column in taken.items():
        if not pd.api.types.is_hashable(column):
            raise DataError(f"{role}: a {type(column).__name__}", "examples", "a column's name")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"two columns {twice!r}", "table", "each once", "drop one of them")
    if missing := [column for column in taken.values() if column not in frame]:
        have = f"found: {[*frame.columns[:12]]}"
        raise DataError(f"no columns {missing}", "table", have, "name its own columns")
    out = pd.DataFrame({role: frame[column].tolist() for role, column in taken.items()})
    kept = [name for name in frame if name not in (*taken.values(), *EXAMPLE)]
    out = out.join(frame[kept].reset_index(drop=True)).assign(text=np.arange(len(out)))
    out["item"] = out["item"] if item else None
    out["memories"] = [_items(past, row) for row, past in enumerate(out["memories"])]
    return checked(out[[*EXAMPLE, *kept]], "table")


def checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table; `DataError` for one without rows, and for a row without query or response."""
    if table.empty:
        raise DataError("no examples", where, "one row at least", "check the file")
    for name in ("query", "response"):
        for row, text in enumerate(table[name]):
            if not isinstance(text, str) or not text.strip():
                do = "repair or remove this row"
                empty = isinstance(text, str) or pd.isna(text) is True
                what = f"empty {name}" if empty else f"{name} {text!r:.40}"
                raise DataError(what, f"{where} row {row}", "a text", do)
    return table


def _items(past: Any, row: int) -> list[str]:
    """The memory items of a history."""
    lists = isinstance(past, (str, list, tuple, np.ndarray))
    if not lists or not all(isinstance(one, str) for one in past):
        what = f"a history of {type(past).__name__}"
        raise DataError(what, f"table row {row}", "a list of texts, or one text")
    lines = past.splitlines() if isinstance(past, str) else past
    return [one.strip() for one in lines if one.strip()]
