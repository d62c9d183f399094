"""The shop of the generated world: its kinds, what it sells, at what price, how good it really is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.corpus import bank


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Twelve uniforms minus six: close to normal, and without a library's choice of algorithm in
    the result."""
    return rng.random((n, 12)).sum(axis=1) - 6.0


def below(rng: np.random.Generator, n: int) -> int:
    """A whole number from 0 to n − 1."""
    return int(rng.random() * n)


def one(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, each as likely."""
    return options[below(rng, len(options))]


def draw(rng: np.random.Generator, probability: np.ndarray) -> int:
    """One index, drawn with these (not necessarily normalised) probabilities."""
    steps = np.cumsum(probability)
    place = np.searchsorted(steps, rng.random() * steps[-1], side="right")
    return min(int(place), len(probability) - 1)


class Shop(NamedTuple):
    """The catalogue, and the truth about it.

    items: [item, quality, popularity, price_z, house]; kinds: [kind, category, again, shown, told];
    attributes: [attribute, low, high]; item_attributes: [item, attribute, value, level, where];
    pairs: the correlated categories, of which a visit for `category` goes on to `other` with
    probability `strength`. data/world/README.md explains every column.
    """

    catalogue: Catalogue
    truth: dict[str, pd.DataFrame]


def make_shop(rng: np.random.Generator) -> Shop:
    """Draw brands, qualities and prices for the products that the bank of words names.

    Within a kind no two products have the same brand, price or rating. `quality` and `popularity`
    are standard scores, `price_z` the log price against the kind's median, in the category's
    spread, `house` the style of the brand; `rating` is quality seen through noise.
    """
    table, levels, topics = _products(rng)
    n = len(table)
    brands = pd.DataFrame(bank("shop")["brands"]).T.loc[table["brand"]]
    # what the eye does not see, and what drives the price beside it
    quality = 0.8 * normal(rng, n) + brands["quality"].to_numpy(dtype=float)
    popularity = normal(rng, n)
    push = 0.5 * normal(rng, n) + 0.3 * quality
    # prices end in .95 and are apart within a kind; ratings have one decimal and are apart, too
    brand = brands["price"].to_numpy(dtype=float)
    price = table["price"] * brand * np.exp(table["spread"] * push)
    seen = 3.7 + 0.55 * quality + 0.25 * normal(rng, n)
    for own in table.groupby("kind", sort=False).indices.values():
        whole = np.round(price[own].to_numpy())
        price[own] = _apart(np.maximum(whole, 2))
        tenths = np.clip(np.round(10 * seen[own]), 10, 50)
        seen[own] = -_apart(-tenths) / 10
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
    sides = [(name, side["low"], side["high"]) for name, side in bank("attributes").items()]
    attributes = pd.DataFrame(sides, columns=["attribute", "low", "high"])
    truth = {"items": items, "kinds": _kinds(), "attributes": attributes}
    truth |= {"item_attributes": levels, "pairs": pd.DataFrame(bank("shop")["pairs"])}
    return Shop(catalogue, truth)


def _products(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Products [item, title, …, spread], their attributes, and their topics."""
    rows, levels, topics = [], [], []
    for category, kind in _shelves():
        shown, told, n = kind["shown"], kind["told"], len(kind["values"])
        place = np.linspace(-1.0, 1.0, n).round(4)
        # each brand once, in an order of its own; what only reviews tell is dealt out anew
        brands, dealt = rng.permutation(n), rng.permutation(n)
        words = bank("attributes")[told]["words"]
        for number in rng.permutation(n):
            item, value, side = len(rows), kind["values"][number], dealt[number]
            form = kind["forms"][min(number, len(kind["forms"]) - 1)].format(value)
            brand = category["brands"][brands[number]]
            title = f"{form}, by {brand}" if category.get("book") else f"{brand} {form}"
            levels.append((item, shown, value, place[number], "page"))
            levels.append((item, told, words[side], place[side], "reviews"))
            names = [category["name"], *kind["topics"].split(", ")]
            topics += [(item, name) for name in names]
            facts = item, title, category["name"], brand, float(kind["price"]), kind["noun"]
            rows.append((*facts, f"{shown}: {value}", category["spread"]))
    columns = ["item", "title", "category", "brand", "price", "kind", "details", "spread"]
    names = ["item", "attribute", "value", "level", "where"]
    attributes = pd.DataFrame(levels, columns=names).astype({"item": "int32"})
    table = pd.DataFrame(rows, columns=columns)
    return table, attributes, pd.DataFrame(topics, columns=["item", "topic"])


def _shelves() -> Iterator[tuple[dict, dict]]:
    """Every kind after its category."""
    for category in bank("shop")["category"]:
        for kind in category["kinds"]:
            yield category, kind


def _apart(values: np.ndarray) -> np.ndarray:
    """The same values in the same order, moved up where two are less than 1 apart."""
    out, last = np.empty_like(values), -np.inf
    for place in np.argsort(values, kind="stable"):
        out[place] = last = max(values[place], last + 1.0)
    return out


def _kinds() -> pd.DataFrame:
    rows = []
    for category, kind in _shelves():
        again = kind.get("again", "")
        rows.append((kind["noun"], category["name"], again, kind["shown"], kind["told"]))
    return pd.DataFrame(rows, columns=["kind", "category", "again", "shown", "told"])


def levels_of(truth: dict[str, pd.DataFrame]) -> np.ndarray:
    """Level of every attribute, (items, attributes); 0 where a product has no such attribute."""
    table = truth["item_attributes"]
    levels = table.pivot(index="item", columns="attribute", values="level").fillna(0.0)
    return np.ascontiguousarray(levels[truth["attributes"]["attribute"]])


def wide(table: pd.DataFrame, value: str, n: int) -> np.ndarray:
    """A long table by shopper as a matrix of one of its columns, one row each of `n` shoppers."""
    return table[value].to_numpy(dtype=float).reshape(n, -1)
