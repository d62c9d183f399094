"""What was made from a model's file and is kept: used only as long as it is what was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

KEPT = "tokenizers"
"""The folder of the cache that converted tokenizers are kept in."""
MARK = "kept.json"
"""The file that says what the others are."""


def is_kept(folder: Path) -> bool:
    """Whether a folder is as it was kept: these files, to the byte, and no
    others."""
    try:
        told = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return bool(told) and told == digests(folder)
    except (OSError, ValueError):
        return False


def digests(folder: Path) -> dict[str, str]:
    """{file: sha256} of the files in a folder, but for the mark."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARK]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
