"""Tables by pyarrow: parquet and feather, and plain text several times as fast as pandas reads it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
from pyarrow import csv, dataset, feather, ipc, parquet

from workbench.data.checks import AGAIN
from workbench.errors import DataError
from workbench.settings import physical_memory
from workbench.sources.packed import open_file, parts_of

FEATHER = b"ARROW1"
BLOCK, PIECE = 1 << 23, 1 << 26
"""Bytes of a text: of what a thread parses, and of what is read at once."""


def read_quick(path: Path, names: list[str], sep: str, skip: bool) -> pd.DataFrame | None:
    """A text table in utf-8, its index counting lines; None where the file holds anything that
    pandas might read otherwise: lines of another width, blank ones, breaks within quotes.

    names: of its columns. skip: its first line is the header.
    """
    text = {name: pa.large_string() for name in names}
    empty = {"null_values": [""], "strings_can_be_null": True, "quoted_strings_can_be_null": True}
    form = csv.ParseOptions(delimiter=sep), csv.ConvertOptions(column_types=text, **empty)
    tables = []
    with open_file(path) as file:
        passed = file.raw
        try:
            for block in _blocks(file):
                first = int(skip and not tables)
                how = csv.ReadOptions(column_names=names, skip_rows=first, block_size=BLOCK)
                tables.append(csv.read_csv(block, how, *form))
        except pa.ArrowInvalid:
            return None
    if not tables:
        return None
    table = pa.concat_tables(tables)
    lines = passed.lines + (passed.last != b"\n")
    if passed.odd or passed.quotes % 2 or lines != table.num_rows + skip or not table.num_rows:
        return None
    index = pd.RangeIndex(1 + skip, 1 + skip + table.num_rows, name="line")
    # two columns may have one name
    columns = {place: column.to_pandas() for place, column in enumerate(table.columns)}
    return pd.DataFrame(columns, copy=False).set_axis(names, axis=1).set_axis(index)


def _blocks(file: IO[bytes]) -> Iterator[pa.BufferReader]:
    """The text of a file, cut behind line ends, in memory of Arrow's own: of a Python object its threads
    may let go after Python has ended, which aborts the process (seen on a busy machine)."""
    rest = b""
    while piece := file.read(PIECE):
        lines, end, left = piece.rpartition(b"\n")
        if end:
            yield _native(rest, lines, end)
        rest = left if end else rest + left
    if rest:
        yield _native(rest)


def _native(*parts: bytes) -> pa.BufferReader:
    sink = pa.BufferOutputStream()
    for part in parts:
        sink.write(part)
    return pa.BufferReader(sink.getvalue())


def read_arrow(
    source: Path | io.BytesIO, path: Path, first: bytes, nrows: int | None
) -> pd.DataFrame:
    """A parquet or feather file, or a folder of parquet parts, its index counting rows;
    first: the bytes it begins with."""
    if isinstance(source, Path) and source.is_dir():
        parts = [str(part) for part in parts_of(source)]
        ways = {"partitioning": "hive", "partition_base_dir": str(source)}
        found = dataset.dataset(parts, format="parquet", **ways)
        names = found.schema.names
        for part in found.get_fragments():
            if more := set(part.physical_schema.names) - set(names):
                what = f"{Path(part.path).name} has other columns ({', '.join(sorted(more))})"
                raise DataError(what, path.name, f"the same in every part: {names}", AGAIN)
        _refuse_large(path, found.count_rows(), len(names))
        table = found.to_table() if nrows is None else found.head(nrows)
        return table.to_pandas().rename_axis("row")
    if first == FEATHER:
        if nrows is None:
            return feather.read_feather(source).rename_axis("row")
        with ipc.open_file(source) as batches:
            some = [batches.get_batch(0)] if batches.num_record_batches else []
            table = pa.Table.from_batches(some, batches.schema)
        return table.slice(0, nrows).to_pandas().rename_axis("row")
    with parquet.ParquetFile(source) as file:
        _refuse_large(path, file.metadata.num_rows, file.metadata.num_columns)
        if nrows is None:
            return pd.read_parquet(source).rename_axis("row")
        some = next(file.iter_batches(nrows), None)
        table = file.schema_arrow.empty_table() if some is None else pa.Table.from_batches([some])
        return table.to_pandas().rename_axis("row")


def _refuse_large(path: Path, rows: int, columns: int) -> None:
    """A parquet file of a few bytes may hold any number of rows."""
    if rows * columns * 8 > physical_memory():
        what = f"{rows:,} rows of {columns} columns do not fit into this machine's memory"
        raise DataError(what, path.name, "a table that does", "cut it, or read it on a larger one")
