"""A reader's own data in one call: a table, with or without a table of items, or a folder in a
published layout."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.errors import ConfigError, WorkbenchError, typed
from workbench.sources.columns import tell
from workbench.sources.files import exists, found
from workbench.sources.logs import layout
from workbench.sources.logs.dataset import Dataset, bare
from workbench.sources.logs.items import preview_items, read_items
from workbench.sources.logs.tables import FORM, preview, read_noted, read_table
from workbench.sources.notes import notes_of
from workbench.sources.packed import parts_of

MOVIELENS = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
"""Files of ratings in the layouts of MovieLens, and the films beside them."""


class Source(NamedTuple):
    """Somebody's data as it was read: by which reader, with which columns and options, of which
    files; facts and doubts are what is to be said of it."""

    reader: str
    files: list[Path]
    columns: dict[str, str]
    options: dict[str, Any]
    data: Dataset
    facts: list[str]
    doubts: list[str]


@typed
def read(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    items: str | Path | None = None,
    item_columns: dict[str, str] | None = None,
    topic_sep: str | None = None,
    item_encoding: str = "utf-8",
    drop: Iterable[str] = (),
    **options: Any,
) -> Dataset:
    """Log and catalogue of a table of your own, as `workbench data add` would read it, with no card.

    mapping, options: as for `read_table`; drop: actions whose rows are left out; items: a second
    file, one row per item, with item_columns, topic_sep and item_encoding as `read_items` takes
    mapping, topic_sep and encoding; without it items are called by their ids and have no topics. A
    folder of MovieLens (u.data, ratings.dat) or of RecBole's files, or the log in it, is read in its
    layout. Warns as `read_table` does.

    >>> log, catalogue, _ = read("clicks.csv", items="products.csv", drop=["return"])  # doctest: +SKIP
    """
    known = [*dict.fromkeys([*signature(read).parameters, *signature(read_table).parameters])]
    known.remove("options")
    if other := [name for name in options if name not in known]:
        raise ConfigError(f"no option {other[0]!r}", "read", f"some of {', '.join(known)}")
    asked = {"items": items, "item_columns": item_columns, "topic_sep": topic_sep, "drop": drop}
    source = source_of(path, mapping, item_encoding=item_encoding, **asked, **options)
    for doubt in source.doubts:
        tell(doubt)
    return source.data


@typed
def source_of(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    items: str | Path | None = None,
    item_columns: dict[str, str] | None = None,
    topic_sep: str | None = None,
    item_encoding: str = "utf-8",
    drop: Iterable[str] = (),
    **options: Any,
) -> Source:
    """Read somebody's data, arguments as for `read`."""
    if items is None and (item_columns or topic_sep):
        do = "pass items='…', or leave them out"
        raise ConfigError("no table of items", "item_columns, topic_sep", "items too", do)
    path = Path(path).expanduser()
    if gone := dict.fromkeys([drop] if isinstance(drop, str) else drop, ""):
        options["actions"] = (options.get("actions") or {}) | gone
    # nothing is told but the place: it may be a layout that is known
    if not (mapping or items or options) and (known := layout_of(path)):
        reader, files = known
        data, said = _listening(layout(reader), files[0].parent)
        facts = [f"read as {reader}", *notes_of(data.log, None, [], 0).facts]
        return Source(reader, files, {}, {}, data, [*facts, _counted(data.catalogue)], said)
    path = found(path)
    columns = preview(path, mapping=mapping, **options).mapping
    form = {key: options[key] for key in FORM if key in options}
    meaning = {key: value for key, value in options.items() if key not in FORM}
    read = read_noted(path, columns, form, meaning)
    files = [path] if path.is_file() else parts_of(path)
    facts, doubts = list(read.notes.facts), [*read.notes.left, *read.notes.doubts]
    if items is None:
        facts.append("no table of items: items are called by their ids, and have no topics")
        catalogue = bare(read.log, path.name)
    else:
        with as_items():
            known = preview_items(items, item_columns, columns.get("item", ""), item_encoding)
            form = {"topic_sep": topic_sep, "encoding": item_encoding}
            catalogue, said = _listening(read_items, items, read.log, known.mapping, **form)
        facts += [*known.notes, _counted(catalogue)]
        doubts += said
        files.append(found(items))
        options |= {"item_columns": known.mapping}
        options |= {"topic_sep": topic_sep} if topic_sep else {}
        options |= {"item_encoding": item_encoding} if item_encoding != "utf-8" else {}
    data = Dataset(read.log, catalogue, pd.DataFrame({"user": np.arange(read.log.n_users)}))
    return Source("table", files, columns, options, data, facts, doubts)


def layout_of(path: Path) -> tuple[str, list[Path]] | None:
    """The reader of the layout that a folder is in, or a log and the files beside it, and these
    files; None for any other table."""
    folder = path if path.is_dir() else path.parent
    logs = sorted(folder.glob("*.inter"))
    if len(logs) == 1 and path in (folder, logs[0]):
        beside = [logs[0].with_suffix(suffix) for suffix in (".item", ".user")]
        return "recbole", [*logs, *(file for file in beside if exists(file))]
    for log, films in MOVIELENS.items():
        # one ratings.csv is a table as any other
        named = path.is_dir() or (path.name == log and log != "ratings.csv")
        if named and exists(folder / log) and exists(folder / films):
            return "movielens", [found(folder / log), found(folder / films)]
    return None


def _listening(reader: Any, *arguments: Any, **options: Any) -> tuple[Any, list[str]]:
    """What a reader returns, and what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = reader(*arguments, **options)
    return result, [str(warning.message) for warning in caught]


@contextmanager
def as_items() -> Iterator[None]:
    """Errors of a table of items, with the argument that names its columns here."""
    try:
        yield
    except WorkbenchError as error:
        do = error.do and error.do.replace("mapping=", "item_columns=")
        do = do and do.replace("pass encoding=", "pass item_encoding=")
        raise type(error)(error.what, error.where, error.expected, do) from error


def _counted(catalogue: Catalogue) -> str:
    topics = catalogue.topics["topic"].value_counts()
    shown = ", ".join(f"{topic} {count:,}" for topic, count in topics.head(8).items())
    return f"{len(catalogue):,} items, {len(topics):,} topics: {shown or 'none'}"
