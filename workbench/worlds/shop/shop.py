"""The shop of the generated world: what it sells, at what price, how good it really is."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue

WORDS = Path(__file__).parent / "words"


@cache
def bank(name: str) -> dict:
    """A bank of words, read once: `words/<name>.toml`."""
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    """Twelve uniforms minus six: close to normal, and without a library's choice of algorithm in
    the result."""
    return rng.random((n, 12)).sum(axis=1) - 6.0


def draw(rng: np.random.Generator, probability: np.ndarray) -> int:
    """One index, drawn with these (not necessarily normalised) probabilities."""
    steps = np.cumsum(probability)
    return min(
        int(np.searchsorted(steps, rng.random() * steps[-1], side="right")), len(probability) - 1
    )


def make_shop(rng: np.random.Generator, forms: int) -> tuple[Catalogue, pd.DataFrame]:
    """The catalogue with the first `forms` forms of every line, and the truth about its items.

    Truth: [item, quality, popularity, price_z, house]; quality and popularity are standard scores,
    `price_z` the log price within its category, `house` the style of the brand. The catalogue's
    `rating` is quality seen through noise, rounded to tenths.
    """
    shop, rows, topics = bank("shop"), [], []
    for category in shop["category"]:
        for number, (noun, labels, *titles) in enumerate(category["lines"]):
            for form in titles[:forms]:
                brand = category["brands"][
                    (number + draw(rng, np.ones(2))) % len(category["brands"])
                ]
                title = f"{form}, by {brand}" if category.get("book") else f"{brand} {form}"
                topics += [(len(rows), topic) for topic in (category["name"], *labels.split(", "))]
                median, spread = category["price"]
                rows.append((len(rows), title, category["name"], brand, median, spread, noun, form))
    columns = ["item", "title", "category", "brand", "median", "spread", "noun", "form"]
    table = pd.DataFrame(rows, columns=columns)
    n, brands = len(table), pd.DataFrame(shop["brands"]).T
    deviation = normal(rng, n)
    quality = 0.8 * normal(rng, n) + brands.loc[table["brand"], "quality"].to_numpy(dtype=float)
    popularity = normal(rng, n)
    factor = brands.loc[table["brand"], "price"].to_numpy(dtype=float)
    price = table["median"] * factor * np.exp(table["spread"] * (0.5 * deviation + 0.2 * quality))
    table["price"] = np.maximum(np.round(price), 2) - 0.05
    table["rating"] = np.clip(np.round(3.7 + 0.55 * quality + 0.25 * normal(rng, n), 1), 1.0, 5.0)
    within = table.groupby("category")["price"]
    price_z = np.log(table["price"] / within.transform("median")) / table["spread"]
    truth = pd.DataFrame(
        {
            "item": np.arange(n, dtype="int32"),
            "quality": np.round(quality, 4),
            "popularity": np.round(popularity, 4),
            "price_z": np.round(price_z, 4),
            "house": brands.loc[table["brand"], "house"].to_numpy(dtype=str),
        }
    )
    kept = table[["item", "title", "category", "brand", "price", "rating", "noun", "form"]]
    return Catalogue.from_table(
        kept, pd.DataFrame(topics, columns=["item", "topic"]), "generated shop"
    ), truth


def make_pairs() -> pd.DataFrame:
    """The correlated categories: an interest in `category` brings rows in `other` with probability
    `strength`."""
    return pd.DataFrame(bank("shop")["pairs"])
