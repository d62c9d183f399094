"""The workbench itself is a memory tier: take a user's rows out of caches and run folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import DataError
from workbench.settings import settings
from workbench.whole import whole_file


def purge(
    user: str, folder: Path | str | None = None, *, code: int | None = None, dry: bool = False
) -> pd.DataFrame:
    """Remove the rows of a user (original id) from every parquet file below a folder (default: the
    settings).

    A file counts as about users when it has a column `user`. Text is compared with the id. Whole
    numbers may be codes of some log or ids: they are compared with `code`, and with the id only
    where it is a number; otherwise the file is left as it is and the note says so. Files are
    rewritten whole through a temporary file; `dry` only looks.

    Returns [file, rows, removed, note], one line a file; files of other kinds are counted by kind,
    not opened. Raises `DataError` for a folder that is not there.
    """
    folders = [settings().runs, settings().cache]
    if folder is not None:
        folders = [Path(folder)]
        if not folders[0].is_dir():
            do = "leave it out for the settings' folders"
            raise DataError("no such folder", str(folder), "a cache or run folder", do)
    lines = []
    other: Counter[str] = Counter()
    for root in folders:
        for path in sorted(root.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            if path.suffix == ".parquet":
                name = path.relative_to(root).as_posix()
                lines.append((name, *_purge_file(path, user, code, dry)))
            else:
                other[path.suffix or "no suffix"] += 1
    for suffix, n in sorted(other.items()):
        note = f"{n} file{'s' * (n > 1)} not opened: look for this user there yourself"
        lines.append((f"*{suffix}", 0, 0, note))
    return pd.DataFrame(lines, columns=["file", "rows", "removed", "note"])


def _purge_file(path: Path, user: str, code: int | None, dry: bool) -> tuple[int, int, str]:
    """Rows of the file, rows of the user among them, and a note."""
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        return 0, 0, f"unreadable, left as it is: {str(error).splitlines()[0]}"
    if "user" not in table.column_names:
        return len(table), 0, "no column 'user'"
    column = table.column("user")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # whole numbers are codes, or ids that are numbers themselves
    wanted: int | str = user
    if pa.types.is_integer(column.type):
        if code is None and not (user.isascii() and user.isdigit()):
            return len(table), 0, "users are whole numbers: pass code="
        wanted = int(user) if code is None else code
    else:
        column = column.cast(pa.string())
    found = pc.fill_null(pc.equal(column, wanted), False)
    removed = int(pc.sum(found).as_py() or 0)
    if removed and not dry:
        with whole_file(path) as new:
            pq.write_table(table.filter(pc.invert(found)), new)
    return len(table), removed, "would be removed" if removed and dry else ""
