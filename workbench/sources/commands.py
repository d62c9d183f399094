"""What `workbench data list | get | add | check | sensitive` do; each returns its result and prints
nothing."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.errors import ConfigError, DataError, WorkbenchError
from workbench.settings import settings
from workbench.sources.cards import (
    Card,
    CardFile,
    all_cards,
    find_card,
    find_folder,
    is_here,
    sha256_of,
)
from workbench.sources.files import found
from workbench.sources.logs.tables import Preview, preview, read_table
from workbench.sources.opening import open_data
from workbench.sources.sensitive import find_sensitive, load_rules
from workbench.whole import whole_file, whole_folder

UNCHECKED = "not checked"


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
        roles = {column: role for role, column in self.card.columns.items()}
        return self.preview.columns.assign(
            role=[roles.get(c, "") for c in self.preview.columns["column"]]
        )


def list_cards() -> pd.DataFrame:
    """Every card: [name, here, rows, task, page]; `here` tells whether its files are on this
    machine."""
    rows = []
    for card in all_cards().values():
        rows.append((card.name, is_here(card), card.rows, card.task, card.page))
    return pd.DataFrame(rows, columns=["name", "here", "rows", "task", "page"]).astype(
        {"rows": "Int64"}
    )


def get(name: str, folder: str | Path | None = None) -> Path:
    """Download a data set to `folder` (WORKBENCH_DATA unless given), check it, and return its
    folder.

    Nothing appears under its name before every file has the checksum of the card.
    """
    card = find_card(name)
    if card.place:  # shipped, or a table of the reader's own: it is here
        return find_folder(card)
    target = _own(folder) / (card.folders or (card.name,))[0]
    if target.exists():
        find_folder(card, target)
        _compare(card, target)
        return target
    without = [file.name for file in card.files if not file.url]
    if without:
        do = f"download them at {card.page} under its terms and put them in {target}"
        raise DataError(
            f"{', '.join(without)} cannot be fetched for you", card.name, "a download address", do
        )
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
    own, path = _own(None), found(Path(path).resolve())
    name = name or re.sub(r"[^a-z0-9]+", "-", path.name.split(".")[0].lower()).strip("-") or "table"
    if name in all_cards():
        raise ConfigError(f"there is a card {name!r}", "name", "a new name", "pass another name")
    seen = preview(
        path, **{key: value for key, value in options.items() if key in ("sep", "encoding")}
    )
    columns = {role: column for role, column in (seen.mapping | (mapping or {})).items() if column}
    log = read_table(path, columns, **options)
    file = CardFile(name=path.name.removesuffix(".gz"), sha256=sha256_of(path))
    facts = {"rows": len(log), "users": log.n_users, "items": log.n_items, "task": "your own table"}
    place = {"folders": (name,)} if copy else {"place": path.parent}
    try:
        card = Card(
            name=name,
            reader="table",
            columns=columns,
            options=options,
            files=(file,),
            **facts,
            **place,
        )
    except ValueError as error:
        raise ConfigError(
            f"no card can be made ({' '.join(str(error).split())})", "add", "a plain name"
        ) from error
    if copy:
        _copy(path, own / name)
    target = own / "cards" / f"{name}.toml"
    with whole_file(target) as new:
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
    rows = [
        (f"sha256 {f.name}", sha256_of(place / f.path), f.sha256 or UNCHECKED) for f in card.files
    ]
    try:
        log = open_data(name, folder).log if card.has_log else None
    except WorkbenchError as error:
        rows.append(("reads", str(error), "a log"))
        log = None
    if log is not None:
        frame = log.frame
        counts = {"rows": len(log), "users": log.n_users, "items": log.n_items}
        rows += [
            (n, count, UNCHECKED if (want := getattr(card, n)) is None else want)
            for n, count in counts.items()
        ]
        rows += [
            (
                "equal rows",
                int(frame.drop(columns=["interaction", "position"]).duplicated().sum()),
                None,
            )
        ]
        rows += [("rows without time", int(frame["timestamp"].isna().sum()), None)]
    table = pd.DataFrame(rows, columns=["check", "found", "expected"], dtype=object)
    pairs = zip(table["found"], table["expected"], strict=True)
    ok = [pd.NA if want == UNCHECKED else want is None or have == want for have, want in pairs]
    return table.assign(ok=pd.array(ok, dtype="boolean"))


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


def _own(folder: str | Path | None) -> Path:
    own = Path(folder) if folder is not None else settings().own_data
    if own is None:
        raise ConfigError(
            "WORKBENCH_DATA is not set",
            "folder",
            "a folder for your data",
            "set it or pass a folder",
        )
    return own


def _download(file: CardFile, folder: Path) -> None:
    import pooch  # only who downloads needs it

    packed = ".gz" if file.url.endswith(".gz") and not file.name.endswith(".gz") else ""
    try:
        pooch.get_logger().setLevel("WARNING")
        # checked when unpacked
        pooch.retrieve(file.url, known_hash=None, fname=f"{file.name}{packed}", path=folder)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot be downloaded ({error})",
            file.url,
            "the file",
            "check the network, or its page",
        ) from error


def _compare(card: Card, folder: Path) -> None:
    for file in card.files:
        have = sha256_of(folder / file.path)
        if file.sha256 and have != file.sha256:
            do = "take the release that the card names; move what is there out of the way"
            raise DataError(
                f"{file.name} has sha256 {have}", card.name, f"{file.sha256} (unpacked)", do
            )


def _copy(path: Path, folder: Path) -> None:
    if folder.exists():
        raise ConfigError(
            "the folder is there already", str(folder), "a new name", "pass another name"
        )
    with whole_folder(folder) as new:
        shutil.copy2(path, new)


def _toml(card: Card) -> str:
    """TOML of a card; a JSON string, number or list of strings is TOML as it stands."""
    facts = card.model_dump(mode="json", exclude_defaults=True)
    tables = {key: facts.pop(key) for key in ("columns", "options") if key in facts}
    files = facts.pop("files")
    lines = [f"{key} = {_value(value)}" for key, value in facts.items()]
    for key, table in tables.items():
        lines += [
            f"\n[{key}]",
            *(f"{_value(name)} = {_value(value)}" for name, value in table.items()),
        ]
    for file in files:
        lines += ["\n[[files]]", *(f"{name} = {_value(value)}" for name, value in file.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_value(name)} = {_value(inner)}" for name, inner in value.items())
            + "}"
        )
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
