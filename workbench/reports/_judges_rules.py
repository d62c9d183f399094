"""Judges by rule: three that like what is no finding, and one that reads."""

from __future__ import annotations

import re

from workbench.reports.sentences import count_words


def first(visits: str, one: str, other: str) -> int:
    """Whatever stands first."""
    return 0


def longer(visits: str, one: str, other: str) -> int | None:
    """The page with more words."""
    return _more(*(count_words(page) for page in (one, other)))


def more_cited(visits: str, one: str, other: str) -> int | None:
    """The page with more marks of citations, whatever they point at."""
    return _more(*(len(re.findall(r"\[\d+\]", page)) for page in (one, other)))


def reads_visits(visits: str, one: str, other: str) -> int | None:
    """The page whose opening (its first section) shares more of the words of the visits."""
    said = [set(re.findall(r"\w{3,}", page.split("\n## ")[0].lower())) for page in (one, other)]
    told = set(re.findall(r"\w{3,}", visits.lower()))
    return _more(*(len(words & told) for words in said))


def _more(one: float, other: float) -> int | None:
    return None if one == other else int(other > one)
