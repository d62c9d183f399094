"""Cards: what a data set is, where it comes from, which bytes it has, and how it is read."""

from __future__ import annotations

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench import html
from workbench.data.catalogue import Catalogue
from workbench.data.filters import Filtered, prepare
from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.errors import ConfigError, DataError
from workbench.settings import settings
from workbench.sources.files import exists, found, open_file, readable
from workbench.sources.logs import LAYOUTS, layout
from workbench.sources.readers import read_lists, read_movielens, read_recbole, read_table

READERS = ("recbole", "movielens", "table", "lists", "world", "texts", *LAYOUTS)


class CardFile(BaseModel):
    """One file of a data set."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[^/\\]*[^/\\.][^/\\]*$")
    """Its name, unpacked; `name.gz` beside it counts as the same file."""
    within: str = Field("", pattern=r"^[A-Za-z0-9_-]*$")
    """The folder inside the data set's that holds it, where it is in one."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """Of the unpacked content; none where we never saw the file, and then `check` cannot tell."""
    url: str | None = None
    """Where `get` may download it; none where the terms or the page leave that to the reader."""

    @model_validator(mode="after")
    def _known(self) -> CardFile:
        if self.url and not self.sha256:
            raise ValueError("a file with a url needs its sha256: nothing is downloaded unchecked")
        return self

    @property
    def path(self) -> Path:
        """Its path from the folder of the data set."""
        return Path(self.within) / self.name


