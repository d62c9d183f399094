"""The forget screen without scripts: what the live one shows first, in words and marks that keep
their meaning when every style is removed.

"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from workbench.html import content_id, escape
from workbench.views.look import EDGE, GONE, LIT, NEW, PANEL, edged
from workbench.views.screen.answers import answers, count, margin, percent, result, topic_line
from workbench.views.screen.static_report import static_report
from workbench.views.screen.told import because, words
from workbench.views.text import brief

State = dict[str, Any]
CELL = "text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere;padding:.5em"
TABLE = "table-layout:fixed;border-collapse:collapse;margin:.4em 0;font-size:.95em"
PRESS = "; run this cell to press <i>Forget</i>"
"""What a saved notebook tells, and a file does not."""
ALONE = "; to press <i>Forget</i>, open this file in a browser that runs JavaScript"
"""What a file that computes tells in its place."""
FIRST = 12
"""Products of the history that stand open."""


def static_screen(state: State) -> str:
    """A forget screen (the JSON of `state`) as escaped HTML; equal states give equal text."""
    rows, topic = state["history"], state["topic"]
    # an id of what is drawn: how long a file took, how the answer came, and words are no part of it
    told_apart = state.keys() - {"seconds", "controls", "causes"}
    drawn = {key: state[key] for key in told_apart}
    name = content_id("screen", json.dumps(drawn, sort_keys=True, default=str))
    # whose screen, and what a press did
    did = f"{count(len(rows), 'thing')} done, nothing forgotten yet{PRESS}"
    told = escape(result(state)) or did
    # the sentence that the live screen has picked when it opens
    free = [one for one in _everything(state) if one["smallest"] and not one["fate"]]
    picked = free[0] if free else None
    source = state.get("provenance")
    # the list of today, and the others below the answers
    first, *rest = _lists(state["lists"], state["exposure"], topic)
    parts = [
        f'<p><b style="font-size:1.35em">{_text(state["user"]["name"])}</b>: {told}</p>',
        _switches(state["switches"], state.get("seconds")),
        _table([_history(rows, picked), static_report(state, picked), first + _answers(state)]),
        _table(rest),
        _grounds(state),
        _folded(words()["margin"], [escape(line) for line in margin(state)]),
        f"<p><small>{escape(source)}</small></p>" if source else "",
    ]
    return f'<div id="{name}" style="line-height:1.35">{"".join(parts)}</div>'


def _answers(state: State) -> str:
    """A line a question, and what answers it."""
    lines = []
    for question, told in answers(state):
        said = escape(" · ".join(told)) or "–"
        lines.append(f'<div style="{EDGE};border-width:1px 0 0"><b>{question}</b> {said}</div>')
    return "".join(lines)


def _everything(state: State) -> list[dict[str, Any]]:
    """The lines of the page, then every claim in a sentence of its own."""
    return [*state.get("page", {"lines": ()})["lines"], *state["sentences"]]


def _text(value: object) -> str:
    """A text from data: escaped, nothing hidden, not longer than is read."""
    return escape(brief(value))


def _history(rows: list[dict[str, Any]], picked: dict[str, Any] | None) -> str:
    """One line a product: what is deleted first, else what carries the picked sentence."""
    picked = picked or {"rows": (), "smallest": ()}
    weights = dict(picked["rows"])
    total = sum(weights.values()) or 1.0
    products: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        products.setdefault(row["item"], []).append(row)

    def heaviest(own: list[dict[str, Any]]) -> float:
        return -sum(10 * row["removed"] + weights.get(row["interaction"], 0) for row in own)

    lines = []
    for own in sorted(products.values(), key=heaviest):
        share = sum(weights.get(row["interaction"], 0) for row in own) / total
        least = any(row["interaction"] in picked["smallest"] for row in own)
        lines.append(_product(own, share, least))
    rest = lines[FIRST:]
    more = f"<details><summary>{len(rest)} more products</summary>{''.join(rest)}</details>"
    told = f"{count(len(products), 'product')}, {count(len(rows), 'thing')} done"
    title = f"<b>History</b> <small>{told}</small>"
    return title + "".join(lines[:FIRST]) + (more if rest else "")


def _product(own: list[dict[str, Any]], share: float, least: bool) -> str:
    row, gone = own[0], sum(one["removed"] for one in own)
    title = _text(row["title"])
    # what was done with it, and what became of that
    acts = Counter(one["action"] for one in own)
    told = [", ".join(f"{act} ×{n}" if n > 1 else act for act, n in acts.items())]
    told += [row["when"], brief(row["category"])]
    partly = f"{gone} of {len(own)} " if gone < len(own) else ""
    mark = ("◪ " if partly else "✗ ") if gone else ""
    carried = f" <b>{'◆' if least else '●'}\u00a0{share:.0%}</b>" if share else ""
    said = f"<s>{title}</s>" if gone == len(own) else title
    meta = escape(" · ".join(part for part in told if part))
    meta += f" · <b>{partly}deleted</b>" if gone else ""
    look = edged("", "gray") if gone else edged(LIT if share else "")
    return f'<div style="{look}">{mark}{said}{carried}<br><small>{meta}</small></div>'


def _lists(lists: dict[str, Any], exposure: list[dict[str, Any]], topic: str | None) -> list[str]:
    """A cell a list: the one of today first, now and after; then the others."""
    now, after, never = (lists[name] or [] for name in ("now", "after", "never"))
    pressed = lists["after"] is not None
    before, later = ({one["item"] for one in part} for part in (now, after))
    # what leaves the list is struck out
    kept = [_item(one, struck=pressed and one["item"] not in later) for one in now]
    # what is deleted and offered again, and what is new
    offered = []
    for one in after:
        new = "" if one["item"] in before else "+ new"
        offered.append(_item(one, "⟲ deleted, offered again" if one["deleted"] else new))
    # in how many lists of the others it stands
    shares = [_item(one, percent(one["share"])) for one in never]
    columns = [
        ("as served before", "Now", kept, "no list"),
        ("after", "After", offered, "nothing left, no list"),
        ("never had", "Never had it", shares, "nobody to compare with"),
    ]
    columns = [columns[1], columns[0], columns[2]] if pressed else [columns[0], columns[2]]
    seen = {row["row"]: row for row in exposure} if topic else {}
    cells = []
    for name, title, lines, empty in columns:
        shown = f"<ol>{''.join(lines)}</ol>" if lines else f"<p>{empty}</p>"
        met = topic_line(name, lists, seen, topic)
        cells.append(f"<b>{title}</b>{f'<br><small>{escape(met)}</small>' if met else ''}{shown}")
    return cells


def _item(one: dict[str, Any], note: str = "", struck: bool = False) -> str:
    title = f"<s>{_text(one['title'])}</s>" if struck else _text(one["title"])
    title = f"<b>■ {title}</b>" if one["topic"] else title
    look = edged({"⟲": GONE, "+": NEW}.get(note[:1], ""))
    told = f" <small>{note}</small>" if note else ""
    return f'<li style="{look}">{title}{told}</li>'


def _switches(switches: list[dict[str, Any]], seconds: object) -> str:
    """The places that the service has, each taken or left."""
    said = []
    for one in switches:
        if one["enabled"]:
            stale = f" <b>{escape(one['stale'])}</b>" if one.get("stale") else ""
            ways = _ways(one, stale, seconds) or stale
            said.append(f"{'☑' if one['on'] else '☐'}\u00a0{escape(one['label'])}{ways}")
    return f"<p><b>Forget it in</b> {' &nbsp; '.join(said)}</p>"


def _ways(one: dict[str, Any], stale: str, seconds: object) -> str:
    """Which way the rows leave this place, what it took and is known of it, and the other ways."""
    if not one.get("ways"):
        return ""
    took = seconds if isinstance(seconds, dict) else {}
    told = {}
    for way in one["ways"]:
        parts = [way["name"], seconds_of(took.get(way["name"])), way["verdict"]]
        told[way["name"]] = escape(" · ".join(part for part in parts if part))
    chosen = f'<span style="{PANEL};padding:0 .4em">{told.pop(one["way"])} ▾</span>'
    return f" {chosen}{stale} <small>(or: {'; '.join(told.values())})</small>"


def seconds_of(seconds: float | None) -> str:
    """Seconds to two digits, "" where there are none.

    >>> seconds_of(0.0123), seconds_of(123.4)
    ('0.012 s', '120 s')
    """
    return "" if seconds is None else f"{float(f'{seconds:.2g}'):g} s"


def _grounds(state: State) -> str:
    """What each sentence rests on and why it went, folded: rows by product and date."""
    named = {row["interaction"]: row for row in state["history"]}
    lines = []
    for one in _everything(state):
        # the fewest rows, by product and date
        rows = [named[row] for row in one["smallest"] if row in named]
        dated = dict.fromkeys(f"{row['title']} ({row['when'] or 'undated'})" for row in rows)
        some = "; ".join([*dated][:3]) or "none"
        more = f" and {len(dated) - 3} more" if len(dated) > 3 else ""
        # how many carry it, and what became of it
        carriers = len(one["rows"])
        carried = f"{count(carriers, 'thing')} you did; the fewest that end it: {some}{more}"
        cause = because(one["fate"], one["cause"], state.get("causes"))
        why = f" <i>{escape(cause)}</i>" if cause else ""
        told = escape(carried) if carriers else "the catalogue alone"
        lines.append(f"{escape(one['text'])} <small>{told}.{why}</small>")
    return _folded("What each sentence rests on", lines)


def _folded(title: str, lines: list[str]) -> str:
    body = "".join(f"<li>{line}</li>" for line in lines)
    return f"<details><summary>{title}</summary><ul>{body}</ul></details>"


WIDTHS = {1: (100,), 2: (50, 50), 3: (25, 42, 33)}
"""Of columns, in per cent."""


def _table(cells: list[str]) -> str:
    """Columns beside each other, also where no style sheet is heard; the cells are HTML already."""
    body = []
    for cell, wide in zip(cells, WIDTHS[len(cells)], strict=True):
        # said twice: where styles are taken away, and where a notebook's own sheet aligns cells
        body.append(f'<td valign="top" width="{wide}%" style="{CELL};{PANEL}">{cell}</td>')
    return f'<table width="100%" style="{TABLE}"><tbody><tr>{"".join(body)}</tr></tbody></table>'
