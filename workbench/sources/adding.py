"""A card for a table of the reader's own, and for the table of items beside it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError, typed
from workbench.settings import settings
from workbench.sources.cards import Card, CardFile, all_cards, sha256_of
from workbench.sources.files import found, why
from workbench.sources.reading import source_of
from workbench.whole import whole_file, whole_folder

NOTEBOOK = "00_your_own_forget_screen.ipynb"
"""The notebook in notebooks/real that opens any card on the forget screen."""


@dataclass(frozen=True)
class Added:
    """What `add` wrote: the card and its file, and what there is to say of the data."""

    card: Card
    path: Path
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Added({self.card.name}, {self.card.rows:,} rows, card {self.path})"

    def __str__(self) -> str:
        return "\n".join([repr(self), *self.notes, "", self.opens()])

    def opens(self) -> str:
        """The notebook that this data goes into, and the line that opens it there."""
        return (
            f"Next: python start.py lab notebooks/real   then run {NOTEBOOK}\n"
            f'It opens the card added last; later: name = "{self.card.name}"'
        )

    def to_frame(self) -> pd.DataFrame:
        """The roles of the columns: [role, column]."""
        return pd.DataFrame(self.card.columns.items(), columns=["role", "column"])


@typed
def add(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    name: str | None = None,
    copy: bool = False,
    items: str | Path | None = None,
    **options: Any,
) -> Added:
    """Make a card for a table of your own; the table stays where it is unless `copy`.

    mapping, items, options: as for `read`, which reads the tables once, so that a card that is
    written works. A folder in the layout of MovieLens or RecBole is a card too. A rating read as
    `value` changes nothing by itself: every row counts as a like until `keep_at_least(log, 4)` (or
    `keep_enough`, which the notebooks call) leaves out the others.
    """
    own, path = own_folder(), Path(path).expanduser()
    path = (path if path.is_dir() else found(path)).resolve()
    name = name or _named(path)
    if name in all_cards():
        raise ConfigError(f"there is a card {name!r}", "name", "a new name", "pass name='…'")
    items = None if items is None else found(items).resolve()
    source = source_of(path, mapping, items=items, **options)
    place = path if path.is_dir() else path.parent
    _together(source.files, items, place, copy)
    facts = {"name": name, "reader": source.reader, "columns": source.columns}
    facts |= {"options": _as_text(source.options, items)}
    files = {_plain_name(file): sha256_of(file) for file in source.files}
    facts |= {"files": tuple(CardFile(name=file, sha256=sha) for file, sha in files.items())}
    facts |= {"task": "your own table", **counts_of(source.data.log)}
    facts |= {"folders": (name,)} if copy else {"place": place}
    try:
        card = Card(**facts)
    except ValueError as error:
        what = f"no card can be made ({why(error)})"
        raise ConfigError(what, "add", "a plain name", "pass name='…'") from error
    if copy:
        _copied(source.files, own / name)
    target = own / "cards" / f"{name}.toml"
    with whole_file(target, None) as new:  # a file that is no card may have the name
        new.write_text(_toml(card), encoding="utf-8")
    return Added(card, target, (*source.facts, *source.doubts))


def _named(path: Path) -> str:
    """What the card of a file is called unless told."""
    return re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "table"


def _as_text(options: dict[str, Any], items: Path | None) -> dict[str, Any]:
    """The options of a reader as a card holds them."""
    text = dict(options)
    if "actions" in text:
        text["actions"] = {str(code): name for code, name in text["actions"].items()}
    if not isinstance(text.get("names", ""), str):
        text["names"] = ",".join(text["names"])
    return text | ({} if items is None else {"items": _plain_name(items)})


def _together(files: list[Path], items: Path | None, place: Path, copy: bool) -> None:
    """Refuse files that no card can name: one place holds them all, unless they are copied."""
    if items is not None and items.parent != place and not copy:
        do = "pass copy=True, or put both files into one folder"
        raise ConfigError("the two files lie in different folders", "items", str(place), do)
    if any(file.parent != place for file in files if file != items):
        do = "write it as one file: read_parquet(folder).to_parquet('all.parquet')"
        raise DataError("parts in folders of their own", str(place), "all in one folder", do)


def _copied(files: list[Path], folder: Path) -> None:
    """Copy files to a new folder, all or none."""
    if folder.exists():
        what = "the folder is there already"
        raise ConfigError(what, str(folder), "a new name", "pass name='…'")
    with whole_folder(folder) as new:
        for file in files:
            shutil.copy2(file, new)


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz")


def counts_of(log: Interactions) -> dict[str, int]:
    """What a card says of a log."""
    return {"rows": len(log), "users": log.n_users, "items": log.n_items}


def own_folder(folder: str | Path | None = None) -> Path:
    """The folder for the reader's data; `ConfigError` where there is none."""
    own = Path(folder).expanduser() if folder is not None else settings().own_data
    if own is None:
        what = "WORKBENCH_DATA is not set"
        do = "set it, such as WORKBENCH_DATA=~/data, before anything is added"
        raise ConfigError(what, "folder", "a folder for your data", do)
    return own


def _toml(card: Card) -> str:
    """TOML of a card; a JSON string, number or list of strings is TOML as it stands."""
    facts = card.model_dump(mode="json", exclude_defaults=True)
    tables = {key: facts.pop(key) for key in ("columns", "options") if key in facts}
    files = facts.pop("files")
    parts = ["\n".join(_pairs(facts, str))]
    parts += ["\n".join([f"[{name}]", *_pairs(table)]) for name, table in tables.items()]
    parts += ["\n".join(["[[files]]", *_pairs(file, str)]) for file in files]
    return "\n\n".join(parts) + "\n"


def _pairs(table: dict[str, object], name: Callable[[str], str] | None = None) -> list[str]:
    return [f"{(name or _value)(key)} = {_value(value)}" for key, value in table.items()]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(_pairs(value))}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
