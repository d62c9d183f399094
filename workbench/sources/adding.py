"""A card for a table of the reader's own, and for the table of items beside it."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError, WorkbenchError, typed
from workbench.settings import settings
from workbench.sources.cards import Card, CardFile, all_cards, sha256_of
from workbench.sources.files import found, why
from workbench.sources.logs.items import read_items
from workbench.sources.logs.tables import FORM, Preview, preview, read_noted
from workbench.sources.packed import parts_of
from workbench.whole import whole_file, whole_folder

NOTEBOOK = "notebooks/real/20_boomerang_ml100k.ipynb"
"""The notebook whose first cell opens a data set by its card."""


@dataclass(frozen=True)
class Added:
    """What `add` wrote: the card, its file, and the preview that shows which column became what."""

    card: Card
    path: Path
    preview: Preview
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Added({self.card.name}, {self.card.rows:,} rows, card {self.path})"

    def __str__(self) -> str:
        return "\n".join([repr(self), *self.notes, "", self.opens()])

    def opens(self) -> str:
        """The notebook that this data goes into, and the lines that open it there."""
        lines = f'movies = data.open_data("{self.card.name}")\n'
        if "value" in self.card.columns:
            lines += "kept = data.keep_core(data.keep_at_least(movies.log, 4), reindex=True)"
        else:
            lines += "kept = data.keep_core(movies.log, reindex=True)"
        about = "; then one of your topics for Horror" if "items" in self.card.options else ""
        return f"{NOTEBOOK}: write these lines for the two that read ml-100k{about}\n{lines}"

    def to_frame(self) -> pd.DataFrame:
        """The columns of the file and their roles in the card."""
        return self.preview.columns


@typed
def add(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    name: str | None = None,
    copy: bool = False,
    items: str | Path | None = None,
    item_columns: dict[str, str] | None = None,
    topic_sep: str | None = None,
    **options: Any,
) -> Added:
    """Make a card for a table of your own; the table stays where it is unless `copy`.

    mapping: role → column, laid over the guess of `preview` (a role given as "" is left out);
    items: a second file with one row per item, item_columns and topic_sep: as `mapping` and
    `topic_sep` of `read_items`; options: of `read_table`, such as time_unit or actions. The tables
    are read once, so a card that is written works. A rating read as `value` changes nothing by
    itself: every row counts as a like until `keep_at_least(log, 4)` leaves out the others.
    """
    if items is None and (item_columns or topic_sep):
        do = "pass items='…', or leave them out"
        raise ConfigError("no table of items", "item_columns, topic_sep", "items too", do)
    own, path = own_folder(), found(path).resolve()
    name = name or re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "table"
    if name in all_cards():
        raise ConfigError(f"there is a card {name!r}", "name", "a new name", "pass name='…'")
    form = {key: options[key] for key in FORM if key in options}
    meaning = {key: value for key, value in options.items() if key not in FORM}
    seen = preview(path, mapping=mapping, **options)
    read = read_noted(path, seen.mapping, form, meaning)
    # what a card holds is text
    if "actions" in options:
        options["actions"] = {str(code): name for code, name in options["actions"].items()}
    if not isinstance(options.get("names", ""), str):
        options["names"] = ",".join(options["names"])
    files = [path] if path.is_file() else parts_of(path)
    place = path.parent if path.is_file() else path
    _flat(files, place)
    said = list(read.notes.all)
    if items is not None:
        items = found(items).resolve()
        said += _beside(read.log, items, place, copy, item_columns, topic_sep)
        options |= {"items": _plain_name(items)}
        options |= {"item_columns": item_columns} if item_columns else {}
        options |= {"topic_sep": topic_sep} if topic_sep else {}
        files.append(items)
    cards = tuple(CardFile(name=_plain_name(file), sha256=sha256_of(file)) for file in files)
    facts = {"name": name, "reader": "table", "columns": seen.mapping, "options": options}
    facts |= {"files": cards, "task": "your own table", **counts_of(read.log)}
    facts |= {"folders": (name,)} if copy else {"place": place}
    try:
        card = Card(**facts)
    except ValueError as error:
        what = f"no card can be made ({why(error)})"
        raise ConfigError(what, "add", "a plain name", "pass name='…'") from error
    if copy:
        folder = own / name
        if folder.exists():
            what = "the folder is there already"
            raise ConfigError(what, str(folder), "a new name", "pass name='…'")
        with whole_folder(folder) as new:
            for file in files:
                shutil.copy2(file, new)
    target = own / "cards" / f"{name}.toml"
    with whole_file(target, None) as new:  # a file that is no card may have the name
        new.write_text(_toml(card), encoding="utf-8")
    return Added(card, target, seen, tuple(said))


def _plain_name(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _flat(files: list[Path], place: Path) -> None:
    """Refuse parts in folders of their own, which a card cannot name."""
    if any(file.parent != place for file in files):
        do = "write it as one file: read_parquet(folder).to_parquet('all.parquet')"
        raise DataError("parts in folders of their own", str(place), "all in one folder", do)


def _beside(
    log: Interactions,
    items: Path,
    place: Path,
    copy: bool,
    columns: dict[str, str] | None,
    topic_sep: str | None,
) -> list[str]:
    """Read the table of items once; what is to be said of it."""
    if items.parent != place and not copy:
        do = "pass copy=True, or put both files into one folder"
        raise ConfigError("the two files lie in different folders", "items", str(place), do)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            catalogue = read_items(items, log, columns, topic_sep=topic_sep)
        except WorkbenchError as error:
            do = error.do and error.do.replace("mapping=", "item_columns=")
            raise type(error)(error.what, error.where, error.expected, do) from error
    topics = catalogue.topics["topic"].value_counts()
    shown = ", ".join(f"{topic} {count:,}" for topic, count in topics.head(8).items())
    said = [str(warning.message) for warning in caught]
    return [*said, f"{len(catalogue):,} items, {len(topics):,} topics: {shown}"]


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
