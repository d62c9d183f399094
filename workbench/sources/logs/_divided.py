"""What the layouts share that are published already divided."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.sources.columns import as_ids


def divided(table: pd.DataFrame, where: str, **roles: str) -> Split:
    """One log of the whole table, and the Split by its column `part` (0 train, 1 valid, 2 test,
    else none)."""
    ids = {roles[role]: as_ids(table[roles[role]]) for role in ("user", "item")}
    log = Interactions.from_table(table.assign(**ids), where=where, **roles)
    part = table["part"].to_numpy()[log.frame["interaction"].to_numpy()]
    return Split(*(log.select(part == code) for code in range(3)), how="published")


def together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other, each row still called by its line."""
    return pd.concat(tables).rename_axis(index="line")
