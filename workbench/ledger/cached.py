"""Which rows of a cache or run folder are about a user: caches are a place where memory lives."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

USERS = re.compile(
    r"(user|shopper|customer|visitor|reader|person|member|account|u(?=id))s?[\W_]*(id|code)?s?",
    re.I,
)
"""What a column of users is called."""
RAW = ("utf-8", "surrogatepass")


def rows_about(table: pa.Table, user: str, code: int | None = None) -> tuple[np.ndarray, str]:
    """A mask of the rows whose column `user`, `User`, `userId`, `shopper` or the like is the user,
    and a note where that cannot be told.

    Text is compared with the id, byte by byte. Whole numbers may be codes of some log, or ids: they
    are compared with `code` alone. Numbers under a plural count users, and are nobody's.
    """
    mine, note = np.zeros(len(table), dtype=bool), ""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if USERS.fullmatch(name):
            values = values_of(column)
            if _numbers(values.type) and name.lower().endswith("s"):
                continue
            same = _equal(values, user, code)
            if same is None:
                note = "users are whole numbers: pass code=, the code or the id that they hold"
            else:
                mine |= same
    return mine, note


def count_rows(user: str, folder: Path) -> int:
    """Rows about a user in the parquet files below a folder."""
    count = 0
    for path in sorted(Path(folder).rglob("*.parquet")):
        with suppress(OSError, pa.ArrowException):  # `purge` names what cannot be read
            with pq.ParquetFile(path) as file:
                mine, _ = rows_about(file.read(), user)
            count += int(mine.sum())
    return count


def values_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column itself where it holds categories."""
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _numbers(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _equal(column: pa.ChunkedArray, user: str, code: int | None) -> np.ndarray | None:
    """Which rows hold the user, compared as bytes; None for numbers without a code."""
    wanted = user
    if _numbers(column.type):
        if code is None:
            return None
        wanted, column = str(code), column.cast(pa.string())
    try:
        column = column.cast(pa.large_binary())
    except pa.ArrowNotImplementedError:  # lists and the like hold nobody in person
        return np.zeros(len(column), dtype=bool)
    same = pc.equal(column, pa.scalar(wanted.encode(*RAW), pa.large_binary()))
    return pc.fill_null(same, False).to_numpy()
