"""MovieLens in its layouts: 100K, 1M and 10M, latest-small and later, and 20M as on Kaggle."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

from workbench.errors import DataError
from workbench.sources.files import exists, read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset

FLAGS = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama "
    "Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western"
)
GENRES = FLAGS.split()  # of u.item, in the order of u.genre
COLUMNS = {"userId": "user", "movieId": "item", "rating": "value", "timestamp": "timestamp"}
FACTS = ["movieId", "title", "genres"]


def read_movielens(folder: str | Path) -> Dataset:
    """Read MovieLens: `ratings.csv` and `movies.csv` (latest-small and later), `u.data` and
    `u.item` (100K), or `ratings.dat` and `movies.dat` (1M, 10M)."""
    folder = Path(folder).expanduser()
    if exists(folder / "u.data"):
        ratings = read_columns(folder, "u.data", COLUMNS, sep="\t", names=list(COLUMNS))
        names = [*FACTS[:2], "released", "video", "url", *GENRES]
        form = {"sep": "|", "encoding": "latin-1", "quoting": csv.QUOTE_NONE}
        movies = read_columns(folder, "u.item", names, names=names, **form)
        flags = movies[GENRES].astype(str) == "1"
        movies["genres"] = flags.dot(pd.Index(GENRES) + "|")
    elif exists(folder / "ratings.dat"):
        ratings = read_columns(folder, "ratings.dat", COLUMNS, sep="::", names=list(COLUMNS))
        movies = _movies_of(folder)
    elif exists(folder / "ratings.csv"):
        ratings = read_columns(folder, "ratings.csv", COLUMNS)
        movies = read_columns(folder, "movies.csv", FACTS)
    else:
        layouts = "u.data and u.item, ratings.dat and movies.dat, or ratings.csv and movies.csv"
        what, do = "no such file: none of MovieLens is here", "name the folder that holds them"
        raise DataError(what, str(folder), layouts, do)
    return make_dataset(ratings, _films(movies), where="ratings")


def _movies_of(folder: Path) -> pd.DataFrame:
    """`movies.dat`: in latin-1 with 1M, in utf-8 with 10M."""
    form = {"sep": "::", "names": FACTS}
    try:
        return read_columns(folder, "movies.dat", FACTS, **form)
    except DataError as error:
        if not isinstance(error.__cause__, UnicodeError):
            raise
        return read_columns(folder, "movies.dat", FACTS, encoding="latin-1", **form)


def movielens_kaggle(folder: str | Path) -> Dataset:
    """MovieLens-20M as on Kaggle: `rating.csv` with dates as text, `movie.csv`, `tag.csv`.

    The catalogue's column `tags` holds the distinct user tags of each movie, with "|" between them.
    """
    ratings = read_columns(folder, "rating.csv", COLUMNS)
    movies = read_columns(folder, "movie.csv", FACTS)
    tags = read_columns(folder, "tag.csv", ["movieId", "tag"]).dropna(subset="tag")
    tags = tags.drop_duplicates().groupby("movieId")["tag"].agg("|".join)
    said = tags.reindex(movies["movieId"]).fillna("").to_numpy()
    return make_dataset(ratings, _films(movies).assign(tags=said), where="rating.csv")


def _films(movies: pd.DataFrame) -> pd.DataFrame:
    """Id and title of every film, its genres (text with "|" between them) as topics."""
    genres = movies["genres"].fillna("").replace("(no genres listed)", "").str.split("|")
    topics = genres.map(lambda names: [name for name in names if name])
    films = movies[["movieId", "title"]].rename(columns={"movieId": "item_id"})
    return films.assign(topics=topics)
