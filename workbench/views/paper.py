"""A report on paper: as text for a console, as one HTML file, and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import ConfigError
from workbench.html import visible
from workbench.reports import Report
from workbench.reports.forms import buttons, checked, head_of, margin_of, sections
from workbench.views.text import in_columns
from workbench.whole import whole_file

WIDE = 88
"""Letters of a line in a console."""
MARKS = '<meta name="generator" content="workbench report">', "<!-- workbench report "
"""What says that a file was written here: in its first kilobyte, before anything from data."""
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
html { color-scheme: light dark; }
table { border-collapse: collapse; }
tr { border-top: 1px solid gray; }
th { font-weight: 400; }
summary { cursor: pointer; }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{mark}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page for one shopper</title>
<style>{style}</style>
</head>
<body>
<main>{page}</main>
</body>
</html>
"""


def report_file(report: Report, path: Path) -> Path:
    """Write a report as .html or .md, whole or not at all; raises as `suffix_of`."""
    make = markdown if suffix_of(path) == ".md" else report_page
    with whole_file(path, ours=_ours) as new:
        new.write_text(make(report), encoding="utf-8", newline="\n")
    return path


def suffix_of(path: Path) -> str:
    """The suffix of a file that a report can be written to; raises `ConfigError` for another, and
    where something is there that was not written here."""
    suffix = path.suffix.lower()
    if suffix not in (".html", ".htm", ".md"):
        raise other_suffix(path, "a name that ends in .html or .md")
    if path.is_dir() or path.is_symlink() or (path.exists() and not _ours(path)):
        raise foreign_file(path, "a new file, or an older export of a report")
    return suffix


def other_suffix(path: Path, expected: str, do: str | None = None) -> ConfigError:
    """The error of a file that cannot be written under its name."""
    what = f"cannot write {path.suffix or 'a file without a suffix'}"
    return ConfigError(what, str(path), expected, do)


def foreign_file(path: Path, expected: str) -> ConfigError:
    """The error of a name under which something stands that no export wrote."""
    what, do = "is there, and no export wrote it", "choose another name, or take it away"
    return ConfigError(what, str(path), expected, do)


def _ours(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(1_000)
    return any(mark.encode() in start for mark in MARKS)


def report_page(report: Report) -> str:
    """One HTML file that asks for nothing."""
    return PAGE.format(mark=MARKS[0], style=STYLE, page=report._repr_html_())


def markdown(report: Report) -> str:
    """The page and its margin as Markdown: text from data is never taken for markup."""
    parts = [f"{MARKS[1]}{report.report} -->"]
    for heading, sentences, rows in sections(report):
        parts += [f"## {plainly(heading)}"] if heading else []
        parts += [" ".join(map(plainly, sentences))] if sentences else []
        if rows:
            head = head_of(report)
            lined = [_row(head), "|---" * len(head) + "|", *map(_row, rows)]
            parts.append("\n".join(lined))
    if report.claims:
        parts.append(" · ".join(f"\\[{word}\\]" for word in buttons(report).values()))
    parts.append(f"<details><summary>{checked(report)}</summary>")
    for name, said in margin_of(report):
        parts += [f"### {plainly(name)}", "\n".join(f"- {plainly(one)}" for one in said)]
    return "\n\n".join([*parts, "</details>"]) + "\n"


def plainly(text: str) -> str:
    """A text in which Markdown finds nothing to do.

    >>> plainly("<b> [a](http://b) *c*")
    '\\\\<b\\\\> \\\\[a\\\\](http\\\\://b) \\\\*c\\\\*'
    """
    told = re.sub(r"([\\`*_\[\]<>#!&~|@$])|(:)(?=//)|(?<=www)(\.)", r"\\\g<0>", visible(text))
    # a number or a dash at the beginning would make a list
    return re.sub(r"^(\d+)([.)])(?=\s|$)|^([-+=])", lambda m: f"{m[1] or ''}\\{m[2] or m[3]}", told)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(plainly, cells))} |"


def console(report: Report) -> str:
    """The page as plain text: the table in columns, and what the margin would hold."""
    return visible("\n\n".join(_console(report)))


def _console(report: Report) -> Iterator[str]:
    for heading, sentences, rows in sections(report):
        text = textwrap.fill(" ".join(map(visible, sentences)), WIDE)
        yield f"{heading.upper()}\n{text}" if heading else text
        if rows:
            cells = [head_of(report), *([*map(visible, row)] for row in rows)]
            yield "\n".join(in_columns(cells))
    if report.claims:
        yield "  ".join(f"[{word}]" for word in buttons(report).values())
    yield checked(report)
