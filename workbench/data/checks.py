"""Checks of raw columns, each of which names the first place that is wrong; and of the ids, codes and
masks that are handed in as arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser, WorkbenchError

AGAIN = "copy or download it again"


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


def refuse(
    column: pd.Series,
    wrong: np.ndarray | pd.Series,
    what: str,
    where: str,
    expected: str,
    do: str | None = None,
    error: type[WorkbenchError] = DataError,
) -> None:
    """Raise for the first cell where `wrong` is true; `what` says it with {value} (or {plain}) and {place}."""
    if wrong.any():
        value = column[wrong].tolist()[0]
        # the first place, in the words of the table's index: 'row 3', or 'line 5' of a file
        place = f"{column.index.name or 'row'} {column.index[int(np.flatnonzero(wrong)[0])]}"
        said = what.format(place=place, value=repr(value), plain=value)
        raise error(said, where, expected, do)


def require(table: pd.DataFrame, columns: Iterable[object], where: str, do: str = AGAIN) -> None:
    """Raise `DataError` for a table that lacks one of these columns, or has two of one name."""
    have = table.columns.tolist()
    for column in columns:
        count = have.count(column)
        if count != 1:
            what = f"{count} columns are called {column!r}" if count else f"no column {column!r}"
            do = "give the two columns different names" if count else do
            found = f"found: {', '.join(map(str, have[:12]))}"
            raise DataError(what, where, found, do.replace("{column}", str(column)))


def columns_of(
    table: pd.DataFrame, roles: dict[str, str | None], where: str
) -> dict[str, pd.Series]:
    """Role → its column, with the table's index, since errors name places.

    Raises `DataError` for a column that is missing or there twice, an empty table, and an empty
    user, item or action.
    """
    raw = {}
    for role, column in roles.items():
        if column is not None:
            require(table, [column], where, f"pass {role}='…', the name of one column")
            raw[role] = table[column]
    if not len(table):
        do = "check the file and its filters"
        raise DataError("the table is empty", where, "at least one interaction", do)
    for role in ("user", "item", "action"):
        if role in raw:
            what, want = f"no {role} in {{place}}", "one in every row"
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


def as_numbers(column: pd.Series, where: str) -> pd.Series:
    """The column as float64, NaN where it is empty; raises `DataError` naming the first cell that
    is no number."""
    # a date or a complex number would be cast
    foreign = getattr(column.dtype, "kind", "O") in "mMc"
    numbers = pd.to_numeric(column.astype("str") if foreign else column, errors="coerce")
    numbers = numbers.astype("float64")
    wrong = ~np.isfinite(numbers) & column.notna()
    what, do = "{value} in {place} is not a number", "map another column"
    refuse(column, wrong, what, where, "finite numbers", do)
    return numbers


def as_integers(
    column: pd.Series | None, n: int, name: str, where: str, missing: bool = False
) -> pd.Series:
    """Whole numbers, none lost to rounding; with `missing` an Int64 column of numbers from 0 on
    that may have gaps."""
    if column is None:
        return pd.Series(pd.NA, index=range(n), dtype="Int64")
    numbers = as_numbers(column, where)
    wrong = (numbers % 1 != 0) | (numbers.abs() >= 2**63)
    if missing:  # a model reads -1 as none
        wrong = wrong & numbers.notna() | (numbers < 0)
    what = f"{{value}} in {{place}} is no {name} id"
    expected = f"whole numbers {'from 0 ' if missing else ''}below 2^63"
    refuse(column, wrong, what, where, expected, "number them first")
    present = column.notna().to_numpy()
    whole = pd.Series(pd.NA, index=column.index, dtype="Int64")
    whole[present] = pd.to_numeric(column[present]).astype("int64").to_numpy()
    return whole


def name_or_number(column: pd.Series | None, where: str = "table") -> pd.Series | None:
    """Numbers as they are written; names, and numbers written in two ways (7 and 007), numbered in
    the order they first appear."""
    if column is None:
        return None
    try:
        codes, names = pd.factorize(column)
    except TypeError as error:
        raise DataError(f"lists in {column.name!r}", where, "names or numbers") from error
    numbers = pd.to_numeric(pd.Series(np.asarray(names)), errors="coerce")
    if numbers.is_unique and not numbers.isna().any():
        return column
    return pd.Series(codes, index=column.index, dtype="Int64").mask(codes < 0)


def code_of(index: pd.Index, value: object, error: type[UnknownUser] | type[UnknownItem]) -> int:
    """The place of an id in an index; raises `error` with the ids that are like it."""
    try:
        if isinstance(value, bool):  # True is not the id 1
            raise KeyError
        return int(index.get_loc(value))
    except (KeyError, TypeError, pd.errors.InvalidIndexError):
        raise error(f"{value!r} is not in the index", None, *like(value, index)) from None
