"""What shoppers chose, and how likely it is that somebody chose so by chance: a permutation test.

A choice is a product that a shopper kept, put in the cart or bought, once. Under the null a shopper's
choices and those of others are alike within each kind, so that any may stand for any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt

from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.settings import Frozen

MEANS = ("price", "rating", "compared", "again", "weekend")
"""Dimensions that are means over choices."""
DIMENSIONS = (*MEANS, "makers")
"""Price and rating: the place of the choice within its kind, 0 the lowest, 1 the highest. Compared:
products of the kind that the visit touched. Again: whether it was bought in two visits or more.
Weekend: whether it was chosen on a Saturday or Sunday. Makers: how many different ones."""
TOGETHER = {"weekend": ["user", "visit"], "compared": ["user", "visit", "kind"]}
"""What choices of one visit share: dealt one by one, eight of a visit are taken for eight times the
evidence: of 120 made-up shoppers who differ in nothing 52 were told of weekends (15 with three a visit)."""
MOST = 2.0
"""Choices that share it, in the mean, at most; where more do, as in baskets, nothing is said of it."""
TESTED = ["dimension", "own", "theirs", "low", "high", "p", "choices", "people"]


class DifferencesConfig(Frozen):
    """Settings of the comparison."""

    people: PositiveInt = 40
    """Similar people, at most."""
    fewest: PositiveInt = 4
    """Choices that somebody must have made to be compared, shopper or similar."""
    draws: PositiveInt = 999
    """Deals of the null."""
    level: float = Field(default=0.05, gt=0, lt=1)
    """Of shoppers who do not differ, the share that may be told that they do."""
    seed: int = 0
    """Of the deals, with the shopper's code."""


def choices_of(log: Interactions, catalogue: Catalogue) -> pd.DataFrame:
    """The choices of all shoppers, in log order: [user, item, interaction, kind] and a column a
    dimension, NaN where unknown or shared by too many (`TOGETHER`); maker: a code, −1 where unknown."""
    rows = log.deeds.frame[["user", "item", "interaction", "timestamp", "action"]].copy()
    # visits are counted from each shopper's last
    histories = log.deeds.histories()
    ago = pd.Series(histories.ago, index=histories.interaction)
    rows["visit"] = rows["interaction"].map(ago)
    kinds = catalogue.kind.astype(str)
    rows["kind"] = kinds[rows["item"]]
    rows["rank"] = rows["action"].astype(str).map(FUNNEL).fillna(0)
    # what a visit compared, and what was bought in several
    touched = rows.drop_duplicates(["user", "visit", "item"]).groupby(["user", "visit", "kind"])
    compared = touched.size().rename("compared").reset_index()
    bought = rows[rows["rank"] == FUNNEL["purchase"]].groupby(["user", "item"])["visit"].nunique()
    found = rows[(rows["rank"] > 0) & (rows["kind"] != "")].drop_duplicates(["user", "item"])
    found = found.merge(compared, on=["user", "visit", "kind"], how="left")
    pairs = pd.MultiIndex.from_frame(found[["user", "item"]])
    found["again"] = (bought.reindex(pairs).fillna(0).to_numpy() > 1).astype(float)
    day = found["timestamp"].dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    weekend = (day.astype(np.int64) + 3) % 7 >= 5  # day 0 was a Thursday
    found["weekend"] = np.where(np.isnat(day), np.nan, weekend)
    for name, keys in TOGETHER.items():
        if len(found) > MOST * len(found[keys].drop_duplicates()):
            found[name] = np.nan
    for name, values in (("price", catalogue.frame["price"]), ("rating", catalogue.rating)):
        found[name] = _places(np.asarray(values, dtype=float), kinds)[found["item"]]
    brand = catalogue.frame["brand"].astype(str).replace(["", "unknown"], None)
    found["maker"] = pd.factorize(brand)[0][found["item"]]
    return found[["user", "item", "interaction", "kind", *MEANS, "maker"]].reset_index(drop=True)


