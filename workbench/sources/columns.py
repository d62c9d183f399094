"""What readers do with columns once they are read: ask for them, look up, make ids and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.checks import as_integers
from workbench.errors import DataError


def require(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """Refuse a table that lacks one of these columns."""
    for column in columns:
        if column not in table:
            have = ", ".join(map(str, table.columns[:12]))
            raise DataError(
                f"no column {column!r}",
                path.name,
                f"found: {have}",
                "map the columns: see preview(path)",
            )


def look_up(keys: pd.Series, table: pd.DataFrame, key: str, where: str, name: str) -> pd.DataFrame:
    """The rows of `table` (read from `name`) whose `key` the keys (read from `where`) name, on the
    keys' index."""
    known = table.set_index(key)
    if known.index.has_duplicates:
        what, do = (
            f"{key} {known.index[known.index.duplicated()][0]} is repeated",
            "remove the second line",
        )
        raise DataError(what, name, "every id once", do)
    at = known.index.get_indexer(keys)
    if (at < 0).any():
        lost = keys[at < 0]
        what, do = (
            f"{key} {lost.iloc[0]} in {keys.index.name} {lost.index[0]} is not in {name}",
            "copy both files again",
        )
        raise DataError(what, where, f"ids of {name}", do)
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
    numbers = (
        pd.to_numeric(column, errors="coerce") if pd.api.types.is_string_dtype(column) else column
    )
    return column if (numbers.isna() & column.notna()).any() or numbers.isna().all() else numbers


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

    return table.assign(
        **{
            column: table[column].map(plain)
            for column in table.columns.difference(("item_id", *keep))
        }
    )


def purchases_in_order(table: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Purchases sorted by these columns of whole numbers, the first one first; ties as in the
    file."""
    keys = [
        as_integers(table[column], len(table), column, where).astype("int64")
        for column in reversed(columns)
    ]
    return table.iloc[np.lexsort(keys)].assign(action="purchase")
