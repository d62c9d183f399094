"""Tables with named columns: a look at one, and the log of one.

Ids that are all whole numbers become integers, others stay text, so `007` and `7` remain two ids.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench import html
from workbench.data.checks import as_times
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError
from workbench.sources.columns import as_ids, as_numeric, name_or_number, require
from workbench.sources.files import found, read_frame

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
