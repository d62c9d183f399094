"""Entries of the experience memory, and how each reads: in words that a shopper knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from workbench.reports.recpilot._goods import Goods
from workbench.reports.sentences import shorten

PRESSED = {
    "dislike": "you said that {title} is not for you",
    "owned": "you said that you have {title} already",
    "budget": "you asked for something cheaper than {title}",
}
"""What a press of a button says; it is no look at the product."""
LEFT = {
    "cart": "you put {title} in the cart and did not buy it",
    "favourite": "you kept {title} as a favourite and did not buy it",
    "view": "you looked at {title} in {n} visits and did not buy it",
}
"""What was left, the strongest deed first."""
DEAR = "you looked at {n} that cost more than {price:.2f}, the middle price, and bought none"


class Look(NamedTuple):
    """A row of a shopper's diary; visits are numbered as they came."""

    item: int
    action: str
    visit: int
    interaction: int


class Entry(NamedTuple):
    """One thing that was learnt."""

    key: str
    """The situation in words: what the entry is found by."""
    text: str
    """What it teaches."""
    sign: str
    """"positive" from a purchase, "negative" from what was left."""
    decided: str
    """The attribute that decided; "" where none did."""
    kind: str
    """What it is about; "" where the catalogue does not say."""
    items: tuple[int, ...]
    """The products it names, and those looked at beside them."""
    rows: tuple[int, ...]
    """The interactions it was derived from, sorted."""
    visit: int
    """The number of the last visit among them."""


def situation(items: Iterable[int], goods: Goods) -> str:
    """The words of what was looked at: kinds, categories, titles."""
    words: dict[str, None] = {}
    for item in sorted(set(items)):
        said = (goods.kind[item], goods.category[item], goods.title[item])
        words |= dict.fromkeys(said)
    return " ".join(words)


def entry_of(text: str, looks: list[Look], item: int, goods: Goods, decided: str = "") -> Entry:
    """An entry about a product, resting on some rows; what decided makes it positive."""
    kind = goods.kind[item]
    told = f"{shorten(kind, 4)}: {text}" if kind else text
    items = sorted({look.item for look in looks})
    return Entry(
        key=situation(items, goods),
        text=told[:1].upper() + told[1:],
        sign="positive" if decided else "negative",
        decided=decided,
        kind=kind,
        items=tuple(items),
        rows=tuple(sorted(look.interaction for look in looks)),
        visit=max(look.visit for look in looks),
    )


def why(decided: str, item: int, share: float, n: int, brands: list[str], goods: Goods) -> str:
    """What decided a purchase among n products of a kind. share: the attribute of the product;
    brands: those of the purchases before."""
    title = goods.quoted(item)
    if decided == "brand":
        brand = goods.brand[item]
        times = brands.count(brand)
        often = {1: "once", 2: "twice"}.get(times, f"{times} times")
        return f"you took {title}: {shorten(brand, 4)} again, bought {often} before"
    before = round(share * (n - 1))
    first = {"price": "the cheapest", "rating": "the best rated"}[decided]
    some = {"price": "cheaper than", "rating": "better rated than"}[decided]
    of = f"{first} of {n}" if before == n - 1 else f"{some} {before} of the {n - 1} others"
    fact = f"{goods.price[item]:.2f}"
    if decided == "rating":
        fact = f"rated {goods.rating[item]:.1f}"
    return f"you took {title}: {fact}, {of}"


def left(diary: list[Look], goods: Goods) -> Iterator[Entry]:
    """What visits that only look teach, and what buttons said. A visit only looks at a kind where
    it buys nothing of it."""
    kind = goods.kind
    for look in diary:
        if look.action in PRESSED:
            text = PRESSED[look.action].format(title=goods.quoted(look.item))
            yield entry_of(text, [look], look.item, goods)
    looks = [look for look in diary if look.action not in PRESSED]
    bought = [look for look in looks if look.action == "purchase"]
    chosen = {(look.visit, kind[look.item]) for look in bought}
    only = [look for look in looks if (look.visit, kind[look.item]) not in chosen]
    # products that were never bought: the strongest deed
    owned = {look.item for look in bought}
    for item, own in _grouped(only, lambda look: look.item).items():
        if item not in owned:
            deed = next((name for name in LEFT if any(look.action == name for look in own)), "view")
            done = [look for look in own if deed == "view" or look.action == deed]
            n = len({look.visit for look in done})
            if deed != "view" or n > 1:
                text = LEFT[deed].format(title=goods.quoted(item), n=n)
                yield entry_of(text, done, item, goods)
    # kinds of which nothing was ever bought, and only the dear ones looked at
    kinds = {"", *(kind[look.item] for look in bought)}
    for name, own in _grouped(only, lambda look: kind[look.item]).items():
        seen = sorted({look.item for look in own})
        if name not in kinds and len(seen) > 1:
            price = goods.price[goods.alike[name]]
            middle = np.median(price[np.isfinite(price)]) if np.isfinite(price).any() else np.nan
            if (goods.price[seen] > middle).all():
                text = DEAR.format(n=len(seen), price=middle)
                yield entry_of(text, own, seen[0], goods)


def _grouped(looks: list[Look], by: Callable[[Look], Any]) -> dict[Any, list[Look]]:
    """Rows by what a function says of them."""
    groups: dict[Any, list[Look]] = {}
    for look in looks:
        groups.setdefault(by(look), []).append(look)
    return groups
