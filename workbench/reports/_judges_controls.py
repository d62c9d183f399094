"""Pages that differ in what is no finding: cut, told twice, with marks of citations."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from workbench.errors import check_number
from workbench.reports.sentences import count_words, plain
from workbench.reports.writer import Report

MARKS = 3
"""Marks of citations a sentence at most."""


def cut(text: str, words: int) -> str:
    """The beginning of a page, whole lines and sentences, at most so many words (the table apart);
    a heading with nothing under it goes.

    >>> cut("## A\\n\\nOne two. Three four.\\n\\n## B\\n\\nFive.", 4)
    '## A\\n\\nOne two.'
    """
    check_number(0, words=words)
    kept = _begun(text, words, _sentences)
    body, _, last = kept.rstrip().rpartition("\n")
    return body.rstrip() if last.startswith("#") else kept.rstrip()


def _sentences(line: str) -> list[str]:
    return [line] if line.startswith("#") else line.replace(". ", ".\0 ").split("\0")


def _begun(text: str, words: int, parts: Callable[[str], list[str]]) -> str:
    """The parts of lines, rows of a table whole, that together have at most so many words."""
    kept = ""
    for line in text.splitlines(keepends=True):
        for part in [line] if line.startswith("|") else parts(line):
            if count_words(kept + part) > words:
                return kept
            kept += part
    return kept


def even(one: str, other: str) -> tuple[str, str]:
    """Two pages, each broken off after as many words, one fewer than the shorter has. A section that
    is missing may still tell which was the longer.

    >>> even("One two three.", "One. Two three four five.")
    ('One two …', 'One. Two …')
    """
    words = max(min(count_words(one), count_words(other)) - 1, 0)
    return _broken(one, words), _broken(other, words)


def _broken(text: str, words: int) -> str:
    # a heading with no word of it left goes, a row of a table stays a row
    kept = _begun(text, words, lambda line: re.split("(?<= )", line)).rstrip("# \n")
    return f"{kept}\n\n…" if kept.endswith("|") else f"{kept} …".strip()


def told_twice(report: Report) -> str:
    """The page, and each of its claims once more in a sentence of its own: longer, no finding more."""
    said = {name for names in report.sentences["claims"] for name in names}
    again = report.single[report.single["claim"].isin(said)]
    told = " ".join(plain(text).rstrip(".") + "." for text in again["text"])
    return f"{report.text}\n\n## Once more\n\n{told}"


def cited(report: Report, other: bool = False, seed: int = 0) -> str:
    """The page with marks such as [12] after its sentences, one for each of up to `MARKS` rows that
    carry the most, numbered as they come. other: as many marks of rows that do not carry it, drawn,
    where there are any."""
    rng = np.random.default_rng(seed)
    every = np.unique(report.support["interaction"])
    heavy = report.support.sort_values(["weight", "interaction"], ascending=[False, True])
    numbers: dict[int, int] = {}
    page, before = "", 0
    for one in report.sentences.itertuples():
        own = heavy.loc[heavy["claim"].isin(one.claims), "interaction"]
        rows = own.drop_duplicates().tolist()[:MARKS]
        foreign = np.setdiff1d(every, own)
        if other and len(foreign):
            rows = rng.choice(foreign, min(len(rows), len(foreign)), replace=False).tolist()
        page += report.text[before : one.end]
        # the cells of a table stay as they are; a mark is no word of its own
        if report.text[one.start] != "|":
            page += "".join(f"[{numbers.setdefault(row, len(numbers) + 1)}]" for row in rows)
        before = one.end
    return page + report.text[before:]
