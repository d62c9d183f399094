"""A whole data set: its log, its catalogue and its people, on common indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.checks import refuse, require
from workbench.data.interactions import Interactions
from workbench.sources.columns import as_ids, log_of


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
    items: pd.DataFrame | None = None,
    people: pd.DataFrame | None = None,
    where: str = "table",
) -> Dataset:
    """Put log, items and users on common indexes; items that nobody met and items without a row
    both stay.

    table: the log, its columns called by their roles (others are left). items: one row per
    `item_id`; its `title` and its `topics`, a list, where it has them. people: one row per
    `user_id`.
    """
    if "value" in table and "action" not in table:
        table = table.assign(action="rating")
    item_ids, item = _index(table["item"], items, "item_id", where)
    user_ids, user = _index(table["user"], people, "user_id", where)
    log = log_of(table.assign(user=user, item=item), where, users=user_ids, items=item_ids)
    # what is known of the items, in the order of their codes
    facts = _described(item_ids, items, "item_id", ["title", "topics"])
    titles = pd.Series([f"item {item}" for item in item_ids])
    lists = facts.pop("topics").map(lambda topics: topics if isinstance(topics, list) else [])
    codes = np.arange(len(facts))
    facts = facts.assign(item=codes, title=facts["title"].fillna(titles), category=lists.str[0])
    long = pd.DataFrame({"item": codes, "topic": lists}).explode("topic").dropna()
    # and of the people
    known = _described(user_ids, people, "user_id")
    known.insert(0, "user", np.arange(len(known), dtype="int32"))
    return Dataset(log, Catalogue.from_table(facts, long, where=where), known)


def bare(log: Interactions, where: str) -> Catalogue:
    """A catalogue of items of which nothing is known: their titles are their ids."""
    titles = [f"item {item}" for item in log.items]
    table = pd.DataFrame({"item": np.arange(log.n_items), "title": titles})
    return Catalogue.from_table(table, where=where)


def _described(
    ids: pd.Index, table: pd.DataFrame | None, name: str, always: Sequence[str] = ()
) -> pd.DataFrame:
    """What a table says of these ids, one row each in their order; `always` are columns that are
    there even where it says nothing."""
    if table is None:
        return pd.DataFrame(index=range(len(ids)), columns=list(always), dtype=object)
    said = table.drop(columns=name).set_index(table[name].astype(ids.dtype)).reindex(ids)
    absent = dict.fromkeys(set(always) - set(said))
    return said.reset_index(drop=True).assign(**absent)


def _index(
    column: pd.Series, table: pd.DataFrame | None, name: str, where: str
) -> tuple[pd.Index, pd.Series]:
    """The ids of a log and of the table that describes them, as one sorted index; the log's column
    in its type."""
    own = pd.Series(dtype=column.dtype)
    if table is not None:
        beside = f"table beside {where}"
        require(table, [name], beside)
        own = table[name]
        wrong = own.isna() | own.duplicated()
        what = name + " {plain} in {place} is repeated or empty"
        refuse(own, wrong, what, beside, "every id once", "remove or repair it")
    # every id is looked at once, however many rows it has
    codes, values = pd.factorize(column.astype("str"))
    kind = as_ids(pd.concat([pd.Series(values), own.astype("str")])).dtype
    values, own = values.astype(kind), own.astype(kind)
    if (codes >= 0).all():
        column = pd.Series(values.take(codes), index=column.index)
    return pd.Index(sorted(set(values) | set(own))), column
