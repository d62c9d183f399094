"""Files and folders that are there whole or not at all: whoever writes one writes it here.

What is written stands in a temporary folder beside its target until it is complete, on the same
disk, so that taking the name is one step. A killed process leaves a `.partial-…` folder at most.
What stands in the way is replaced only where the writer knows it as its own, and a folder only
where every file in it is written anew; a link never.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import DataError

PARTIAL = ".partial-"
"""How the names of temporary folders begin."""
ELSEWHERE = "move it away, or name another place"
FULL = "No space left|[Dd]isk quota|not enough space|os error (28|112|122)"
"""What libraries say of a full disk, each in an error of its own kind."""
Ours = Callable[[Path], object]


@contextmanager
def whole_file(path: Path, ours: Ours | None = Path.is_file) -> Iterator[Path]:
    """A path to write to, which takes the name `path` when the block ends without an error.

    ours: whether a file of that name is one that may be replaced; any is unless given, none with
    None, a link never. After an error or Ctrl-C it stands as it was. The new path has the name of
    the target, so that its ending says the same. Raises `DataError` for what is in the way, and
    where the disk is full or forbids.

    >>> with whole_file(Path("a.txt")) as new: new.write_text("a")  # doctest: +SKIP
    """
    with _beside(path, Path.is_file, ours) as parts:
        new = parts / path.name
        yield new
        _refuse_others(path, Path.is_file, ours)
        os.replace(new, path)


@contextmanager
def whole_folder(folder: Path, ours: Ours | None = None) -> Iterator[Path]:
    """A temporary folder to write in, which takes the name `folder` when the block ends without an
    error.

    ours: whether a folder of that name is one that may be replaced; unless given only an empty one
    is, and never one with files that the new one lacks. After an error or Ctrl-C it stands as it
    was. Raises `DataError` for what is in the way, and where the disk is full or forbids.

    >>> with whole_folder(Path("model")) as work: (work / "a.txt").write_text("a")  # doctest: +SKIP
    """
    with _beside(folder, Path.is_dir, ours) as parts:
        new, old = parts / "new", parts / "old"
        new.mkdir()
        yield new
        _refuse_others(folder, Path.is_dir, ours)
        if not folder.exists():
            os.replace(new, folder)
            return
        have, made = ({p.relative_to(top) for p in top.rglob("*")} for top in (folder, new))
        if more := sorted(map(str, have - made)):
            what = f"holds {', '.join(more[:3])}, which is not written here"
            raise DataError(what, str(folder), "nothing that would be lost", ELSEWHERE)
        os.replace(folder, old)  # a folder that is not empty cannot be replaced in one step
        try:
            os.replace(new, folder)
        except BaseException:
            os.replace(old, folder)
            raise


def _refuse_others(path: Path, kind: Ours, ours: Ours | None) -> None:
    """Raise `DataError` for what stands in the way and is not ours, or not of this kind."""
    if not os.path.lexists(path):
        return
    if kind(path) and not path.is_symlink():
        empty = not (any(path.iterdir()) if path.is_dir() else path.stat().st_size)
        if empty or (ours and ours(path)):
            return
    what = "there is something of this name that was not written here"
    raise DataError(what, str(path), "a free name", ELSEWHERE)


@contextmanager
def _beside(path: Path, kind: Ours, ours: Ours | None) -> Iterator[Path]:
    """A temporary folder where `path` is to be, gone at the end of the block."""
    try:
        _refuse_others(path, kind, ours)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=PARTIAL, dir=path.parent, ignore_cleanup_errors=True
        ) as parts:
            yield Path(parts)
    except Exception as error:
        # errors of the block that are about other files are none of writing
        named = Path(str(getattr(error, "filename", None) or path))
        forbidden = isinstance(error, OSError) and (PARTIAL in str(error) or named in path.parents)
        if not (forbidden or re.search(FULL, str(error))):
            raise
        what, do = f"cannot be written ({error})", "make room or name another place"
        raise DataError(what, str(path), "a disk with room that may be written to", do) from error
