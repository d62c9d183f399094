"""The shoppers of the generated world: what they weigh, what they like, when that changes.

P(item) = interest(category) · share(kind) · softmax over the kind of

    STRENGTH · (w_price · −price_z + w_quality · quality + w_brand · 1.5 affinity(house)
                + w_popularity · popularity)  +  ATTRIBUTE · Σ weight(attribute) · level(item)
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from workbench.worlds.corpus import bank
from workbench.worlds.shop.shop import Shop, draw, levels_of, normal

WEIGHTS = ("price", "quality", "brand", "popularity")
DAYS = 240
STRENGTH, ATTRIBUTE = 2.4, 1.2
"""How strongly the weights of price and company, and those of attributes, steer a choice inside a
kind."""
HELD = ("Horror novels", "Baby & pregnancy")
"""Categories that a quarter of the shoppers hold and nobody else has an interest in."""
TELLTALE = {"Crime novels": 0.25, "Vitamins & supplements": 0.35}
"""Chance of the correlated neighbours, against other categories, to be a main interest by
themselves: low, so that rows in them give a holder away."""
EVEN, SELDOM = 2, 0.15
"""How evenly an interest is shared among kinds (1: an exponential share each); what those who do not
hold a category want of the kinds nearest to it, against holders."""


def make_shoppers(rng: np.random.Generator, n: int, shop: Shop) -> dict[str, pd.DataFrame]:
    """Draw `n` shoppers, about one and a half percent of them spam accounts: the truth about them.

    users: [user, spam, weight_*, drift_day (-1 none), holds_horror, holds_sensitive]; interests:
    [user, period, category, weight] (weights of a period sum to 1; period before/after the drift
    day); kind_shares: [user, kind, share] (1 a category); tastes: [user, house, affinity];
    attribute_weights: [user, attribute, weight] (signed: above 0 likes the high side); choice:
    [user, item, before, after], the probability that a row made by interest falls on an item.
    """
    kinds, frame = shop.truth["kinds"], shop.catalogue.frame
    # who is real, what they weigh, when they drift, what they hold
    spam = np.zeros(n, dtype=bool)
    spam[rng.permutation(n)[: max(4, round(0.015 * n))]] = True
    weights = -np.log(1.0 - rng.random((n, len(WEIGHTS))))
    weights = np.round(weights / weights.sum(axis=1, keepdims=True), 4)
    drifts = rng.random(n) < 0.35
    day = 70 + np.floor(rng.random(n) * 100)
    drift_day = np.where(drifts & ~spam, day, -1).astype("int32")
    real = np.flatnonzero(~spam)
    holds = {}
    for name in HELD:
        holders = rng.permutation(real)[: n // 4]
        holds[name] = np.isin(np.arange(n), holders)
    # interests in categories, before and after the drift; then tastes inside them
    categories = [category["name"] for category in bank("shop")["category"]]
    before, after = _interests(rng, spam, drift_day, holds, categories)
    houses = np.unique(shop.truth["items"]["house"])
    affinity = np.round(2.0 * rng.random((n, len(houses))) - 1.0, 4)
    attributes = shop.truth["attributes"]["attribute"]
    liking = normal(rng, n * len(attributes)).reshape(n, -1).round(4)
    shares = _shares(rng, n, kinds, holds)
    # the choice of a product: a conditional logit inside the kind
    within = np.exp(_utilities(shop, weights, affinity, liking))
    for kind, name in enumerate(kinds["kind"]):
        own = frame["kind"] == name
        worth = within[:, own].sum(axis=1, keepdims=True)
        within[:, own] *= shares[:, [kind]] / worth
    column = pd.Index(categories).get_indexer(frame["category"])
    choice = _long("item", frame["item"], before=before[:, column] * within)
    choice["after"] = (after[:, column] * within).ravel()
    choice = choice.round(7).astype({"before": "float32", "after": "float32"})
    # the tables
    users = {"user": np.arange(n, dtype="int32"), "spam": spam}
    users |= {f"weight_{name}": weights[:, k] for k, name in enumerate(WEIGHTS)}
    users |= {"drift_day": drift_day}
    users |= {"holds_horror": holds[HELD[0]], "holds_sensitive": holds[HELD[1]]}
    return {
        "users": pd.DataFrame(users),
        "interests": _interest_table(before, after, categories),
        "kind_shares": _long("kind", kinds["kind"], share=shares),
        "tastes": _long("house", houses, affinity=affinity),
        "attribute_weights": _long("attribute", attributes, weight=liking),
        "choice": choice,
    }


def _utilities(
    shop: Shop, weights: np.ndarray, affinity: np.ndarray, liking: np.ndarray
) -> np.ndarray:
    """What every product is worth to every shopper, (n, items), before its kind is considered."""
    items = shop.truth["items"]
    seen = [-items["price_z"], items["quality"], np.zeros(len(items)), items["popularity"]]
    brand = affinity[:, np.unique(items["house"], return_inverse=True)[1]]
    company = weights @ np.stack(seen) + weights[:, [2]] * 1.5 * brand
    return STRENGTH * company + ATTRIBUTE * liking @ levels_of(shop.truth).T


def _shares(rng: np.random.Generator, n: int, kinds: pd.DataFrame, holds: dict) -> np.ndarray:
    """How a shopper's interest in a category is shared among its kinds, (n, kinds)."""
    even = -np.log(1.0 - rng.random((n, len(kinds), EVEN)))
    shares = even.sum(axis=2)
    # what gives a holder away is wanted by few others
    for pair in bank("shop")["pairs"]:
        if pair["category"] in holds:
            near = kinds["kind"].isin(pair["nearest"].split(", ")).to_numpy()
            shares[np.ix_(~holds[pair["category"]], near)] *= SELDOM
    for own in kinds.groupby("category").indices.values():
        shares[:, own] /= shares[:, own].sum(axis=1, keepdims=True)
    return shares.round(5)


