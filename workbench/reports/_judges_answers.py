"""Pairs of pages, what was chosen of them, and the shares that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.errors import DataError, check_number
from workbench.html import visible
from workbench.reports.evidence import Evidence
from workbench.statistics import wilson

Judge = Callable[[str, str, str], int | None]
"""(visits, first page, second page) → 0, 1, or None where it cannot choose."""


class Pair(NamedTuple):
    """Two pages to choose from, by what they are, and what the judge is told of the shopper."""

    name: str
    pages: Mapping[str, str]
    visits: str = ""


def last_visits(evidence: Evidence, visits: int = 3) -> str:
    """What the shopper did on the last visits, a line a row: the action, and the product; "" where
    nothing is known.

    >>> print(last_visits(service.evidence(3), visits=1))  # doctest: +SKIP
    Visit 1, 29 August:
    - view: Verdane daily folic acid, 90 tablets
    """
    check_number(1, visits=visits)
    deeds = evidence.deeds
    rows = evidence.log.deeds.rows_of(evidence.user)
    lines = []
    known = deeds.ago[deeds.ago < visits]
    for number, ago in enumerate(sorted({*known.tolist()}, reverse=True), 1):
        part = rows[deeds.ago == ago]
        when = part["timestamp"].iloc[0]
        day = "" if pd.isna(when) else f", {when.day} {when:%B}"
        lines.append(f"Visit {number}{day}:")
        for row in part.itertuples():
            lines.append(f"- {row.action}: {visible(evidence.catalogue.title(row.item))}")
    return "\n".join(lines)


def ask(judge: Judge, pairs: Iterable[Pair]) -> pd.DataFrame:
    """Each pair in both orders: [reader, pair, first, second, chosen], two rows a pair.

    first, second: what stood there; chosen: what was chosen, "" where nothing was. reader: the name
    of the judge. Raises `DataError` for a pair that is not two pages, and for another answer.
    """
    rows = []
    for pair in pairs:
        if len(pair.pages) != 2:
            raise DataError(f"{len(pair.pages)} pages", f"pair {pair.name}", "two")
        for names in (tuple(pair.pages), tuple(pair.pages)[::-1]):
            answer = judge(pair.visits, *(pair.pages[name] for name in names))
            if answer not in (0, 1, None):
                raise DataError(f"the answer {answer!r}", "judge", "0, 1 or None")
            chosen = "" if answer is None else names[answer]
            who = getattr(judge, "__name__", type(judge).__name__)
            rows.append((who, pair.name, *names, chosen))
    return pd.DataFrame(rows, columns=["reader", "pair", "first", "second", "chosen"])


def preferred(asked: pd.DataFrame, name: str) -> dict[str, float]:
    """Share of readers and pairs in which the page of this name was chosen: share, low, high, n;
    both orders together, where nothing was chosen one half. 95 %, Wilson."""
    of = asked["first"].eq(name) | asked["second"].eq(name)
    return _share(asked[of], asked.loc[of, "chosen"].eq(name))


def position(asked: pd.DataFrame) -> dict[str, float]:
    """Share of answers that chose what stood first: share, low, high, n, as `preferred`. One half for
    a judge that gives the same answer in both orders, and for one that tosses a coin."""
    return _share(asked, asked["chosen"].eq(asked["first"]))


def _share(asked: pd.DataFrame, chosen: pd.Series) -> dict[str, float]:
    """Mean over readers and pairs, each counted once whatever the orders."""
    values = chosen.astype(float).mask(asked["chosen"] == "", 0.5)
    each = values.groupby([asked["reader"], asked["pair"]]).mean()
    if not len(each):
        return {"share": np.nan, "low": np.nan, "high": np.nan, "n": 0}
    low, high = wilson(float(each.sum()), len(each))
    return {"share": float(each.mean()), "low": low, "high": high, "n": len(each)}
