"""Requests as people write them down: a table of their rows, in their own ids."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.data.checks import as_codes, columns_of, require
from workbench.data.times import as_moment
from workbench.errors import DataError, UnknownItem, UnknownUser
from workbench.unlearning.requests import Request, check_apart, numbered

COLUMNS = ("interaction", "user", "item", "request", "reason", "time")


def requests_from(
    table: pd.DataFrame, log: Interactions, reason: str = "sensitive"
) -> list[Request]:
    """Requests as people write them down, signed against the log.

    table: either `interaction` (ids), or `user` with `item` (original ids; a line without an item is
    the whole account), and if wanted `request` (lines of one name are one request, as those of one
    user are without it), `reason` and `time`. Requests come by time where there are times, else as
    they first appear. Raises `DataError` for other columns and for lines of which the log has no
    row, `UnknownUser` and `UnknownItem` for ids that it does not list.

    >>> requests_from(pd.DataFrame({"user": ["u1"], "item": ["Pan"]}), log)  # doctest: +SKIP
    [Request(0: 2 rows, sensitive)]
    """
    where = "requests_from"
    odd = [name for name in table.columns if name not in COLUMNS]
    if odd:
        raise DataError(f"column {odd[0]!r}", where, f"some of {', '.join(COLUMNS)}")
    # what each line names
    named = _ids_of(table, log, where) if "interaction" in table else _rows_of(table, log, where)
    # lines that belong together
    owner = log.frame.set_index("interaction")["user"]
    named["group"] = owner.loc[named["interaction"]].to_numpy()
    if "request" in table:
        named["group"] = pd.factorize(table["request"].iloc[named["line"]])[0]
    first = named.groupby("group", sort=False)["line"].first()
    found = []
    for group, line in first.items():
        ids = named.loc[named["group"] == group, "interaction"]
        why = str(table["reason"].iloc[line]) if "reason" in table else reason
        when = as_moment(table["time"].iloc[line], "time") if "time" in table else None
        found.append(Request(0, ids.unique(), why, when))
    found = numbered(found, by_time="time" in table)
    check_apart(found)
    return [one.signed(log) for one in found]


def _ids_of(table: pd.DataFrame, log: Interactions, where: str) -> pd.DataFrame:
    """[line, interaction] of a table of ids."""
    require(table, ["interaction"], where)
    ids = table["interaction"]
    log.only(ids)  # refuses what are no ids of this log
    return pd.DataFrame({"line": range(len(ids)), "interaction": ids.to_numpy()})


def _rows_of(table: pd.DataFrame, log: Interactions, where: str) -> pd.DataFrame:
    """[line, interaction] of a table of users, and items or none."""
    raw = columns_of(table, {"user": "user"}, where)
    lines = pd.DataFrame({"line": range(len(table))})
    lines["user"] = as_codes(raw["user"], log.users, UnknownUser, where)[1]
    item = table["item"] if "item" in table else pd.Series([None] * len(table), index=table.index)
    whole = item.isna().to_numpy()
    one = lines[~whole].copy()
    if len(one):
        one["item"] = as_codes(item[~whole], log.items, UnknownItem, where)[1]
    rows = log.frame[["interaction", "user", "item"]]
    keys = ["user", "item"] if len(one) else ["user"]
    found = [lines[whole].merge(rows, on="user"), one.merge(rows, on=keys)]
    named = pd.concat(found)[["line", "interaction"]].sort_values(["line", "interaction"])
    bare = np.setdiff1d(lines["line"], named["line"])
    if len(bare):
        said = table.iloc[bare[0]].to_dict()
        raise DataError(f"the log has no row for {said}", where, "rows of the log")
    return named.reset_index(drop=True)
