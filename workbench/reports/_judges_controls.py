"""Pages that differ in what is no finding: cut, told twice, with marks of citations."""

from __future__ import annotations

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
    kept = ""
    for line in text.splitlines(keepends=True):
        for sentence in [line] if line[:1] in "#|" else line.replace(". ", ".\0 ").split("\0"):
            if count_words(kept + sentence) > words:
                return _headed(kept)
            kept += sentence
    return _headed(kept)


def _headed(text: str) -> str:
    """A text without a last heading that heads nothing."""
    body, _, last = text.rstrip().rpartition("\n")
    return body.rstrip() if last.startswith("#") else text.rstrip()


def even(one: str, other: str) -> tuple[str, str]:
    """Two pages cut to the words of the shorter, at the end of a sentence: the one that was cut ends up
    some words shorter, 2 to 9 on the pages of notebook 14."""
    words = min(count_words(one), count_words(other))
    return cut(one, words), cut(other, words)


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
