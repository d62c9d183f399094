"""Readers: tables with named columns, RecBole atomic files, MovieLens, and lines of item ids.

Every reader answers a damaged file with a `DataError` that names file and line; nothing is
unpickled. Ids that are all whole numbers become integers, others stay text, so `007` and `7` remain
two ids. Gzip is read where the name ends in `.gz`, and `ratings.csv.gz` is found where
`ratings.csv` is asked for.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.catalogue import Catalogue
from workbench.data.checks import as_numbers, as_times
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError
from workbench.sources.files import (
    as_ids,
    as_numeric,
    exists,
    found,
    lines_of,
    name_or_number,
    read_frame,
    require,
)

ROLES = {
    "user": "user userid uid customer customerid reviewerid visitorid shopper member memberid",
    "item": "item itemid iid product productid movieid sku skuid asin parentasin aid "
    "article articleid",
    "timestamp": "timestamp time when date datetime unixreviewtime ts eventtime actiontime "
    "createdat timestampms",
    "action": "action event type behavior behaviour eventtype actiontype",
    "session": "session sessionid",
    "basket": "basket basketid order orderid transaction transactionid invoice",
    "value": "value rating score stars overall",
}
"""Column names that `preview` takes for a role; case, blanks, `_` and a `:type` ending do not
count."""


class Dataset(NamedTuple):
    """What a reader of a whole data set returns; `users` has one row per user code (column `user`,
    then attributes)."""

    log: Interactions
    catalogue: Catalogue
    users: pd.DataFrame

    def __repr__(self) -> str:
        return f"Dataset({self.log}, {self.catalogue}, {self.users.shape[1] - 1} user attributes)"


@dataclass(frozen=True)
class Preview:
    """First rows of a file, its columns, and the mapping role → column that their names suggest."""

    rows: pd.DataFrame
    columns: pd.DataFrame
    mapping: dict[str, str]

    def __repr__(self) -> str:
        guess = ", ".join(f"{role}={column}" for role, column in self.mapping.items())
        return (
            f"Preview({len(self.rows)} rows, {len(self.columns)} columns; guess: {guess or 'none'})"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per column: [column, dtype, example, role]."""
        return self.columns

    def _repr_html_(self) -> str:
        first = self.rows.astype(str).to_dict("records")
        return html.table(self.columns.to_dict("records"), "Columns") + html.table(
            first, "First rows"
        )


def preview(path: str | Path, n: int = 5, **options: object) -> Preview:
    """Look at the first `n` rows of a table before mapping its columns; options as for
    `read_table`."""
    rows = read_frame(found(path), nrows=n, **options)
    named = {
        re.sub(r"[^a-z]", "", str(column).split(":")[0].lower()): str(column)
        for column in reversed(rows.columns)
    }
    mapping = {}
    for role, names in ROLES.items():
        column = next((named[name] for name in names.split() if name in named), None)
        mapping |= {} if column is None else {role: column}
    roles = {column: role for role, column in mapping.items()}
    typed = rows.apply(as_numeric)
    columns = [
        (c, str(typed[c].dtype), str(rows[c].iloc[0]) if len(rows) else "", roles.get(c, ""))
        for c in rows
    ]
    return Preview(
        typed, pd.DataFrame(columns, columns=["column", "dtype", "example", "role"]), mapping
    )


