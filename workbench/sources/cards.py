"""Cards: what a data set is, where it comes from, which bytes it has, and how it is read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from workbench import html
from workbench.errors import ConfigError, DataError, typed
from workbench.settings import Frozen, settings
from workbench.sources.files import exists, found, open_file, read_toml, readable
from workbench.sources.logs import LAYOUTS

WITHOUT_LOG = ("reviews", "files")
COUNTS = ("rows", "users", "items")
READERS = ("table", "lists", "world", *LAYOUTS, *WITHOUT_LOG)

DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³]|conin\$|conout\$) *(\.|$)", re.IGNORECASE)
"""What Windows takes for a device, whatever its ending."""


def _one_name(text: str) -> str:
    """Refuse what some system would take for a device, or would call otherwise."""
    if text.endswith((".", " ")) or DEVICE.match(text) or len(text.encode()) > 200:
        raise ValueError(f"{text!r} is not one plain name on every system")
    return text


LETTER = r'[^/\\<>:"|?*\x00-\x1f\x7f-\x9f]'
Plain = Annotated[
    str,
    StringConstraints(pattern=rf"^{LETTER}*{LETTER[:-1]}.]{LETTER}*$"),
    AfterValidator(_one_name),
]
"""The name of a file or folder, and no path, wherever the card is opened."""


class CardFile(Frozen):
    """One file of a data set."""

    name: Plain
    """Its name, unpacked; `name.gz` beside it counts as the same file."""
    within: Annotated[str, AfterValidator(_one_name)] = Field("", pattern=r"^[A-Za-z0-9_-]*$")
    """The folder inside the data set's that holds it, where it is in one."""
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """Of the unpacked content; none where we never saw the file, and then `check` cannot tell."""
    bytes: int | None = Field(None, ge=0)
    """Its size, unpacked; `get` reads no more, and a gigabyte where it is not known."""
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


class Card(Frozen):
    """One data set; the TOML files in `data/cards` and in the reader's `cards` folder hold one
    each."""

    model_config = ConfigDict(strict=False)  # lists of TOML are tuples here
    name: Annotated[str, AfterValidator(_one_name)] = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
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
    folders: tuple[Plain, ...] = ()
    """Names its folder may have below WORKBENCH_DATA; the first is the one `get` makes."""
    place: Path | None = None
    """The folder itself, for a table that `add` left where it was, or seen from `data` for what is
    shipped."""
    reader: Literal[READERS]
    """How its files are read: table and lists read the first file, world is a generated one, others
    are named in `sources.logs`. Two hold no log: reviews are texts, files are read one at a time by
    whoever knows them."""
    columns: dict[str, str] = Field({})
    """Role → column, for the table reader."""
    options: dict[str, bool | str | dict[str, str]] = Field({})
    """More arguments of the reader, such as actions or time_unit; name is of files."""
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

    @model_validator(mode="after")
    def _plain(self) -> Card:
        TypeAdapter(Plain).validate_python(self.options.get("name", "-"))
        return self

    @property
    def has_log(self) -> bool:
        """Whether its reader finds interactions."""
        return self.reader not in WITHOUT_LOG

    def __repr__(self) -> str:
        return f"Card({self.name}, {self.reader}, {len(self.files)} files)"

    def __str__(self) -> str:
        return "\n".join(f"{fact:8s} {value}" for fact, value in self._facts())

    def to_frame(self) -> pd.DataFrame:
        """Its facts, one a row: [fact, value]."""
        return pd.DataFrame(self._facts(), columns=["fact", "value"])

    def _facts(self) -> Iterator[tuple[str, str]]:
        for name in ("name", "title", "task", "page", "licence", "cite", "reader"):
            yield name, getattr(self, name)
        for name in COUNTS:
            if (count := getattr(self, name)) is not None:
                yield name, f"{count:,}"
        for role, column in self.columns.items():
            yield "column", f"{role} = {column}"
        for name, value in self.options.items():
            yield "option", f"{name} = {value}"
        for step in self.prepare:
            yield "prepare", " ".join(f"{name}={value}" for name, value in step.items())
        for file in self.files:
            yield "file", f"{file.path.as_posix()}  sha256 {file.sha256 or 'not known'}"
        for file in self.files:
            if file.url:
                yield "address", file.url

    def _repr_html_(self) -> str:
        return html.table(self.to_frame().to_dict("records"), f"Data set {self.name}")


