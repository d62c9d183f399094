"""Data by the name of its card: `open_data("ml-100k").log`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.filters import Filtered
from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.errors import ConfigError, DataError, typed
from workbench.sources.cards import Card, find_card, find_folder, is_own, sha256_of
from workbench.sources.columns import tell
from workbench.sources.files import found
from workbench.sources.logs import layout
from workbench.sources.logs.dataset import Dataset, bare
from workbench.sources.logs.lists import read_lists
from workbench.sources.steps import prepare


@dataclass(frozen=True)
class Opened:
    """What `open_data` read: every form that the data set has, by name.

    `content` is what the reader of the card returned. A form that the data set does not have raises
    `ConfigError`, which says what to do instead.
    """

    card: Card
    folder: Path
    content: Any

    def __repr__(self) -> str:
        return f"Opened({self.card.name}: {self.content!r})"

    @cached_property
    def log(self) -> Interactions:
        """All interactions; those of a published split as one log."""
        if not self.card.has_log:
            what = f"{self.card.name} holds no interactions"
            do = "ask for .texts, or for .file(name) and read that"
            raise ConfigError(what, "name", "a card with a log", do)
        if isinstance(self.content, Interactions):
            return self.content
        return self.content.whole() if isinstance(self.content, Split) else self.content.log

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items of the log; where the files tell nothing of them, their titles are their
        ids."""
        log = self.log
        if not isinstance(self.content, Interactions | Split):
            return self.content.catalogue
        return bare(log, self.card.name)

    @property
    def split(self) -> Split:
        """The split in which the data set is published."""
        if not isinstance(self.content, Split):
            what = f"{self.card.name} is not published in a split"
            do = f'divide it yourself: split(open_data("{self.card.name}").log, how)'
            raise ConfigError(what, "name", "a card whose reader is a split", do)
        return self.content

    @cached_property
    def prepared(self) -> Filtered:
        """The log after the filters of the card, and what each filter dropped.

        `prepared.match(catalogue)` is the catalogue of what is left.
        """
        return prepare(self.log, self.card.prepare)

    @property
    def texts(self) -> pd.DataFrame:
        """Examples for `make_pairs`, those of all files, which the column `part` names."""
        if not isinstance(self.content, pd.DataFrame):
            what = f"{self.card.name} holds no texts"
            raise ConfigError(what, "name", "a card whose reader is of texts")
        return self.content

    def file(self, name: str) -> Path:
        """The path of one file that the card names, or of its .gz."""
        paths = {file.name: file.path for file in self.card.files}
        if name not in paths:
            what = f"{self.card.name} has no file {name!r}"
            raise ConfigError(what, "name", f"one of {', '.join(paths)}")
        return found(self.folder / paths[name])


@typed
def open_data(name: str, folder: str | Path | None = None, **options: object) -> Opened:
    """Read the data set of a card from the reader's own copy; what it holds are attributes.

    folder: where to look, WORKBENCH_DATA unless given. options: more arguments of the card's
    reader, such as `tune`. Files are read here, once. Raises `ConfigError` where there is no such
    card, `DataError` where its files are not here or cannot be read, and where a table of the
    reader's own was changed since its card was made: ids name rows by where they stand. A copy of a
    published data set that is another release warns.

    >>> open_data("ml-100k").log  # doctest: +SKIP
    Interactions(100,000 rows, 943 users, 1,682 items)
    >>> open_data("gowalla-lightgcn").split  # doctest: +SKIP
    Split(published: train 810,128, valid 0, test 217,242 rows)
    """
    card = find_card(name)
    place = find_folder(card, folder)
    _unchanged(card, place)
    return read_data(card, place, **options)


def read_data(card: Card, place: Path, **options: object) -> Opened:
    """The data set of a card from a folder, whatever became of its files."""
    return Opened(card, place, _read(card, place, card.options | options))


def _unchanged(card: Card, place: Path) -> None:
    """Compare the files with the checksums of the card."""
    for file in card.files:
        if not file.sha256 or sha256_of(place / file.path) == file.sha256:
            continue
        what = f"{found(place / file.path)} is not the file that the card {card.name!r} was made of"
        own = is_own(card.name)
        if own is None:
            warnings.warn(f"{what}: see `workbench data check {card.name}`", stacklevel=3)
        else:
            do = f"bring the old file back, or remove the card {own} and `workbench data add` it anew"
            raise DataError(what, None, f"sha256 {file.sha256}", do)


def _read(card: Card, place: Path, options: dict[str, Any]) -> Any:
    if card.reader == "table":
        return _table(card, place, options)
    if card.reader == "reviews":
        return typed(_reviews)(card, place, **options)
    if card.reader == "lists":
        return typed(read_lists)(place / card.files[0].path, **options)
    if card.reader == "world":
        from workbench.data import load_world

        return typed(load_world)(folder=place, **options)
    reader = _nothing if card.reader == "files" else layout(card.reader)
    return typed(reader)(place, **options)


def _nothing(folder: Path) -> None:
    """What is read of files that are opened one at a time."""


def _table(card: Card, place: Path, options: dict[str, Any]) -> Interactions | Dataset:
    """The log of a table, or of the parts of one in its folder, and the items of a second file."""
    from workbench.sources.logs.items import read_items
    from workbench.sources.logs.tables import FORM, read_noted

    beside = ("items", "item_columns", "topic_sep", "item_encoding")
    about = {name: options.pop(name, None) for name in beside}
    files = [file.path for file in card.files if file.name != about["items"]]
    form = {name: options.pop(name) for name in FORM if name in options}
    path = found(place / files[0] if len(files) == 1 else place)
    read = read_noted(path, card.columns or None, form, options)
    for doubt in read.notes.doubts:  # the columns were agreed upon when the card was made
        tell(f"{path.name}: {doubt}")
    if about["items"] is None:
        return read.log
    columns = about["item_columns"] or None
    told = {"topic_sep": about["topic_sep"], "encoding": about["item_encoding"] or "utf-8"}
    items = read_items(place / about["items"], read.log, columns, **told)
    return Dataset(read.log, items, pd.DataFrame({"user": np.arange(read.log.n_users)}))


def _reviews(card: Card, place: Path) -> pd.DataFrame:
    """The examples of every file below each other, numbered through."""
    from workbench.sources.texts import read_reviews

    parts = {Path(file.name).stem: read_reviews(place / file.path) for file in card.files}
    examples = pd.concat([table.assign(part=name) for name, table in parts.items()])
    return examples.assign(text=np.arange(len(examples))).reset_index(drop=True)
