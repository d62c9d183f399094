"""What is offered beside the pick: one of its kind that costs less, and one that is better rated."""

from __future__ import annotations

import numpy as np

from workbench.data import Catalogue

BESIDE = {"cheaper": -1.0, "upgrade": 1.0}
"""Roles of substitutes: cheaper is lower in price, an upgrade higher in rating."""


def differences(role: str, items: np.ndarray, item: int, catalogue: Catalogue) -> np.ndarray:
    """What the items cost (cheaper) or are rated (upgrade) beyond one item; NaN where that is not
    known, or where they are of another kind."""
    values = catalogue.rating
    if role == "cheaper":
        values = catalogue.frame["price"].to_numpy()
    kind = catalogue.kind
    alike = (kind[items] == kind[item]) & (kind[item] != "")
    return np.where(alike, values[items] - values[item], np.nan)


def fits(role: str, items: np.ndarray, item: int, catalogue: Catalogue) -> np.ndarray:
    """Which items play this role beside one item: of its kind, strictly cheaper or better rated."""
    return differences(role, items, item, catalogue) * BESIDE[role] > 0


def has_none(role: str, items: np.ndarray, item: int, catalogue: Catalogue) -> bool:
    """Whether none of the items plays this role, and everything is known that says so."""
    alike = items[catalogue.kind[items] == catalogue.kind[item]]
    found = differences(role, np.append(alike, item), item, catalogue)
    return bool((found * BESIDE[role] <= 0).all())


def affordable(items: np.ndarray, dear: int, catalogue: Catalogue) -> np.ndarray:
    """Those of the items that cost less than one that was too dear (−1: none was), those of its
    kind first, in their order; all of them where none does."""
    if dear < 0:
        return items
    price, kind = catalogue.frame["price"].to_numpy(), catalogue.kind
    less = items[price[items] < price[dear]]
    alike = (kind[less] == kind[dear]) & (kind[less] != "")
    return less[np.argsort(~alike, kind="stable")] if len(less) else items


def roles(ranked: np.ndarray, catalogue: Catalogue) -> dict[str, int]:
    """Who plays which part, role → item code, from the items that may be offered, best first.

    pick: the first. cheaper, upgrade: the best-ranked substitutes of its kind that fit, perhaps
    the same product. alternative: where there is no substitute, the next in the list, of whatever
    kind. Absent where there is none.

    >>> roles(evidence.offered, evidence.catalogue)  # doctest: +SKIP
    {'pick': 17, 'upgrade': 16}
    """
    if not len(ranked):
        return {}
    pick = int(ranked[0])
    rest = ranked[1:]
    found = {"pick": pick}
    for role in BESIDE:
        fitting = rest[fits(role, rest, pick, catalogue)]
        if len(fitting):
            found[role] = int(fitting[0])
    if found.keys().isdisjoint(BESIDE) and len(rest):
        found["alternative"] = int(rest[0])
    return found
