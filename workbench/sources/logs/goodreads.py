"""Goodreads (UCSD book graph): books, shelves and ratings, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers
from workbench.sources.columns import as_text, look_up
from workbench.sources.files import exists, found, read_columns, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset


def goodreads(folder: str | Path) -> Dataset:
    """Goodreads (UCSD book graph): `goodreads_interactions.csv`, `book_id_map.csv`,
    `goodreads_books.json`.

    The layout the study reads. It has no times: the file's order is all there is (the study counts
    rows and calls that a time). Items are Goodreads' own book ids; a rating of 0 is none. `shelves`
    are the popular shelves of a book; topics are the genres where
    `goodreads_book_genres_initial.json` stands beside.
    """
    name = "goodreads_interactions.csv"
    table = read_columns(folder, name, ["user_id", "book_id", "rating"])
    numbers = read_columns(folder, "book_id_map.csv", ["book_id_csv", "book_id"])
    item = look_up(table["book_id"], numbers, "book_id_csv", name, "book_id_map.csv")["book_id"]
    rating = as_numbers(table["rating"], name)
    table = pd.DataFrame(
        {"user": table["user_id"], "item": item, "rating": rating.where(rating > 0)}
    )
    fields = {
        "book_id": "item_id",
        "title": "title",
        "description": "description",
        "popular_shelves": "shelves",
    }
    items = as_text(
        read_json_lines(found(Path(folder) / "goodreads_books.json"), tuple(fields)).rename(
            columns=fields
        )
    )
    genres, topics = Path(folder) / "goodreads_book_genres_initial.json", None
    if exists(genres):
        known = read_json_lines(found(genres), ("book_id", "genres")).set_index("book_id")["genres"]
        own = known[~known.index.duplicated()].reindex(items["item_id"])
        items["genre"] = [list(names) if isinstance(names, dict) else [] for names in own]
        topics = "genre"
    return make_dataset(
        table, {"user": "user", "item": "item", "value": "rating"}, items, topics=topics, where=name
    )
