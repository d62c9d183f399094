"""Ratings: MovieLens-20M, Goodreads and Amazon Reviews 2023, as their makers publish them.

Rows become interactions as they stand: thresholds, cores and duplicates are steps of a card's
`prepare`, so that what is dropped is counted. A file `name.gz` is read where `name` is asked for.
Layouts after the makers' pages and the ERASE study's development code
(github.com/pierre-lubitzsch/RecBole); none of these sets could be opened here. A million ratings
take about 3 s and 0.4 GB on one core (measured on made-up rows).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers, as_times
from workbench.sources.files import exists, found, look_up, read_columns, read_json_lines
from workbench.sources.readers import Dataset, make_dataset


def movielens_kaggle(folder: str | Path) -> Dataset:
    """MovieLens-20M as on Kaggle: `rating.csv` with dates as text, `movie.csv`, `tag.csv`.

    The catalogue's column `tags` holds the distinct user tags of each movie, with "|" between them.
    """
    ratings = read_columns(folder, "rating.csv", ["userId", "movieId", "rating", "timestamp"])
    movies = read_columns(folder, "movie.csv", ["movieId", "title", "genres"])
    tags = read_columns(folder, "tag.csv", ["movieId", "tag"])
    words = (
        tags.dropna(subset="tag")
        .drop_duplicates(["movieId", "tag"])
        .groupby("movieId")["tag"]
        .agg("|".join)
    )
    genres = movies["genres"].fillna("").replace("(no genres listed)", "")
    genres = [[genre for genre in text.split("|") if genre] for text in genres]
    items = pd.DataFrame({"item_id": movies["movieId"], "title": movies["title"], "genres": genres})
    items["tags"] = words.reindex(movies["movieId"]).fillna("").to_numpy()
    roles = {"user": "userId", "item": "movieId", "value": "rating", "timestamp": "timestamp"}
    return make_dataset(ratings, roles, items, topics="genres", where="rating.csv")


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
    items = _text(
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


def amazon(folder: str | Path, name: str) -> Dataset:
    """Amazon Reviews 2023: `<name>.jsonl` and `meta_<name>.jsonl`, a JSON object a line; items are
    parent_asin.

    Topics are the category paths; description, features, details and store stay as text columns,
    for rules that look for words. A price that is no number ("from 14.99") is unknown.
    """
    path = found(Path(folder) / f"{name}.jsonl")
    table = read_json_lines(path, ("user_id", "parent_asin", "rating", "timestamp"))
    table["timestamp"] = as_times(
        as_numbers(table["timestamp"], path.name), len(table), path.name, "ms"
    )
    same = ("title", "price", "categories", "main_category", "description", "features", "details")
    fields = {"parent_asin": "item_id", "store": "brand"} | {column: column for column in same}
    items = read_json_lines(found(Path(folder) / f"meta_{name}.jsonl"), tuple(fields)).rename(
        columns=fields
    )
    items = _text(items, keep=("price", "categories"))
    items["price"] = pd.to_numeric(items["price"].astype(str), errors="coerce")
    items["categories"] = [
        list(path) if isinstance(path, list) else [] for path in items["categories"]
    ]
    roles = {"user": "user_id", "item": "parent_asin", "value": "rating", "timestamp": "timestamp"}
    return make_dataset(table, roles, items, topics="categories", where=path.name)


def _text(table: pd.DataFrame, keep: tuple[str, ...] = ()) -> pd.DataFrame:
    """Lists and objects of a JSON file as text, with "|" between their parts; None as nothing."""

    def plain(value: object) -> str:
        if isinstance(value, dict):
            return str(value["name"]) if "name" in value else "|".join(map(plain, value.values()))
        if isinstance(value, list):
            return "|".join(map(plain, value))
        return "" if value is None or value != value else str(value)  # only NaN differs from itself

    return table.assign(
        **{
            column: table[column].map(plain)
            for column in table.columns.difference(("item_id", *keep))
        }
    )
