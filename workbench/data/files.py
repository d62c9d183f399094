"""Text, gzip and parquet files as tables; what is wrong with a file becomes a `DataError` that names the line."""

from __future__ import annotations

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pandas as pd

from workbench.data.checks import as_numbers
from workbench.errors import DataError


def read_frame(
    path: Path,
    *,
    sep: str | None = None,
    encoding: str = "utf-8",
    nrows: int | None = None,
    names: list[str] | None = None,
    quoting: int = csv.QUOTE_MINIMAL,
) -> pd.DataFrame:
    """A file as a table of text (parquet: of what it holds), its index counting lines as an editor does."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    with readable(path, encoding), warnings.catch_warnings():
        if ending == "parquet":
            table = pd.read_parquet(path)
            return (table if nrows is None else table.head(nrows)).rename_axis("row")
        warnings.simplefilter("error", pd.errors.ParserWarning)  # lines longer than the header, cut off
        sep = sep or ("," if ending == "csv" else "\t")
        header = 0 if names is None else None
        options = {"sep": sep, "encoding": encoding, "nrows": nrows, "names": names, "header": header}
        options |= {"quoting": quoting, "dtype": "str", "keep_default_na": False, "na_values": [""]}
        table = pd.read_csv(path, index_col=False, **options)
        if nrows is None and table.iloc[:, -1].isna().any():  # pandas fills short lines up without a word
            with open_file(path, encoding) as file:
                reader = csv.reader(file, delimiter=sep, quoting=quoting)
                for row in reader:
                    if row and len(row) < len(table.columns):
                        raise DataError(
                            f"line {reader.line_num} is broken: {len(row)} fields",
                            path.name,
                            f"{len(table.columns)} fields",
                            "repair or remove this line",
                        )
    start = 2 if names is None else 1
    return table.set_axis(pd.RangeIndex(start, start + len(table), name="line"))


@contextmanager
def readable(path: Path, encoding: str) -> Iterator[None]:
    """Turn what pandas, gzip and pyarrow say of a damaged file into a `DataError`."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"broken gzip ({error})", path.name, "a whole .gz file", "copy or download it again") from error
    except UnicodeError as error:
        with open_file(path) as file:
            line = next((n for n, raw in enumerate(file, 1) if not _decodes(raw, encoding)), 1)
        do = "pass encoding='latin-1', or the encoding the file was written in"
        raise DataError(f"line {line} is not {encoding}", path.name, f"{encoding} text", do) from error
    except pd.errors.EmptyDataError as error:
        raise DataError("the file is empty", path.name, "a header and rows", "check the download") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        what = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        what = f"line {what[2]} is broken: {what[3]} fields, not {what[1]}" if what else f"broken lines ({error})"
        raise DataError(what.replace("\n", ""), path.name, "as many fields as the header", "repair the line") from error
    except (OSError, ValueError) as error:
        raise DataError(f"unreadable ({error})", path.name, "a table", "check the file and its ending") from error


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeError:
        return False
    return True


def open_file(path: Path, encoding: str | None = None) -> IO:
    """A plain or gzipped file, as bytes unless an encoding is named."""
    mode = "rb" if encoding is None else "rt"
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, mode, encoding=encoding)


def exists(path: Path) -> bool:
    """Whether there is such a file, plain or gzipped."""
    return path.is_file() or Path(f"{path}.gz").is_file()


def found(path: str | Path) -> Path:
    """The file, or its gzip beside where it would be."""
    path = Path(path)
    if not exists(path):
        raise DataError("no such file", str(path), "a file, plain or .gz", "check name and folder")
    return path if path.is_file() else Path(f"{path}.gz")


def require(table: pd.DataFrame, columns: Iterable[str], path: Path) -> None:
    """Refuse a table that lacks one of these columns."""
    for column in columns:
        if column not in table:
            have = ", ".join(map(str, table.columns[:12]))
            raise DataError(f"no column {column!r}", path.name, f"found: {have}", "map the columns: see preview(path)")


def as_ids(column: pd.Series) -> pd.Series:
    """Integers where every id is one as written (no 007, no 1.0); anything else as it is."""
    text = column.dropna()
    whole = pd.api.types.is_string_dtype(column) and text.str.fullmatch(r"0|-?[1-9]\d{0,17}").all()
    return pd.to_numeric(column) if whole and len(text) else column


def as_numeric(column: pd.Series) -> pd.Series:
    """Numbers where all are; anything else as it is."""
    numbers = pd.to_numeric(column, errors="coerce") if pd.api.types.is_string_dtype(column) else column
    return column if (numbers.isna() & column.notna()).any() or numbers.isna().all() else numbers


def as_codes(column: pd.Series) -> pd.Series:
    """Numbers as they are; names numbered in the order they first appear."""
    column = as_numeric(column)
    if pd.api.types.is_numeric_dtype(column) or column.isna().all():
        return column
    codes = pd.Series(pd.factorize(column)[0], index=column.index, dtype="Int64")
    return codes.mask(codes < 0)


def as_times(column: pd.Series, where: str) -> pd.Series:
    """Numbers where the first time is one, so that what breaks the series is named; dates otherwise."""
    if pd.api.types.is_numeric_dtype(as_numeric(column.dropna().head(1))):
        as_numbers(column, where)
    return as_numeric(column)
