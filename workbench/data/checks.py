"""Checks of raw columns, each of which names the first place that is wrong; and of the ids, codes and
masks that are handed in as arguments."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser, WorkbenchError

TIME = "datetime64[ms, UTC]"
UNITS = {
    "s": ("seconds", 1e3),
    "ms": ("milliseconds", 1.0),
    "us": ("microseconds", 1e-3),
    "ns": ("nanoseconds", 1e-6),
}


def whole_numbers(
    given: Any,
    where: str,
    what: str = "codes",
    do: str | None = None,
    error: type[WorkbenchError] = ConfigError,
) -> np.ndarray:
    """Ids or codes that somebody hands in, int64 (n,), as they stand: nothing is cast.

    Raises `error` for a mask, fractions, text, or one number in place of several.

    >>> whole_numbers([3, 1], "users")
    array([3, 1])
    """
    # an array says of what kind all its values are; of anything else each value is looked at
    whole = getattr(getattr(given, "dtype", None), "kind", "O") in "iu"
    try:
        values = given if whole else [given] if isinstance(given, bytes) else list(given)
        kinds = set() if whole else set(map(type, values))
        if all(issubclass(kind, Integral) and kind is not bool for kind in kinds):
            return np.array(values, dtype=np.int64).reshape(-1)
    except (TypeError, ValueError, OverflowError):  # not several, one absent, or one too large
        pass
    shown = " ".join(f"{given!r}".split())[:40]
    raise error(f"{shown} in place of {what}", where, f"{what}, whole numbers", do)


def checked_codes(
    codes: Any, n: int, where: str, error: type[WorkbenchError] = DataError, least: int = 0
) -> np.ndarray:
    """Codes from `least` to n − 1 that somebody hands in, int64, as they stand.

    Raises `error` for a code outside, and as `whole_numbers` does.
    """
    do = "log.user_code(id) and log.item_code(id) turn an id into its code"
    given = whole_numbers(codes, where, do=do)
    outside = given[(given < least) | (given >= n)]
    if len(outside):
        raise error(f"code {outside[0]}", where, f"a code from {least} to {n - 1}", do)
    return given


def checked_mask(mask: Any, n: int) -> np.ndarray:
    """A mask that somebody hands in, bool (n,); raises `ConfigError` for anything else."""
    given = np.asarray(mask)
    if given.dtype != bool or given.shape != (n,):
        do = "without(ids) and only(ids) take ids"
        raise ConfigError(f"{given.dtype} {given.shape}", "mask", f"true or false, ({n},)", do)
    return given


def place_of(column: pd.Series, at: np.ndarray | pd.Series) -> str:
    """The first place where `at` is true, in the words of the table's index: 'row 3', or 'line 5'
    of a file."""
    return f"{column.index.name or 'row'} {column.index[int(np.flatnonzero(at)[0])]}"


def refuse(
    column: pd.Series,
    wrong: np.ndarray | pd.Series,
    what: str,
    where: str,
    expected: str,
    do: str | None = None,
    error: type[WorkbenchError] = DataError,
) -> None:
    """Raise for the first cell where `wrong` is true; `what` says it with {value} and {place}."""
    if wrong.any():
        value = column[wrong].tolist()[0]
        what = what.replace("{place}", place_of(column, wrong)).replace("{value}", repr(value))
        raise error(what, where, expected, do)


def columns_of(
    table: pd.DataFrame, roles: dict[str, str | None], where: str
) -> dict[str, pd.Series]:
    """Role → its column, with the table's index, since errors name places.

    Raises `DataError` for a column that is missing or there twice, an empty table, and an empty
    user, item or action.
    """
    named = {role: column for role, column in roles.items() if column is not None}
    for role, column in named.items():
        count = list(table.columns).count(column)
        if count != 1:
            have = ", ".join(map(str, table.columns[:12]))
            what = f"{count} columns are called {column!r}" if count else f"no column {column!r}"
            raise DataError(what, where, f"a column for {role}; found: {have}", f"pass {role}='…'")
    if not len(table):
        do = "check the file and its filters"
        raise DataError("the table is empty", where, "at least one interaction", do)
    raw = {role: table[column] for role, column in named.items()}
    for role in ("user", "item", "action"):
        if role in raw:
            what, want = f"no {role} in {{place}}", f"a {role} in every row"
            refuse(raw[role], raw[role].isna(), what, where, want, "drop or repair these rows")
    return raw


def check_complete(frame: pd.DataFrame, column: str, where: str, do: str | None = None) -> None:
    """Raise `DataError` where rows of a log have no session, basket, time or value."""
    name = "time" if column == "timestamp" else column
    absent = int(frame[column].isna().sum())
    if absent:
        what = f"{absent:,} of {len(frame):,} rows have no {name}"
        do = do or f"map a column to {column} when reading"
        raise DataError(what, where, f"a {name} in every row", do)


def as_row_ids(column: pd.Series | None, n: int, where: str) -> pd.Series:
    """Ids of interactions, int64: those of the column, none twice, or 0 to n − 1 where there is
    none."""
    if column is None:
        return pd.Series(np.arange(n), dtype="int64")
    ids = as_integers(column, n, "interaction", where).astype("int64")
    what, do = "interaction id {value} is repeated in {place}", "let the reader number the rows"
    refuse(ids, ids.duplicated(), what, where, "every id once", do)
    return ids


def make_index(column: pd.Series, role: str, where: str) -> pd.Index:
    """The sorted distinct ids of a column, all of one type."""
    try:
        return pd.Index(sorted(column.unique()))
    except TypeError:
        kinds = ", ".join(sorted({type(value).__name__ for value in column}))
        do = "convert the column first, with .astype(str)"
        what = f"{role} ids that cannot be put in order ({kinds})"
        raise DataError(what, where, "ids of one type, numbers or text", do) from None


def as_codes(
    column: pd.Series, index: pd.Index, error: type[UnknownUser] | type[UnknownItem], where: str
) -> np.ndarray:
    """Place of every id in the index, int32; raises `UnknownUser` or `UnknownItem`."""
    again = index[index.duplicated()].tolist()
    if again:
        raise DataError(f"{again[0]!r} occurs twice in an index", where, "every id once")
    codes = index.get_indexer(column)
    what, want = "{value} in {place} is not in the index", "ids of the index handed in"
    refuse(column, codes < 0, what, where, want, error=error)
    return codes.astype(np.int32)


def as_times(column: pd.Series | None, n: int, where: str, unit: str = "s") -> pd.Series:
    """Unix times in a unit of `UNITS`, datetimes or ISO dates as UTC, NaT where there is none.

    Text is read as numbers where the first time is one, so that the cell which breaks the series is
    named.
    """
    if column is None:
        return pd.Series(pd.NaT, index=range(n), dtype=TIME)
    if unit not in UNITS:
        raise ConfigError(f"no unit of time {unit!r}", "time_unit", f"one of {', '.join(UNITS)}")
    name, scale = UNITS[unit]
    expected = f"Unix {name} or ISO dates"
    do = "convert the column first, or name its unit (time_unit)"
    kinds, first = pd.api.types, column.dropna().head(1)
    text = kinds.is_string_dtype(column) and pd.to_numeric(first, errors="coerce").notna().any()
    if text or (kinds.is_numeric_dtype(column) and not kinds.is_bool_dtype(column)):
        times = as_numbers(column, where) * scale
        wrong = times.abs() > 1e14  # beyond the year 5000: another unit, or no time
        refuse(
            column, wrong, f"{{value}} in {{place}} is no Unix time in {name}", where, expected, do
        )
        return pd.to_datetime(times.round(), unit="ms", utc=True).astype(TIME)
    dates = column.astype(str).where(column.notna()) if kinds.is_bool_dtype(column) else column
    times = pd.to_datetime(dates, utc=True, format="ISO8601", errors="coerce")
    wrong = times.isna() & column.notna()
    refuse(column, wrong, "unreadable time {value} in {place}", where, expected, do)
    return times.astype(TIME)


def as_numbers(column: pd.Series, where: str) -> pd.Series:
    """The column as float64, NaN where it is empty; raises `DataError` naming the first cell that
    is no number."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = (numbers.isna() & column.notna()) | np.isinf(numbers)
    what, do = "{value} in {place} is not a number", "map another column"
    refuse(column, wrong, what, where, "finite numbers", do)
    return numbers


def as_integers(
    column: pd.Series | None, n: int, name: str, where: str, missing: bool = False
) -> pd.Series | None:
    """Whole numbers, none lost to rounding; with `missing` an Int64 column of numbers from 0 on
    that may have gaps."""
    if column is None:
        return pd.Series(pd.NA, index=range(n), dtype="Int64") if missing else None
    numbers = as_numbers(column, where)
    wrong = ((numbers % 1) != 0) & (numbers.notna() | (not missing)) | (numbers.abs() >= 2**63)
    wrong |= (numbers < 0) & missing  # a model reads -1 as none
    what = f"{{value}} in {{place}} is no {name} id"
    expected = f"whole numbers {'from 0 ' if missing else ''}below 2^63"
    refuse(column, wrong, what, where, expected, "number them first")
    present = column.notna().to_numpy()
    whole = pd.Series(pd.NA, index=column.index, dtype="Int64")
    whole[present] = pd.to_numeric(column[present]).astype("int64").to_numpy()
    return whole
