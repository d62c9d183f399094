"""The page of a report where it is looked at: its lines, and the same as HTML that keeps its meaning
without styles: headings, sentences, one table, what can be pressed, and the margin folded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from workbench.html import TEXT, content_id, escape
from workbench.reports.sentences import plain, section_name, templates

if TYPE_CHECKING:
    from workbench.reports.writer import Report


class Line(NamedTuple):
    """A sentence of the page, or a row of its table: its heading, its text, the claims it says."""

    heading: str
    text: str
    claims: tuple[str, ...]

    @property
    def cells(self) -> list[str]:
        """The cells of a row; none of a sentence."""
        return cells(self.text)


def cells(text: str) -> list[str]:
    """The cells of a row of a table; none of any other text.

    >>> cells("| our pick | | 7.95 |")
    ['our pick', '', '7.95']
    """
    return [cell.strip() for cell in text.strip()[1:-1].split("|")] if text[:1] == "|" else []


def lines_of(report: Report) -> list[Line]:
    """The page line by line; one without claims where there is nothing to say."""
    headings = templates()["page"]["headings"]
    lines = [
        Line(headings[one.section], report.text[one.start : one.end], tuple(one.claims))
        for one in report.sentences.itertuples()
    ]
    return lines or [Line("", report.text, ())]


def head_of(report: Report) -> list[str]:
    """The cells of the table's head; none where there is no table."""
    return next((cells(line) for line in report.text.split("\n") if line[:1] == "|"), [])


def buttons(report: Report) -> dict[str, str]:
    """What can be pressed under a page: its name, and its words; nothing cheaper is asked for where
    nobody knows what the pick costs."""
    words = dict(templates()["page"]["buttons"])
    picks = [one for one in report.claims if (one.kind, one.relation) == ("row", "pick")]
    # the value of a row is its price
    if not any(isfinite(one.value) for one in picks):
        del words["budget"]
    return words


def checked(report: Report) -> str:
    """What the margin holds, and what it does not."""
    told = [f"For whoever checks: {_count(len(report.claims), 'claim')}"]
    told += [f"{_count(report.unsaid, 'claim')} left unsaid"] if report.unsaid else []
    failed = len(report.dropped)
    told += [f"{_count(failed, 'claim')} left out, as the check refused"] if failed else []
    refused = len(report.refused)
    told += [f"{_count(refused, 'sentence')} refused"] if refused else []
    return "; ".join(told)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def margin_of(report: Report) -> list[tuple[str, list[str]]]:
    """Every claim in a sentence of its own, by heading, and what came of a writer."""
    grouped = groupby(report.single.itertuples(), key=lambda row: row.section)
    told = [(section_name(name), [plain(one.text) for one in rows]) for name, rows in grouped]
    wording = report.wording
    return told if wording is None else [*told, (wording.HEADING, wording.lines)]


def sections(report: Report) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Every heading with its sentences and the rows of its table."""
    for heading, lines in groupby(lines_of(report), key=lambda line: line.heading):
        said = list(lines)
        sentences = [line.text for line in said if not line.cells]
        yield heading, sentences, [line.cells for line in said if line.cells]


def page_html(report: Report) -> str:
    """The report as escaped HTML; equal reports give equal text."""
    parts = []
    for heading, sentences, rows in sections(report):
        parts.append(f"<h4>{escape(heading)}</h4>" if heading else "")
        parts.append(f"<p>{' '.join(map(escape, sentences))}</p>" if sentences else "")
        cells = [[*map(escape, row)] for row in (head_of(report), *rows)]
        parts.append(page_table(cells[0], cells[1:]) if rows else "")
    # nothing can be pressed without a kernel: then the buttons are words
    words = " · ".join(f"[{escape(word)}]" for word in buttons(report).values())
    parts.append(f"<p><small>{words}</small></p>" if report.claims else "")
    # the researcher's part, folded
    body = "".join(
        f"<h4>{escape(name)}</h4><ul>{''.join(f'<li>{escape(one)}</li>' for one in said)}</ul>"
        for name, said in margin_of(report)
    )
    note = f"<p><small>{escape(repr(report))}</small></p>"
    parts.append(f"<details><summary>{escape(checked(report))}</summary>{body}{note}</details>")
    return f'<article id="{content_id("report", report.hash)}">{"".join(parts)}</article>'


def page_table(head: list[str], rows: list[list[str]]) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f'<th scope="col"{TEXT}>{cell}</th>' for cell in head)
    body = ""
    for first, *rest in rows:
        others = "".join(f"<td{TEXT}>{cell}</td>" for cell in rest)
        body += f'<tr><th scope="row"{TEXT}>{first}</th>{others}</tr>'
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
