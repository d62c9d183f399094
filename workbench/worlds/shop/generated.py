"""Generate the world; the same seed and size give the same tables, bit for bit."""

from __future__ import annotations

import numpy as np

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.worlds.corpus import Texts
from workbench.worlds.shop.people import make_people
from workbench.worlds.shop.shelf import Shelf
from workbench.worlds.shop.shop import make_shop
from workbench.worlds.shop.shoppers import make_shoppers
from workbench.worlds.shop.texts import write_texts
from workbench.worlds.shop.visits import make_visits
from workbench.worlds.shop.world import ShopConfig, World, log_of
from workbench.worlds.shop.writing import Writer


def generate(config: ShopConfig | None = None) -> World:
    """Make the world from its config; seconds for 400 shoppers, half a minute for 12,000 without
    texts.

    >>> generate(ShopConfig(shoppers=100, texts=0, seed=7))  # doctest: +SKIP
    """
    config = config or ShopConfig()
    # a stream of random numbers for each part: another number of texts leaves the log as it is
    streams = [np.random.default_rng([config.seed, number]) for number in range(6)]
    shop = make_shop(streams[0])
    catalogue = shop.catalogue
    truth = make_shoppers(streams[1], config.shoppers, shop) | shop.truth
    rows, happened = make_visits(streams[2], Shelf(catalogue, truth), truth["users"])
    truth |= happened
    log = log_of(rows, config.shoppers, len(catalogue))
    written = _texts(streams[3], streams[4], log, catalogue, truth, config.texts)
    return World(log, catalogue, written.texts, truth | written.truth, config)


def _texts(
    persons, words, log: Interactions, catalogue: Catalogue, truth: dict, wanted: int
) -> Texts:
    """Texts about purchases that real shoppers made, `wanted` of them, in the order of the log."""
    users = truth["users"]
    people = make_people(persons, users[~users["spam"]])
    bought = log.frame[log.frame["action"] == "purchase"]
    bought = bought[~users["spam"].to_numpy()[bought["user"]]]
    chosen = bought.iloc[np.sort(words.permutation(len(bought))[:wanted])]
    weights = truth["attribute_weights"]
    liking = weights.pivot(index="user", columns="attribute", values="weight")
    return write_texts(words, Writer(catalogue, truth), people, chosen, liking)