def _places(values: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The place of every product within its kind, from 0 to 1, ties in the middle."""
    own = pd.Series(values).groupby(kinds)
    above = own.transform("count").to_numpy() - 1.0
    place = own.rank().to_numpy() - 1.0
    return np.divide(place, above, out=np.full(len(values), np.nan), where=above > 0)


def drawn(own: pd.Series, pool: pd.Series, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Which choices stand for the shopper's, (draws + 1, n_own): places in own and then pool; the
    first line is what happened, the others redeal each kind. own, pool: the kinds of the choices,
    each kind of `own` also in `pool`."""
    kinds = pd.concat([own, pool]).to_numpy(dtype=str)
    lines = np.tile(np.arange(len(own)), (draws + 1, 1))
    for kind in sorted(set(own)):
        members = np.flatnonzero(kinds == kind)
        n = int((members < len(own)).sum())
        dealt = rng.random((draws, len(members))).argsort(axis=1)[:, :n]
        lines[1:, members[:n]] = members[dealt]
    return lines


def statistics_of(choices: pd.DataFrame, lines: np.ndarray) -> np.ndarray:
    """Every dimension of every line, (n_lines, n_dimensions); NaN where nothing is known."""
    columns = []
    for name in MEANS:
        values = choices[name].to_numpy(dtype=float)[lines]
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=1)
        count = known.sum(axis=1)
        columns.append(np.divide(total, count, out=np.full(len(lines), np.nan), where=count > 0))
    makers = np.sort(choices["maker"].to_numpy()[lines], axis=1)
    new = (np.diff(makers, axis=1, prepend=-1) > 0) & (makers >= 0)
    columns.append(new.sum(axis=1).astype(float))
    return np.stack(columns, axis=1)


def trial(
    own: pd.DataFrame, pool: pd.DataFrame, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """A shopper's choices held against those of others, a row a dimension: [dimension, own, theirs,
    low, high, p].

    theirs, low, high: mean and middle 95 % of what others would have chosen in their place. p: the
    chance that *any* dimension is as far out, by its own spread, when choices are redealt (Westfall
    and Young's max-T): corrected for looking at all of them, and exact, the first line being one of
    those that are counted.
    """
    both = pd.concat([own, pool], ignore_index=True)
    values = statistics_of(both, drawn(own["kind"], pool["kind"], draws, rng))
    values = np.where(np.isfinite(values).all(axis=0), values, 0.0)
    mean, spread = values.mean(axis=0), values.std(axis=0)
    apart = np.abs(values - mean)
    # what never varies is never out
    out = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 1e-12)
    furthest = out.max(axis=1)
    p = (furthest[:, None] >= out[0] - 1e-9).mean(axis=0)
    low, high = np.percentile(values, [2.5, 97.5], axis=0)
    columns = {"dimension": DIMENSIONS, "own": values[0], "theirs": mean, "low": low}
    return pd.DataFrame(columns | {"high": high, "p": np.where(spread > 1e-12, p, 1.0)})


def in_words(dimension: str, sign: float, value: float) -> str:
    """As a shopper would say it: above, or below, how many others; else a share or a number."""
    if dimension in ("price", "rating"):
        value = value if sign > 0 else 1.0 - value
    share = dimension not in ("compared", "makers")
    return f"{value:.0%}" if share else f"{value:.1f}".removesuffix(".0")


def carried(found: Any, own: pd.DataFrame) -> tuple[str, str, np.ndarray]:
    """Relation and object of what a line of a trial says, and how much each choice carries it: by
    how far it lies that way from the mean of the others; all alike for makers."""
    sign = 1.0 if found.own > found.theirs else -1.0
    away = np.ones(len(own))
    if found.dimension in MEANS:
        away = np.maximum(np.nan_to_num(own[found.dimension] - found.theirs) * sign, 0.0)
    relation = f"{found.dimension} {'higher' if sign > 0 else 'lower'}"
    values = (in_words(found.dimension, sign, value) for value in (found.own, found.theirs))
    return relation, " beside ".join(values), away
