"""The shoppers of the generated world: what they weigh, what they like, when that changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.shop.shop import bank, draw

ATTRIBUTES = ("price", "quality", "brand", "popularity")
DAYS = 240
STRENGTH = 2.4
"""How strongly the attribute weights steer a choice inside a category."""
HELD = ("Horror novels", "Baby & pregnancy")
"""Categories that a quarter of the shoppers hold and nobody else has an interest in."""
TELLTALE = {"Crime novels": 0.25, "Vitamins & supplements": 0.35}
"""Chance of the correlated neighbours, against other categories, to be a main interest by
themselves: low, so that rows in them give a holder away."""


@dataclass(frozen=True)
class Shoppers:
    """Truth about the shoppers.

    users: [user, spam, weight_*, drift_day (-1 none), holds_horror, holds_sensitive]; interests:
    [user, period, category, weight] (weights of a period sum to 1; period before/after the drift
    day); tastes: [user, house, affinity]; choice: [user, item, before, after], the probability that
    a row made by interest falls on an item.
    """

    users: pd.DataFrame
    interests: pd.DataFrame
    tastes: pd.DataFrame
    choice: pd.DataFrame


def make_shoppers(
    rng: np.random.Generator, n: int, catalogue: Catalogue, items: pd.DataFrame
) -> Shoppers:
    """Draw `n` shoppers, about one and a half percent of them spam accounts (the last codes, then
    shuffled)."""
    spam = np.zeros(n, dtype=bool)
    spam[rng.permutation(n)[: max(4, round(0.015 * n))]] = True
    real = np.flatnonzero(~spam)
    weights = -np.log(1.0 - rng.random((n, len(ATTRIBUTES))))
    weights = np.round(weights / weights.sum(axis=1, keepdims=True), 4)
    drift_day = np.where(rng.random(n) < 0.35, 70 + np.floor(rng.random(n) * 100), -1).astype(
        "int32"
    )
    drift_day[spam] = -1
    holds = {name: np.isin(np.arange(n), rng.permutation(real)[: n // 4]) for name in HELD}
    categories = [category["name"] for category in bank("shop")["category"]]
    before, after = _interests(rng, spam, drift_day, holds, categories)
    houses = sorted(items["house"].unique())
    affinity = np.round(2.0 * rng.random((n, len(houses))) - 1.0, 4)
    users = pd.DataFrame(
        {"user": np.arange(n, dtype="int32"), "spam": spam}
        | {f"weight_{name}": weights[:, k] for k, name in enumerate(ATTRIBUTES)}
        | {
            "drift_day": drift_day,
            "holds_horror": holds[HELD[0]],
            "holds_sensitive": holds[HELD[1]],
        }
    )
    interests = pd.DataFrame(
        [
            (user, period, categories[k], matrix[user, k])
            for user in real
            for period, matrix in (("before", before), ("after", after))
            for k in np.flatnonzero(matrix[user])
        ],
        columns=["user", "period", "category", "weight"],
    ).astype({"user": "int32"})
    tastes = pd.DataFrame(
        {
            "user": np.repeat(np.arange(n, dtype="int32"), len(houses)),
            "house": np.tile(np.array(houses, dtype=object), n).astype(str),
            "affinity": affinity.ravel(),
        }
    )
    seen = np.stack(
        [-items["price_z"], items["quality"], np.zeros(len(items)), items["popularity"]]
    )
    liking = (
        weights @ seen
        + weights[:, [2]] * 1.5 * affinity[:, [houses.index(house) for house in items["house"]]]
    )
    within = np.exp(STRENGTH * liking)
    column = np.array([categories.index(name) for name in catalogue.frame["category"]])
    for k in range(len(categories)):
        within[:, column == k] /= within[:, column == k].sum(axis=1, keepdims=True)
    n_items = len(items)
    choice = pd.DataFrame(
        {
            "user": np.repeat(np.arange(n, dtype="int32"), n_items),
            "item": np.tile(np.arange(n_items, dtype="int32"), n),
            "before": np.round(before[:, column] * within, 6).astype("float32").ravel(),
            "after": np.round(after[:, column] * within, 6).astype("float32").ravel(),
        }
    )
    return Shoppers(users, interests, tastes, choice)


def _interests(rng, spam, drift_day, holds, categories):
    """Interest weights before and after the drift day, each (n, categories); zero rows for spam
    accounts."""
    open_to_all = np.array([name not in HELD for name in categories])
    before = np.zeros((len(spam), len(categories)))
    after = np.zeros_like(before)
    for user in np.flatnonzero(~spam):
        free = open_to_all * np.array([TELLTALE.get(name, 1.0) for name in categories])
        main = []
        for _ in range(4):
            main.append(draw(rng, free))
            free[main[-1]] = 0.0
        shares = np.sort(0.2 + rng.random(3))[::-1]
        for matrix, leading in (
            (before, main[0]),
            (after, main[3] if drift_day[user] >= 0 else main[0]),
        ):
            matrix[user, open_to_all] = 0.012
            matrix[user, [leading, main[1], main[2]]] += shares / shares.sum()
        for name, holders in holds.items():
            if holders[user]:
                weight = 0.4 + 0.4 * rng.random()
                before[user, categories.index(name)] = after[user, categories.index(name)] = weight
    for matrix in (before, after):
        matrix[~spam] = np.round(matrix[~spam] / matrix[~spam].sum(axis=1, keepdims=True), 5)
    return before, after
