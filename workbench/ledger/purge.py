"""The workbench itself is a memory tier: take a user's rows out of caches and run folders."""

from __future__ import annotations

import html
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import ConfigError, DataError, typed
from workbench.language.kept import KEPT, is_kept
from workbench.ledger.cached import RAW, rows_about, values_of
from workbench.settings import settings
from workbench.whole import whole_file

LOOK = "look there yourself"
PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"7z\xbc\xaf")
"""How gzip, zip (npz, pt), bzip2, xz, zstandard and 7z files begin."""


@typed
def purge(
    user: str, folder: Path | str | None = None, *, code: int | None = None, dry: bool = False
) -> pd.DataFrame:
    """Remove the rows of a user (original id) from every parquet file below a folder (default: the
    settings).

    A parquet file, whatever its name, is about users when it has a column `user`, `User`, `userId`,
    `shopper` and the like. Text is compared with the id. Whole numbers may be codes of some log or
    ids: they are compared with `code`, and with the id only where it is a number; otherwise the
    file is left as it is and the note says so. Files are rewritten whole; `dry` only looks. Then
    every file is searched for the id, in any case: other columns, metadata, other kinds of file.

    Returns [file, rows, removed, note]: the parquet files, others that need a look, and in the last
    line (file `*`) whether all is clean, or why not. Raises `DataError` for a folder that is not
    there.

    >>> purge("shopper 72", "runs", dry=True)["note"].iloc[-1]  # doctest: +SKIP
    'clean: 12 files searched'
    """
    if not user.strip():
        raise ConfigError(f"{user!r} is no id", "user", "the id of a user, as text", "name one")
    folders = [settings().runs, settings().cache]
    if folder is not None:
        folders = [Path(folder)]
        if not folders[0].is_dir():
            do = "leave it out for the settings' folders"
            raise DataError("no such folder", str(folder), "a cache or run folder", do)
    forms = _spellings(user)
    lines, count, skipped = [], 0, 0
    tokenizers = (settings().cache / KEPT).resolve()
    for root in folders:
        for path in sorted(root.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                continue
            # the words of a language model: no memory of anybody
            if path.parent.parent.resolve() == tokenizers and is_kept(path.parent):
                skipped += 1
                continue
            count += 1
            rows, removed, note = _look(path, user, forms, code, dry)
            name = path.relative_to(root).as_posix()
            if _holds(os.fsencode(name), forms):
                note = f"{user!r} is in its name: rename it. {note}".rstrip()
            if rows is not None or note:
                lines.append((name, rows or 0, removed, note))
    told = "; ".join(f"{name}: {note}" for name, _, _, note in lines if note)
    end = f"not clean: {told}" if told else f"clean: {count} file{'s' * (count != 1)} searched"
    if skipped:
        end += f"; {skipped} file{'s' * (skipped != 1)} of tokenizers, kept as written, left out"
    if code is not None or user.isdigit():
        end += "; numbers in columns not named for users were not looked at"
    lines.append(("*", 0, 0, end))
    return pd.DataFrame(lines, columns=["file", "rows", "removed", "note"])


def _spellings(user: str) -> set[bytes]:
    """The id as text, JSON, HTML, an address and UTF-16 write it, in small letters."""
    # letters beyond ASCII have several sizes, and some are one sign or two
    alike = {user, user.upper(), user.lower(), user.casefold()}
    alike |= {normalize(form, text) for form in ("NFC", "NFD") for text in tuple(alike)}
    forms = set()
    for text in alike:
        written = {text, html.escape(text), quote(text, errors="ignore") or text}
        written |= {json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
        forms |= {one.encode(*RAW) for one in written}
        forms |= {text.encode("utf-16-le", "surrogatepass"), text.encode("latin-1", "ignore")}
    return {form.lower() for form in forms if len(form) >= len(user)}


def _holds(content: bytes, forms: set[bytes]) -> bool:
    """Whether one of the forms is a word of its own there, in any case."""
    small = content.lower()
    found = [re.escape(form) for form in forms if form in small]
    return any(re.search(b"(?<![0-9a-z])" + form + b"(?![0-9a-z])", small) for form in found)


def _look(
    path: Path, user: str, forms: set[bytes], code: int | None, dry: bool
) -> tuple[int | None, int, str]:
    """Rows of a parquet file (None: another kind), rows of the user among them, and a note."""
    if path.is_symlink():
        return None, 0, f"a link, not followed: {LOOK}"
    try:
        with open(path, "rb") as file:
            start = file.read(6)
        if start.startswith(b"PAR1") or path.suffix.lower() in (".parquet", ".pq"):
            return _purge_file(path, user, forms, code, dry)
        if start.startswith(PACKED):
            return None, 0, f"packed, not searched: {LOOK}"
        return None, 0, f"holds the bytes of {user!r}: {LOOK}" * _found_in(path, forms)
    except Exception as error:  # whatever a file holds, the others are still looked at
        said = str(error).splitlines() or [type(error).__name__]
        return 0, 0, f"unreadable or not written, left as it is: {said[0]}"


def _found_in(path: Path, forms: set[bytes]) -> bool:
    """Whether a file holds one of the forms; read in pieces that overlap."""
    end, longest = b"", max(map(len, forms)) + 2
    with open(path, "rb") as file:
        while part := file.read(1 << 24):
            if _holds(end + part, forms):
                return True
            end = part[-longest:]
    return False


def _purge_file(
    path: Path, user: str, forms: set[bytes], code: int | None, dry: bool
) -> tuple[int, int, str]:
    """Rows of the file, rows of the user among them, and what is left of the id."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    # which rows are the user's
    mine, note = rows_about(table, user, code)
    removed, notes = int(mine.sum()), [note] if note else []
    # the rest, in which no list of categories names the user any more
    kept = table.filter(pa.array(~mine))
    for place, column in enumerate(kept.columns):
        if pa.types.is_dictionary(column.type):
            kept = kept.set_column(place, kept.schema.field(place), _without(column, user))
    left = _holding(kept, user, forms)
    if removed or left != _holding(table, user, forms):
        if dry:
            notes.append("would be removed")
        else:
            with whole_file(path) as new:
                pq.write_table(kept, new)
            _recount(path, len(kept))
    if left:
        notes.append(f"{user!r} is still in {', '.join(left)}: {LOOK}")
    return len(table), removed, "; ".join(notes)


def _without(column: pa.ChunkedArray, user: str) -> pa.DictionaryArray:
    """A column of categories whose list does not name the user, unless a row does."""
    kind, values = column.type, values_of(column).combine_chunks()
    used, own = set(values.unique().to_pylist()), (user, user.encode(*RAW))
    every = column.unify_dictionaries().combine_chunks().dictionary.to_pylist()
    names = pa.array([name for name in every if name in used or name not in own], kind.value_type)
    codes = pc.index_in(values, value_set=names).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(codes, names, ordered=kind.ordered)


def _holding(table: pa.Table, user: str, forms: set[bytes]) -> list[str]:
    """What of a table holds the id: columns, their names, metadata."""
    schema, told = table.schema, dict(table.schema.metadata or {})
    if user.isdigit():
        told.pop(b"pandas", None)  # full of numbers that are none
    names = "\n".join(schema.names).encode(*RAW)
    parts = {"its metadata": b" ".join(told.values()), "the columns' names": names}
    for name, column in zip(schema.names, table.columns, strict=True):
        if re.search("string|binary", str(column.type)):
            parts[f"column {name}"] = parts.get(f"column {name}", b"") + _said(column)
    return [name for name, content in parts.items() if _holds(content, forms)]


def _said(column: pa.ChunkedArray) -> bytes:
    """Every text in a column, however deep."""
    texts = [column]
    if pa.types.is_dictionary(column.type):
        texts = [chunk.dictionary for chunk in column.chunks]
    # text as bytes first: those that are no utf-8 would stop the search
    deep = ("list", "struct", "map", "dict")
    raw = [t if str(t.type).startswith(deep) else t.cast(pa.large_binary()) for t in texts]
    said = json.dumps([t.to_pylist() for t in raw], ensure_ascii=False, default=_written)
    return said.encode(*RAW)


def _written(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _recount(path: Path, rows: int) -> None:
    """The manifest of a run says how many rows its result has."""
    manifest = path.with_name("manifest.json")
    if path.name == "result.parquet" and manifest.is_file():
        with suppress(ValueError, TypeError), whole_file(manifest) as new:  # it may be none
            facts = json.loads(manifest.read_text(encoding="utf-8")) | {"rows": rows}
            text = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
            new.write_text(text, encoding="utf-8")
