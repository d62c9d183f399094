"""A table of items: titles, topics and prices of what a log names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.checks import like
from workbench.data.interactions import Interactions
from workbench.errors import DataError, typed
from workbench.sources.columns import as_ids, require_roles, roles_of, tell
from workbench.sources.files import found, read_frame
from workbench.sources.guesses import FACTS, by_names

SEPARATORS = ("|", ";", ",")
"""What may stand between the topics of an item; the first that does, anywhere in the column."""


@typed
def read_items(
    path: str | Path,
    log: Interactions,
    mapping: dict[str, str] | None = None,
    *,
    topic_sep: str | None = None,
    sep: str | None = None,
    encoding: str = "utf-8",
    names: Sequence[str] | None = None,
) -> Catalogue:
    """The catalogue of a log, from a table with one row per item: CSV, JSON lines, parquet, …

    mapping: what a column is (item, title, topics, price, brand, kind) → its name, laid over what
    names such as movieId, name, genres suggest ("" leaves one out). topic_sep: between the topics
    of an item, "|", ";" or "," unless told. Ids are those of the log's file. Items of which the
    table says nothing are called by their id; rows of items that the log does not name are left,
    and prices that are no numbers unknown; a warning counts them. Raises `DataError` where no item
    of the log is in the table.

    >>> read_items("products.csv", log, {"title": "label"}).title(0)  # doctest: +SKIP
    """
    path = found(path)
    raw = read_frame(path, sep=sep, encoding=encoding, names=names)
    taken = roles_of({"item": "item"} | by_names(raw.columns, FACTS), mapping, FACTS)
    require_roles(raw, taken, path.name)
    table = raw.rename(columns={column: role for role, column in taken.items()})
    table["item"] = _like(table["item"], log.items)
    said = _counts(table, log, path.name)
    # prices with a currency or words are no numbers
    if "price" in table:
        price = pd.to_numeric(table["price"], errors="coerce")
        unclear = int((price.isna() & table["price"].notna()).sum())
        said += [f"{unclear:,} prices are no numbers, and unknown"] if unclear else []
        table["price"] = price
    lists = _topics(table.pop("topics"), topic_sep) if "topics" in table else None
    if "title" not in table:
        table["title"] = None
    # items without a row are called by their id
    bare = pd.DataFrame({"item": log.items.difference(table["item"])})
    table = pd.concat([table, bare], ignore_index=True)
    table["title"] = table["title"].fillna("item " + table["item"].astype(str))
    long = None
    if lists is not None:
        lists = lists.reset_index(drop=True).reindex(range(len(table)))
        table["category"] = lists.str[0]
        long = pd.DataFrame({"item": table["item"], "topic": lists}).explode("topic").dropna()
    for note in said:
        tell(f"{path.name}: {note}")
    return Catalogue.from_table(table, long, where=path.name, items=log.items)


def _like(column: pd.Series, index: pd.Index) -> pd.Series:
    """Ids in the type that the log's have."""
    if pd.api.types.is_string_dtype(index):
        return column.astype("str")
    return as_ids(column)


def _counts(table: pd.DataFrame, log: Interactions, where: str) -> list[str]:
    """How many items only one of the two knows; `DataError` where that is all."""
    known = table["item"].isin(log.items)
    if not known.any():
        some = next(iter(table["item"]), None)
        raise DataError("no item is one of the log", where, *like(some, log.items))
    without = log.n_items - table["item"][known].nunique()
    said = []
    if without:
        said.append(f"{without:,} of {log.n_items:,} items have no row, and are called by their id")
    if not known.all():
        said.append(f"{int((~known).sum()):,} rows are of items that the log does not name")
    return said


def _topics(column: pd.Series, sep: str | None) -> pd.Series:
    """The topics of every item as a list; a list in JSON is one already."""
    text = column.dropna()
    whole = text.map(lambda value: value if isinstance(value, list) else str(value))
    plain = whole[whole.map(lambda value: isinstance(value, str))]
    between = sep or next((s for s in SEPARATORS if plain.str.contains(s, regex=False).any()), "|")

    def parts(value: Any) -> list[str]:
        if isinstance(value, str):
            value = value.strip("[]").split(between)
        named = [str(part).strip(" '\"") for part in value]
        return [part for part in named if part]

    lists = whole.map(parts).reindex(column.index)
    return lists.where(lists.notna(), None)