def read_table(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    time_unit: str = "s",
    actions: dict[str, str] | None = None,
    sep: str | None = None,
    encoding: str = "utf-8",
    users: pd.Index | None = None,
    items: pd.Index | None = None,
) -> Interactions:
    """Read a log from CSV, TSV or parquet.

    mapping: role → column, roles as in `ROLES` and `interaction`; without it the guess of
    `preview`. time_unit: of numeric times (s, ms, us, ns). actions: new names, {"1": "view"}. sep:
    by the file's ending unless told.

    >>> read_table("clicks.csv", {"user": "customer", "item": "sku", "timestamp": "when"})  # doctest: +SKIP
    """
    path = found(path)
    options = {"sep": sep, "encoding": encoding}
    mapping = preview(path, **options).mapping if mapping is None else dict(mapping)
    for role in mapping:
        if role not in (*ROLES, "interaction"):
            raise ConfigError(
                f"no role {role!r}", "mapping", f"some of {', '.join(ROLES)}, interaction"
            )
    table = read_frame(path, **options)
    require(table, mapping.values(), path)
    for role, column in mapping.items():
        change = {
            "user": as_ids,
            "item": as_ids,
            "session": name_or_number,
            "basket": name_or_number,
        }
        table[column] = change.get(role, lambda raw: raw)(table[column])
    if "action" in mapping and actions:
        table[mapping["action"]] = (
            table[mapping["action"]].astype(str).replace({str(k): v for k, v in actions.items()})
        )
    time = mapping.get("timestamp")
    table = (
        table
        if time is None
        else table.assign(**{time: as_times(table[time], len(table), path.name, time_unit)})
    )
    # from_table says what is missing
    missing = {role: role for role in ("user", "item") if role not in mapping}
    return Interactions.from_table(
        table, **(mapping | missing), users=users, items=items, where=path.name
    )


def read_recbole(folder: str | Path, topics: str | None = None) -> Dataset:
    """Read RecBole atomic files `<name>.inter`, and `.item` and `.user` where there are such.

    folder: theirs, or the common prefix `folder/name`. topics: the column of the `.item` file whose
    words are topics (class, genre, categories unless told). Format: recbole.io, atomic files: tab
    separated, header name:type.
    """
    folder = Path(folder)
    here, stem = (folder, "*") if folder.is_dir() else (folder.parent, folder.name)
    logs = sorted(
        {p.name.split(".inter")[0] for end in ("", ".gz") for p in here.glob(f"{stem}.inter{end}")}
    )
    if len(logs) != 1:
        found = f"{len(logs)} files end in .inter" if logs else "no file ends in .inter"
        raise DataError(
            found, str(folder), "one data set: name.inter, name.item, name.user", "name folder/name"
        )
    parts = {part: _atomic(here / f"{logs[0]}.{part}") for part in ("inter", "item", "user")}
    table = parts["inter"]
    if table is None or not {"user_id", "item_id"} <= set(table.columns):
        raise DataError(
            "no column user_id or item_id", f"{logs[0]}.inter", "user_id:token and item_id:token"
        )
    known = {"user": "user_id", "item": "item_id", "timestamp": "timestamp", "value": "rating"}
    roles = {role: column for role, column in known.items() if column in table}
    return make_dataset(table, roles, parts["item"], parts["user"], topics, f"{logs[0]}.inter")


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


FLAGS = (
    "unknown Action Adventure Animation Children's Comedy Crime Documentary Drama "
    "Fantasy Film-Noir Horror Musical "
)
FLAGS += "Mystery Romance Sci-Fi Thriller War Western"
GENRES = FLAGS.split()  # of u.item, in the order of u.genre


def read_lists(path: str | Path, encoding: str = "utf-8") -> Interactions:
    """Read lines `user item item …` in the order of events (no times): the form of many published
    splits."""
    path = found(path)
    return Interactions.from_table(list_table(path, encoding).apply(as_ids), where=path.name)


def list_table(path: Path, encoding: str = "utf-8") -> pd.DataFrame:
    """Lines `user item item …` as a table [user, item] of text, one row per item; its index is the
    line."""
    users, items, lines = [], [], []
    for number, text in lines_of(path, encoding):
        user, *rest = text.split()
        users.append(user)
        items.append(rest)
        lines.append(number)
    lengths = list(map(len, items))
    index = pd.Index(np.repeat(np.array(lines, dtype=np.int64), lengths), name="line")
    columns = {"user": pd.array(users, dtype="str").repeat(lengths)}
    return pd.DataFrame(
        columns | {"item": pd.array(list(chain.from_iterable(items)), dtype="str")}, index=index
    )


