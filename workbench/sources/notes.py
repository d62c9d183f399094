"""What ought to be known of a table that can be read: its times, blanks in ids, actions without a
rank, ratings, columns that nobody reads."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from workbench.data.interactions import FUNNEL, Interactions

HUNDRED = "19|20"
DATE_NUMBER = rf"({HUNDRED})\d\d(0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])(\d\d){{0,3}})?(\.0)?"
"""20190131, 201901, 2019013123: a date written as a number."""
LONG = 5
"""Examples that a sentence gives."""


class Notes(NamedTuple):
    """Sentences about a log that was read: facts, doubts that it was read rightly, and the columns
    that nobody reads."""

    facts: list[str]
    doubts: list[str]
    left: list[str]

    @property
    def all(self) -> list[str]:
        """Doubts last, where they are seen."""
        return [*self.facts, *self.left, *self.doubts]


def notes_of(log: Interactions, times: pd.Series | None, left: list[str], dropped: int) -> Notes:
    """What is to be said of a log. times: as its file wrote them; left: columns that nobody reads;
    dropped: rows of an action that was to be left out."""
    facts = [span(log)]
    if dropped:
        facts.append(f"{dropped:,} rows of actions that are to be left out are left out")
    actions = log.frame["action"].value_counts()
    actions = actions[actions > 0]
    if list(actions.index) != ["interaction"]:
        counts = [f"{name} {count:,}" for name, count in actions.items()]
        facts.append(f"actions: {_some(counts, 12)}")
        unranked = [str(name) for name in actions.index if name not in FUNNEL]
        if unranked:
            what = (
                f"without a rank in {' < '.join(FUNNEL)}, so counted as any row: {_some(unranked)}"
            )
            one = unranked[0]
            do = (
                f"actions={{'{one}': '…'}} says which one it is, drop=['{one}'] leaves its rows out"
            )
            facts.append(f"{what}; {do}")
    low, high = log.frame["value"].min(), log.frame["value"].max()
    if not pd.isna(low):
        what = f"values from {low:g} to {high:g}: every row counts as a like, a low one too"
        least = least_liked(log.frame["value"])
        facts.append(f"{what}; keep_at_least(log, {least:g}) leaves out those below {least:g}")
    named = [f"columns that nobody reads: {', '.join(left)}"] if left else []
    return Notes(facts, [*doubts_of(log, times), *blanks_of(log)], named)


def least_liked(values: pd.Series) -> float:
    """The smallest of the values that lies in the uppermost quarter of their range: 4 of 1 to 5."""
    low, high = values.min(), values.max()
    return float(values[values >= low + 0.75 * (high - low)].min())


def span(log: Interactions) -> str:
    """The first and the last time of a log, and how many rows have none."""
    times = log.frame["timestamp"]
    absent = int(times.isna().sum())
    if absent == len(times):
        return "no times: the order is that of the file"
    first, last = (f"{time:%Y-%m-%d %H:%M}" for time in (times.min(), times.max()))
    without = f"; {absent:,} rows have no time" if absent else ""
    return f"times from {first} to {last} (UTC){without}"


def doubts_of(log: Interactions, raw: pd.Series | None = None) -> list[str]:
    """What speaks against the times of a log; raw: as its file wrote them."""
    times = log.frame["timestamp"]
    first, last = times.min(), times.max()
    if pd.isna(first):
        return []
    said, start, year = [], pd.Timestamp(0, tz="UTC"), pd.Timedelta(days=365)
    units = "name their unit (time_unit='s' or 'ms') or form (time_unit='%Y%m%d')"
    numbers = raw is not None and not pd.api.types.is_datetime64_any_dtype(raw)
    shown = raw.head(1000).dropna().astype("str") if numbers else pd.Series(dtype="str")
    if len(shown) and shown.str.fullmatch(DATE_NUMBER).all():
        what = f"times such as {shown.iloc[0]} look like dates, not like a count since 1970"
        said.append(f"{what}; {units}")
    elif start - year < first and last < start + year:
        what = f"all times fall in 1970 ({first:%Y-%m-%d %H:%M} to {last:%m-%d %H:%M})"
        said.append(f"{what}: another unit, a date or the day of a spreadsheet; {units}")
    elif first <= start < last and (zero := int((times == start).sum())):
        said.append(f"{zero:,} times are 1970-01-01 00:00: a 0 where no time is known?")
    if last > pd.Timestamp("2100-01-01", tz="UTC"):
        said.append(f"times up to {last:%Y-%m-%d}; {units}")
    return said


def blanks_of(log: Interactions) -> list[str]:
    """Ids that begin or end with a blank, and those they differ from in nothing else."""
    said = []
    for name, index in (("user", log.users), ("item", log.items)):
        if not pd.api.types.is_string_dtype(index):
            continue
        bare = index.str.strip()
        odd = index[bare != index]
        if len(odd):
            twins = [f"{one!r} and {one.strip()!r}" for one in odd if one.strip() in index]
            pairs = f", and are not the {name} without: {_some(twins)}" if twins else ""
            what = f"{len(odd):,} {name} ids begin or end with a blank ({_some(map(repr, odd))})"
            said.append(what + pairs)
    return said


def _some(names: object, most: int = LONG) -> str:
    names = list(names)
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
