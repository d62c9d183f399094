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
    people, words = (
        _idomaar(folder / "entities" / f"{kind}.idomaar") for kind in ("persons", "tags")
    )
    names = {line.id: unquote_plus(str(line.facts.get("name") or "")) for line in people}
    values = {line.id: unquote_plus(str(line.facts.get("value") or "")) for line in words}
    items = []
    for line in _idomaar(folder / "entities" / "tracks.idomaar"):
        tags = [tag["id"] for tag in line.linked("tags")]
        artist = next((names.get(person["id"], "") for person in line.linked("artists")), "")
        song = unquote_plus(str(line.facts.get("name") or "")).rpartition("/_/")[2]
        title = f"{artist}: {song}" if artist and song else song or f"track {line.id}"
        topics = [values.get(tag, f"tag {tag}") for tag in tags]
        items.append((line.id, title, artist, topics, "|".join(map(str, tags))))
    tracks = pd.DataFrame(items, columns=["item_id", "title", "artist", "tags", "tag_ids"])
    rows, lines, path = [], [], folder / "relations" / "sessions.idomaar"
    for line in _idomaar(path):
        users, plays = line.linked("subjects"), line.linked("objects")
        if len(users) != 1:
            raise DataError(
                f"line {line.number} has {len(users)} users", path.name, "one subject a session", DO
            )
        for play in plays:
            begin = play.get("playstart") or 0
            if not _number(begin):
                what = f"line {line.number} has a playstart that is no number ({begin!r})"
                raise DataError(what, path.name, "seconds since the session began", DO)
            rows.append((users[0]["id"], line.id, play["id"], line.time + begin))
        lines += [line.number] * len(plays)
    table = pd.DataFrame(
        rows, columns=["user", "session", "item", "time"], index=pd.Index(lines, name="line")
    )
    roles = {
        "user": "user",
        "session": "session",
        "item": "item",
        "timestamp": "time",
        "action": "action",
    }
    return make_dataset(
        table.assign(action="listen"), roles, tracks, topics="tags", where=path.name
    )


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
        if not isinstance(things, list) or not all(
            isinstance(thing, dict) and "id" in thing for thing in things
        ):
            raise DataError(
                f"line {self.number} has {kind} without an id", self.where, '[{"id": …}, …]', DO
            )
        for thing in things:
            if isinstance(thing["id"], bool) or not isinstance(thing["id"], int):
                what = (
                    f"line {self.number} has {kind} whose id is no whole number ({thing['id']!r})"
                )
                raise DataError(what, self.where, '[{"id": 7}, …]', DO)
        return things


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


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
