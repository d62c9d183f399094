"""Text, JSON, parquet and feather files as tables, packed or not; what is wrong with a file becomes
a `DataError` that names the line."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from workbench.data.checks import AGAIN, require
from workbench.errors import ConfigError, DataError, typed
from workbench.sources.columns import chosen, tell_unread
from workbench.sources.faults import readable
from workbench.sources.packed import (
    LINE,
    exists,
    found,
    head_of,
    inner_name,
    kind_of,
    open_file,
    refuse_foreign,
)
from workbench.sources.quick import read_arrow, read_quick

__all__ = ["exists", "found", "open_file", "readable"]  # whoever reads files finds these here too

Model = TypeVar("Model", bound=BaseModel)
PIECE = "\x1f"
"""What stands for a separator of several characters while a file is read."""


@typed
def read_frame(
    path: Path,
    *,
    sep: str | None = None,
    encoding: str = "utf-8",
    nrows: int | None = None,
    names: Sequence[str] | None = None,
    **form: Any,
) -> pd.DataFrame:
    """A file as a table of text (parquet, feather: of what it holds), its index counting lines as
    an editor does.

    What a file holds is told by its content: gzip, bz2, xz, zstandard and zip (of one file) are
    unpacked, a file of JSON objects is a table too, and so is a folder of parquet parts. sep: by
    the first line unless told. names: of the columns of a file without a header. form: how a text
    file is quoted, in the words of `csv`. With nrows little more than these rows is read.
    """
    if sep == "" or (names is not None and not list(names)):
        raise ConfigError("nothing", "names" if sep is None else "sep", "a character or a name")
    with readable(path, encoding), warnings.catch_warnings():
        # lines longer than the header, cut off
        warnings.simplefilter("error", pd.errors.ParserWarning)
        first = b"PAR1" if path.is_dir() else head_of(path)
        if first[:4] == b"PAR1" or first[:6] == b"ARROW1":
            if path.is_dir() or kind_of(path) in ("parquet", "feather"):
                return read_arrow(path, path, first[:6], nrows)
            with open_file(path, longest=None) as file:
                return read_arrow(io.BytesIO(file.read()), path, first[:6], nrows)
        refuse_foreign(path, first, encoding)
        text = first.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
        if text[:1] in ("{", "["):
            return _read_objects(path, nrows, whole=text[0] == "[")
        sep = sep or separator(text.split("\n", 1)[0], inner_name(path))
        if len(sep) > 1:
            form["quoting"] = csv.QUOTE_NONE
        form["delimiter"] = sep if len(sep) == 1 else PIECE
        header = list(names or ()) or _header(path, encoding, sep, form)
        if nrows is None and set(form) == {"delimiter"} and encoding in ("utf-8", "utf8"):
            table = read_quick(path, header, form["delimiter"], skip=names is None)
            if table is not None:
                return table
        return _read_text(path, encoding, sep, nrows, names, header, form)


def _read_text(
    path: Path,
    encoding: str,
    sep: str,
    nrows: int | None,
    names: list[str] | None,
    header: list[str],
    form: dict[str, Any],
) -> pd.DataFrame:
    """A text file by pandas, whatever is quoted in it."""
    options = {"nrows": nrows, "names": names, "dtype": "str", "index_col": False}
    options |= {"keep_default_na": False, "na_values": [""]}
    with _opened(path, encoding, sep) as file:
        table = pd.read_csv(file, **options, **form)
    if len(header) == len(table.columns):
        table.columns = header  # two of one name keep it
    start = 2 if names is None else 1
    lines = pd.RangeIndex(start, start + len(table), name="line")
    return table.set_axis(
        _lines(path, table, lines, encoding, sep, form) if nrows is None else lines
    )


def separator(line: str, name: str) -> str:
    """What stands between the columns of a file called `name` whose first line this is: what its
    ending says, unless another one stands there more often."""
    usual = "," if name.endswith(".csv") else "\t"
    line = re.sub(r'"[^"]*"', "", line)
    if line.count("::") > 1:
        return "::"
    often = max((usual, "\t", ";", "|", ","), key=line.count)
    return often if often in line else " " if " " in line.strip() else usual


def _opened(path: Path, encoding: str, sep: str) -> IO[str]:
    """The text of a file, with one character for a separator of several."""
    file = open_file(path, encoding)
    if len(sep) == 1:
        return file
    with file:
        text = file.read()
    if PIECE in text:
        raise DataError("a control character (1F)", path.name, "text", "separate by one character")
    return io.StringIO(text.replace(sep, PIECE))


def _header(path: Path, encoding: str, sep: str, form: dict[str, Any]) -> list[str]:
    """The names in the first line as they stand there; one without a name is called by its
    place."""
    with _opened(path, encoding, sep) as file:
        row = pd.read_csv(file, header=None, nrows=1, dtype="str", keep_default_na=False, **form)
    return [name or f"Unnamed: {place}" for place, name in enumerate(row.iloc[0].astype(str))]


def _read_objects(path: Path, nrows: int | None, whole: bool) -> pd.DataFrame:
    """A file of JSON objects, one a line or all in a list, as a table: a column per field, numbers
    as they are written. whole: they stand in a list."""
    exact = {"parse_int": str, "parse_float": str}
    if whole:
        read = list(enumerate(read_json(path, **exact)))[:nrows]
    else:
        read = list(islice(json_lines(path, **exact), nrows))
    for place, row in read:
        alone = len(read) == 1 and isinstance(row, dict)
        nested = alone and all(isinstance(value, dict | list) for value in row.values())
        if nested or not isinstance(row, dict):
            do = "write one object a row: pandas.DataFrame.to_json(…, orient='records', lines=True)"
            raise DataError(f"object {place} is no row", path.name, "one JSON object a line", do)
    table = pd.DataFrame([row for _, row in read])
    index = pd.Index([place for place, _ in read], name="row" if whole else "line")
    return table.set_axis(index).infer_objects()


def _lines(
    path: Path, table: pd.DataFrame, plain: pd.Index, encoding: str, sep: str, form: dict[str, Any]
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
    csv.field_size_limit(LINE)  # a cell may be as long as a line
    with _opened(path, encoding, sep) as file:
        reader = csv.reader(file, **form)
        for row in reader:
            begin, last = last + 1, reader.line_num
            if len(row) <= 1 and not "".join(row).strip():
                continue  # a blank line, which pandas skips
            if len(row) < len(table.columns):
                what = f"line {begin} is broken: {len(row)} fields"
                expected = f"{len(table.columns)} fields, with {sep!r} between"
                raise DataError(what, path.name, expected, "repair or remove this line")
            found.append(begin)
    found = found[plain.start - 1 :]
    return pd.Index(found, name="line") if len(found) == len(table) else plain


def read_columns(
    folder: str | Path, name: str, columns: Iterable[str], **options: Any
) -> pd.DataFrame:
    """These columns of a file of a folder, or of its `.gz`, called anew by a mapping; refuses a
    file that lacks one, and names the columns that are left. options: of `read_frame`."""
    table = read_frame(found(Path(folder) / name), **options)
    require(table, columns, name)
    tell_unread(table.columns, columns, name)
    return chosen(table, columns)


def read_json_lines(path: Path, fields: Iterable[str]) -> pd.DataFrame:
    """A file with one JSON object a line as a table of some of its fields, None where a line lacks
    one; a mapping of fields says how the columns are called.

    Read in pieces, so that text is packed as soon as it is read; blank lines are none. `DataError`
    names a bad line.
    """
    names, lines = list(fields), json_lines(path)
    seen, pieces = set(), [pd.DataFrame(columns=names, index=pd.Index([], "int64", name="line"))]
    while some := list(islice(lines, 250_000)):
        for number, read in some:
            if not isinstance(read, dict):
                raise DataError(f"line {number} is no JSON object", path.name, "{…} in every line")
            seen.update(read)
        index = pd.Index([number for number, _ in some], name="line")
        rows = [[read.get(name) for name in names] for _, read in some]
        pieces.append(pd.DataFrame(rows, columns=names, index=index))
    tell_unread(sorted(seen), names, path.name)
    return chosen(pd.concat(pieces[1:] or pieces), fields)


def json_lines(path: Path, **exact: Any) -> Iterator[tuple[int, Any]]:
    """What every line that is not blank holds, after its number; `DataError` names a line that is
    no JSON. exact: how numbers are read, in the words of `json.loads`."""
    for number, text in lines_of(path):
        yield number, _decoded(text, path, f"line {number}", **exact)


def read_json(path: str | Path, **exact: Any) -> Any:
    """What a JSON file (or its .gz) holds; `DataError` names the file and line that is broken.
    exact: as for `json_lines`."""
    path = found(path)
    return _decoded(read_text(path), path, "", **exact)


def _decoded(text: str, path: Path, place: str, **exact: Any) -> Any:
    """What a text says in JSON; place: where in its file it stands, "" for all of it."""
    try:
        return json.loads(text, **exact)
    except json.JSONDecodeError as error:
        place, said = place or f"line {error.lineno}, character {error.colno}", error.msg
    except RecursionError:
        place, said = place or "it", "nested without end"
    raise DataError(f"{place} is no JSON ({said})", path.name, "JSON", AGAIN)


def read_toml(model: type[Model], path: Path, what: str) -> Model:
    """A TOML file as `model`; `ConfigError` says that it is `what`, and why."""
    try:
        return model(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        expected = f"the fields of {model.__name__}"
        do = "repair or remove it"
        raise ConfigError(f"{what} ({why(error)})", str(path), expected, do) from error


def why(error: Exception) -> str:
    """What is wrong, in one line: of a model's fields each with its name."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    told = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
    return "; ".join(f"{field}: {said}" for field, said in told)


def read_text(path: Path) -> str:
    """The whole text of a file, plain or packed; a line may have any length."""
    with readable(path), open_file(path, "utf-8", longest=None) as file:
        return file.read()


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers."""
    with readable(path), open_file(path, "utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip("\r\n")
