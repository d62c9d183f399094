"""What `workbench data list | get | add | check | sensitive` do; each returns its result and prints
nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError, WorkbenchError
from workbench.settings import settings
from workbench.sources.cards import (
    Card,
    CardFile,
    all_cards,
    find_card,
    find_folder,
    is_here,
    read_cards,
    sha256_of,
)
from workbench.sources.files import exists, found
from workbench.sources.logs.tables import Preview, preview, read_table
from workbench.sources.opening import open_data, read_data
from workbench.sources.sensitive import find_sensitive, load_rules
from workbench.whole import whole_file, whole_folder

ANY = "any number"
MOST = 1 << 30
"""Bytes of a download whose card tells no size."""


@dataclass(frozen=True)
class Added:
    """What `add` wrote: the card, its file, and the preview that shows which column became what."""

    card: Card
    path: Path
    preview: Preview

    def __repr__(self) -> str:
        return f"Added({self.card.name}, {self.card.rows:,} rows, card {self.path})"

    def to_frame(self) -> pd.DataFrame:
        """The columns of the file and their roles in the card."""
        return self.preview.columns


def list_cards() -> pd.DataFrame:
    """Every card: [name, here, rows, task, page]; `here` tells whether its files are on this
    machine. A file among the cards that is none comes last, and says why as its task."""
    cards, notes = read_cards()
    rows = [
        (card.name, is_here(card), card.rows, card.task, card.page) for card, _ in cards.values()
    ]
    rows += [(path.name, False, None, note, "") for path, note in notes.items()]
    table = pd.DataFrame(rows, columns=["name", "here", "rows", "task", "page"])
    return table.astype({"rows": "Int64"})


def get(name: str, folder: str | Path | None = None) -> Path:
    """Download a data set to `folder` (WORKBENCH_DATA unless given), check it, and return its
    folder.

    Nothing appears under its name before every file has the checksum of the card.
    """
    card = find_card(name)
    if card.place:  # shipped, or a table of the reader's own: it is here
        return find_folder(card)
    target = own_folder(folder) / (card.folders or (card.name,))[0]
    if target.is_dir() and any(target.iterdir()):
        lacks = [file.name for file in card.files if not exists(target / file.path)]
        if lacks:
            what, do = f"lacks {', '.join(lacks)}", "put them in, or move the folder away"
            raise DataError(what, str(target), "every file of the card", do)
        _compare(card, target)
        return target
    without = [file.name for file in card.files if not file.url]
    if without:
        what = f"{', '.join(without)} cannot be fetched for you"
        do = f"put them in {target}"
        if card.page:
            do = f"download them at {card.page} under its terms and {do}"
        raise DataError(what, card.name, "a download address", do)
    with whole_folder(target) as new:
        for file in card.files:
            _download(file, new / file.within)
        _compare(card, new)
    return target


def add(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    name: str | None = None,
    copy: bool = False,
    **options: object,
) -> Added:
    """Make a card for a table of your own; the table stays where it is unless `copy`.

    mapping: role → column, laid over the guess of `preview` (a role given as "" is left out);
    options: of `read_table`, such as time_unit or actions. The table is read once, so a card that
    is written works.
    """
    own, path = own_folder(), found(Path(path).resolve())
    name = name or re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "table"
    if name in all_cards():
        raise ConfigError(f"there is a card {name!r}", "name", "a new name", "pass another name")
    form = {key: value for key, value in options.items() if key in ("sep", "encoding")}
    seen = preview(path, mapping=mapping, **form)
    log = read_table(path, seen.mapping, **options)
    file = CardFile(name=path.name.removesuffix(".gz"), sha256=sha256_of(path))
    facts = {"name": name, "reader": "table", "columns": seen.mapping, "options": options}
    facts |= {"files": (file,), "task": "your own table", **_counts(log)}
    facts |= {"folders": (name,)} if copy else {"place": path.parent}
    try:
        card = Card(**facts)
    except ValueError as error:
        what = f"no card can be made ({' '.join(str(error).split())})"
        raise ConfigError(what, "add", "a plain name") from error
    if copy:
        folder = own / name
        if folder.exists():
            what = "the folder is there already"
            raise ConfigError(what, str(folder), "a new name", "pass another name")
        with whole_folder(folder) as new:
            shutil.copy2(path, new)
    target = own / "cards" / f"{name}.toml"
    with whole_file(target, None) as new:  # a file that is no card may have the name
        new.write_text(_toml(card), encoding="utf-8")
    return Added(card, target, seen)


def check(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Compare a copy with its card: [check, found, expected, ok], checksums first, then what the
    reader counts.

    Where the card knows no checksum or count, expected is "not checked" and ok is missing: neither
    right nor wrong.
    """
    card = find_card(name)
    place = find_folder(card, folder)
    rows = []
    for file in card.files:
        rows.append((f"sha256 {file.name}", sha256_of(place / file.path), file.sha256))
    if card.has_log:
        try:
            log = read_data(card, place).log
        except WorkbenchError as error:
            rows.append(("reads", str(error), "a log"))
        else:
            rows += [(what, count, getattr(card, what)) for what, count in _counts(log).items()]
            twice = log.frame.drop(columns=["interaction", "position"]).duplicated()
            for what, wrong in (
                ("equal rows", twice),
                ("rows without time", log.frame["timestamp"].isna()),
            ):
                rows.append((what, int(wrong.sum()), ANY))
    table = pd.DataFrame(rows, columns=["check", "found", "expected"], dtype=object)
    ok = (table["found"] == table["expected"]) | (table["expected"] == ANY)
    unchecked = table["expected"].isna()
    table["expected"] = table["expected"].mask(unchecked, "not checked").replace(ANY, None)
    return table.assign(ok=ok.astype("boolean").mask(unchecked))


