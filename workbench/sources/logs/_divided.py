"""What the layouts share that are published already divided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from workbench.data.splits import Split
from workbench.sources.columns import as_ids, log_of


def divided(table: pd.DataFrame, where: str) -> Split:
    """One log of the whole table, whose columns are called by their roles, and the Split by its
    column `part` (0 train, 1 valid, 2 test, else none)."""
    log = log_of(table.assign(user=as_ids(table["user"]), item=as_ids(table["item"])), where)
    part = table["part"].to_numpy()[log.frame["interaction"].to_numpy()]
    return Split(*(log.select(part == code) for code in range(3)), how="published")


def flat(lists: Sequence[Sequence], lines: Iterable[int]) -> pd.DataFrame:
    """Lists below each other as a table [row, item]: every item with the number of its list, called
    by the line in which the list stands."""
    columns = {"row": range(len(lists)), "item": lists}
    table = pd.DataFrame(columns, index=pd.Index(lines, name="line"))
    return table.explode("item").dropna().astype({"item": "str"})


def together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other, each row still called by its line."""
    return pd.concat(tables).rename_axis(index="line")
