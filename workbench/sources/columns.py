"""What readers do with columns once they are read: ask for them, look up, make ids and numbers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.data.checks import as_integers, refuse, require
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError
from workbench.html import visible
from workbench.sources.guesses import both_of

ROLES = ("user", "item", "timestamp", "action", "session", "basket", "value", "interaction")
"""What a column of a log may be called."""


def log_of(table: pd.DataFrame, where: str, time_unit: str = "s", **indexes: Any) -> Interactions:
    """The log of a table whose columns are called by their roles; other columns are left."""
    roles = {role: role for role in ROLES if role in table}
    return Interactions.from_table(table, **roles, **indexes, time_unit=time_unit, where=where)


def require_roles(table: pd.DataFrame, taken: Mapping[str, str], where: str) -> None:
    """Refuse a table that lacks the column of a role, or has two of its name."""
    for role, column in taken.items():
        do = f"pass mapping={{'{role}': '…'}} with the name of one column"
        if table.shape[1] == 1:
            do = "name what stands between the columns, such as sep=';'"
        require(table, both_of(column, table), where, do)


def roles_of(
    guess: dict[str, str], mapping: dict[str, str] | None, known: Iterable[str]
) -> dict[str, str]:
    """A mapping laid over a guess, role → column; one given as "" is left out. Raises
    `ConfigError` for a role that there is not."""
    taken = guess | (mapping or {})
    for role, column in taken.items():
        if role not in known:
            raise ConfigError(f"no role {role!r}", "mapping", f"some of {', '.join(known)}")
        if not isinstance(column, str | int | None):
            raise ConfigError(f"{column!r}", "mapping", "the name of one column for each role")
    return {role: column for role, column in taken.items() if column}


def tell(said: str) -> None:
    """Say what a reader ought to know of a file that can be read."""
    warnings.warn(visible(said), stacklevel=4)


def tell_unread(have: Iterable[str], read: Iterable[str], where: str) -> None:
    """Name the columns of a file that nobody reads."""
    left = [str(column) for column in have if column not in set(read)]
    if left:
        tell(f"{where}: columns that nobody reads: {', '.join(left)}")


def chosen(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """These columns of a table; a mapping says what each is called from now on."""
    renamed = columns if isinstance(columns, Mapping) else {}
    return table[list(columns)].rename(columns=renamed)


def look_up(keys: pd.Series, table: pd.DataFrame, key: str, where: str, name: str) -> pd.DataFrame:
    """The rows of `table` (read from `name`) whose `key` the keys (read from `where`) name, on the
    keys' index."""
    twice = table[key].duplicated()
    refuse(table[key], twice, key + " {plain} is repeated", name, "every id once", "remove it")
    known = table.set_index(key)
    at = known.index.get_indexer(keys)
    what = key + " {plain} in {place} is not in " + name
    refuse(keys, at < 0, what, where, f"ids of {name}", "copy both files again")
    return known.iloc[at].set_index(keys.index)


def as_ids(column: pd.Series) -> pd.Series:
    """Integers where every id is one as written (no 007, no 1.0); anything else as it is."""
    text, numbers = _cast(column, pa.int64())
    if numbers is None:
        return column
    # 007, -0 and 0x7 are no way in which a number is written
    zeros = pc.sum(pc.starts_with(text, "0")).as_py() - pc.sum(pc.equal(text, "0")).as_py()
    if zeros or pc.any(pc.starts_with(text, "-0")).as_py():
        return column
    if pc.max(pc.binary_length(text)).as_py() > 18:
        return column
    whole = numbers.to_pandas(integer_object_nulls=True)  # a gap would make floats of them
    return pd.Series(whole.to_numpy(), index=column.index, copy=False)


def as_numeric(column: pd.Series) -> pd.Series:
    """Numbers where all are; anything else as it is."""
    if not pd.api.types.is_string_dtype(column) or column.isna().all():
        return column
    if pd.to_numeric(column.head(100).dropna().head(1), errors="coerce").isna().any():
        return column
    for kind in (pa.int64(), pa.float64()):
        _, cast = _cast(column, kind)
        values = None if cast is None else cast.to_pandas().to_numpy()
        if values is not None and np.isfinite(values).sum() == column.notna().sum():
            return pd.Series(values, index=column.index, copy=False)  # "nan" is a word
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers if np.isfinite(numbers).sum() == column.notna().sum() else column


def as_moments(column: pd.Series) -> pd.Series:
    """Numbers where all are, times where all are ISO dates without a zone; anything else as it
    is."""
    column = as_numeric(column)
    _, times = _cast(column, pa.timestamp("ms"))
    return column if times is None else pd.Series(times.to_pandas().to_numpy(), column.index)


def _cast(column: pd.Series, kind: pa.DataType) -> tuple[pa.Array | None, pa.Array | None]:
    """The text of a column, and what it is as another kind; None where it is no text, or not of
    that kind."""
    if not pd.api.types.is_string_dtype(column) or column.isna().all():
        return None, None
    text = pa.chunked_array(pa.array(column.array, from_pandas=True))
    try:
        text.slice(0, 1).cast(kind)  # a whole column that fails costs more than one that does not
        return text, text.cast(kind)
    except pa.ArrowInvalid:
        return text, None


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
