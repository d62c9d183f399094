"""The workbench itself is a memory tier: take a user's rows out of caches and run folders."""

from __future__ import annotations

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
    folders = [Path(folder)] if folder is not None else [settings().runs, settings().cache]
    if folder is not None and not folders[0].is_dir():
        raise DataError(
            "no such folder",
            str(folder),
            "a cache or run folder",
            "leave it out for the settings' folders",
        )
    lines, other = [], dict[str, int]()
    for root in (path for path in folders if path.is_dir()):
        for path in sorted(
            path for path in root.rglob("*") if path.is_file() and not path.is_symlink()
        ):
            if path.suffix == ".parquet":
                rows, removed, note = _purge_file(path, user, code, dry)
                lines.append(
                    {
                        "file": path.relative_to(root).as_posix(),
                        "rows": rows,
                        "removed": removed,
                        "note": note,
                    }
                )
            else:
                other[path.suffix or "no suffix"] = other.get(path.suffix or "no suffix", 0) + 1
    for suffix, n in sorted(other.items()):
        note = f"{n} file{'s' * (n > 1)} not opened: look for this user there yourself"
        lines.append({"file": f"*{suffix}", "rows": 0, "removed": 0, "note": note})
    return pd.DataFrame(lines, columns=["file", "rows", "removed", "note"])


def _purge_file(path: Path, user: str, code: int | None, dry: bool) -> tuple[int, int, str]:
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
    if pa.types.is_integer(column.type):
        wanted = (
            code if code is not None else int(user) if user.isascii() and user.isdigit() else None
        )
        if wanted is None:
            return len(table), 0, "users are whole numbers: pass code="
        mask = pc.equal(column, pa.scalar(wanted, pa.int64()))
    else:
        mask = pc.equal(column.cast(pa.string()), user)
    mask = pc.fill_null(mask, False)
    removed = int(pc.sum(mask).as_py() or 0)
    if removed and not dry:
        with whole_file(path) as new:
            pq.write_table(table.filter(pc.invert(mask)), new)
    return len(table), removed, "would be removed" if removed and dry else ""
