"""OTTO: sessions of clicks, carts and orders, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
a sample of it could be opened here.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.checks import as_numbers, refuse
from workbench.data.times import as_times
from workbench.sources.files import found, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset

ACTIONS = {"clicks": "view", "carts": "cart", "orders": "purchase"}
COLUMNS = {"aid": "item", "ts": "timestamp", "type": "action"}
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
    events = table.pop("events")
    whole = events.map(lambda event: isinstance(event, dict) and COLUMNS.keys() <= event.keys())
    refuse(events, ~whole, "a broken event in {place}", path.name, "aid, ts and type", DO)
    for key, role in COLUMNS.items():
        table[role] = [event[key] for event in events]
    action = table["action"].map(ACTIONS)
    what, expected = "event of type {value} in {place}", f"one of {', '.join(ACTIONS)}"
    refuse(table["action"], action.isna(), what, path.name, expected, DO)
    times = as_numbers(table["timestamp"], path.name)
    times = as_times(times, len(table), path.name, "ms")
    table = table.assign(user=table["session"], action=action, timestamp=times)
    return make_dataset(table, where=path.name)
