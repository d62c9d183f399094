"""Checks of raw columns, each of which names the first place that is wrong; and of the ids, codes and
masks that are handed in as arguments."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
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
            do = f"pass {role}='…', the name of one column"
            raise DataError(what, where, f"a column for {role}; found: {have}", do)
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
        return pd.Series(range(n), dtype="int64")
    ids = as_integers(column, n, "interaction", where).astype("int64")
    what, do = "interaction id {value} is repeated in {place}", "let the reader number the rows"
    refuse(ids, ids.duplicated(), what, where, "every id once", do)
    return ids


def as_codes(
    column: pd.Series,
    index: pd.Index | Sequence | None,
    error: type[UnknownUser] | type[UnknownItem],
    where: str,
) -> tuple[pd.Index, np.ndarray]:
    """The index, and the place of every id in it, int32; without one the sorted distinct ids, all
    of one type.

    Raises `DataError` for ids that cannot be put in order, `UnknownUser` or `UnknownItem` for one
    that an index handed in does not list.
    """
    try:
        codes, ids = pd.factorize(column)  # every id is looked at once, however many rows it has
        index = pd.Index(sorted(ids.tolist()) if index is None else index)
    except TypeError:
        kinds = ", ".join(sorted({type(value).__name__ for value in column}))
        role = error.__name__.removeprefix("Unknown").lower()
        do = "convert the column first, with .astype(str)"
        what = f"{role} ids that cannot be put in order ({kinds})"
        raise DataError(what, where, "ids of one type, numbers or text", do) from None
    again = index[index.duplicated()].tolist()
    if again:
        raise DataError(f"{again[0]!r} occurs twice in an index", where, "every id once")
    codes = index.get_indexer(ids).astype(np.int32)[codes]
    wrong = codes < 0
    what = "{value} in {place} is not in the index"
    if wrong.any():
        refuse(column, wrong, what, where, *like(column[wrong].tolist()[0], index), error)
    return index, codes


def like(value: object, index: pd.Index) -> tuple[str, str | None]:
    """What an index holds in place of an id that it does not, and what to do where it holds the
    same one as another type."""
    want = f"one of {len(index):,} ids such as {', '.join(map(repr, index[:3].tolist()))}"
    twin = str(value) in index.astype(str)
    return want, f"take ids of the index's type, with .astype('{index.dtype}')" if twin else None


def as_times(column: pd.Series | None, n: int, where: str, unit: str = "s") -> pd.Series:
    """Unix times in a unit of `UNITS`, datetimes or ISO dates as UTC, NaT where there is none; or
    dates of the form that `unit` spells, such as %d.%m.%Y.

    What the cells hold counts, not the type of the column. Text is read as numbers where the first
    time is one, so that the cell which breaks the series is named. A date may end in the name of
    its zone (UTC, Europe/Berlin).
    """
    times = pd.Series(pd.NaT, index=range(n) if column is None else column.index, dtype=TIME)
    if unit not in UNITS and "%" not in unit:
        want = f"one of {', '.join(UNITS)}, or the form of the dates such as '%d.%m.%Y %H:%M'"
        raise ConfigError(f"no unit of time {unit!r}", "time_unit", want)
    if column is None:
        return times
    present = column.notna()
    known = column[present]
    if isinstance(known.dtype, pd.CategoricalDtype):
        known = known.astype(known.cat.categories.dtype)
    known, kinds = known.infer_objects(), pd.api.types
    name, scale = UNITS.get(unit, ("", 0))
    expected = f"Unix {name} or ISO dates" if name else f"dates of the form {unit}"
    expected += ", a zone as +01:00 or Europe/Berlin"
    do = "name the unit of numbers (time_unit='ms') or the form of dates (time_unit='%d.%m.%Y')"
    number = kinds.is_numeric_dtype(known)
    if kinds.is_string_dtype(known):
        number = pd.to_numeric(known.head(1), errors="coerce").notna().any()
    if name and number and not kinds.is_bool_dtype(known):
        found = as_numbers(known, where) * scale
        what = f"{{value}} in {{place}} is no Unix time in {name}"
        # beyond the year 5000: another unit, or no time
        refuse(known, found.abs() > 1e14, what, where, expected, do)
        found = found.round().astype("int64")
    else:
        text = known.convert_dtypes().astype(str) if number else known
        read = partial(pd.to_datetime, text, utc=True, errors="coerce")
        found = read(format="ISO8601" if name else unit)
        if name and found.isna().any():
            found = found.fillna(read(format="%Y-%m-%d %H:%M:%S %Z"))
        refuse(known, found.isna(), "unreadable time {value} in {place}", where, expected, do)
    if present.all():
        return found.astype(TIME)
    times[present] = found.astype(TIME)
    return times


def as_numbers(column: pd.Series, where: str) -> pd.Series:
    """The column as float64, NaN where it is empty; raises `DataError` naming the first cell that
    is no number."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = ~np.isfinite(numbers) & column.notna()
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


def name_or_number(column: pd.Series | None) -> pd.Series | None:
    """Numbers as they are written; names, and numbers written in two ways (7 and 007), numbered in
    the order they first appear."""
    if column is None:
        return None
    codes, names = pd.factorize(column)
    numbers = pd.to_numeric(pd.Series(np.asarray(names)), errors="coerce")
    if numbers.is_unique and not numbers.isna().any():
        return column
    return pd.Series(codes, index=column.index, dtype="Int64").mask(codes < 0)


def log_order(user: np.ndarray, times: pd.Series, where: str) -> np.ndarray:
    """The order of a log, (n,): time, ties as in the file.

    The rows of a person who has one without a time stay as in the file among themselves, which a
    warning says; nobody else's order is touched.
    """
    key, absent = times.astype("int64").to_numpy(copy=True), times.isna().to_numpy()
    if absent.any() and not absent.all():
        mine = np.isin(user, user[absent])
        # never earlier than what the file has before it; no time at all counts as the earliest
        key[mine] = pd.Series(key[mine]).groupby(user[mine]).cummax()
        people = len(np.unique(user[absent]))
        what = f"{absent.sum():,} of {len(user):,} rows have no time"
        said = f"{where}: {what}: the rows of their {people:,} people stay in the order of the file"
        warnings.warn(said, stacklevel=4)
    # 16 bits at a time: a stable sort that costs a third of one of whole numbers
    return np.lexsort((key - key.min()).view(np.uint16).reshape(-1, 4).T)
