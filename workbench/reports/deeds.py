"""What a shopper did, and what they seem to be after: by rule, from their own rows alone.

An intent is a kind of product. Its strength is the sum over the shopper's rows on the kind of

    (1 + rank of the action) · ½ ^ (visits since / HALF)

A purchase closes it: rows up to the last one count nothing, unless the kind was bought in two visits
or more (then it is one that people come back for).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from workbench.data import FUNNEL, Catalogue, Interactions

HALF = 2.0
"""Visits after which a row counts half. Of 200 generated shoppers the intent names a kind of the next
visit for 51 with 1, 2 or 8, and for 49 with 4: they cannot be told apart."""
VERBS = ("bought again", "bought", "kept", "left in the cart", "came back to", "looked at")
"""What can be said of a shopper and a product, the strongest first; "chose": actions without rank."""


class Intent(NamedTuple):
    """What the shopper seems to be after: a kind, and how much each of their rows says so, (n_rows,);
    0 for rows on other kinds and before it was closed."""

    name: str
    weights: np.ndarray


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

    def done(self, verb: str, rows: np.ndarray) -> np.ndarray:
        """The rows among these (mask) of which a verb is true; none where it is not."""
        nothing = np.zeros(len(self), dtype=bool)
        bought = rows & (self.rank == FUNNEL["purchase"])
        if verb in ("bought", "bought again"):
            return bought if (self.visits(bought) > 1) == (verb == "bought again") else nothing
        if verb == "kept":
            return rows & (self.rank == FUNNEL["favourite"])
        if verb == "left in the cart":
            # put there, and not bought since
            since = np.flatnonzero(bought)[-1:] if bought.any() else [-1]
            later = np.arange(len(self)) > since[0]
            return rows & (self.rank == FUNNEL["cart"]) & later
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
    def bought_once(self) -> np.ndarray:
        """Items that were bought in one visit and no other."""
        bought = self.rank == FUNNEL["purchase"]
        items = np.unique(self.item[bought])
        return items[[self.visits(bought & (self.item == item)) == 1 for item in items.tolist()]]


def intents(deeds: Deeds, catalogue: Catalogue, silent: np.ndarray) -> list[Intent]:
    """What the shopper may be after, strongest first, ties by name; silent: mask (n_items,) of
    products that nothing may be said of, whose kinds are never named."""
    kinds = catalogue.kind
    hushed = set(kinds[silent].tolist()) | {""}
    own = kinds[deeds.item]
    weight = (1.0 + np.maximum(deeds.rank, 0)) * 0.5 ** (deeds.ago / HALF)
    found = []
    for name in sorted(set(own.tolist()) - hushed):
        rows = own == name
        bought = rows & (deeds.rank == FUNNEL["purchase"])
        if deeds.visits(bought) == 1:
            # what was bought is no longer looked for
            rows = rows & (np.arange(len(own)) > np.flatnonzero(bought)[-1])
        if rows.any():
            found.append(Intent(name, np.where(rows, weight, 0.0)))
    return sorted(found, key=lambda one: (-one.weights.sum(), one.name))
