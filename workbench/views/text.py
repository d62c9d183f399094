"""Texts from data where they are looked at: nothing hidden in them, and none longer than is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.html import visible

if TYPE_CHECKING:
    from workbench.data import Interactions

LONGEST = 120
"""Letters of a title, a topic or a name that are shown."""


def brief(text: object, most: int = LONGEST) -> str:
    """The beginning of a text that is too long to be read, and how long it is.

    >>> brief("abcdef", 3)
    'abc… (6 letters)'
    """
    said = str(text)
    return f"{said[:most]}… ({len(said):,} letters)" if len(said) > most else said


def line(text: object) -> str:
    """Any value as one line of a console: nothing hides, nothing breaks it.

    >>> line("a\\tb\\n")
    'a␉b␊'
    """
    return visible(text).replace("\n", "␊").replace("\t", "␉")


def unarmed(value: object) -> object:
    """Text that a spreadsheet shows and does not compute; other values as they are.

    >>> unarmed("=1+1"), unarmed("tea"), unarmed(1)
    ("'=1+1", 'tea', 1)
    """
    text = line(value)
    armed = isinstance(value, str) and text[:1] in tuple("=+-@")
    return f"'{text}" if armed else text if isinstance(value, str) else value


def in_columns(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines, column below column."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, wide)) for row in rows)
    return [line.rstrip() for line in lines]


def coded(log: Interactions, user: int | str) -> int:
    """The code of a user who is named by code, or by an id as text; raises `UnknownUser`.

    >>> coded(log, "shopper 310"), coded(log, 310)  # doctest: +SKIP
    (310, 310)
    """
    code = log.user_code(user) if isinstance(user, str) else user
    log.check_user(code)
    return int(code)