def all_cards() -> dict[str, Card]:
    """Every card by name: those shipped, then the reader's own."""
    return {name: card for name, (card, _) in read_cards()[0].items()}


def read_cards() -> tuple[dict[str, tuple[Card, Path]], dict[Path, str]]:
    """Every card by name with its file, and of each file among them that gives none, why."""
    folders = dict.fromkeys(filter(None, (settings().data, settings().own_data)))
    cards: dict[str, tuple[Card, Path]] = {}
    notes: dict[Path, str] = {}
    for folder in folders:
        for path in sorted((folder / "cards").glob("*.toml")):
            try:
                card = read_toml(Card, path, "not a card")
            except (ConfigError, RecursionError) as error:
                notes[path] = str(error)
                continue
            if card.name in cards:
                other = cards[card.name][1]
                notes[path] = f"{path}: the name {card.name!r} is taken by {other}; give it another"
            else:
                cards[card.name] = card, path
    return cards, notes


@typed
def find_card(name: str) -> Card:
    """The card of this name; raises `ConfigError` with the names there are, and with what is wrong
    with files that are no cards."""
    cards, notes = read_cards()
    if name not in cards:
        expected = f"one of {', '.join(cards)}"
        do = " ".join(["see `workbench data list`.", *notes.values()])
        raise ConfigError(f"no card {name!r}", "name", expected, do)
    return cards[name][0]


def is_own(name: str) -> Path | None:
    """The file of a card that is the reader's own; None for one that is shipped."""
    path = read_cards()[0][name][1]
    return None if path.is_relative_to(settings().data) else path


@typed
def find_folder(card: Card, folder: str | Path | None = None) -> Path:
    """The folder that holds every file of the card; looks in `folder` if given, else where the
    reader keeps data.

    That is WORKBENCH_DATA, then WORKBENCH_TEST_DATA. Raises `DataError` with the places looked at.
    """
    if folder is None:
        roots = [settings().own_data, os.environ.get("WORKBENCH_TEST_DATA")]
        places = [settings().data / card.place] if card.place else []
        last = []
    else:
        roots, places, last = [folder], [], [Path(folder)]
    roots = [Path(root).expanduser() for root in roots if root]
    places += [root / name for root in roots for name in card.folders] + last
    for place in places:
        if all(exists(place / file.path) for file in card.files):
            return place
    looked = ", ".join(map(str, places)) or "nowhere, as WORKBENCH_DATA is not set"
    names = ", ".join(file.path.as_posix() for file in card.files)
    what = f"the data set {card.name} is not here; looked in {looked}"
    raise DataError(what, None, names, _bring(card))


def _bring(card: Card) -> str:
    """How the files of a card get where they are looked for."""
    if card.place:
        own = is_own(card.name)
        again = (
            f"remove the card {own} and `workbench data add` it"
            if own
            else "fetch the project anew"
        )
        return f"put it back, or {again}"
    name = (card.folders or (card.name,))[0]
    there = f"set WORKBENCH_DATA to the folder that holds {name}/"
    if any(file.url for file in card.files):
        there = f"set WORKBENCH_DATA, then `workbench data get {card.name}`"
    return f"{there}; its page is {card.page}" if card.page else there


def is_here(card: Card) -> bool:
    """Whether `find_folder` finds its files on this machine."""
    try:
        return bool(find_folder(card))
    except DataError:
        return False


def sha256_of(path: Path) -> str:
    """sha256 of the content, unpacked where the file is gzipped."""
    path = found(path)
    with readable(path), open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
