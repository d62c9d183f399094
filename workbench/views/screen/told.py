"""A sentence before and after: what stays as it is, what is another now, and words for what became
of it."""

from __future__ import annotations

import json
from itertools import groupby, takewhile
from operator import eq
from pathlib import Path
from typing import Any

WORDS = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))
"""Marks and words for fates and causes: the live screen reads the same table."""


def words(causes: dict[str, Any] | None = None) -> dict[str, Any]:
    """`WORDS` with the `causes` of the places at hand, as in the state."""
    return WORDS | {"cause": {**(causes or {}), **WORDS["cause"]}}


def both(text: str, after: str) -> list[str | list[str]]:
    """A sentence in two forms: the words they share, and [before, after] where they differ.

    >>> both("Of your list, 50% is tea.", "Of your list, 35% is tea.")
    ['Of your list,', ['50%', '35%'], 'is tea.']
    """
    old, now = text.split(" "), after.split(" ")
    pairs = list(zip(old, now, strict=False))
    if len(old) != len(now):
        # the words at both ends that they share, and one pair of what is between
        head = _alike(old, now)
        tail = _alike(old[head:][::-1], now[head:][::-1])
        inner = tuple(" ".join(words[head : len(words) - tail]) for words in (old, now))
        ends = [(word, word) for word in old]
        pairs = [*ends[:head], inner, *ends[len(old) - tail :]]
    parts: list[str | list[str]] = []
    for same, run in groupby(pairs, key=lambda pair: eq(*pair)):
        before, since = (" ".join(words) for words in zip(*run, strict=True))
        parts.append(before if same else [before, since])
    return parts


def _alike(one: list[str], other: list[str]) -> int:
    """With how many equal words two lists begin."""
    return sum(takewhile(bool, map(eq, one, other)))


def telling(told: list[str | list[str]]) -> str:
    """Both forms in one line of text.

    >>> telling(["Of your list,", ["50%", "35%"], "is tea."])
    'Of your list, 50% → 35% is tea.'
    """
    return " ".join(part if isinstance(part, str) else " → ".join(part) for part in told)


def because(fate: str | None, cause: str | None, causes: dict[str, Any] | None = None) -> str:
    """A cause in words: several places are joined by + in the state.

    >>> because("gone", "a + b", {"a": ["a was cleaned", ""], "b": ["b was struck", ""]})
    'a was cleaned and b was struck'
    """
    parts = (cause or "").split(" + ") if fate and fate != "kept" else []
    known = words(causes)["cause"]
    return " and ".join(known[part][fate == "back"] if part in known else part for part in parts)
