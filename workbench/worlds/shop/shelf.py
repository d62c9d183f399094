"""What a choice depends on: the true weights as arrays, and what a shopper has bought and left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.shop.shop import levels_of, wide
from workbench.worlds.shop.shoppers import ATTRIBUTE, STRENGTH, WEIGHTS

LAPSE, RUNS_OUT = 60, 12
"""Days after which a wish is given up; after which a consumable runs out."""
OWNED = 0.15
"""What is left of the interest in a kind of which one is enough, once it is owned."""


class Left(NamedTuple):
    """A product left in the cart, when, and why (None: the log does not say)."""

    item: int
    day: int
    reason: int | None


@dataclass
class Visit:
    """One visit: rows [(item, action, cause)], what was bought, what was newly left."""

    aim: str
    kind: int = -1
    target: int = -1
    rows: list[tuple[int, str, str]] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)
    left: Left | None = None
    outcome: str = "browsing"


class Shelf:
    """The truth, as arrays to choose from: choices by period, kinds, levels, weights."""

    def __init__(self, catalogue: Catalogue, truth: dict[str, pd.DataFrame]) -> None:
        users, kinds = truth["users"], truth["kinds"]
        n, self.n_items = len(users), len(catalogue)
        periods = "before", "after"
        self.choice = {period: wide(truth["choice"], period, n) for period in periods}
        self.drift_day = users["drift_day"].to_numpy()
        # where a product stands: kind, category, and the others of its kind
        self.kinds = kinds["kind"].tolist()
        # and with its category; the last is that of no kind
        self.names = [*zip(kinds["category"], self.kinds, strict=True), ("", "")]
        self.categories = list(dict.fromkeys(kinds["category"]))
        frame = catalogue.frame
        self.price = frame["price"].to_numpy()
        self.kind = pd.Index(self.kinds).get_indexer(frame["kind"])
        self.category = pd.Index(self.categories).get_indexer(frame["category"])
        self.members = [np.flatnonzero(self.kind == kind) for kind in range(len(kinds))]
        self.again = kinds["again"].tolist()
        # what a wish may be about: the price (column 0, low is better) and every attribute
        self.attributes = truth["attributes"]["attribute"].tolist()
        self.sides = np.column_stack([-truth["items"]["price_z"], levels_of(truth)])
        liking = wide(truth["attribute_weights"], "weight", n)
        self.weights = users[[f"weight_{name}" for name in WEIGHTS]].to_numpy()
        self.pulls = np.column_stack([STRENGTH * self.weights[:, 0], ATTRIBUTE * liking])
        # what strikes the eye before price and sides are considered: the brand, the popular
        self.affinity = wide(truth["tastes"], "affinity", n)
        self.house = np.unique(truth["items"]["house"], return_inverse=True)[1]
        self.popularity = truth["items"]["popularity"].to_numpy()
        # neighbours of a category, and what is new after the drift
        self.partner, self.nearest = {}, {}
        for row in truth["pairs"].itertuples():
            category = self.categories.index(row.category)
            self.partner[category] = self.categories.index(row.other), row.strength
            self.nearest[category] = frame["kind"].isin(row.nearest.split(", "))
        one = np.eye(len(self.categories))[self.category]
        before, after = self.choice["before"] @ one, self.choice["after"] @ one
        self.fresh = (after > 0.05) & (before < 0.3 * after)

    def glance(self, user: int, kind: int) -> np.ndarray:
        """What strikes the eye in a kind, as weights of a draw."""
        own = self.members[kind]
        w = self.weights[user]
        brand = 1.5 * w[2] * self.affinity[user, self.house[own]]
        return np.exp(STRENGTH * (brand + w[3] * self.popularity[own]))

    def regret(self, user: int, item: int, open_: np.ndarray) -> np.ndarray:
        """What a product lacks against the best of its kind that is open to the shopper, by reason
        (price first), in utility."""
        own = self.members[self.kind[item]]
        worth = self.pulls[user] * self.sides
        best = worth[own[open_[own]]].max(axis=0, initial=-np.inf)
        return np.maximum(best - worth[item], 0)

    def better(self, user: int, item: int, reason: int, open_: np.ndarray) -> np.ndarray:
        """The products of the kind, open to the shopper, that are better for this reason."""
        own = self.members[self.kind[item]]
        worth = self.pulls[user, reason + 1] * self.sides[:, reason + 1]
        return own[open_[own] & (worth[own] > worth[item])]


class State:
    """What a shopper has bought and left, and what that does to interest: `factor` by product, and
    `open`, whether it may be bought at all (a novel is not bought twice)."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.factor = np.ones(shelf.n_items)
        self.open = np.ones(shelf.n_items, dtype=bool)
        self.bought: dict[int, list[tuple[int, int]]] = {}
        self.left: dict[int, Left] = {}

    def lapse(self, day: int) -> None:
        """Give up the wishes that are too old."""
        for kind, left in list(self.left.items()):
            if day - left.day > LAPSE:
                del self.left[kind]
                self._refresh(kind)

    def due(self, day: int) -> list[int]:
        """Kinds that run out: bought again and again, last some time ago, and no wish open."""
        return [
            kind
            for kind, bought in self.bought.items()
            if self.shelf.again[kind] == "same"
            and kind not in self.left
            and day - bought[-1][0] >= RUNS_OUT
        ]

    def buy(self, item: int, day: int) -> None:
        """Remember a purchase; a wish in its kind is over."""
        kind = int(self.shelf.kind[item])
        self.bought.setdefault(kind, []).append((day, item))
        self.left.pop(kind, None)
        self.open[item] = self.shelf.again[kind] != "other"
        self._refresh(kind)

    def leave(self, left: Left) -> None:
        """Remember what was left in the cart, unless the kind has an open wish already."""
        kind = int(self.shelf.kind[left.item])
        self.left.setdefault(kind, left)
        self._refresh(kind)

    def after(self, visit: Visit, day: int) -> None:
        """Take a visit's purchases and what it left into account."""
        for item in visit.bought:
            self.buy(item, day)
        if visit.left is not None:
            self.leave(visit.left)

    def _refresh(self, kind: int) -> None:
        own = self.shelf.members[kind]
        enough = kind in self.bought and not self.shelf.again[kind]
        self.factor[own] = (OWNED if enough else 1.0) * self.open[own]
        if kind in self.left:  # the wish has the kind to itself
            self.factor[own] = 0.0
