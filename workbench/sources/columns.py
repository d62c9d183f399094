"""What readers do with columns once they are read: ask for them, look up, make ids and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from workbench.data.checks import as_integers, place_of
from workbench.data.interactions import Interactions
from workbench.errors import DataError

ROLES = ("user", "item", "timestamp", "action", "session", "basket", "value", "interaction")
"""What a column of a log may be called."""


def log_of(table: pd.DataFrame, where: str, **indexes: pd.Index | None) -> Interactions:
    """The log of a table whose columns are called by their roles; other columns are left."""
    roles = {role: role for role in ROLES if role in table}
    return Interactions.from_table(table, **roles, **indexes, where=where)


def require(table: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    """Refuse a table that lacks one of these columns."""
    for column in columns:
        if column not in table:
            have = ", ".join(map(str, table.columns[:12]))
            do = "map the columns: see preview(path)"
            raise DataError(f"no column {column!r}", where, f"found: {have}", do)


def chosen(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """These columns of a table; a mapping says what each is called from now on."""
    renamed = columns if isinstance(columns, Mapping) else {}
    return table[list(columns)].rename(columns=renamed)


def refuse(
    column: pd.Series, wrong: pd.Series, what: str, where: str, expected: str, do: str
) -> None:
    """Refuse a column that is wrong anywhere; `what` holds {value} and {place} of the first such
    cell."""
    if wrong.any():
        value = column[wrong].tolist()[0]
        said = what.format(value=value, place=place_of(column, wrong))
        raise DataError(said, where, expected, do)


def look_up(keys: pd.Series, table: pd.DataFrame, key: str, where: str, name: str) -> pd.DataFrame:
    """The rows of `table` (read from `name`) whose `key` the keys (read from `where`) name, on the
    keys' index."""
    twice = table[key].duplicated()
    refuse(table[key], twice, key + " {value} is repeated", name, "every id once", "remove it")
    known = table.set_index(key)
    at = known.index.get_indexer(keys)
    what = key + " {value} in {place} is not in " + name
    refuse(keys, at < 0, what, where, f"ids of {name}", "copy both files again")
    return known.iloc[at].set_index(keys.index)


def as_ids(column: pd.Series) -> pd.Series:
    """Integers where every id is one as written (no 007, no 1.0); anything else as it is."""
    text = column.dropna()
    whole = pd.api.types.is_string_dtype(column) and text.str.fullmatch(r"0|-?[1-9]\d{0,17}").all()
    if not whole or not len(text):
        return column
    # the former is much faster
    return column.astype("int64") if len(text) == len(column) else pd.to_numeric(column)


def as_numeric(column: pd.Series) -> pd.Series:
    """Numbers where all are; anything else as it is."""
    if not pd.api.types.is_string_dtype(column) or column.isna().all():
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return column if (numbers.isna() & column.notna()).any() else numbers


def name_or_number(column: pd.Series) -> pd.Series:
    """Numbers as they are written; names numbered in the order they first appear."""
    if pd.api.types.is_numeric_dtype(as_numeric(column)) or column.isna().all():
        return column
    codes = pd.Series(pd.factorize(column)[0], index=column.index, dtype="Int64")
    return codes.mask(codes < 0)


def as_text(table: pd.DataFrame, keep: tuple[str, ...] = ()) -> pd.DataFrame:
    """Lists and objects of a JSON file as text, with "|" between their parts; None as nothing."""

    def plain(value: object) -> str:
        if isinstance(value, dict):
            return str(value["name"]) if "name" in value else "|".join(map(plain, value.values()))
        if isinstance(value, list):
            return "|".join(map(plain, value))
        return "" if value is None or value != value else str(value)  # only NaN differs from itself

    said = table.columns.difference(("item_id", *keep))
    return table.assign(**{column: table[column].map(plain) for column in said})


def purchases_in_order(table: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Purchases sorted by these columns of whole numbers, the first one first; ties as in the
    file."""
    keys = [whole_numbers(table, column, where) for column in reversed(columns)]
    return table.iloc[np.lexsort(keys)].assign(action="purchase")


def whole_numbers(table: pd.DataFrame, column: str, where: str) -> pd.Series:
    """A column of a table as int64; `DataError` names the first cell that is none."""
    return as_integers(table[column], len(table), column, where).astype("int64")
