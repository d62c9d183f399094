"""Readers of logs, one file a layout; exhibits like methods: nothing imports one but the cards that
name it and its test.

Every reader answers a damaged file with a `DataError` that names file and line; nothing is
unpickled. Packed files are told by their content, and `ratings.csv.gz` is found where `ratings.csv`
is asked for. Rows become interactions as they stand: thresholds, cores and duplicates are steps of
a card's `prepare`, so that what is dropped is counted; columns that nobody reads are named by a
warning.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

LAYOUTS = {
    "recbole": "recbole.read_recbole",
    "movielens": "movielens.read_movielens",
    "movielens_kaggle": "movielens.movielens_kaggle",
    "goodreads": "goodreads.goodreads",
    "amazon": "amazon.amazon",
    "otto": "otto.otto",
    "thirty_music": "thirty_music.thirty_music",
    "nowplaying": "nowplaying.nowplaying",
    "instacart": "instacart.instacart",
    "dunnhumby": "dunnhumby.dunnhumby",
    "tafeng_csv": "tafeng.tafeng_csv",
    "lists_split": "lists.lists_split",
    "pairs_split": "pairs.pairs_split",
    "clicks_split": "clicks.clicks_split",
    "baskets_split": "reality_check.baskets_split",
    "people_split": "reality_check.people_split",
}
"""Reader of a folder → the module and function that it is. Those called `…_split` return a `Split`,
all others a `Dataset`."""


def layout(name: str) -> Callable:
    """The reader of this name; its module is imported only now."""
    module, function = LAYOUTS[name].split(".")
    return getattr(import_module(f"{__name__}.{module}"), function)
