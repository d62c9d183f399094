"""A table of items: titles, topics and prices of what a log names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.checks import like, refuse
from workbench.data.interactions import Interactions
from workbench.errors import DataError, typed
from workbench.sources.columns import as_ids, as_numeric, require_roles, roles_of, tell
from workbench.sources.files import found, read_frame
from workbench.sources.guesses import FACTS, by_names
from workbench.sources.logs.tables import SEEN, Preview, shown
from workbench.sources.prices import as_prices

SEPARATORS = ("|", ";", ">", ",")
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
    of an item, "|", ";", ">" or "," unless told. Ids are those of the log's file. Items of which the
    table says nothing are called by their id; rows of items that the log does not name are left,
    and prices that are no numbers (12,50 EUR is one) unknown; a warning counts them. Raises
    `DataError` where no item of the log is in the table, or one has two rows that differ.

    >>> read_items("products.csv", log, {"title": "label"}).title(0)  # doctest: +SKIP
    """
    path = found(path)
    raw = read_frame(path, sep=sep, encoding=encoding, names=names)
    taken, _ = item_roles(raw, mapping)
    require_roles(raw, taken, path.name)
    # a column called by a role that another one has is left
    left = [role for role in FACTS if role in raw and role not in taken.values()]
    table = raw.drop(columns=left).rename(columns={name: role for role, name in taken.items()})
    if "rating" in table:
        table["rating"] = as_numeric(table["rating"])
    table["item"] = _like(table["item"], log.items)
    table, said = _once(table, path.name)
    _met(table, raw, log, f"{path.name}, column {taken['item']}")
    said += _counts(table, log)
    # prices with a currency are numbers, words are none
    if "price" in table:
        table["price"], _, told = as_prices(table["price"], taken["price"])
        said += told
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


def preview_items(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    item: str = "",
    encoding: str = "utf-8",
) -> Preview:
    """Look at a table of items: its columns, what each is taken for, which facts none tells, and
    how prices are read.

    mapping, encoding: as for `read_items`; item: what the log calls its items, taken for theirs where a
    column is called so. Raises `DataError` where no column is the item.
    """
    path = found(path)
    raw = read_frame(path, nrows=SEEN, encoding=encoding)
    taken, absent = item_roles(raw, mapping, item)
    require_roles(raw, {"item": "item"} | taken, path.name)
    if "price" in taken:
        absent += as_prices(raw[taken["price"]], taken["price"])[1]
    return shown(raw, 5, taken, [f"{path.name}: {note}" for note in absent])


def item_roles(
    raw: pd.DataFrame, mapping: dict[str, str] | None, item: str = ""
) -> tuple[dict[str, str], list[str]]:
    """Role → column of a table of items, and what no column tells, as a sentence each."""
    guess = {"item": "item"} | by_names(raw.columns, FACTS)
    if item in raw:
        guess = {role: name for role, name in guess.items() if name != item} | {"item": item}
    taken = roles_of(guess, mapping, FACTS)
    said = []
    for role, none in {"title": "items are called by their id", "topics": "no topics"}.items():
        if role not in taken:
            said.append(
                f"no column is the {role}: {none}; item_columns={{'{role}': '…'}} names one"
            )
    return taken, said


def _once(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """One row an item: equal ones are one, others refused; how many went, as a sentence."""
    again = table.astype("str").duplicated() & table["item"].notna()
    left = table[~again]
    wrong = left["item"].duplicated() & left["item"].notna()
    what, expected = "item {value} has a second row, {place}, that differs", "one row per item"
    refuse(left["item"], wrong, what, where, expected, "remove one of the two from the file")
    gone = int(again.sum())
    return left, [f"{gone:,} rows are there twice, and read once"] if gone else []


def _like(column: pd.Series, index: pd.Index) -> pd.Series:
    """Ids in the type that the log's have."""
    if pd.api.types.is_string_dtype(index):
        return column.astype("str")
    return as_ids(column)


def _met(table: pd.DataFrame, raw: pd.DataFrame, log: Interactions, where: str) -> None:
    """Refuse a table none of whose items is one of the log; name the column that has them, if one
    does."""
    if table["item"].isin(log.items).any():
        return
    has = [name for name in raw.columns.unique() if raw[[name]].iloc[:, 0].isin(log.items).any()]
    some = next(iter(table["item"]), None)
    expected, do = like(some, log.items)
    if has:
        do = f"{has[0]} holds some: pass mapping={{'item': '{has[0]}'}}"
    do = do or "write ids alike in both files: 001, 1 and 1.0 are three"
    raise DataError(f"no item is one of the log: {some!r}", where, expected, do)


def _counts(table: pd.DataFrame, log: Interactions) -> list[str]:
    """How many items only one of the two knows."""
    known = table["item"].isin(log.items)
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
