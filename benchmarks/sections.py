"""Which sections of a page earn their place, by what simulated readers of the generated world take?

    python benchmarks/sections.py

A reader sees the pick and its substitutes of one kind, and of these what the sections tell; takes the
product that looks best to them by that; and gains what it is worth by the world's own choice model,
less what the pick is worth. The *title* tells the brand and the attribute that stands in it, the
columns tell price and rating, *against* what the pick is worst at of these two; *why*, *not known*
and *unsaid* tell nothing of a product. What only reviews tell, and popularity, no section tells.
All 2⁷ pages are read. Seconds. Writes `benchmarks/results/sections.csv` and `.md`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import predicted as written
from boomerang import RESULTS, markdown
from clicks import readers_of

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports.offers import BESIDE
from workbench.reports.recpilot import Choice, section_values, value_of
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import World
from workbench.worlds.shop.shop import levels_of, wide
from workbench.worlds.shop.shoppers import ATTRIBUTE, STRENGTH

BRAND, PRICE, RATING, ATTRIBUTE_SHOWN = range(4)
SECTIONS = ("title", "price", "rating", "against", "why", "not known", "unsaid")
USUAL, SPREAD = 3.7, 0.55
"""A rating as quality, as the world makes it: 3.7 + .55 · quality, and noise."""


def choice_of(world: World, user: int, items: np.ndarray) -> Choice:
    """What one reader chooses among; `items`: the pick first."""
    shelf, truth = world.shelf, world.truth
    facts = truth["items"].iloc[items]
    w_price, w_quality, w_brand, w_popular = shelf.weights[user]
    brand = STRENGTH * w_brand * 1.5 * shelf.affinity[user, shelf.house[items]]
    price = STRENGTH * w_price * -facts["price_z"].to_numpy()
    # the attributes: those that stand on the page, and those that only reviews tell
    where = truth["item_attributes"]
    shown = where[where["where"] == "page"]
    liking = wide(truth["attribute_weights"], "weight", len(shelf.weights))[user]
    every = ATTRIBUTE * levels_of(truth)[items] * liking
    names = truth["attributes"]["attribute"].tolist()
    on_page = np.zeros((len(items), len(names)))
    for row, item in enumerate(items):
        own = shown.loc[shown["item"] == item, "attribute"]
        on_page[row, [names.index(name) for name in own]] = 1.0
    # a rating is quality seen through noise
    rating = (world.catalogue.rating[items] - USUAL) / SPREAD
    seen = STRENGTH * w_quality * rating
    believed = np.stack([brand, price, seen, (every * on_page).sum(axis=1)], axis=1)
    hidden = STRENGTH * (w_quality * facts["quality"] + w_popular * facts["popularity"])
    worth = brand + price + every.sum(axis=1) + hidden.to_numpy()
    worst = _worst(shelf.price[items], world.catalogue.rating[items])
    tells = {"title": (BRAND, ATTRIBUTE_SHOWN), "price": (PRICE,), "rating": (RATING,)}
    tells |= {"against": (worst,)} | dict.fromkeys(SECTIONS[4:], ())
    return Choice(believed, worth, tells)


def _worst(price: np.ndarray, rating: np.ndarray) -> int:
    """What the pick is worst at: the place of its price, or of its rating; price on a tie."""
    dearer, lower = (price < price[0]).sum(), (rating > rating[0]).sum()
    return RATING if lower > dearer else PRICE


def choices(world: World, n: int = 200) -> list[Choice]:
    """Of `n` shoppers those whose page has a substitute beside the pick."""
    service = Service.build(world.log, world.catalogue, EASE(), stores=())
    made = []
    for reader in readers_of(world, n):
        offers = service.evidence(reader.user).offers
        beside = dict.fromkeys(offers[role] for role in BESIDE if role in offers)
        if beside:
            items = np.array([offers["pick"], *beside])
            made.append(choice_of(world, reader.user, items))
    return made


def numbers_of(table: pd.DataFrame) -> dict[str, float]:
    """The numbers that were predicted."""
    means = table.groupby("section")[["left_out", "shapley"]].mean()
    told = {f"shapley_{name}": means.loc[name, "shapley"] for name in SECTIONS[:4]}
    told |= {f"left_out_{name}": means.loc[name, "left_out"] for name in SECTIONS[:4]}
    return told | {"whole": table.groupby("reader")["shapley"].sum().mean()}


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    return written.judged(numbers_of(table), written.expected("sections"), "+.2f", "+.3f")


def page(world: World, table: pd.DataFrame, total: np.ndarray) -> str:
    """The results as Markdown."""
    rows = []
    for name, own in table.groupby("section", sort=False):
        cells = {"section": name}
        for column in ("shapley", "left_out"):
            estimate, low, high = (
                np.round(bootstrap_mean(own[column].to_numpy(), shares=False), 3) + 0.0
            )
            cells[column.replace("_", " ")] = f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]"
        rows.append(cells)
    whole = bootstrap_mean(total)
    summed = table.groupby("reader")["shapley"].sum().to_numpy()
    text = [
        "# Which sections of a page earn their place",
        "",
        "Made by `python benchmarks/sections.py`.",
    ]
    text += ["", _about(world, len(total)), "", markdown(pd.DataFrame(rows)), ""]
    text += [
        f"The whole page: {whole[0]:+.3f} [{whole[1]:+.3f}, {whole[2]:+.3f}]; the shares add up to it for "
        f"every reader, to {np.abs(summed - total).max():.0e}. Unit: utility of the world's choice model; "
        "95 % of resampled readers.",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(judged(table)),
        "",
    ]
    return "\n".join(text)


def _about(world: World, n: int) -> str:
    return (
        f"{world!r}. {n} simulated readers whose page has a substitute; EASE. A reader takes what looks "
        "best by the sections shown, and gains its true worth less that of the pick. *against* repeats "
        "price or rating, so that left out alone it is worth nothing; told without the other columns it shows "
        "one side only, and a reader who goes by it may leave a better pick. *why*, *not known* and *unsaid* "
        "tell nothing of a product: that they earn nothing here is how this reader was made, and says "
        "nothing about trust. What a section tells was set by hand, from what the page is to hold."
    )


def main() -> None:
    """Measure, write the page, print it."""
    world = load_world()
    value = value_of(choices(world))
    table = section_values(value, SECTIONS)
    text = page(world, table, value(frozenset(SECTIONS)) - value(frozenset()))
    rounded = table.round(6)
    rounded.to_csv(RESULTS / "sections.csv", index=False, lineterminator="\n")
    (RESULTS / "sections.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
