"""Text, gzip and parquet files as tables; what is wrong with a file becomes a `DataError` that
names the line."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.sources.columns import require


def read_frame(
    path: Path,
    *,
    sep: str | None = None,
    encoding: str = "utf-8",
    nrows: int | None = None,
    names: list[str] | None = None,
    quoting: int = csv.QUOTE_MINIMAL,
    quotechar: str = '"',
) -> pd.DataFrame:
    """A file as a table of text (parquet: of what it holds), its index counting lines as an editor
    does."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    with readable(path, encoding), warnings.catch_warnings():
        if ending == "parquet":
            table = pd.read_parquet(path)
            return (table if nrows is None else table.head(nrows)).rename_axis("row")
        # lines longer than the header, cut off
        warnings.simplefilter("error", pd.errors.ParserWarning)
        if sep is not None and len(sep) != 1:
            raise ConfigError(f"separator {sep!r}", "sep", "a single character")
        sep = sep or ("," if ending == "csv" else "\t")
        header = 0 if names is None else None
        options = {
            "sep": sep,
            "encoding": encoding,
            "nrows": nrows,
            "names": names,
            "header": header,
        }
        options |= {"quoting": quoting, "dtype": "str", "keep_default_na": False, "na_values": [""]}
        options |= {"quotechar": quotechar}
        table = pd.read_csv(path, index_col=False, **options)
        start = 1 if header is None else 2
        plain = pd.RangeIndex(start, start + len(table), name="line")
        lines = (
            plain
            if nrows is not None
            else _lines(
                path, table, plain, encoding, delimiter=sep, quoting=quoting, quotechar=quotechar
            )
        )
    return table.set_axis(lines)


def _lines(
    path: Path, table: pd.DataFrame, plain: pd.Index, encoding: str, **form: str | int
) -> pd.Index:
    """The line on which every row begins; refuses short lines, which pandas fills up without a
    word.

    Reads the file again, but only where a cell is empty at the end of a row, or rows and lines do
    not match.
    """
    with open_file(path) as raw:
        count = sum(1 for _ in raw)
    if count == plain.stop - 1 and not table.iloc[:, -1].isna().any():
        return plain
    found, last = [], 0
    with open_file(path, encoding) as file:
        reader = csv.reader(file, **form)
        for row in reader:
            begin, last = last + 1, reader.line_num
            if len(row) <= 1 and not "".join(row).strip():
                continue  # a blank line, which pandas skips
            if len(row) < len(table.columns):
                what = f"line {begin} is broken: {len(row)} fields"
                raise DataError(
                    what, path.name, f"{len(table.columns)} fields", "repair or remove this line"
                )
            found.append(begin)
    found = found[plain.start - 1 :]
    return pd.Index(found, name="line") if len(found) == len(table) else plain


def read_json_lines(path: Path, fields: Iterable[str], encoding: str = "utf-8") -> pd.DataFrame:
    """A file with one JSON object a line as a table of some of its fields, None where a line lacks
    one.

    Read in pieces, so that text is packed as soon as it is read; blank lines are none. `DataError`
    names a bad line.
    """
    fields, pieces, rows, numbers = list(fields), [], [], []

    def pack() -> None:
        pieces.append(
            pd.DataFrame(rows, columns=fields, index=pd.Index(numbers, name="line", dtype="int64"))
        )
        rows.clear(), numbers.clear()

    for number, text in lines_of(path, encoding):
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            what = f"line {number} is no JSON ({error.msg})"
            raise DataError(
                what, path.name, "one JSON object a line", "repair or remove this line"
            ) from error
        if not isinstance(found, dict):
            raise DataError(f"line {number} is no JSON object", path.name, "{…} in every line")
        rows.append([found.get(field) for field in fields])
        numbers.append(number)
        if len(rows) == 250_000:
            pack()
    pack()
    return pd.concat(pieces) if len(pieces) > 1 else pieces[0]


def read_json(path: str | Path) -> Any:
    """What a JSON file (or its .gz) holds; `DataError` names the file and line that is broken."""
    path = found(path)
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, character {error.colno} is no JSON ({error.msg})"
        do = "copy or download it again"
        raise DataError(what, path.name, "a whole JSON file", do) from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The whole text of a file, plain or gzipped."""
    with readable(path, encoding), open_file(path, encoding) as file:
        return file.read()


def lines_of(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers."""
    with readable(path, encoding), open_file(path, encoding) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip("\r\n")


@contextmanager
def readable(path: Path, encoding: str) -> Iterator[None]:
    """Turn what pandas, gzip and pyarrow say of a damaged file into a `DataError`."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ConfigError(
            f"no encoding {encoding!r}", "encoding", "one such as utf-8 or latin-1"
        ) from None
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"broken gzip ({error})", path.name, "a whole .gz file", "copy or download it again"
        ) from error
    except UnicodeError as error:
        with open_file(path) as file:
            line = next((n for n, raw in enumerate(file, 1) if not _decodes(raw, encoding)), 1)
        do = "pass encoding='latin-1', or the encoding the file was written in"
        raise DataError(
            f"line {line} is not {encoding}", path.name, f"{encoding} text", do
        ) from error
    except csv.Error as error:
        raise DataError(
            f"a broken line ({error})", path.name, "a table", "check its quotes and separator"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise DataError(
            "the file is empty", path.name, "a header and rows", "check the download"
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        what = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
        what = (
            f"line {what[2]} is broken: {what[3]} fields, not {what[1]}"
            if what
            else f"broken lines ({error})"
        )
        raise DataError(
            what.replace("\n", ""), path.name, "as many fields as the header", "repair the line"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"unreadable ({error})", path.name, "a table", "check the file and its ending"
        ) from error


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeError:
        return False
    return True


def open_file(path: Path, encoding: str | None = None) -> IO:
    """A plain or gzipped file, as bytes unless an encoding is named; a byte order mark is no
    text."""
    encoding = "utf-8-sig" if encoding in ("utf-8", "utf8") else encoding
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


def read_columns(folder: str | Path, name: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    """A CSV file of a folder, or its `.gz`: these columns of it, or all; refuses a file that lacks
    one."""
    columns, table = list(columns), read_frame(found(Path(folder) / name))
    require(table, columns, Path(name))
    return table[columns] if columns else table