class Card(BaseModel):
    """One data set; the TOML files in `data/cards` and in the reader's `cards` folder hold one
    each."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """What the commands call it."""
    title: str = ""
    """Its full name."""
    task: str = ""
    """What it is good for."""
    page: str = ""
    """Its official page."""
    licence: str = ""
    """Its terms of use."""
    cite: str = ""
    """The work to cite."""
    folders: tuple[str, ...] = ()
    """Names its folder may have below WORKBENCH_DATA; the first is the one `get` makes."""
    place: Path | None = None
    """The folder itself, for a table that `add` left where it was, or seen from `data` for what is
    shipped."""
    reader: Literal[READERS]
    """How its files are read; table and lists read the first file; world is a generated one; see
    also `published`. texts hold no log: `workbench.sources.texts` reads them."""
    columns: dict[str, str] = {}
    """Role → column, for the table reader."""
    options: dict[str, bool | str | dict[str, str]] = {}
    """More arguments of the reader, such as actions or time_unit."""
    prepare: tuple[dict[str, bool | int | float | str], ...] = ()
    """Filters that a study applies after reading, in order: `step` names one of `STEPS`, the rest
    are its arguments."""
    files: tuple[CardFile, ...] = Field(min_length=1)
    """Its files."""
    rows: int | None = None
    """Interactions that the reader finds."""
    users: int | None = None
    """Users that the reader finds."""
    items: int | None = None
    """Items that the reader finds, those without interactions included."""

    def __repr__(self) -> str:
        return f"Card({self.name}, {self.reader}, {len(self.files)} files)"

    def __str__(self) -> str:
        return "\n".join(
            f"{row['fact']:8s} {row['value']}" for row in self.to_frame().to_dict("records")
        )

    def to_frame(self) -> pd.DataFrame:
        """Its facts, one a row: [fact, value]."""
        facts = [
            (name, getattr(self, name))
            for name in ("name", "title", "task", "page", "licence", "cite", "reader")
        ]
        facts += [
            (name, f"{n:,}")
            for name in ("rows", "users", "items")
            if (n := getattr(self, name)) is not None
        ]
        facts += [("column", f"{role} = {column}") for role, column in self.columns.items()]
        facts += [("option", f"{name} = {value}") for name, value in self.options.items()]
        facts += [
            ("prepare", " ".join(f"{k}={v}" for k, v in step.items())) for step in self.prepare
        ]
        facts += [
            ("file", f"{file.path.as_posix()}  sha256 {file.sha256 or 'not known'}")
            for file in self.files
        ]
        facts += [("address", file.url) for file in self.files if file.url]
        return pd.DataFrame(facts, columns=["fact", "value"])

    def _repr_html_(self) -> str:
        return html.table(self.to_frame().to_dict("records"), f"Data set {self.name}")


def all_cards() -> dict[str, Card]:
    """Every card by name: those shipped, then the reader's own."""
    folders = [folder for folder in (settings().data, settings().own_data) if folder is not None]
    cards: dict[str, Card] = {}
    for path in (path for folder in folders for path in sorted((folder / "cards").glob("*.toml"))):
        try:
            card = Card(**tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
            lines = " ".join(str(error).split())
            raise ConfigError(
                f"not a card ({lines})", str(path), "the fields of Card", "repair or remove it"
            ) from error
        cards.setdefault(card.name, card)
    return cards


def find_card(name: str) -> Card:
    """The card of this name; raises `ConfigError` with the names there are."""
    cards = all_cards()
    if name not in cards:
        raise ConfigError(
            f"no card {name!r}", "name", f"one of {', '.join(cards)}", "see `workbench data list`"
        )
    return cards[name]


def find_folder(card: Card, folder: str | Path | None = None) -> Path:
    """The folder that holds every file of the card; looks in `folder` if given, else where the
    reader keeps data.

    That is WORKBENCH_DATA, then WORKBENCH_TEST_DATA. Raises `DataError` with the places looked at.
    """
    tests = os.environ.get("WORKBENCH_TEST_DATA")
    roots = [settings().own_data, tests and Path(tests)] if folder is None else [Path(folder)]
    roots = [root for root in roots if root]
    places = [settings().data / card.place] if card.place and folder is None else []
    places += [root / name for root in roots for name in card.folders] + (
        roots if folder is not None else []
    )
    for place in places:
        if all(exists(place / file.path) for file in card.files):
            return place
    looked = ", ".join(map(str, places)) or "nowhere, as WORKBENCH_DATA is not set"
    names = ", ".join(file.path.as_posix() for file in card.files)
    do = (
        f"set WORKBENCH_DATA, then `workbench data get {card.name}`; its page is "
        f"{card.page or 'unknown'}"
    )
    raise DataError(f"the data set {card.name} is not here; looked in {looked}", None, names, do)


def sha256_of(path: Path) -> str:
    """sha256 of the content, unpacked where the file is gzipped."""
    path = found(path)
    with readable(path, "utf-8"), open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_dataset(name: str, folder: str | Path | None = None) -> tuple[Interactions, Catalogue]:
    """Read the data set of a card from the reader's own copy: (log, catalogue).

    Where the files tell nothing of the items, their titles are their ids. Raises `ConfigError` for
    a card of texts.

    >>> log, catalogue = open_dataset("ml-100k")  # doctest: +SKIP
    """
    card = find_card(name)
    if card.reader == "texts":
        do = "read a file of it with a reader of workbench.sources.texts"
        raise ConfigError(f"{name} holds texts, no interactions", "name", "a card with a log", do)
    place = find_folder(card, folder)
    first = place / card.files[0].path
    if card.reader in ("recbole", "movielens"):
        data = (
            read_recbole(place, **card.options)
            if card.reader == "recbole"
            else read_movielens(place)
        )
        return data.log, data.catalogue
    if card.reader == "world":
        from workbench.data import load_world

        world = load_world(folder=place)
        return world.log, world.catalogue
    if card.reader in LAYOUTS:
        data = layout(card.reader)(place, **card.options)
        if not isinstance(data, Split):
            return data.log, data.catalogue
        log = data.whole()
    elif card.reader == "table":
        log = read_table(first, card.columns or None, **card.options)
    else:
        log = read_lists(first)
    table = pd.DataFrame(
        {"item": np.arange(log.n_items), "title": [f"item {item}" for item in log.items]}
    )
    return log, Catalogue.from_table(table, where=card.name)


def open_split(name: str, folder: str | Path | None = None, **options: object) -> Split:
    """The split in which a data set is published; options: of its reader, such as tune. See
    `published.splits`.

    >>> open_split("gowalla-lightgcn")  # doctest: +SKIP
    Split(published: train 810,128, valid 0, test 217,242 rows)
    """
    card = find_card(name)
    if LAYOUTS.get(card.reader) != "splits":
        do = "divide it yourself: split(open_dataset(name)[0], how)"
        raise ConfigError(
            f"{name} is not published in a split", "name", "a card whose reader is a split", do
        )
    return layout(card.reader)(find_folder(card, folder), **(card.options | options))


def open_prepared(name: str, folder: str | Path | None = None) -> tuple[Filtered, Catalogue]:
    """Read a data set and apply the filters of its card: what is left and what each filter dropped,
    its catalogue.

    >>> filtered, catalogue = open_prepared("movielens-20m")  # doctest: +SKIP
    """
    log, catalogue = open_dataset(name, folder)
    filtered = prepare(log, find_card(name).prepare)
    return filtered, filtered.match(catalogue)