def make_dataset(
    table: pd.DataFrame,
    roles: dict[str, str],
    items: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    topics: str | None = None,
    where: str = "table",
) -> Dataset:
    """Put log, items and users on common indexes; items that nobody met and items without a row
    both stay.

    table: the log, roles: role → its column. items: one row per `item_id` with a title, people: one
    per `user_id`. topics: the column of items with lists (or words) that are topics, else one of
    the usual names.
    """
    table = (
        table
        if "action" in roles
        else table.assign(action="rating" if "value" in roles else "interaction")
    )
    require(table, roles.values(), Path(where))
    item_ids, table[roles["item"]] = _index(table[roles["item"]], items, "item_id", where)
    user_ids, table[roles["user"]] = _index(table[roles["user"]], people, "user_id", where)
    log = Interactions.from_table(
        table, **{"action": "action"} | roles, users=user_ids, items=item_ids, where=where
    )
    facts = (
        (pd.DataFrame({"item_id": item_ids}) if items is None else items)
        .set_index("item_id")
        .reindex(item_ids)
    )
    titles = ("title", "movie_title", "name", "item_name", "product_name")
    title = next((name for name in titles if name in facts), None)
    default = pd.Series([f"item {i}" for i in item_ids], index=item_ids)
    column = topics or next(
        (n for n in ("class", "genre", "genres", "categories", "category") if n in facts), None
    )
    facts = facts.assign(title=default if title is None else facts[title].fillna(default))
    words = pd.Series([[] for _ in item_ids], index=item_ids)
    if column is not None:
        require(facts, [column], Path(where))
        words = facts[column].map(
            lambda value: value if isinstance(value, list) else str(value).split(), "ignore"
        )
    words = words.map(lambda value: value if isinstance(value, list) else []).reset_index(drop=True)
    drop = [name for name in {title, column, "item", "category"} - {"title", None} if name in facts]
    facts = facts.drop(columns=drop).assign(category=words.str[0].to_numpy())
    facts = facts.reset_index(drop=True).assign(item=np.arange(len(item_ids)))
    long = pd.DataFrame({"item": words.index, "topic": words}).explode("topic").dropna()
    catalogue = Catalogue.from_table(facts, long, where=where)
    known = pd.DataFrame({"user_id": user_ids}) if people is None else people
    known = known.set_index("user_id").reindex(user_ids).reset_index(drop=True)
    known.insert(0, "user", np.arange(len(known), dtype="int32"))
    return Dataset(log, catalogue, known)


def _index(
    column: pd.Series, table: pd.DataFrame | None, name: str, where: str
) -> tuple[pd.Index, pd.Series]:
    """The ids of a log and of the table that describes them, as one sorted index; the log's column
    in its type."""
    if table is not None:
        require(table, [name], Path(f"table beside {where}"))
    own = pd.Series(dtype=column.dtype) if table is None else table[name]
    if own.isna().any() or own.duplicated().any():
        place = own.index[own.isna() | own.duplicated()][0]
        raise DataError(
            f"{name} {own[place]} in line {place} is repeated or empty",
            f"table beside {where}",
            "every id once",
        )
    # every id is looked at once, however many rows it has
    codes, values = pd.factorize(column.astype("str"))
    kind = as_ids(pd.concat([pd.Series(values), own.astype("str")])).dtype
    values, own = values.astype(kind), own.astype(kind)
    if (codes >= 0).all():
        column = pd.Series(values.take(codes), index=column.index)
    if table is not None:
        table[name] = own
    return pd.Index(sorted(set(values) | set(own))), column


def _atomic(path: Path) -> pd.DataFrame | None:
    """One RecBole atomic file, its columns without their types; None where there is no such
    file."""
    if not exists(path):
        return None
    table = read_frame(found(path), sep="\t", quoting=csv.QUOTE_NONE)
    for header in table.columns:
        kind = header.partition(":")[2]
        if kind not in ("token", "token_seq", "float", "float_seq"):
            raise DataError(
                f"column {header!r} has no type",
                f"{path.name}, line 1",
                "name:token, name:float, …",
            )
        if kind == "float":
            table[header] = as_numbers(table[header], path.name)
        elif kind == "token":
            table[header] = as_ids(table[header])
    return table.rename(columns=lambda header: header.partition(":")[0])
