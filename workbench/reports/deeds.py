"""What a shopper did, and what they seem to be after: by rule, from their own rows alone.

An intent is a kind of product. Its strength is the sum over the shopper's rows on the kind of

    (1 + rank of the action) · ½ ^ (visits since / HALF)

A purchase closes it: rows up to the last one count nothing, unless the kind is one that people buy
again and it is time for more (see refills.py). Until then only what lies in the cart speaks for it.
What was left in the cart on the last visit is what they are after, whatever else they did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.reports.refills import Refills

HALF = 2.0
"""Visits after which a row counts half. Of 200 generated shoppers the intent names a kind of the next
visit for 51 with 1, 2 or 8, and for 49 with 4: they cannot be told apart."""
VERBS = ("bought again", "bought", "left last", "kept")
VERBS += ("left in the cart", "came back to", "looked at")
"""What can be said of a shopper and a product, the strongest first; "chose": actions without rank."""


class Intent(NamedTuple):
    """What the shopper seems to be after: a kind, and how much each of their rows says so, (n_rows,);
    0 for rows on other kinds and before it was closed. product: what they did most with on their
    last visit for it; left: whether they left it in the cart, on their very last visit."""

    name: str
    weights: np.ndarray
    product: int
    left: bool


@dataclass(frozen=True)
class Deeds:
    """A shopper's rows as deeds, oldest first; all arrays (n_rows,).

    rank: of the action, −1 where it has none; ago: visits since; when: datetime64, NaT where
    unknown.
    """

    item: np.ndarray
    rank: np.ndarray
    ago: np.ndarray
    when: np.ndarray
    interaction: np.ndarray

    @classmethod
    def of(cls, log: Interactions, user: int) -> Deeds:
        """The rows of one user code, presses left out."""
        rows = log.deeds.rows_of(user)
        known = [FUNNEL.get(str(action), -1) for action in rows["action"].cat.categories]
        rank = np.array(known, dtype=np.int64)[rows["action"].cat.codes]
        when = rows["timestamp"].dt.tz_localize(None).to_numpy()
        ago = log.histories([user]).ago
        item, ids = rows["item"].to_numpy(), rows["interaction"].to_numpy()
        return cls(item, rank, ago, when, ids)

    def __len__(self) -> int:
        return len(self.item)

    def visits(self, rows: np.ndarray) -> int:
        """In how many visits these rows (mask) were made."""
        return len(np.unique(self.ago[rows]))

    def after(self, rows: np.ndarray) -> np.ndarray:
        """Mask of what was done after the last of these rows (mask); everything where there is
        none."""
        return np.arange(len(self)) > np.flatnonzero(rows).max(initial=-1)

    def done(self, verb: str, rows: np.ndarray) -> np.ndarray:
        """The rows among these (mask) of which a verb is true; none where it is not."""
        nothing = np.zeros(len(self), dtype=bool)
        bought = rows & self.bought
        if verb in ("bought", "bought again"):
            return bought if (self.visits(bought) > 1) == (verb == "bought again") else nothing
        if verb == "kept":
            return rows & (self.rank == FUNNEL["favourite"])
        if verb in ("left in the cart", "left last"):
            # put there, and not bought since; "left last": on the last visit
            put = rows & (self.rank == FUNNEL["cart"]) & self.after(bought)
            return put & (self.ago == 0) if verb == "left last" else put
        if verb == "chose":
            return rows & (self.rank < 0)
        looked = rows & (self.rank == FUNNEL["view"])
        if verb not in ("came back to", "looked at"):
            return nothing
        return looked if (self.visits(looked) > 1) == (verb == "came back to") else nothing

    def strongest(self, rows: np.ndarray) -> str:
        """The strongest verb that is true of these rows; "" where none is."""
        return next((verb for verb in (*VERBS, "chose") if self.done(verb, rows).any()), "")

    def latest(self, item: int) -> str:
        """The strongest verb that is true of a product and tells of its last visit."""
        rows = self.item == item
        last = rows & (self.ago == self.ago[rows].min())
        verbs = (*VERBS, "chose")
        return next((verb for verb in verbs if (self.done(verb, rows) & last).any()), "")

    @cached_property
    def bought(self) -> np.ndarray:
        """Mask of purchases."""
        return self.rank == FUNNEL["purchase"]

    @cached_property
    def left(self) -> np.ndarray:
        """Mask of the rows that left a product in the cart."""
        put = np.unique(self.item[self.rank == FUNNEL["cart"]]).tolist()
        found = [self.done("left in the cart", self.item == item) for item in put]
        return np.any(found, axis=0) if found else np.zeros(len(self), dtype=bool)

    def had(self, catalogue: Catalogue, refills: Refills) -> np.ndarray:
        """Items that were bought and not put into the cart since, of which it is not time for
        more."""
        own = catalogue.kind[self.item]
        items = np.setdiff1d(self.item[self.bought], self.item[self.left])
        kinds = catalogue.kind[items].tolist()
        return items[[not refills.due(self, self.bought & (own == kind), kind) for kind in kinds]]


def intents(
    deeds: Deeds, catalogue: Catalogue, silent: np.ndarray, refills: Refills
) -> list[Intent]:
    """What the shopper may be after, strongest first, ties by name; silent: mask (n_items,) of
    products that nothing may be said of, whose kinds are never named."""
    kinds = catalogue.kind
    hushed = set(kinds[silent].tolist()) | {""}
    own = kinds[deeds.item]
    weight = (1.0 + np.maximum(deeds.rank, 0)) * 0.5 ** (deeds.ago / HALF)
    found = []
    for name in sorted(set(own.tolist()) - hushed):
        rows = own == name
        bought = rows & deeds.bought
        if bought.any() and not refills.due(deeds, bought, name):
            # what was bought is no longer looked for; what they have enough of, not by a look
            rows = rows & deeds.after(bought) & (deeds.left | (name not in refills.usual))
        if rows.any():
            # the product: left in the cart on the last visit, else what they did most with
            last = rows & deeds.left & (deeds.ago == 0)
            at = last if last.any() else rows & (deeds.ago == deeds.ago[rows].min())
            best = max(np.flatnonzero(at).tolist(), key=lambda row: (deeds.rank[row], row))
            weights = np.where(rows, weight, 0.0)
            found.append(Intent(name, weights, int(deeds.item[best]), bool(last.any())))
    return sorted(found, key=lambda one: (not one.left, -one.weights.sum(), one.name))
