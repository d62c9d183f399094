"""The shop of the generated world: its kinds, what it sells, at what price, how good it really is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.corpus import bank


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Twelve uniforms minus six: close to normal, and without a library's choice of algorithm in
    the result."""
    return rng.random((n, 12)).sum(axis=1) - 6.0


def draw(rng: np.random.Generator, probability: np.ndarray) -> int:
    """One index, drawn with these (not necessarily normalised) probabilities."""
    steps = np.cumsum(probability)
    place = np.searchsorted(steps, rng.random() * steps[-1], side="right")
    return min(int(place), len(probability) - 1)


@dataclass(frozen=True)
class Shop:
    """The catalogue, and the truth about it.

    kinds: [kind, category, again, shown, told]; attributes: [attribute, low, high];
    item_attributes: [item, attribute, value, level, where]; items: [item, quality, popularity,
    price_z, house]. data/world/README.md explains every column.
    """

    catalogue: Catalogue
    kinds: pd.DataFrame
    attributes: pd.DataFrame
    item_attributes: pd.DataFrame
    items: pd.DataFrame

    def truth(self) -> dict[str, pd.DataFrame]:
        """The tables beside the catalogue, by name."""
        names = ("items", "kinds", "attributes", "item_attributes")
        return {name: getattr(self, name) for name in names}


def make_shop(rng: np.random.Generator) -> Shop:
    """Draw brands, qualities and prices for the products that the bank of words names.

    Within a kind no two products have the same brand, price or rating. `quality` and `popularity`
    are standard scores, `price_z` the log price against the kind's median, in the category's
    spread, `house` the style of the brand; `rating` is quality seen through noise.
    """
    table, levels, topics = _products(rng)
    n, brands = len(table), pd.DataFrame(bank("shop")["brands"]).T.loc[table["brand"]]
    # what the eye does not see, and what drives the price beside it
    quality = 0.8 * normal(rng, n) + brands["quality"].to_numpy(dtype=float)
    popularity = normal(rng, n)
    push = 0.5 * normal(rng, n) + 0.3 * quality
    # prices end in .95 and are apart within a kind; ratings have one decimal and are apart, too
    price = table["price"] * brands["price"].to_numpy(dtype=float) * np.exp(table["spread"] * push)
    seen = 3.7 + 0.55 * quality + 0.25 * normal(rng, n)
    groups = list(table.groupby("kind", sort=False).indices.values())
    for own in groups:
        price[own] = _apart(np.maximum(np.round(price[own].to_numpy()), 2), step=1.0)
        seen[own] = -_apart(-np.clip(np.round(10 * seen[own]), 10, 50), step=1.0) / 10
    table["price"] = price - 0.05
    table["rating"] = np.clip(np.round(seen, 1), 1.0, 5.0)
    middle = table.groupby("kind")["price"].transform("median")
    items = pd.DataFrame(
        {
            "item": np.arange(n, dtype="int32"),
            "quality": np.round(quality, 4),
            "popularity": np.round(popularity, 4),
            "price_z": np.round(np.log(table["price"] / middle) / table["spread"], 4),
            "house": brands["house"].to_numpy(dtype=str),
        }
    )
    names = ["item", "title", "category", "brand", "price", "rating", "kind", "details"]
    catalogue = Catalogue.from_table(table[names], topics, "generated shop")
    return Shop(catalogue, _kinds(), _attributes(), levels, items)


def _products(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Products [item, title, …, spread], their attributes, and their topics."""
    rows, levels, topics = [], [], []
    for category in bank("shop")["category"]:
        for kind in category["kinds"]:
            n = len(kind["values"])
            place = np.linspace(-1.0, 1.0, n).round(4)
            # each brand once, in an order of its own; what only reviews tell is dealt out anew
            brands, told = rng.permutation(n), rng.permutation(n)
            words = bank("attributes")[kind["told"]]["words"]
            for number in rng.permutation(n):
                item, value = len(rows), kind["values"][number]
                form = kind["forms"][min(number, len(kind["forms"]) - 1)].format(value)
                brand = category["brands"][brands[number]]
                title = f"{form}, by {brand}" if category.get("book") else f"{brand} {form}"
                details = f"{kind['shown']}: {value}"
                levels.append((item, kind["shown"], value, place[number], "page"))
                levels.append(
                    (item, kind["told"], words[told[number]], place[told[number]], "reviews")
                )
                topics += [(item, name) for name in (category["name"], *_topics(kind))]
                rows.append((item, title, category["name"], brand, kind["price"], kind["noun"]))
                rows[-1] += (details, category["spread"])
    columns = ["item", "title", "category", "brand", "price", "kind", "details", "spread"]
    table = pd.DataFrame(rows, columns=columns).astype({"price": float})
    names = ["item", "attribute", "value", "level", "where"]
    attributes = pd.DataFrame(levels, columns=names).astype({"item": "int32"})
    return table, attributes, pd.DataFrame(topics, columns=["item", "topic"])


def _topics(kind: dict) -> list[str]:
    return kind["topics"].split(", ")


def _apart(values: np.ndarray, step: float) -> np.ndarray:
    """The same values in the same order, moved up where two are less than a step apart."""
    out, last = np.empty_like(values), -np.inf
    for place in np.argsort(values, kind="stable"):
        out[place] = last = max(values[place], last + step)
    return out


def _kinds() -> pd.DataFrame:
    rows = [
        (kind["noun"], category["name"], kind.get("again", ""), kind["shown"], kind["told"])
        for category in bank("shop")["category"]
        for kind in category["kinds"]
    ]
    return pd.DataFrame(rows, columns=["kind", "category", "again", "shown", "told"])


def _attributes() -> pd.DataFrame:
    rows = [(name, sides["low"], sides["high"]) for name, sides in bank("attributes").items()]
    return pd.DataFrame(rows, columns=["attribute", "low", "high"])


def make_pairs() -> pd.DataFrame:
    """The correlated categories: a visit for `category` goes on to `other` with probability
    `strength`."""
    return pd.DataFrame(bank("shop")["pairs"])
