"""The table of the page: up to three products of one kind, what its cells say, and what it says
against the pick."""

from __future__ import annotations

import numpy as np

from workbench.reports.evidence import Evidence
from workbench.reports.offers import BESIDE


def shown(e: Evidence) -> list[int]:
    """The products of the table, the pick first, each once."""
    roles = [role for role in ("pick", *BESIDE) if role in e.offers]
    return list(dict.fromkeys(e.offers[role] for role in roles))


def difference(e: Evidence) -> tuple[str, dict[int, str]] | None:
    """What sets the products of the table apart, beside price and rating: its name, and how each
    has it; details, else brand; None where they are alike."""
    items = shown(e)
    details = e.catalogue.frame.get("details")
    if details is not None:
        parts = {item: str(details.iat[item]).partition(": ") for item in items}
        names = {name for name, colon, _ in parts.values() if colon}
        values = {item: value for item, (_, _, value) in parts.items() if value}
        if len(names) == 1 and len(set(values.values())) > 1:
            return names.pop(), values
    brands = {item: str(e.catalogue.frame["brand"].iat[item]) for item in items}
    if len(set(brands.values())) > 1:
        return "brand", brands
    return None


def cells(e: Evidence, item: int) -> str:
    """What the table says of an item: its price, its rating, and what sets it apart."""
    price, rating = e.price[item], e.catalogue.rating[item]
    told = [f"{price:.2f}" if np.isfinite(price) else "unknown"]
    told.append(f"{rating:.1f}" if np.isfinite(rating) else "unknown")
    column = difference(e)
    if column is not None and item in shown(e):
        told.append(str(column[1].get(item, "")))
    return " · ".join(told)


def speaks_against(e: Evidence) -> dict[str, int]:
    """What the table itself says against the pick: relation → the product it is held against."""
    pick, *others = shown(e) or [-1]
    found = dict(zip(["outdone"], outdoing(e), strict=False))
    price, rating = e.price, e.catalogue.rating
    if others and all(price[pick] > price[other] for other in others):
        found["dearest"] = min(others, key=lambda other: (price[other], other))
    if others and all(rating[pick] < rating[other] for other in others):
        found["lowest rated"] = max(others, key=lambda other: (rating[other], -other))
    if not found and e.offers.keys() >= set(BESIDE):
        # one costs less and another is better rated: what the pick costs beyond the first
        found["between"] = e.offers["cheaper"]
    return found


def outdoing(e: Evidence) -> list[int]:
    """Products of the table that cost less than the pick and are better rated."""
    pick, *others = shown(e) or [-1]
    price, rating = e.price, e.catalogue.rating
    return [one for one in others if price[one] < price[pick] and rating[one] > rating[pick]]
