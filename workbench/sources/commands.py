"""What `workbench data list | get | add | check | sensitive` do; each returns its result and prints
nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.errors import DataError, WorkbenchError
from workbench.sources.adding import Added, add, counts_of, own_folder
from workbench.sources.cards import (
    Card,
    CardFile,
    find_card,
    find_folder,
    is_here,
    read_cards,
    sha256_of,
)
from workbench.sources.files import exists
from workbench.sources.notes import doubts_of, span
from workbench.sources.opening import open_data, read_data
from workbench.sources.sensitive import find_sensitive, load_rules
from workbench.whole import whole_folder

__all__ = ["Added", "add"]  # commands like those below, on a page of their own

ANY, OPEN = "any number", "a doubt"
"""What `check` expects of a count that may be anything, and of what may be right or wrong."""
MOST = 1 << 30
"""Bytes of a download whose card tells no size."""


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


def check(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Compare a copy with its card: [check, found, expected, ok], checksums first, then what the
    reader counts.

    Where the card knows no checksum or count, expected is "not checked" and ok is missing: neither
    right nor wrong. So it is where rows have no time, or times are doubted (all in 1970).
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
            rows += [(what, count, getattr(card, what)) for what, count in counts_of(log).items()]
            twice = log.frame.drop(columns=["interaction", "position"]).duplicated()
            rows.append(("equal rows", int(twice.sum()), ANY))
            without = int(log.frame["timestamp"].isna().sum())
            rows.append(("rows without time", without, OPEN if without else ANY))
            doubts = doubts_of(log)
            rows.append(("times", "; ".join([span(log), *doubts]), OPEN if doubts else ANY))
    table = pd.DataFrame(rows, columns=["check", "found", "expected"], dtype=object)
    ok = (table["found"] == table["expected"]) | (table["expected"] == ANY)
    unchecked, doubted = table["expected"].isna(), table["expected"] == OPEN
    table["expected"] = table["expected"].mask(unchecked, "not checked").replace([ANY, OPEN], None)
    return table.assign(ok=ok.astype("boolean").mask(unchecked | doubted))


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
