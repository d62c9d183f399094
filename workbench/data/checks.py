"""Checks of raw columns: each names the first place that is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.errors import DataError, UnknownItem, UnknownUser

TIME = "datetime64[ms, UTC]"


def place_of(column: pd.Series, at: np.ndarray | pd.Series) -> str:
    """The first place where `at` is true, in the words of the table's index: 'row 3', or 'line 5' of a file."""
    return f"{column.index.name or 'row'} {column.index[int(np.flatnonzero(at)[0])]}"


def make_index(column: pd.Series, role: str, where: str) -> pd.Index:
    """The sorted distinct ids of a column, all of one type."""
    try:
        return pd.Index(sorted(column.unique()))
    except TypeError:
        kinds = ", ".join(sorted({type(value).__name__ for value in column.unique()}))
        do = "convert the column first, with .astype(str)"
        raise DataError(f"{role} ids of several types ({kinds})", where, "ids of one type", do) from None


def as_codes(
    column: pd.Series, index: pd.Index, error: type[UnknownUser] | type[UnknownItem], where: str
) -> np.ndarray:
    """Place of every id in the index, int32; raises `UnknownUser` or `UnknownItem`."""
    codes = index.get_indexer(column)
    if (codes < 0).any():
        value, place = column[codes < 0].tolist()[0], place_of(column, codes < 0)
        raise error(f"{value!r} in {place} is not in the index", where, "ids of the index handed in")
    return codes.astype(np.int32)


def as_times(column: pd.Series | None, n: int, where: str) -> pd.Series:
    """Unix seconds, datetimes or ISO dates as UTC, NaT where there is none."""
    if column is None:
        return pd.Series(pd.NaT, index=range(n), dtype=TIME)
    expected, do = "Unix seconds or ISO dates", "convert the column first, or name its unit"
    if pd.api.types.is_numeric_dtype(column):
        wrong = ~(column.abs() < 1e11) & column.notna()  # seconds beyond the year 5000: milliseconds, or no time
        if wrong.any():
            value, place = column[wrong].tolist()[0], place_of(column, wrong)
            raise DataError(f"{value} in {place} is no Unix time in seconds", where, expected, do)
        return pd.to_datetime(column, unit="s", utc=True).astype(TIME)
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    wrong = times.isna() & column.notna()
    if wrong.any():
        value, place = column[wrong].tolist()[0], place_of(column, wrong)
        raise DataError(f"unreadable time {value!r} in {place}", where, expected, do)
    return times.astype(TIME)


def as_numbers(column: pd.Series, where: str) -> pd.Series:
    """The column as float64, NaN where it is empty; raises `DataError` naming the first cell that is no number."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = (numbers.isna() & column.notna()) | np.isinf(numbers)
    if wrong.any():
        value, place = column[wrong].tolist()[0], place_of(column, wrong)
        raise DataError(f"{value!r} in {place} is not a number", where, "finite numbers", "map another column")
    return numbers


def as_integers(column: pd.Series | None, n: int, name: str, where: str, missing: bool = False) -> pd.Series | None:
    """Whole numbers; with `missing` an Int64 column that may have gaps."""
    if column is None:
        return pd.Series(pd.NA, index=range(n), dtype="Int64") if missing else None
    numbers = as_numbers(column, where)
    wrong = ((numbers % 1) != 0) & (numbers.notna() | (not missing))
    if wrong.any():
        value, place = column[wrong].tolist()[0], place_of(column, wrong)
        raise DataError(f"{value!r} in {place} is no {name} id", where, "whole numbers", "number them first")
    return pd.to_numeric(column).astype("Int64") if missing else pd.to_numeric(column)
