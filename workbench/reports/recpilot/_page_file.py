"""The file of an archive, one parquet table, and what is checked before any of it is believed.

A file may come from anywhere: nothing in it is unpickled, sizes are looked at before it is read,
and every row must be one that the archive of this log could have written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.data import Interactions
from workbench.errors import DataError, TooLarge
from workbench.reports.claims import Claim
from workbench.reports.statements import is_item, item_code
from workbench.whole import whole_file

TEXTS = ["user", "report", "claim", "kind", "subject", "relation", "object", "spread"]
TEXTS += ["section", "text"]
TYPES = dict.fromkeys(TEXTS, pa.string()) | {
    "made": pa.timestamp("ms", "UTC"),
    "value": pa.float64(),
    "low": pa.float64(),
    "high": pa.float64(),
    "place": pa.int64(),
    "interactions": pa.list_(pa.int64()),
    "weights": pa.list_(pa.float64()),
}
NAN = ("value", "low", "high")
"""Numbers that may be none."""
MARK = b"workbench archive"
ROWS, VALUES, LETTERS = 1_000_000, 50_000_000, 4_000
"""What a file may hold, at most: rows, values of a column, letters of a text."""
SELF = "user"
"""How a file calls the shopper of a row: codes are none of its business."""
DO = "take a file that Archive.save wrote for this log"


def bound_of(path: Path) -> str | None:
    """The index fingerprint that an archive's file was written for; None for any other file."""
    try:
        return (pq.read_schema(path).metadata or {}).get(MARK, b"").decode() or None
    except (OSError, ValueError, pa.ArrowException):
        return None


def write_pages(table: pd.DataFrame, users: pd.Index, bound: str, path: Path) -> None:
    """The whole file or none; only an archive is replaced."""
    own = "user:" + table["user"].astype(str)
    told = table.assign(user=users[table["user"].to_numpy(np.int64)].astype(str))
    for name in ("subject", "object"):
        told[name] = table[name].where(table[name] != own, SELF)
    schema = pa.schema(list(TYPES.items()), metadata={MARK: bound.encode()})
    with whole_file(path, ours=bound_of) as new:
        pq.write_table(pa.Table.from_pandas(told, schema=schema, preserve_index=False), new)


def read_pages(path: Path, log: Interactions) -> pd.DataFrame:
    """The table of a file, users and subjects as codes; raises `DataError` for a file that is no
    archive of this log, and `TooLarge`."""
    where = str(path)
    if not path.is_file():
        raise DataError("no such file", where, "an archive of pages", DO)
    bound = bound_of(path)
    if bound is None:
        raise DataError("no archive of pages", where, "a file that Archive.save wrote", DO)
    if bound != log.index_fingerprint:
        raise DataError("the archive of another log", where, "one of the log at hand", DO)
    try:
        table = _read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"cannot be read ({error})", where, "a whole file", DO) from error
    codes = {str(user): code for code, user in enumerate(log.users)}
    owner = table["user"].map(codes)
    fault = "a user that the log does not have" if owner.isna().any() else ""
    if not fault:
        table["user"] = owner.astype(np.int64)
        for name in ("subject", "object"):
            own = "user:" + table["user"].astype(str)
            table[name] = table[name].where(table[name] != SELF, own)
        fault = next(_faults(table, log), "")
    if fault:
        raise DataError(fault, where, "what Archive.save wrote", DO)
    return table


def _read(path: Path) -> pd.DataFrame:
    if pq.read_schema(path).names != list(TYPES):
        raise ValueError("other columns")
    # texts stay categories until their lengths are known: a short file may hold a long text often
    with pq.ParquetFile(path, read_dictionary=TEXTS) as file:
        facts = file.metadata
        parts = [facts.row_group(place) for place in range(facts.num_row_groups)]
        columns = range(facts.num_columns)
        values = [sum(part.column(at).num_values for part in parts) for at in columns]
        size = sum(part.column(at).total_uncompressed_size for part in parts for at in columns)
        if facts.num_rows > ROWS or max(values, default=0) > VALUES or size > 8 * VALUES:
            what = f"{facts.num_rows:,} claims"
            raise TooLarge(what, str(path), f"at most {ROWS:,}", "keep the newest pages")
        table = file.read()
    for name, kind in TYPES.items():
        column = table[name]
        if name in TEXTS:
            chunks = [chunk.dictionary for chunk in column.chunks]
            if any(len(text or "") > LETTERS for chunk in chunks for text in chunk.to_pylist()):
                raise ValueError(f"a text of more than {LETTERS:,} letters in {name}")
            column = column.cast(kind)
        elif column.type != kind and not pa.types.is_list(column.type):
            raise ValueError(f"{name} is {column.type}, not {kind}")
        if column.null_count and name not in NAN:
            raise ValueError(f"a gap in {name}")
        table = table.set_column(table.column_names.index(name), name, column.cast(kind))
    return table.to_pandas(ignore_metadata=True)


def _faults(table: pd.DataFrame, log: Interactions) -> Iterator[str]:
    """What an archive would not have written, the first things first."""
    pages = table.groupby("report")
    if (pages[["user", "made"]].nunique() > 1).any(axis=None):
        yield "a page of two shoppers, or of two days"
    if ((table["place"] >= 0) != (table["text"] != "")).any() or (table["place"] < -1).any():
        yield "a sentence without a place, or a place without one"
    if table.duplicated(["report", "claim", "place"]).any():
        yield "a claim twice in a sentence"
    owner = log.frame.set_index("interaction")["user"]
    for row in table.itertuples():
        ids, weights = np.asarray(row.interactions), np.asarray(row.weights, dtype=float)
        if Claim(row.kind, row.subject, row.relation, row.object, 0.0).claim != row.claim:
            yield f"claim {row.claim!r:.40} is not what it is called"
        for name in filter(is_item, (row.subject, row.object)):
            if item_code(name) >= log.n_items:
                yield f"{name:.40} is not in the log"
        whole = ids.dtype.kind == "i" and len(np.unique(ids)) == len(ids) == len(weights) > 0
        if not (whole and (weights >= 0).all() and abs(weights.sum() - 1) < 1e-6):
            yield f"claim {row.claim} is carried by no rows, or not by weights that sum to 1"
        if (owner.reindex(ids).dropna() != row.user).any():
            yield f"claim {row.claim} rests on another shopper's rows"
