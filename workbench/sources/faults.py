"""What libraries say of a damaged file, in words that name the file and the line."""

from __future__ import annotations

import csv
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from workbench.data.checks import AGAIN
from workbench.errors import ConfigError, DataError
from workbench.sources.packed import kind_of, open_file

BROKEN = (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
FAULTS = (
    (BROKEN, "broken {kind} ({})", "a whole file", AGAIN),
    (csv.Error, "a broken line ({})", "a table", "check its quotes and separator"),
    (pd.errors.EmptyDataError, "the file is empty", "a header and rows", AGAIN),
    (
        (OSError, ValueError, pa.ArrowException),
        "unreadable ({})",
        "a table",
        "check the file and its ending",
    ),
)
"""What libraries raise over a damaged file, what that means, what was expected, what to do."""


@contextmanager
def readable(path: Path, encoding: str = "utf-8") -> Iterator[None]:
    """Turn what pandas, gzip and pyarrow say of a damaged file into a `DataError`."""
    try:
        "".encode(encoding)
    except (LookupError, TypeError):
        expected = "one such as utf-8 or latin-1"
        raise ConfigError(f"no encoding {encoding!r}", "encoding", expected) from None
    try:
        yield
    except UnicodeError as error:
        with open_file(path) as file:
            raw = next(
                (raw for raw in enumerate(file, 1) if not _decodes(raw[1], encoding)), (1, b"")
            )
        what, expected = f"line {raw[0]} is not {encoding}", f"{encoding} text"
        do = "pass encoding='latin-1', or the encoding the file was written in"
        if b"\0" in raw[1]:
            do = "pass encoding='utf-16' if it is text of that kind, else save it as CSV or parquet"
        raise DataError(what, path.name, expected, do) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        said = str(error).replace("\n", "")
        counts = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said)
        what = f"broken lines ({said})"
        if counts:
            what = f"line {counts[2]} is broken: {counts[3]} fields, not {counts[1]}"
        elif isinstance(error, pd.errors.ParserWarning):
            what = "broken lines (the first row has more fields than there are names)"
        expected = "as many fields as the header"
        raise DataError(what, path.name, expected, "repair the line") from error
    except (OSError, ValueError, csv.Error, pa.ArrowException, *BROKEN) as error:
        fault = next(fault for fault in FAULTS if isinstance(error, fault[0]))
        _, what, expected, do = fault
        kind = kind_of(path) if path.is_file() else "file"
        raise DataError(what.format(error, kind=kind), path.name, expected, do) from error


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeError:
        return False
    return True
