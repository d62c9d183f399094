"""Prices as shops write them: 12,50 EUR, $1,299.00, 1.299,-."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

SIGN = r"(?:[^\d\s.,'+-]{1,5}\.?)?"
PRICE = re.compile(rf"({SIGN})\s*([+-]?[0-9][0-9.,'\s]*?)(?:([,.]?)[-–])?\s*({SIGN})")
"""A currency before or behind, and between them ASCII digits in groups; `,-` shows the decimal
sign."""


def as_prices(column: pd.Series, name: str = "price") -> tuple[pd.Series, list[str], list[str]]:
    """Prices as numbers, NaN where one is unknown, how they were read, and what could not be.

    Which of `.` and `,` stands before the decimals is told by the whole column: 1,299 alone may be
    either, and is unknown. So are all where currencies differ, as they cannot be compared.

    >>> as_prices(pd.Series(["12,50 EUR", "1.299,00 EUR"]))[0].tolist()
    [12.5, 1299.0]
    """
    plain, told = pd.to_numeric(column, errors="coerce"), column.notna()
    plain = plain.where(np.isfinite(plain))
    if not (told & plain.isna()).any():
        return plain, [], []
    # of each its currency and its digits
    parts = column[told].astype(str).map(lambda text: PRICE.fullmatch(text.strip()))
    parts = parts[parts.notna()]
    parts = parts[~parts.map(lambda part: bool(part[1] and part[4])).astype(bool)]
    signs = sorted(set(parts.map(lambda part: part[1] or part[4])) - {""})
    digits = parts.map(lambda part: re.sub(r"[\s']", "", part[2]))
    points = set(map(_point, digits + parts.map(lambda part: part[3] or ""))) - {None}
    if len(signs) > 1 or len(points) > 1:
        ways = f"several currencies ({', '.join(signs[:4])})"
        ways = ways if len(signs) > 1 else "both 12.50 and 12,50"
        said = f"{name}: written with {ways}, so all prices are unknown; write them in one way"
        return pd.Series(np.nan, column.index), [], [said]
    # whole groups of three, then decimals: anything else may be two numbers
    point = points.pop() if points else None
    group = "," if point == "." else "."
    whole = rf"[+-]?(\d+|\d{{1,3}}(\{group}\d{{3}})+)(\{point}(\d\d?|\d{{4,}}))?"
    sure = digits[digits.str.fullmatch(whole if point else r"[+-]?\d+")]
    sure = sure.str.replace(group, "", regex=False).str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(sure).reindex(column.index).astype("float64")
    # an example of what was read, and of what was not
    read, unclear = numbers.notna() & plain.isna(), told & numbers.isna()
    facts = [
        f"{name}: {one!r} is read as {value:g}" for one, value in _first(column, numbers, read)
    ]
    doubts = []
    for one, _ in _first(column, numbers, unclear):
        place = f"{column.index.name or 'row'} {column.index[unclear][0]}"
        count = int(unclear.sum())
        doubts.append(f"{name}: {count:,} prices are no numbers ({one!r} in {place}), and unknown")
    return numbers, facts, doubts


def _first(column: pd.Series, numbers: pd.Series, where: pd.Series) -> list[tuple[str, float]]:
    return list(zip(column[where][:1], numbers[where][:1], strict=True))


def _point(digits: str) -> str | None:
    """The sign before the decimals of one number, None where it shows none."""
    marks = re.findall("[.,]", digits)
    if not marks:
        return None
    last, other = marks[-1], "," if marks[-1] == "." else "."
    if other in marks:
        return last
    # 1,299,000 groups with a comma, 12,50 does not; 1,299 does not tell
    if len(marks) > 1:
        return other
    return None if len(digits) - digits.index(last) == 4 else last
