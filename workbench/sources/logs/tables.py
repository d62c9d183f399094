"""Tables with named columns: a look at one, and the log of one.

Ids that are all whole numbers become integers, others stay text, so `007` and `7` remain two ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError, WorkbenchError, typed
from workbench.sources.columns import (
    as_ids,
    as_moments,
    as_numeric,
    log_of,
    require_roles,
    roles_of,
    tell,
)
from workbench.sources.files import found, read_frame
from workbench.sources.guesses import NAMES, ROLES, both_of, guess_roles, looks_like_values
from workbench.sources.notes import Notes, notes_of
from workbench.sources.prices import as_prices

SEEN = 1_000
"""Rows that `preview` reads to say what they hold."""
WIDE = 40
"""Letters of a value that `preview` shows."""
FORM = ("sep", "encoding", "names")
"""Options that say how a file is written; the others say what it means."""


@dataclass(frozen=True)
class Preview:
    """First rows of a file, its columns, the mapping role → column that their names suggest, and
    what ought to be known of the rows."""

    rows: pd.DataFrame
    columns: pd.DataFrame
    mapping: dict[str, str]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        guess = ", ".join(f"{role}={column}" for role, column in self.mapping.items())
        size = f"{len(self.rows)} rows, {len(self.columns)} columns"
        return f"Preview({size}; guess: {guess or 'none'})"

    def __str__(self) -> str:
        columns = self.columns.assign(role=self.columns["role"].replace("", "-"))
        return "\n".join([columns.to_string(index=False), *self.notes])

    def to_frame(self) -> pd.DataFrame:
        """One row per column: [column, dtype, example, role]."""
        return self.columns

    def _repr_html_(self) -> str:
        rows = self.rows.astype(str)
        names = list(rows.columns)
        before = [names[:place].count(name) for place, name in enumerate(names)]
        rows.columns = [
            f"{name} ({n})" if n else name for name, n in zip(names, before, strict=True)
        ]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        tables = html.table(self.columns.to_dict("records"), "Columns")
        tables += html.table(rows.to_dict("records"), "First rows")
        return f"{tables}<ul>{notes}</ul>" if notes else tables


class Reading:
    """A table on its way to a log: which column is what, and what ought to be known of it.

    Made of rows as `read_frame` gives them; `log` is what they are once everything is checked.
    """

    @typed
    def __init__(
        self,
        raw: pd.DataFrame,
        mapping: dict[str, str],
        where: str,
        *,
        time_unit: str = "s",
        actions: dict[str | int, str] | None = None,
        users: pd.Index | Sequence | None = None,
        items: pd.Index | Sequence | None = None,
    ) -> None:
        taken = {"user": "user", "item": "item"}
        taken |= roles_of({}, mapping, (*ROLES, "interaction"))
        require_roles(raw, taken, where)
        columns = [part for column in taken.values() for part in both_of(column, raw)]
        # the same columns by their roles; a date and a time of day are one time
        table = {role: _joined(raw, column) for role, column in taken.items()}
        table = pd.DataFrame(table, copy=False)
        self.times = None if "%" in time_unit else table.get("timestamp")
        for role, index in (("user", users), ("item", items)):
            if index is None or not pd.api.types.is_string_dtype(pd.Index(index)):
                table[role] = as_ids(table[role])
        table, dropped, unmet = _renamed(table, actions or {})
        try:
            self.log = log_of(
                _numbers(table, time_unit), where, time_unit, users=users, items=items
            )
        except DataError:  # once more, so that the cell is quoted as it is written
            self.log = log_of(table, where, time_unit, users=users, items=items)
        left = [str(column) for column in raw if column not in columns]
        self.notes: Notes = notes_of(self.log, self.times, left, dropped)
        if unmet:
            self.notes.doubts.append(f"no action is called {unmet}")


@typed
def preview(
    path: str | Path, n: int = 5, mapping: dict[str, str] | None = None, **options: Any
) -> Preview:
    """Look at the first `n` rows of a table before mapping its columns; options as for
    `read_table`.

    mapping: role → column, laid over what the names suggest; a role given as "" is left out. The
    notes say what the first thousand rows hold: the span of times, ids that differ in a blank,
    actions without a rank, columns that nobody reads. No more than these rows is read.
    """
    path = found(path)
    form = {key: options.pop(key) for key in FORM if key in options}
    raw = read_frame(path, nrows=max(n, SEEN), **_named(form))
    guess, said = guess_roles(raw, options.get("actions") or ())
    guess = roles_of(guess, mapping, (*ROLES, "interaction"))
    if not form.get("names"):
        said += [f"{what}; {NAMES}" for what in looks_like_values(raw)]
    try:
        notes = Reading(raw, guess, path.name, **options).notes
        said += [f"the first {len(raw):,} rows: {note}" for note in notes.all]
    except WorkbenchError as error:
        said.append(f"these rows make no log yet: {error}")
    return shown(raw, n, guess, said)


def shown(raw: pd.DataFrame, n: int, guess: dict[str, str], said: list[str]) -> Preview:
    """The preview of a table whose columns have these roles, and of which this is said."""
    roles = {part: role for role, column in guess.items() for part in both_of(column, raw)}
    typed = raw.head(n).apply(as_numeric)
    columns = pd.DataFrame({"column": raw.columns, "dtype": typed.dtypes.astype(str).to_numpy()})
    columns["example"] = raw.iloc[0].astype(str).str[:WIDE].to_numpy() if len(raw) else ""
    columns["role"] = [roles.get(column, "") for column in raw]
    return Preview(typed, columns, guess, tuple(said))


@typed
def read_table(
    path: str | Path,
    mapping: dict[str, str] | None = None,
    *,
    time_unit: str = "s",
    actions: dict[str | int, str] | None = None,
    sep: str | None = None,
    encoding: str = "utf-8",
    names: Sequence[str] | str | None = None,
    users: pd.Index | Sequence | None = None,
    items: pd.Index | Sequence | None = None,
) -> Interactions:
    """Read a log from a table: CSV, TSV, JSON lines, parquet (a folder of parts too) or feather,
    packed or not.

    mapping: role → column, roles as in `ROLES` and `interaction`; without it the guess of
    `preview`. A time in two columns is "date+time". time_unit: of numeric times (s, ms, us, ns), or
    the form of dates ("%d.%m.%Y %H:%M"). actions: new names, {"1": "view", "return": ""}; rows of
    one that is called "" are left out. sep: as the first line shows unless told. names: of the
    columns, for a file without a header. users, items: indexes to code by, whose type ids take.

    A rating read as `value` changes nothing by itself: every row counts as a like, one star too,
    until `keep_at_least(log, 4)` leaves the others out. Warns of columns that nobody reads, times
    that look wrong, and ids that differ in a blank. Raises `DataError` naming file and line.

    >>> read_table("clicks.csv", {"user": "customer", "item": "sku", "timestamp": "when"})  # doctest: +SKIP
    """
    meaning = {"time_unit": time_unit, "actions": actions, "users": users, "items": items}
    form = {"sep": sep, "encoding": encoding, "names": names}
    path = found(path)
    read = read_noted(path, mapping, form, meaning)
    for note in (*read.notes.doubts, *read.notes.left):
        tell(f"{path.name}: {note}")
    return read.log


def read_noted(
    path: Path, mapping: dict[str, str] | None, form: dict[str, Any], meaning: dict[str, Any]
) -> Reading:
    """The whole table of a file, its log and its notes; form: arguments of `read_table` named in
    `FORM`, meaning: the others."""
    form = _named(form)
    raw = read_frame(path, **form)
    if not form.get("names"):
        for said in looks_like_values(raw):
            raise DataError(said, path.name, "names of columns", NAMES)
    actions = meaning.get("actions") or ()
    guess = guess_roles(raw.head(SEEN), actions)[0] if mapping is None else dict(mapping)
    return Reading(raw, guess, path.name, **meaning)


def _named(form: dict[str, Any]) -> dict[str, Any]:
    """The form of a file with its names in a list; a card keeps them in one text."""
    names = form.get("names")
    return form | {"names": names.split(",") if isinstance(names, str) else names}


def _joined(raw: pd.DataFrame, column: str) -> pd.Series:
    """A column, or the text of two with a blank between."""
    first, *rest = both_of(column, raw)
    joined = raw[first]
    for name in rest:
        joined = joined.astype("str") + " " + raw[name].astype("str")
    return joined


def _numbers(table: pd.DataFrame, time_unit: str) -> pd.DataFrame:
    """The table with numbers where text says nothing else, which costs less here than cell by
    cell."""
    change = {"session": as_ids, "basket": as_ids, "value": _values, "timestamp": as_moments}
    if "%" in time_unit:
        del change["timestamp"]
    return table.assign(**{role: change[role](table[role]) for role in change if role in table})


def _values(column: pd.Series) -> pd.Series:
    """Numbers where all are, 4,5 and 12,50 EUR too; anything else as it is."""
    column = as_numeric(column)
    if pd.api.types.is_numeric_dtype(column):
        return column
    numbers, _, doubts = as_prices(column)
    return column if doubts else numbers


def _renamed(table: pd.DataFrame, actions: dict[str | int, str]) -> tuple[pd.DataFrame, int, str]:
    """The table with its actions renamed, those called "" left out, how many these were, and the
    names that no row has, with those that were seen; "" where each has one."""
    if not actions:
        return table, 0, ""
    if "action" not in table:
        do = "pass mapping={'action': '…'} with the name of its column"
        what = f"no column is the action: none alone holds {', '.join(map(str, actions))}"
        raise ConfigError(what, "actions", "new names of its values", do)
    names = {str(code): name for code, name in actions.items()}
    told = table["action"].notna()
    written = table["action"].astype(str)
    seen = set(written[told])
    unmet = ", ".join(sorted(names.keys() - seen))
    unmet += f" (seen: {', '.join(sorted(seen)[:12])})" * bool(unmet)
    table["action"] = written.replace(names).where(told)
    gone = table["action"] == ""
    if "interaction" not in table:
        table["interaction"] = np.arange(len(table))  # a row keeps its number in the file
    return table[~gone], int(gone.sum()), unmet
