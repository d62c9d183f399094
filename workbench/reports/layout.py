"""Sentences laid out as a page of at most `WORDS` words.

Words are those of headings and sentences; the table is counted apart: it holds at most three products,
their names cut. What does not fit goes sentence by sentence, the least useful first; what they are
after, the pick and its reason, what speaks against it and what is not known always stay.
"""

from __future__ import annotations

from typing import NamedTuple

from workbench.reports.sentences import count_words, templates

WORDS = 120
"""Words of a page, the table apart."""
LEAST = ("differs", "left", "told", "changed", "outside", "else", "instead")
"""Parts that a page can do without, the least useful first."""


class Said(NamedTuple):
    """One sentence: its section, the part of the page that it is, its text, the claims it says."""

    section: str
    part: str
    text: str
    claims: tuple[str, ...]


def fitted(said: list[Said], head: str) -> tuple[str, list[tuple]]:
    """The sentences that fit under their headings, and where each stands: (start, end, claims, the
    first of them, section). head: the head of the table."""
    text, spans = laid_out(said, head)
    while count_words(text) > WORDS:
        spare = _least(said)
        if spare is None:
            break
        said = [one for one in said if one is not spare]
        text, spans = laid_out(said, head)
    return text, spans


def _least(said: list[Said]) -> Said | None:
    """The sentence to go first: the last of the least useful part; None where none can."""
    for part in LEAST:
        for one in reversed(said):
            # what speaks against the pick stays, were it only this
            alone = sum(other.section == one.section for other in said) == 1
            if one.part == part and not (alone and one.section == "against"):
                return one
    return None


def laid_out(said: list[Said], head: str) -> tuple[str, list[tuple]]:
    """The sentences under their headings, and where each stands, see `fitted`."""
    if not said:
        return templates()["page"]["unknown"]["nothing"], []
    page, spans, section = "", [], None
    for one in said:
        row = one.text.startswith("|")
        if one.section != section:
            page = page.rstrip() + f"\n\n## {templates()['page']['headings'][one.section]}\n\n"
        if row and not page.endswith("|\n"):
            page = page.rstrip() + "\n\n" + head
        section = one.section
        start = len(page.lstrip()) if not spans else len(page)
        page = page.lstrip() if not spans else page
        spans.append((start, start + len(one.text), one.claims, one.claims[0], section))
        page += one.text + ("\n" if row else " ")
    return page.rstrip(), spans
