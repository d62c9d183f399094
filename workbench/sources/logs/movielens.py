"""MovieLens in three layouts: 100K, latest-small and later, and 20M as on Kaggle."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from workbench.sources.columns import require
from workbench.sources.files import exists, found, read_columns, read_frame
from workbench.sources.logs.dataset import Dataset, make_dataset

FLAGS = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama "
    "Fantasy Film-Noir Horror Musical "
)
FLAGS += "Mystery Romance Sci-Fi Thriller War Western"
GENRES = FLAGS.split()  # of u.item, in the order of u.genre


def read_movielens(folder: str | Path) -> Dataset:
    """Read MovieLens: `ratings.csv` and `movies.csv` (latest-small and later), or `u.data` and
    `u.item` (100K)."""
    folder = Path(folder)
    if exists(folder / "u.data"):
        ratings = read_frame(
            found(folder / "u.data"), sep="\t", names=["userId", "movieId", "rating", "timestamp"]
        )
        names = ["movieId", "title", "released", "video", "url", *GENRES]
        movies = read_frame(
            found(folder / "u.item"),
            sep="|",
            encoding="latin-1",
            names=names,
            quoting=csv.QUOTE_NONE,
        )
        flags = movies[GENRES].astype(str) == "1"
        movies = movies[["movieId", "title"]].assign(
            genres=flags.dot(pd.Index(GENRES) + "|").str.rstrip("|")
        )
    else:
        ratings, movies = (
            read_frame(found(folder / name)) for name in ("ratings.csv", "movies.csv")
        )
    require(ratings, ["userId", "movieId", "rating", "timestamp"], folder / "ratings.csv")
    require(movies, ["movieId", "title", "genres"], folder / "movies.csv")
    genres = movies["genres"].fillna("").replace("(no genres listed)", "").str.split("|")
    movies = movies.assign(genres=genres.map(lambda words: [word for word in words if word]))
    movies = movies.rename(columns={"movieId": "item_id"})
    roles = {"user": "userId", "item": "movieId", "timestamp": "timestamp", "value": "rating"}
    return make_dataset(ratings, roles, movies, None, "genres", "ratings")


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
