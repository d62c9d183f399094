"""The page on the forget screen: its sentences and its table, the rows that carry each line, and what
became of it. A line says up to three claims: the rows are those of all, the fate is that of the worst."""

from __future__ import annotations

from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from workbench.reports.forms import Line, buttons, checked, head_of, lines_of
from workbench.reports.sentences import plain, templates
from workbench.views.screen.told import both

if TYPE_CHECKING:
    from workbench.ledger import Forgetting

Told = dict[str, Any]
WORST = ("gone", "back", "weakened", "new", "changed", "kept")
"""Fates, the worst first: of a line with a claim that is gone nothing is said any more."""


def paged(forgetting: Forgetting, sentences: list[Told]) -> Told:
    """The page as the screen draws it: `head` of the table, `lines` (those of the new page among
    them), `buttons`, and `margin`, the name of what is folded below: the `sentences` claim by
    claim, which know rows and fates."""
    before, after = forgetting.before, forgetting.after
    known = {one["claim"]: one for one in sentences}
    old, new = (lines_of(report) for report in (before, after))
    later = {line.claims: line for line in new}
    lines = [_line(line, later.get(line.claims), known) for line in old]
    # what only the new page says
    added = {line.claims for line in new} - {line.claims for line in old}
    for line in new:
        if line.claims in added:
            own = _line(line, line, known)
            lines.append(own | {"fate": "new", "cause": _cause("new", line, known)})
    # under its heading, after what stood there before
    order = ["", *templates()["page"]["headings"].values()]
    lines.sort(key=lambda one: order.index(one["section"]))
    heads = zip_longest(head_of(before) or head_of(after), head_of(after), fillvalue="")
    head = [both(one, other or one) for one, other in heads]
    for one in lines:
        # a table of another page may have fewer columns
        one["cells"] += [[""]] * (len(head) - len(one["cells"])) if one["cells"] else []
    # what the buttons are about
    offers = forgetting.services[1].evidence(forgetting.user).offers
    pick = int(offers["pick"]) if "pick" in offers else None
    told = {"buttons": buttons(after), "margin": checked(before), "pick": pick}
    return {"head": head, "lines": lines, **told}


def _line(line: Line, now: Line | None, known: dict[str, Told]) -> Told:
    """A line of the page, and how it reads now: as it was, where the new page has no room for what
    still holds."""
    own = [known[claim] for claim in line.claims]
    fates = [one["fate"] for one in own if one["fate"]]
    fate = min(fates, key=WORST.index, default=None)
    text, then = plain(line.text), plain((now or line).text)
    if fate in ("kept", "changed"):
        fate = "kept" if text == then else "changed"
    row = zip_longest(line.cells, (now or line).cells, fillvalue="")
    return {
        # apart from the sentence of its claim alone
        "claim": "page " + " ".join(line.claims),
        "kind": "page",
        "section": line.heading,
        "text": text,
        "after": None if fate == "gone" else then,
        "told": both(text, then),
        "cells": [both(*pair) for pair in row],
        "rows": _rows(own),
        # the first of its claims is what it is about
        "smallest": next((one["smallest"] for one in own if one["smallest"]), []),
        "fate": fate,
        "cause": _cause(fate, line, known),
    }


def _cause(fate: str | None, line: Line, known: dict[str, Told]) -> str | None:
    """Why: the cause of the first claim that has this fate."""
    own = (known[claim] for claim in line.claims)
    return next((one["cause"] for one in own if fate and one["fate"] == fate), None)


def _rows(own: list[Told]) -> list[list[float]]:
    """The rows of several claims, heaviest first: weight, the mean of theirs."""
    sums: Counter[int] = Counter()
    for one in own:
        for row, weight in one["rows"]:
            sums[row] += weight / len(own)
    rows = sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))
    return [[row, round(weight, 6)] for row, weight in rows]
