"""What every check returns: one long table, with a null and a control in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from workbench import html

COLUMNS = ["check", "row", "estimate", "low", "high", "null_low", "null_high", "n", "fires"]
CONTROL = "retrain"
"""The row of retrains that are held against retrains."""
DRAWS = 1_000
"""Draws of an interval."""


@dataclass(frozen=True, eq=False)
class Audit:
    """Lines of one check or several: [check, row, estimate, low, high, null_low, null_high, n, fires].

    row: a method, or a control. low, high: 95 % over people. null: where 95 % of the estimates lie
    for models that never saw the rows. fires: the estimate lies outside the null, and so it would
    with other people and seeds (`_null.py`). One line in twenty or so fires by chance. each: what
    stands behind, a line a unit and row.
    """

    table: pd.DataFrame
    each: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def __repr__(self) -> str:
        checks, lines = self.table["check"].nunique(), int(self.table["fires"].sum())
        return f"Audit({checks} checks: {lines} of {len(self.table)} lines fire)"

    def _repr_html_(self) -> str:
        said = self.table["fires"].map({True: "outside the null", False: ""})
        rows = self.table.assign(fires=said).to_dict("records")
        return html.table(rows, "Audit: estimate with 95 % interval, beside retrain vs retrain")

    def to_frame(self) -> pd.DataFrame:
        """The lines."""
        return self.table.copy()

    def line(self, row: str, check: str | None = None) -> pd.Series:
        """One line by its row, and by its check where there are several."""
        found = self.table[self.table["row"] == row]
        return (found if check is None else found[found["check"] == check]).iloc[0]


def joined(*audits: Audit) -> Audit:
    """Several checks as one table; `each` of all of them."""
    parts = [one.each for one in audits if len(one.each)]
    tables = [one.table for one in audits if len(one.table)]
    each = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Audit(pd.concat(tables, ignore_index=True)[COLUMNS], each)


def outside(low: float, high: float, null: Sequence[float]) -> bool:
    """Whether a whole interval lies outside its null: for lines that nothing pairs."""
    return bool(low > null[1] or high < null[0])
