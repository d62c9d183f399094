"""Whether files of data are still those that were read, without reading them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from workbench.settings import settings
from workbench.sources.cards import find_card, find_folder
from workbench.sources.files import found


def stamp_of_data(name: str) -> str:
    """sha256 of where the files of a data set stand, their sizes and times of change, and of its
    card. A change that keeps size and time is not noticed. Errors as `open_data`.

    name: of a card, or "world", the generated one.
    """
    said, files = "", sorted((settings().data / "world").iterdir())
    if name != "world":
        card = find_card(name)
        place = find_folder(card)
        said, files = repr(card), [found(place / one.path) for one in card.files]
    lines = [said]
    for path in _plain(files):
        facts = path.stat()
        lines.append(f"{path.resolve()} {facts.st_size} {facts.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _plain(paths: Iterable[Path]) -> list[Path]:
    """Files, and those in folders of parts."""
    plain = []
    for path in paths:
        plain += sorted(path.rglob("*")) if path.is_dir() else [path]
    return plain
