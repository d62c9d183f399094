"""What is known of the items themselves: titles, categories, brands, prices, topics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.checks import as_numbers, checked_codes, like, refuse, require
from workbench.errors import DataError, UnknownItem, typed

REQUIRED = ("item", "title", "category", "brand", "price")


@dataclass(frozen=True)
class Catalogue:
    """One row per item code, and the topics of each item (a long table: an item may have several).

    frame: item int32 (0, 1, 2, …), title, category, brand, price (NaN where unknown), and whatever
    else the source has; `kind`, where it has one, names what a product is, finer than its category:
    products of one kind are substitutes; a number `rating` says which of them is better. topics:
    [item, topic]; an item's category, where one is known, is one of its topics.
    """

    frame: pd.DataFrame
    topics: pd.DataFrame

    @classmethod
    @typed
    def from_table(
        cls,
        table: pd.DataFrame,
        topics: pd.DataFrame | None = None,
        where: str = "catalogue",
        items: pd.Index | Sequence | None = None,
    ) -> Catalogue:
        """Check a table with one row per item code; absent category, brand and price are filled
        with unknowns.

        items: the index of a log, where the column `item` (of both tables) holds original ids: then
        rows of other items go, and an item without a row has no title. Raises `DataError`.

        >>> shop = pd.DataFrame({"item": ["b7", "a1"], "title": ["Pan", "Pot"]})
        >>> Catalogue.from_table(shop, items=["a1", "b7"]).title(0)
        'Pot'
        """
        # both tables hold what they must, an item once
        do = "call one so: table.rename(columns={'…': '{column}'})"
        require(table, ["item", "title"], where, do)
        if topics is not None:
            require(topics, ["item", "topic"], f"topics of {where}", do)
        again = table["item"].duplicated() & table["item"].notna()
        do = "keep one row per item: table.drop_duplicates('item')"
        what, expected = "item {value} is repeated in {place}", "one row per item"
        refuse(table["item"], again, what, where, expected, do)
        frame = table.copy()
        if items is not None:
            index = pd.Index(items)
            if not frame["item"].isin(index).any():
                some = next(iter(frame["item"]), None)
                raise DataError("no item is one of the log", where, *like(some, index))
            codes = pd.DataFrame({"item": range(len(index))})
            frame = _coded(frame, index).merge(codes, how="right")
            topics = None if topics is None else _coded(topics, index)
        for column, default in {"title": "", "category": "unknown", "brand": ""}.items():
            if column not in frame:
                frame[column] = default
            frame[column] = frame[column].astype(str).fillna(default)
        frame["price"] = as_numbers(frame["price"], where) if "price" in frame else np.nan
        if set(frame["item"]) != set(range(len(frame))):
            do = "pass items=log.items where the column holds original ids"
            expected = "one row per item of the log"
            raise DataError("item codes are not 0, 1, 2, …", where, expected, do)
        frame = frame.astype({"item": "int32"}).sort_values("item", ignore_index=True)
        # a category that is unknown is no topic
        both = frame.query("category != 'unknown'")[["item", "category"]]
        both.columns = ["item", "topic"]
        if topics is not None:
            if not topics["item"].isin(frame["item"]).all():
                what = "a topic of an item that is not there"
                raise DataError(what, where, "item codes of the catalogue")
            both = pd.concat([both, topics[["item", "topic"]]])
        both = both.astype({"item": "int32"}).drop_duplicates()
        both = both.sort_values(["item", "topic"], ignore_index=True)
        return cls(frame[[*REQUIRED, *frame.columns.difference(REQUIRED, sort=False)]], both)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"Catalogue({len(self):,} items, {self.topics['topic'].nunique()} topics)"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over both tables: equal for equal catalogues."""
        text = self.frame.to_csv(index=False) + self.topics.to_csv(index=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """One row per item."""
        return self.frame

    def head(self, n: int = 5) -> pd.DataFrame:
        """The first items, each with its topics."""
        rows = self.frame.head(n)
        return rows.assign(topics=[", ".join(self.topics_of(item)) for item in rows["item"]])

    def _repr_html_(self) -> str:
        return html.table(self.head().to_dict("records"), repr(self))

    def items_of(self, topic: str) -> np.ndarray:
        """Codes of the items of a topic, ascending; raises `UnknownItem` for a topic nobody has."""
        if topic not in list(self._items):
            some = ", ".join(sorted(map(str, self._items))[:8]) or "none"
            raise UnknownItem(f"no item has the topic {topic!r}", "topic", f"one of {some}, …")
        return self._items[topic]

    @cached_property
    def _items(self) -> dict[str, np.ndarray]:
        parts = self.topics.groupby("topic")["item"]
        return {topic: items.to_numpy() for topic, items in parts}

    def topics_of(self, item: int) -> list[str]:
        """The topics of one item; raises `UnknownItem`."""
        return self._topics.get(self._code(item), [])

    @cached_property
    def _topics(self) -> dict[int, list[str]]:
        return self.topics.groupby("item")["topic"].agg(list).to_dict()

    @cached_property
    def kind(self) -> np.ndarray:
        """What each item is, (n_items,): its kind, or its category where the catalogue has no
        kinds; "" where it does not say."""
        column = self.frame["kind" if "kind" in self.frame else "category"]
        kind = column.fillna("").astype(str).replace("unknown", "")
        return kind.to_numpy(dtype=object)

    @cached_property
    def facts(self) -> dict[str, np.ndarray]:
        """Category and brand of each item, (n_items,) of text."""
        return {name: self.frame[name].to_numpy(dtype=object) for name in ("category", "brand")}

    @cached_property
    def rating(self) -> np.ndarray:
        """Ratings (n_items,), NaN where there is none; a column of words (PG-13) is none."""
        column = self.frame.get("rating")
        if column is None or not pd.api.types.is_numeric_dtype(column):
            return np.full(len(self), np.nan)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)

    def title(self, item: int) -> str:
        """The title of one item; raises `UnknownItem`."""
        return str(self._titles[self._code(item)])

    @cached_property
    def _titles(self) -> np.ndarray:
        return self.frame["title"].to_numpy(dtype=object)

    def _code(self, item: int) -> int:
        return int(checked_codes([item], len(self), "catalogue", UnknownItem)[0])


def _coded(table: pd.DataFrame, items: pd.Index) -> pd.DataFrame:
    """The rows whose original id an index lists, by its codes."""
    table = table.assign(item=items.get_indexer(table["item"]))
    return table[table["item"] >= 0]
