"""Files and folders that are there whole or not at all: whoever writes one writes it here.

What is written stands in a temporary folder beside its target until it is complete, on the same
disk, so that taking the name is one step. A killed process leaves a `.partial-…` folder at most.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"
"""How the names of temporary folders begin."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the name `path` when the block ends without an error.

    An old file of that name is replaced; after an error or Ctrl-C it stands as it was. The path has
    the name of the target, so that its ending says the same.

    >>> with whole_file(Path("a.txt")) as new: new.write_text("a")  # doctest: +SKIP
    """
    with _beside(path) as parts:
        new = parts / path.name
        yield new
        os.replace(new, path)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to write in, which takes the name `folder` when the block ends without an
    error.

    An old folder of that name is replaced; after an error or Ctrl-C it stands as it was.

    >>> with whole_folder(Path("model")) as work: (work / "a.txt").write_text("a")  # doctest: +SKIP
    """
    with _beside(folder) as parts:
        new, old = parts / "new", parts / "old"
        new.mkdir()
        yield new
        if not folder.exists():
            os.replace(new, folder)
            return
        os.replace(folder, old)  # a folder that is not empty cannot be replaced in one step
        try:
            os.replace(new, folder)
        except BaseException:
            os.replace(old, folder)
            raise


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary folder where `path` is to be, gone at the end of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=PARTIAL, dir=path.parent, ignore_cleanup_errors=True
    ) as parts:
        yield Path(parts)