def _interests(rng, spam, drift_day, holds, categories):
    """Interest weights before and after the drift day, each (n, categories); zero rows for spam
    accounts."""
    open_to_all = np.array([name not in HELD for name in categories])
    before = np.zeros((len(spam), len(categories)))
    after = np.zeros_like(before)
    for user in np.flatnonzero(~spam):
        # four main categories: three now, the fourth takes the place of the first after the drift
        free = open_to_all * np.array([TELLTALE.get(name, 1.0) for name in categories])
        main = []
        for _ in range(4):
            main.append(draw(rng, free))
            free[main[-1]] = 0.0
        shares = np.sort(0.2 + rng.random(3))[::-1]
        later = main[3] if drift_day[user] >= 0 else main[0]
        for matrix, leading in ((before, main[0]), (after, later)):
            matrix[user, open_to_all] = 0.012
            matrix[user, [leading, main[1], main[2]]] += shares / shares.sum()
        for name, holders in holds.items():
            if holders[user]:
                weight = 0.4 + 0.4 * rng.random()
                before[user, categories.index(name)] = after[user, categories.index(name)] = weight
    for matrix in (before, after):
        real = matrix[~spam]
        matrix[~spam] = np.round(real / real.sum(axis=1, keepdims=True), 5)
    return before, after


def _interest_table(before: np.ndarray, after: np.ndarray, categories: list[str]) -> pd.DataFrame:
    """The interests that are not zero, as a long table."""
    both = np.stack([before, after], axis=1)
    user, period, category = np.nonzero(both)
    table = pd.DataFrame({"user": user.astype("int32")})
    table["period"] = np.array(["before", "after"])[period]
    table["category"] = np.array(categories)[category]
    return table.assign(weight=both[user, period, category])


def _long(by: str, names: Iterable, **value: np.ndarray) -> pd.DataFrame:
    """A matrix with one row a shopper as a table [user, <by>, <value>]."""
    ((name, matrix),) = value.items()
    table = pd.DataFrame(matrix, columns=pd.Index(names, name=by))
    long = table.rename_axis(index="user").stack().rename(name)
    return long.reset_index().astype({"user": "int32"})
