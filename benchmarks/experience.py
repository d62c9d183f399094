"""Does the experience memory find what matters? Before and during every later visit with a purchase.

    python benchmarks/experience.py [--others 2]

For each shopper and each visit with a purchase, the memory is what the rows strictly before the
visit taught. It is asked with a situation in words: *before*, that of the shopper's previous visit;
*during*, that of the products looked at before the visit's first cart or purchase. A hit: the entry
is about a kind that is bought in the visit. Beside what is retrieved: a random entry of the same
shopper (its expectation, no draw), what the same words retrieve from another shopper's memory of
that day (mean over `others` shoppers), and the latest entry. A memory that finds nothing like the
situation misses. Shares are means over a shopper's visits, then over shoppers; differences are
paired by shopper. Prints the figures beside what `data/predictions.toml` expected. A minute on one
core. Writes `benchmarks/results/experience.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import word

from workbench.data import load_world
from workbench.reports.recpilot import Experience
from workbench.settings import settings
from workbench.statistics import paired_bootstrap
from workbench.worlds.shop import World

CONTROLS = {
    "random": "a random entry of the same shopper",
    "other": "the same words, another shopper's memory",
    "latest": "the latest entry",
}
NAMES = {"retrieved": "retrieved"} | CONTROLS


def about(entries: list[Any], kinds: set[str]) -> np.ndarray:
    """Which of the entries are about one of the kinds."""
    return np.array([entry.kind in kinds for entry in entries], dtype=float)


def best(memory: Experience, user: int, words: str, kinds: set[str]) -> float:
    """Whether the entry that is most like the words is a hit; what is like nothing is none."""
    found = memory.retrieve(user, words, 1)
    return float(bool(found) and found[0][1] > 0 and found[0][0].kind in kinds)


def visits(world: World, others: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A line for each shopper, visit with a purchase, time of asking and kind of entry."""
    rng = np.random.default_rng(seed)
    frame, kind = world.log.frame, world.catalogue.kind
    spam = world.truth["users"]["spam"].to_numpy()
    people = np.setdiff1d(frame["user"].unique(), np.flatnonzero(spam))
    rows_of = {int(user): rows for user, rows in frame.groupby("user")}
    whole = Experience.build(world.log, world.catalogue)
    for user in people.tolist():
        rows = rows_of[user]
        bought = rows[rows["action"] == "purchase"]
        for session in bought["session"].unique():
            visit = rows[rows["session"] == session]
            begin = visit["position"].iloc[0]
            before = rows[rows["position"] < begin]
            # the memories as they were on that day
            drawn = rng.choice(people[people != user], others, replace=False).tolist()
            later = [rows_of[one] for one in (user, *drawn)]
            later = np.concatenate([one["interaction"][one["position"] >= begin] for one in later])
            memory = whole.forget(later, (user, *drawn))
            entries = memory.entries(user)
            acts = visit["action"].isin(["cart", "purchase"]).cumsum()
            looked = visit.loc[acts == 0, "item"]
            if not entries or looked.empty:
                continue
            kinds = set(kind[bought.loc[bought["session"] == session, "item"]])
            last = before.loc[before["session"] == before["session"].iloc[-1], "item"]
            hits = about(entries, kinds)
            for when, items in (("before", last), ("during", looked)):
                words = memory.situation(items)
                told = {
                    "retrieved": best(memory, user, words, kinds),
                    "random": hits.mean(),
                    "other": np.mean([best(memory, one, words, kinds) for one in drawn]),
                    "latest": hits[-1],
                }
                told |= {"any entry": hits.max()}
                for entry, hit in told.items():
                    yield {"user": user, "visit": session, "when": when, "entry": entry, "hit": hit}


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """[when, entry, minus, estimate, low, high, n]: shares, and retrieved less each control."""
    means = table.groupby(["when", "user", "entry"], sort=False)["hit"].mean().reset_index()
    parts = []
    for control in CONTROLS:
        # the control first: differences are to the first level
        two = pd.concat([means[means["entry"] == name] for name in (control, "retrieved")])
        parts.append(paired_bootstrap(two, "entry", value="hit", within=["when"]))
    return pd.concat(parts).drop_duplicates(["when", "entry", "minus"], ignore_index=True)


def verdicts(found: pd.DataFrame, predicted: dict[str, Any]) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    rows = []
    for row in found.itertuples():
        name = f"{row.entry}_minus_{row.minus}" if row.minus else f"hit_{row.entry}"
        low, high = predicted[row.when][name]
        said = word(row.estimate, low, high)
        rows.append((row.when, name, f"{low:.2f} to {high:.2f}", f"{row.estimate:.3f}", said))
    columns = ["when", "number", "predicted", "measured", "verdict"]
    return pd.DataFrame(rows, columns=columns).sort_values("when", kind="stable")


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Shares and differences with their intervals, one line an entry."""
    rows = []
    interval = {
        (row.when, row.entry, row.minus): f"{row.estimate:.3f} [{row.low:.3f}, {row.high:.3f}]"
        for row in found.itertuples()
    }
    for when in found["when"].unique():
        for entry, name in NAMES.items():
            less = interval.get((when, "retrieved", entry), "")
            line = {"asked": when, "entry": name, "about what is bought": interval[when, entry, ""]}
            rows.append(line | {"retrieved less this": less})
    return pd.DataFrame(rows)


def verdict(found: pd.DataFrame, when: str) -> str:
    """In words: what retrieval earns over the latest entry, the cheapest rival."""
    row = found[(found["when"] == when) & (found["minus"] == "latest")].iloc[0]
    earns = (
        "earns" if row["low"] > 0 else "loses" if row["high"] < 0 else "earns nothing that shows"
    )
    size = f"{row['estimate']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"Asked {when} the visit, retrieval {earns} against the latest entry: {size}."


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--others", type=int, default=2)
    options = parser.parse_args()
    world = load_world()
    table = pd.DataFrame(visits(world, options.others))
    found = measured(table).round(4)  # as in the file
    path = settings().data / "predictions.toml"
    predicted = tomllib.loads(path.read_text(encoding="utf-8"))["experience"]
    asked = table[["user", "visit"]].drop_duplicates()
    some = table.loc[table["entry"] == "any entry"].drop_duplicates(["user", "visit"])["hit"].mean()
    text = [
        "# Does the experience memory find what matters?",
        "",
        "Made by `python benchmarks/experience.py`.",
        "",
        f"{world!r}. {asked['user'].nunique()} shoppers, {len(asked):,} visits with a purchase and "
        f"something learnt before; in {some:.0%} of them some entry is about what is bought, the "
        f"most that retrieval can reach. {options.others} other shoppers a visit. Intervals: 95 % "
        "of resampled shoppers; differences paired by shopper.",
        "",
        markdown(shown(found)),
        "",
        *(verdict(found, when) for when in ("before", "during")),
        "A hit during a visit is a match of words: the products looked at name the kind that is "
        "bought. It says that the right note is found, not that the note makes a better offer. A page "
        "that is written before the visit could as well say the latest.",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdicts(found, predicted)),
        "",
        "The generated world is no evidence about shops.",
    ]
    page = "\n".join(text) + "\n"
    found.to_csv(RESULTS / "experience.csv", index=False, float_format="%.4f")
    (RESULTS / "experience.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