def _counts(log: Interactions) -> dict[str, int]:
    """What a card says of a log."""
    return {"rows": len(log), "users": log.n_users, "items": log.n_items}


def sensitive(
    name: str,
    topic: str | None = None,
    folder: str | Path | None = None,
    rules: str | Path | None = None,
) -> pd.DataFrame:
    """Items of a data set that its rules (or those of a file) call sensitive: see
    `sensitive.find_sensitive`."""
    loaded = load_rules(rules or name)  # a bad file is named before anything large is read
    return find_sensitive(open_data(name, folder).catalogue, loaded, topic)


def own_folder(folder: str | Path | None = None) -> Path:
    """The folder for the reader's data: WORKBENCH_DATA unless given; raises `ConfigError` where
    there is none."""
    own = Path(folder).expanduser() if folder is not None else settings().own_data
    if own is None:
        what, do = "WORKBENCH_DATA is not set", "set it or pass a folder"
        raise ConfigError(what, "folder", "a folder for your data", do)
    return own


def _download(file: CardFile, folder: Path) -> None:
    """Fetch one file; stop where it would be larger than its card says."""
    import httpx  # only who downloads needs it

    packed = ".gz" if file.url.endswith(".gz") and not file.name.endswith(".gz") else ""
    # gzip adds a little to what it cannot pack
    most = MOST if file.bytes is None else file.bytes + file.bytes // 1000 + 1000
    folder.mkdir(exist_ok=True)
    try:
        with (
            open(folder / f"{file.name}{packed}", "wb") as out,
            httpx.stream("GET", file.url, follow_redirects=True, timeout=60) as answer,
        ):
            answer.raise_for_status()
            for piece in answer.iter_bytes(1 << 16):
                out.write(piece)
                if out.tell() > most:
                    what, do = f"more than {most:,} bytes", "see its page for the right address"
                    raise DataError(what, file.url, "a file of the size that the card says", do)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        what, do = f"cannot be downloaded ({error})", "check the network, or its page"
        raise DataError(what, file.url, "the file", do) from error


def _compare(card: Card, folder: Path) -> None:
    for file in card.files:
        have = sha256_of(folder / file.path)
        if file.sha256 and have != file.sha256:
            what, expected = f"{file.name} has sha256 {have}", f"{file.sha256} (unpacked)"
            do = "take the release that the card names; move what is there out of the way"
            raise DataError(what, card.name, expected, do)


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
