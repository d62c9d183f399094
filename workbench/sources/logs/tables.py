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
from workbench.sources.columns import as_ids, as_numeric, log_of, name_or_number, require
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

CHANGE = {"user": as_ids, "item": as_ids, "session": name_or_number, "basket": name_or_number}
"""What becomes of a column, by its role."""


@dataclass(frozen=True)
class Preview:
    """First rows of a file, its columns, and the mapping role → column that their names suggest."""

    rows: pd.DataFrame
    columns: pd.DataFrame
    mapping: dict[str, str]

    def __repr__(self) -> str:
        guess = ", ".join(f"{role}={column}" for role, column in self.mapping.items())
        size = f"{len(self.rows)} rows, {len(self.columns)} columns"
        return f"Preview({size}; guess: {guess or 'none'})"

    def to_frame(self) -> pd.DataFrame:
        """One row per column: [column, dtype, example, role]."""
        return self.columns

    def _repr_html_(self) -> str:
        first = self.rows.astype(str).to_dict("records")
        columns = self.columns.to_dict("records")
        return html.table(columns, "Columns") + html.table(first, "First rows")


def preview(
    path: str | Path, n: int = 5, mapping: dict[str, str] | None = None, **options: object
) -> Preview:
    """Look at the first `n` rows of a table before mapping its columns; options as for
    `read_table`.

    mapping: role → column, laid over what the names suggest; a role given as "" is left out.
    """
    rows = read_frame(found(path), nrows=n, **options)
    named = {}
    for column in reversed(rows.columns):
        plain = str(column).split(":")[0].lower()
        named[re.sub(r"[^a-z]", "", plain)] = str(column)
    # of each role the first name that a column has
    guess = {}
    for role, names in ROLES.items():
        guess[role] = next((named[name] for name in names.split() if name in named), None)
    guess = {role: column for role, column in (guess | (mapping or {})).items() if column}
    roles = {column: role for role, column in guess.items()}
    typed = rows.apply(as_numeric)
    columns = pd.DataFrame({"column": rows.columns, "dtype": typed.dtypes.astype(str).to_numpy()})
    columns["example"] = rows.iloc[0].astype(str).to_numpy() if len(rows) else ""
    columns["role"] = [roles.get(column, "") for column in rows]
    return Preview(typed, columns, guess)


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
    raw = read_frame(path, **options)
    taken = {"user": "user", "item": "item"} | mapping
    require(raw, taken.values(), path.name)
    # the same columns by their roles
    table = pd.DataFrame({role: raw[column] for role, column in taken.items()})
    for role, change in CHANGE.items():
        if role in table:
            table[role] = change(table[role])
    if "action" in table and actions:
        names = {str(code): name for code, name in actions.items()}
        table["action"] = table["action"].astype(str).replace(names)
    if "timestamp" in table:
        table["timestamp"] = as_times(table["timestamp"], len(table), path.name, time_unit)
    return log_of(table, path.name, users=users, items=items)
