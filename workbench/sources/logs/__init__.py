"""Readers of published layouts, exhibits like methods: nothing imports one but the cards that name
it and its test."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

LAYOUTS = {
    "lists_split": "splits",
    "pairs_split": "splits",
    "clicks_split": "splits",
    "baskets_split": "splits",
    "movielens_kaggle": "ratings",
    "goodreads": "ratings",
    "amazon": "ratings",
    "otto": "sessions",
    "thirty_music": "sessions",
    "nowplaying": "sessions",
    "instacart": "baskets",
    "dunnhumby": "baskets",
    "tafeng_csv": "baskets",
}
"""Reader → the module that has it. Those of `splits` return a `Split`, all others a `Dataset`."""


def layout(name: str) -> Callable:
    """The reader of this name; its module is imported only now."""
    return getattr(import_module(f"{__name__}.{LAYOUTS[name]}"), name)
