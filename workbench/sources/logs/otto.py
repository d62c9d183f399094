"""OTTO: sessions of clicks, carts and orders, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
a sample of it could be opened here.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.checks import as_numbers, as_times, place_of
from workbench.errors import DataError
from workbench.sources.files import found, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset

ACTIONS = {"clicks": "view", "carts": "cart", "orders": "purchase"}
DO = "repair or remove this line"


def otto(folder: str | Path, name: str = "train.jsonl") -> Dataset:
    """OTTO: `{"session": n, "events": [{"aid": item, "ts": milliseconds, "type":
    clicks|carts|orders}]}` a line.

    Nobody has a name here: every session is its own user. Clicks are views, orders purchases. All
    events are in memory at once, as objects before they are columns: 0.7 kB an event at the peak
    (measured on made-up rows), 150 GB for the 217 million of `train.jsonl`: cut it into files of
    whole lines that fit, and pass their `name`.
    """
    path = found(Path(folder) / name)
    table = read_json_lines(path, ("session", "events")).explode("events")
    wrong = ~table["events"].map(
        lambda event: isinstance(event, dict) and {"aid", "ts", "type"} <= event.keys()
    )
    if wrong.any():
        raise DataError(
            f"a broken event in {place_of(table['events'], wrong)}",
            path.name,
            "aid, ts and type",
            DO,
        )
    for key in ("aid", "ts", "type"):
        table[key] = [event[key] for event in table["events"]]
    table["action"] = table["type"].map(ACTIONS)
    if table["action"].isna().any():
        value, place = (
            table["type"][table["action"].isna()].iloc[0],
            place_of(table["type"], table["action"].isna()),
        )
        raise DataError(
            f"event of type {value!r} in {place}", path.name, f"one of {', '.join(ACTIONS)}", DO
        )
    table["ts"] = as_times(as_numbers(table["ts"], path.name), len(table), path.name, "ms")
    roles = {
        "user": "session",
        "session": "session",
        "item": "aid",
        "timestamp": "ts",
        "action": "action",
    }
    return make_dataset(table.drop(columns="events"), roles, where=path.name)
