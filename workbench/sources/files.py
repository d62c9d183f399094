"""Text, gzip and parquet files as tables; what is wrong with a file becomes a `DataError` that
names the line."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import tomllib
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import pandas as pd
from pydantic import BaseModel

from workbench.errors import ConfigError, DataError
from workbench.sources.columns import chosen, require

Model = TypeVar("Model", bound=BaseModel)
AGAIN = "copy or download it again"
FAULTS = (
    ((gzip.BadGzipFile, EOFError, zlib.error), "broken gzip ({})", "a whole .gz file", AGAIN),
    (csv.Error, "a broken line ({})", "a table", "check its quotes and separator"),
    (pd.errors.EmptyDataError, "the file is empty", "a header and rows", AGAIN),
    ((OSError, ValueError), "unreadable ({})", "a table", "check the file and its ending"),
)
"""What libraries raise over a damaged file, what that means, what was expected, what to do."""


def read_frame(
    path: Path,
    *,
    sep: str | None = None,
    encoding: str = "utf-8",
    nrows: int | None = None,
    names: list[str] | None = None,
    **form: str | int,
) -> pd.DataFrame:
    """A file as a table of text (parquet: of what it holds), its index counting lines as an editor
    does. form: how a text file is quoted, in the words of `csv`."""
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    with readable(path, encoding), warnings.catch_warnings():
        if ending == "parquet":
            table = pd.read_parquet(path)
            return (table if nrows is None else table.head(nrows)).rename_axis("row")
        # lines longer than the header, cut off
        warnings.simplefilter("error", pd.errors.ParserWarning)
        if sep is not None and len(sep) != 1:
            raise ConfigError(f"separator {sep!r}", "sep", "a single character")
        form["delimiter"] = sep or ("," if ending == "csv" else "\t")
        text = {"encoding": encoding, "nrows": nrows, "names": names, "dtype": "str"}
        text |= {"index_col": False, "keep_default_na": False, "na_values": [""]}
        table = pd.read_csv(path, **text, **form)
        start = 2 if names is None else 1
        lines = pd.RangeIndex(start, start + len(table), name="line")
        if nrows is None:
            lines = _lines(path, table, lines, encoding, form)
    return table.set_axis(lines)


def _lines(
    path: Path, table: pd.DataFrame, plain: pd.Index, encoding: str, form: dict[str, Any]
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
                expected = f"{len(table.columns)} fields"
                raise DataError(what, path.name, expected, "repair or remove this line")
            found.append(begin)
    found = found[plain.start - 1 :]
    return pd.Index(found, name="line") if len(found) == len(table) else plain


def read_columns(
    folder: str | Path, name: str, columns: Iterable[str], **options: Any
) -> pd.DataFrame:
    """These columns of a file of a folder, or of its `.gz`, called anew by a mapping; refuses a
    file that lacks one. options: of `read_frame`."""
    table = read_frame(found(Path(folder) / name), **options)
    require(table, columns, name)
    return chosen(table, columns)


def read_json_lines(path: Path, fields: Iterable[str]) -> pd.DataFrame:
    """A file with one JSON object a line as a table of some of its fields, None where a line lacks
    one; a mapping of fields says how the columns are called.

    Read in pieces, so that text is packed as soon as it is read; blank lines are none. `DataError`
    names a bad line.
    """
    names, pieces, rows, numbers = list(fields), [], [], []

    def pack() -> None:
        index = pd.Index(numbers, name="line", dtype="int64")
        pieces.append(pd.DataFrame(rows, columns=names, index=index))
        rows.clear()
        numbers.clear()

    for number, read in json_lines(path):
        if not isinstance(read, dict):
            raise DataError(f"line {number} is no JSON object", path.name, "{…} in every line")
        rows.append([read.get(name) for name in names])
        numbers.append(number)
        if len(rows) == 250_000:
            pack()
    pack()
    return chosen(pd.concat(pieces) if len(pieces) > 1 else pieces[0], fields)


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """What every line that is not blank holds, after its number; `DataError` names a line that is
    no JSON."""
    for number, text in lines_of(path):
        try:
            read = json.loads(text)
        except json.JSONDecodeError as error:
            what = f"line {number} is no JSON ({error.msg})"
            do = "repair or remove this line"
            raise DataError(what, path.name, "JSON in every line", do) from error
        yield number, read


def read_json(path: str | Path) -> Any:
    """What a JSON file (or its .gz) holds; `DataError` names the file and line that is broken."""
    path = found(path)
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, character {error.colno} is no JSON ({error.msg})"
        raise DataError(what, path.name, "a whole JSON file", AGAIN) from error


def read_toml(model: type[Model], path: Path, what: str) -> Model:
    """A TOML file as `model`; `ConfigError` says that it is `what`, and why."""
    try:
        return model(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())
        expected = f"the fields of {model.__name__}"
        raise ConfigError(f"{what} ({why})", str(path), expected, "repair or remove it") from error


def read_text(path: Path) -> str:
    """The whole text of a file, plain or gzipped."""
    with readable(path), open_file(path, "utf-8") as file:
        return file.read()


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers."""
    with readable(path), open_file(path, "utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip("\r\n")


@contextmanager
def readable(path: Path, encoding: str = "utf-8") -> Iterator[None]:
    """Turn what pandas, gzip and pyarrow say of a damaged file into a `DataError`."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        expected = "one such as utf-8 or latin-1"
        raise ConfigError(f"no encoding {encoding!r}", "encoding", expected) from None
    try:
        yield
    except UnicodeError as error:
        with open_file(path) as file:
            line = next((n for n, raw in enumerate(file, 1) if not _decodes(raw, encoding)), 1)
        what, expected = f"line {line} is not {encoding}", f"{encoding} text"
        do = "pass encoding='latin-1', or the encoding the file was written in"
        raise DataError(what, path.name, expected, do) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        said = str(error).replace("\n", "")
        counts = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
        what = f"broken lines ({said})"
        if counts:
            what = f"line {counts[2]} is broken: {counts[3]} fields, not {counts[1]}"
        expected = "as many fields as the header"
        raise DataError(what, path.name, expected, "repair the line") from error
    except (OSError, ValueError, EOFError, csv.Error, zlib.error) as error:
        fault = next(fault for fault in FAULTS if isinstance(error, fault[0]))
        _, what, expected, do = fault
        raise DataError(what.format(error), path.name, expected, do) from error


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
