"""A whole data set: its log, its catalogue and its people, on common indexes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.errors import DataError
from workbench.sources.columns import as_ids, require


class Dataset(NamedTuple):
    """What a reader of a whole data set returns; `users` has one row per user code (column `user`,
    then attributes)."""

    log: Interactions
    catalogue: Catalogue
    users: pd.DataFrame

    def __repr__(self) -> str:
        return f"Dataset({self.log}, {self.catalogue}, {self.users.shape[1] - 1} user attributes)"


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
