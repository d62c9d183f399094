"""Goodreads (UCSD book graph): books, shelves and ratings, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.checks import as_numbers
from workbench.sources.columns import as_text, look_up
from workbench.sources.files import exists, found, read_columns, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset

FACTS = {"book_id": "item_id", "title": "title", "description": "description"}
FACTS |= {"popular_shelves": "shelves"}


def goodreads(folder: str | Path) -> Dataset:
    """Goodreads (UCSD book graph): `goodreads_interactions.csv`, `book_id_map.csv`,
    `goodreads_books.json`.

    The layout the study reads. It has no times: the file's order is all there is (the study counts
    rows and calls that a time). Items are Goodreads' own book ids; a rating of 0 is none. `shelves`
    are the popular shelves of a book; topics are the genres where
    `goodreads_book_genres_initial.json` stands beside.
    """
    name = "goodreads_interactions.csv"
    columns = {"user_id": "user", "book_id": "book", "rating": "value"}
    table = read_columns(folder, name, columns)
    numbers = read_columns(folder, "book_id_map.csv", ["book_id_csv", "book_id"])
    books = look_up(table["book"], numbers, "book_id_csv", name, "book_id_map.csv")
    rating = as_numbers(table["value"], name)
    table = table.assign(item=books["book_id"], value=rating.where(rating > 0))
    items = as_text(read_json_lines(found(Path(folder) / "goodreads_books.json"), FACTS))
    genres = Path(folder) / "goodreads_book_genres_initial.json"
    if exists(genres):
        known = read_json_lines(found(genres), ("book_id", "genres"))
        known = known.drop_duplicates("book_id").set_index("book_id")["genres"]
        own = known.reindex(items["item_id"])
        items["topics"] = [list(names) if isinstance(names, dict) else [] for names in own]
    return make_dataset(table, items, where=name)
