"""Controls: what changes for no reason that matters, by placebo rows and by strangers leaving."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from workbench.ledger.exposure import touched
from workbench.ledger.memory import Service
from workbench.ledger.removal import Removal
from workbench.ledger.tiers import Switches
from workbench.reports import diff


@dataclass(frozen=True, eq=False)
class Control:
    """A request that is held beside others; answered when first asked for.

    kind: "this request", or what should change nothing of its kind: "placebo rows" and "another
    shopper leaves". draw: its number within the kind. user: the
    shopper whose claims and list are watched. ids: the rows taken away. on: the places they leave;
    way: how they leave the item weights.

    >>> [control.effect["gone"] for control in told.controls]  # doctest: +SKIP
    """

    service: Service = field(repr=False)
    kind: str
    draw: int
    user: int
    ids: np.ndarray = field(repr=False)
    on: frozenset[str] = field(repr=False)
    way: str | None = None

    @cached_property
    def effect(self) -> dict[str, Any]:
        """gone, new, back: claims of the shopper; others: shoppers with another list; listed: item
        codes of the shopper's list; again: how many of them are products of the shopper's rows that
        were taken away here."""
        # the service keeps its last requests: a flipped switch asks for the same placebo rows again
        removal = self.service.removal(self.ids, way=self.way)
        changed = removal.at(self.on)
        left_out = np.append(removal.users, self.user)
        others = touched(self.service, changed, left_out, removal.score(self.on))["changed"]
        listed = changed.listed(self.user)
        # the report, and what it would claim
        claims = SimpleNamespace(claims=changed.claims(self.user).values())
        taken = removal.ids if self.on else ()
        fates = diff(self.service.report(self.user), claims, taken)["fate"].tolist()
        return {
            **{fate: fates.count(fate) for fate in ("gone", "new", "back")},
            "again": sum((self.user, item) in removal.pairs for item in listed.tolist()),
            "others": others,
            "listed": listed,
        }


def placebos(
    removal: Removal, user: int, on: Iterable[str], avoided: np.ndarray, seed: int, draws: int
) -> list[Control]:
    """As many other rows of the same shopper, none of a product in `avoided` (item codes)."""
    service = removal.service
    own = service.log.deeds.rows_of(user)
    free = own[~own["interaction"].isin(removal.ids) & ~own["item"].isin(avoided)]
    if not len(removal.ids) or not len(free):
        return []
    rows = free["interaction"].to_numpy()
    products, product = np.unique(free["item"], return_inverse=True)
    random = np.random.default_rng([seed, user])
    controls = []
    for draw in range(draws):
        # product by product, as requests come: a model that reads which products you had misses
        # only whole ones
        turn = random.permutation(len(products))
        order = np.argsort(turn[product], kind="stable")
        ids = rows[order[: len(removal.ids)]]
        one = (service, "placebo rows", draw, user, ids, frozenset(on), removal.way)
        controls.append(Control(*one))
    return controls


def strangers(service: Service, user: int, seed: int, draws: int, way: str) -> list[Control]:
    """Other shoppers who leave with all their rows, from every place: the same for every request of
    the shopper that goes the same way, so the service keeps them with what they did."""

    def drawn() -> list[Control]:
        random = np.random.default_rng([seed, user, 1])
        present = np.flatnonzero(np.diff(service.everyone.offsets) > 0)
        leaving = random.permutation(present[present != user])[: max(draws, 0)]
        kind, on = "another shopper leaves", service.reach(Switches())
        rows = [service.log.rows_of(stranger)["interaction"].to_numpy() for stranger in leaving]
        return [Control(service, kind, draw, user, ids, on, way) for draw, ids in enumerate(rows)]

    return service.keep(("strangers", user, seed, draws, way), drawn)
