"""30Music: sessions of plays in idomaar files, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_plus

import pandas as pd

from workbench.errors import DataError
from workbench.sources.files import found, lines_of
from workbench.sources.logs.dataset import Dataset, make_dataset

DO = "repair or remove this line"


def thirty_music(folder: str | Path) -> Dataset:
    """30Music: `relations/sessions.idomaar`, and of `entities` the tracks, tags and persons.

    A line holds tabs between type, id, time and JSON; the two JSON objects at its end may have a
    blank between them. A play begins at the time of its session plus its `playstart`. Topics of a
    track are its tags; the column `tag_ids` keeps their ids, which is what the study's rules name.
    Titles are "artist: song" where the artist is known. All plays are in memory at once: 0.4 kB a
    play at the peak (measured on made-up rows), 12 GB for all 31 million.
    """
    folder = Path(folder)
    entities = folder / "entities"
    names = {line.id: line.text("name") for line in _idomaar(entities / "persons.idomaar")}
    values = {line.id: line.text("value") for line in _idomaar(entities / "tags.idomaar")}
    items = []
    for line in _idomaar(entities / "tracks.idomaar"):
        tags = [tag["id"] for tag in line.linked("tags")]
        artist = next((names.get(person["id"], "") for person in line.linked("artists")), "")
        song = line.text("name").rpartition("/_/")[2]
        title = f"{artist}: {song}" if artist and song else song or f"track {line.id}"
        topics = [values.get(tag, f"tag {tag}") for tag in tags]
        items.append((line.id, title, artist, topics, "|".join(map(str, tags))))
    tracks = pd.DataFrame(items, columns=["item_id", "title", "artist", "topics", "tag_ids"])
    rows, name = [], "sessions.idomaar"
    for line in _idomaar(folder / "relations" / name):
        users = line.linked("subjects")
        if len(users) != 1:
            raise line.broken(f"{len(users)} users", "one subject a session")
        for play in line.linked("objects"):
            begin = play.get("playstart") or 0
            if not isinstance(begin, int | float) or not math.isfinite(begin):
                what = f"a playstart that is no number ({begin!r})"
                raise line.broken(what, "seconds since the session began")
            rows.append((line.number, users[0]["id"], line.id, play["id"], line.time + begin))
    columns = ["line", "user", "session", "item", "timestamp"]
    table = pd.DataFrame(rows, columns=columns).set_index("line")
    return make_dataset(table.assign(action="listen"), tracks, where=name)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an idomaar file: its place, id and time, and the two JSON objects that end it."""

    where: str
    number: int
    id: int
    time: int
    facts: dict
    links: dict

    def linked(self, kind: str) -> list[dict]:
        """The things of one kind that the line names, each with an id."""
        things = self.links.get(kind) or []
        for thing in things if isinstance(things, list) else [None]:
            if not isinstance(thing, dict) or "id" not in thing:
                raise self.broken(f"{kind} without an id", '[{"id": …}, …]')
            if type(thing["id"]) is not int:
                what = f"{kind} whose id is no whole number ({thing['id']!r})"
                raise self.broken(what, '[{"id": 7}, …]')
        return things

    def text(self, fact: str) -> str:
        """A fact as text, "" where it is not told."""
        return unquote_plus(str(self.facts.get(fact) or ""))

    def broken(self, what: str, expected: str) -> DataError:
        """The line has something that it must not have."""
        return DataError(f"line {self.number} has {what}", self.where, expected, DO)


def _idomaar(path: Path) -> Iterator[_Line]:
    path, decode = found(path), json.JSONDecoder().raw_decode
    for number, text in lines_of(path):
        try:
            _, code, time, rest = text.split("\t", 3)
            facts, end = decode(rest)
            links = decode(rest[end:].strip())[0] if rest[end:].strip() else {}
            if not isinstance(facts, dict) or not isinstance(links, dict):
                raise ValueError("no JSON objects")
            line = _Line(path.name, number, int(code), int(time), facts, links)
        except ValueError as error:
            want = "type, id, time and two JSON objects, with tabs between"
            raise DataError(f"line {number} is broken ({error})", path.name, want, DO) from error
        yield line
