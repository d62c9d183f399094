"""Blinded readings: our page, the same template filled from another shopper's history, a plain list of five.

    python benchmarks/readings.py make FOLDER --seed 1      # a packet for each of three readers, and a sealed key
    python benchmarks/readings.py score FOLDER --readers "who they were" [--write]

A reader sees the shopper's last three visits and the three pages, in an order drawn anew for each reader
and shopper, and answers which they would rather have, which fits, and what annoys, as `reader_1.json`:
[{"shopper": 1, "rather": "A", "fits": "B", "annoys": "…"}, …]. Seed 1 is for mending; the one with
--write is done once, on other shoppers by other readers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import OwnActions
from workbench.reports import EntityStore
from workbench.reports.recpilot import agent
from workbench.settings import ROOT
from workbench.statistics import wilson
from workbench.whole import whole_file

RESULTS = ROOT / "benchmarks" / "results" / "readings.md"
READERS, SHOPPERS, VISITS = 3, 3, 3
ARMS = ("ours", "another shopper's", "list of five")
ASKED = """For each shopper: read the visits, then the three pages. Which page would you rather have in this
shopper's place (rather)? Which fits what this shopper does (fits)? What annoys you, in one sentence (annoys)?
"""


def visits_of(service: Service, user: int) -> str:
    """The last three visits, a line a row: what was done with what."""
    rows = service.log.rows_of(user)
    names = rows["session"].drop_duplicates().tolist()[-VISITS:]
    lines = []
    for number, name in enumerate(names, 1):
        part = rows[rows["session"] == name]
        lines.append(f"Visit {number}, {part['timestamp'].iloc[0]:%d %B}:")
        for row in part.itertuples():
            lines.append(f"- {row.action}: {service.catalogue.title(row.item)}")
    return "\n".join(lines)


def listed(service: Service, user: int) -> str:
    """A plain list of the five best of EASE and own actions."""
    items = service.listed(user, 5)
    facts = service.catalogue.frame.loc[items, ["title", "price", "rating"]]
    lines = ["## For you", ""]
    for title, price, rating in facts.itertuples(index=False):
        lines.append(f"- {title}, price {price:.2f}, rated {rating:.1f}")
    return "\n".join(lines)


def make(folder: Path, seed: int) -> None:
    """Write a packet for each reader, and the key."""
    world = load_world()
    service = Service.build(world.log, world.catalogue, OwnActions(), (EntityStore,), agent=agent)
    rng = np.random.default_rng(seed)
    # those who can be read at all: three visits
    visits = world.log.frame.groupby("user")["session"].nunique()
    drawn = rng.permutation(visits.index[visits >= VISITS].to_numpy())[: READERS * SHOPPERS * 2]
    own, other = np.split(drawn, 2)
    folder.mkdir(parents=True, exist_ok=True)
    key = []
    for reader in range(READERS):
        packet = [ASKED]
        for shopper in range(SHOPPERS):
            at = reader * SHOPPERS + shopper
            user, stranger = int(own[at]), int(other[at])
            pages = {
                "ours": service.report(user).text,
                "another shopper's": service.report(stranger).text,
                "list of five": listed(service, user),
            }
            order = rng.permutation(ARMS).tolist()
            packet.append(f"# Shopper {shopper + 1}\n\n{visits_of(service, user)}")
            packet += [f"### Page {'ABC'[n]}\n\n{pages[arm]}" for n, arm in enumerate(order)]
            key.append({"reader": reader + 1, "shopper": shopper + 1, "user": user, "order": order})
        (folder / f"reader_{reader + 1}.md").write_text("\n\n".join(packet), encoding="utf-8")
    (folder / "key.json").write_text(json.dumps(key), encoding="utf-8")


def answers(folder: Path) -> pd.DataFrame:
    """[reader, shopper, rather, fits, annoys], arms in place of letters."""
    rows = []
    for one in json.loads((folder / "key.json").read_text("utf-8")):
        told = json.loads((folder / f"reader_{one['reader']}.json").read_text("utf-8"))
        (mine,) = [line for line in told if line["shopper"] == one["shopper"]]
        letters = dict(zip("ABC", one["order"], strict=True))
        names = {name: letters[mine[name]] for name in ("rather", "fits")}
        rows.append({"reader": one["reader"], "shopper": one["shopper"]} | names)
        rows[-1]["annoys"] = mine["annoys"]
    return pd.DataFrame(rows)


def page(table: pd.DataFrame, readers: str, seed: int) -> str:
    """What was chosen, how often, and what annoyed."""
    n = len(table)
    lines = [
        "# Blinded readings of the page",
        "Made by `python benchmarks/readings.py`.",
        f"{readers}. {READERS} readers × {SHOPPERS} shoppers, drawn beforehand (seed {seed}), order "
        "drawn; they saw the pages and the shopper's last three visits. Shares with Wilson's 95 % "
        f"interval; {n} readings decide little, and this is no user study.",
        "| page | would rather have | fits |\n|---|---|---|",
    ]
    for arm in ARMS:
        told = []
        for name in ("rather", "fits"):
            count = int((table[name] == arm).sum())
            low, high = wilson(count, n)
            told.append(f"{count} of {n} [{low:.2f}, {high:.2f}]")
        lines[-1] += f"\n| {arm} | {told[0]} | {told[1]} |"
    lines.append("What annoyed:")
    said = [
        f"- reader {row.reader}, shopper {row.shopper}: {row.annoys}" for row in table.itertuples()
    ]
    return "\n\n".join([*lines, "\n".join(said)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("make", "score"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--readers", default="", help="who the readers were")
    parser.add_argument("--write", action="store_true", help="write the results page")
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.seed)
        return
    told = page(answers(given.folder), given.readers, given.seed)
    print(told)
    if given.write:
        with whole_file(RESULTS) as new:
            new.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
