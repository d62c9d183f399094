"""How often is a shopper told that they differ from similar people: by chance, in truth, and when planted?

    python benchmarks/differences.py

Every shopper of the generated world with enough choices, beside similar people. *Redealt*: within each
kind the shopper's choices and those of similar people are dealt anew, so that nothing sets them apart.
*Halves*: every other choice of a shopper against the rest of their own. *Other*: the choices of
somebody drawn at random in the shopper's place. *Planted*: a share of the shopper's choices become the
dearest of their kind. The truth: whether the shopper's own weight of price (quality) is below or above the mean
of the similar people. A minute. Writes `benchmarks/results/differences.csv` and `.md`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import predicted as written
from boomerang import RESULTS, markdown

from workbench.data import load_world
from workbench.reports.recpilot import Differences
from workbench.reports.recpilot._trials import drawn, trial
from workbench.statistics import wilson
from workbench.worlds.shop import World

PLANTED = {"dearest_third": 1 / 3, "dearest_two_thirds": 2 / 3, "dearest_all": 1.0}
TRUTH = {"price": ("weight_price", -1.0), "rating": ("weight_quality", 1.0)}
"""The weight behind a dimension, and which way it points: who weighs price takes the cheaper."""
Arm = tuple[str, pd.DataFrame, pd.DataFrame]


def arms(store: Differences, user: int, rng: np.random.Generator) -> Iterator[Arm]:
    """Name, choices in the shopper's place, choices of others, for everything but their own."""
    own, pool = store.compared(user)
    both = pd.concat([own, pool], ignore_index=True)
    deal = drawn(own["kind"], pool["kind"], 1, rng)[1]
    yield "redealt", both.iloc[deal], both.drop(index=deal)
    if len(own) >= 2 * store.config.fewest:
        # all in one lot: a kind is seldom chosen twice
        one = own.assign(kind="any")
        yield "halves", one.iloc[::2], one.iloc[1::2]
    someone = int(rng.choice(np.setdiff1d(store.held.index, [user])))
    theirs = store.choices[store.choices["user"] == someone]
    similar = store.choices["user"].isin(store.similar(user)) & (store.choices["user"] != someone)
    beside = store.choices[similar]
    theirs = theirs[theirs["kind"].isin(beside["kind"])]
    if len(theirs) >= store.config.fewest:
        yield "other", theirs, beside[beside["kind"].isin(theirs["kind"])]
    order = rng.permutation(len(own))
    for name, share in PLANTED.items():
        price = own["price"].to_numpy(copy=True)
        price[order[: round(share * len(own))]] = 1.0
        yield name, own.assign(price=price), pool


def measured(world: World) -> pd.DataFrame:
    """[user, arm, choices, dimension, own, theirs, p, right]; right: whether the truth points there."""
    store, weights = Differences.build(world.log, world.catalogue), world.truth["users"]
    tables = []
    for user in store.held.index.tolist():
        table = store.tested(user)
        if not len(table):
            continue
        similar = weights.iloc[store.similar(user)]
        right = [_right(one, weights.iloc[user], similar) for one in table.itertuples()]
        tables.append(table.assign(user=user, arm="own", right=right))
        rng = np.random.default_rng([1, user])
        for name, own, pool in arms(store, user, rng):
            table = trial(own, pool, store.config.draws, rng)
            tables.append(table.assign(user=user, arm=name, choices=len(own)))
    columns = ["user", "arm", "choices", "dimension", "own", "theirs", "p", "right"]
    found = pd.concat(tables, ignore_index=True)[columns]
    # of arms that were made up, what comes nearest to being said
    least = found["p"] == found.groupby(["arm", "user"])["p"].transform("min")
    return found[least | (found["p"] <= 0.05) | (found["arm"] == "own")]


def _right(one: object, own: pd.Series, similar: pd.DataFrame) -> float:
    if one.dimension not in TRUTH:
        return np.nan
    column, sign = TRUTH[one.dimension]
    truth = sign * (own[column] - similar[column].mean())
    return float(truth * (one.own - one.theirs) > 0)


def told(table: pd.DataFrame, level: float = 0.05) -> pd.Series:
    """Of whom something is said, by (arm, user)."""
    said = table["p"] <= level
    planted = table["arm"].isin(PLANTED)
    wanted = (table["dimension"] == "price") & (table["own"] > table["theirs"])
    return (said & (~planted | wanted)).groupby([table["arm"], table["user"]]).any()


def numbers_of(table: pd.DataFrame) -> dict[str, float]:
    """The numbers that were predicted."""
    own = table[table["arm"] == "own"]
    said = own[own["p"] <= 0.05]
    numbers = told(table).groupby("arm").mean().to_dict()
    numbers["weekend"] = (said["dimension"] == "weekend").sum() / own["user"].nunique()
    return numbers | {"right_way": said["right"].mean()}


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    return written.judged(numbers_of(table), written.expected("differences"), ".2f", ".3f")


def page(world: World, table: pd.DataFrame) -> str:
    """The results as Markdown."""
    counts = told(table)
    rows = []
    for name in ("own", "redealt", "halves", "other", *PLANTED):
        own = counts[name]
        low, high = wilson(own.sum(), len(own))
        share = f"{own.mean():.3f} [{low:.3f}, {high:.3f}]"
        rows.append({"arm": name, "shoppers": len(own), "said": own.sum(), "share": share})
    own = table[table["arm"] == "own"]
    said = own[own["p"] <= 0.05]
    by = said.groupby("dimension").agg(said=("p", "size"), right=("right", "sum"))
    by["higher"] = (said["own"] > said["theirs"]).groupby(said["dimension"]).sum()
    by = by.reset_index()[["dimension", "said", "higher", "right"]]
    by["right"] = np.where(by["dimension"].isin([*TRUTH]), by["right"].astype(int).astype(str), "–")
    every = own[own["right"].notna()].groupby("dimension")["right"].mean()
    many = own.groupby("user")["choices"].first()
    few = many.index[many < 10]
    power = counts["dearest_all"]
    text = ["# How shoppers differ from people with similar baskets", ""]
    text += ["Made by `python benchmarks/differences.py`.", "", _about(world, many), ""]
    text += [markdown(pd.DataFrame(rows)), "", "What is said of shoppers by their own choices:", ""]
    text += [markdown(by), ""]
    text += [
        f"Without the test the direction is right for {every['price']:.0%} (price) and {every['rating']:.0%} "
        f"(rating) of all shoppers. All choices planted are found with {power[power.index.isin(few)].mean():.0%} of "
        f"those who made fewer than ten, {power[~power.index.isin(few)].mean():.0%} of the others.",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(judged(table)),
        "",
    ]
    return "\n".join(text)


def _about(world: World, many: pd.Series) -> str:
    return (
        f"{world!r}. {len(many)} shoppers with four choices or more of kinds that similar people (40) chose, "
        f"{many.median():g} each as a rule; 999 deals; a sentence where the chance of any of six dimensions "
        "lying so far out is .05 at most. 95 % (Wilson). *said* in planted arms: that they choose dearer. "
        "A shopper with a taste of their own differs in truth: *own* and *other* are no false alarms, and show how "
        "little of it a dozen choices can tell."
    )


def main() -> None:
    """Measure, write the page, print it."""
    world = load_world()
    table = measured(world)
    table.round(4).to_csv(RESULTS / "differences.csv", index=False, lineterminator="\n")
    text = page(world, pd.read_csv(RESULTS / "differences.csv"))
    (RESULTS / "differences.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
