"""The checks that all readers of texts share."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.tokens.own import checked
from workbench.tokens.prompts import EXAMPLE


def examples(rows: list[tuple], where: str, *more: str) -> pd.DataFrame:
    """Rows (text, user, item, query, response, memories, *more) as a table, once every row has a
    query and a response; `where` is the file that they come from."""
    return checked(pd.DataFrame(rows, columns=[*EXAMPLE, *more]), where)


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
