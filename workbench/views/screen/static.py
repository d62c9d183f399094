"""The forget screen without scripts: what the live one shows first, in words and marks that keep
their meaning when every style is removed.

"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from workbench.html import content_id, escape
from workbench.views.look import GONE, LIT, NEW, PANEL, edged
from workbench.views.screen.static_report import static_report
from workbench.views.screen.told import because
from workbench.views.text import brief

State = dict[str, Any]
CELL = "text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere;padding:.5em"
TABLE = "table-layout:fixed;border-collapse:collapse;margin:.4em 0;font-size:.95em"
PRESS = "; run this cell to press <i>Forget</i>"
"""What a saved notebook tells, and a file does not."""
FIRST = 12
"""Products of the history that stand open."""


def static_screen(state: State) -> str:
    """A forget screen (the JSON of `state`) as escaped HTML; equal states give equal text."""
    rows, topic = state["history"], state["topic"]
    # an id of what is drawn: how long a file took, how the answer came, and words are no part of it
    told_apart = state.keys() - {"seconds", "controls", "causes"}
    drawn = {key: state[key] for key in told_apart}
    name = content_id("screen", json.dumps(drawn, sort_keys=True, default=str))
    # whose screen, and how much is gone
    removed = sum(row["removed"] for row in rows)
    told = f"{len(rows)} rows, nothing forgotten yet{PRESS}"
    if removed:
        told = f"{removed} of {len(rows)} rows forgotten"
    # the sentence that the live screen has picked when it opens
    free = [one for one in _everything(state) if one["smallest"] and not one["fate"]]
    picked = free[0] if free else None
    source = state.get("provenance")
    parts = [
        f'<p><b style="font-size:1.35em">{_text(state["user"]["name"])}</b>: {told}</p>',
        _switches(state["switches"], state.get("seconds")),
        _table([_history(rows, picked), static_report(state, picked)], (45, 55)),
        _table(_lists(state["lists"], state["exposure"], topic), (33, 33, 34)),
        "".join(f"<p>{escape(line)}</p>" for line in state["footer"]),
        _grounds(state),
        f"<p><small>{escape(source)}</small></p>" if source else "",
    ]
    return f'<div id="{name}" style="line-height:1.35">{"".join(parts)}</div>'


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
    title = f"<b>History</b> <small>{len(products)} products, {len(rows)} rows</small>"
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
    """Now, after, never had it: a cell each."""
    now, after, never = (lists[name] or [] for name in ("now", "after", "never"))
    pressed = lists["after"] is not None
    before, later = ({one["item"] for one in part} for part in (now, after))
    # what leaves the list is struck out
    kept = [_item(one, struck=pressed and one["item"] not in later) for one in now]
    # what is deleted and offered again, and what is new
    offered = []
    for one in after:
        new = "" if one["item"] in before else "+ new here"
        offered.append(_item(one, "⟲ deleted, offered again" if one["deleted"] else new))
    # in how many lists of the others it stands
    shares = [_item(one, f"{one['share']:.0%}") for one in never]
    empty = "no row left, no list" if pressed else "nothing forgotten yet"
    columns = (
        ("as served before", "Now", kept, "no row, no list"),
        ("after", "After", offered, empty),
        ("never had", "Never had it", shares, "nobody to compare with"),
    )
    seen = {row["row"]: row for row in exposure} if topic else {}
    # headings, with the topic's share in the list
    cells = []
    for name, title, lines, empty in columns:
        shown = f"<ol>{''.join(lines)}</ol>" if lines else f"<p>{empty}</p>"
        met = _exposure(seen.get(name), topic) if lines else ""
        cells.append(f"<b>{title}</b>{met}{shown}")
    return cells


def _item(one: dict[str, Any], note: str = "", struck: bool = False) -> str:
    title = f"<s>{_text(one['title'])}</s>" if struck else _text(one["title"])
    title = f"<b>■ {title}</b>" if one["topic"] else title
    look = edged({"⟲": GONE, "+": NEW}.get(note[:1], ""))
    told = f" <small>{note}</small>" if note else ""
    return f'<li style="{look}">{title}{told}</li>'


def _exposure(row: dict[str, Any] | None, topic: object) -> str:
    """Is the topic in the list, or in how many lists of comparable shoppers?"""
    if row is None or row["value"] is None:
        return ""
    told = "in this list" if row["value"] else "not in this list"
    if row["n"] != 1:
        low, high = row["low"], row["high"]
        between = "" if low is None else f" [{low:.0%} to {high:.0%}]"
        told = f"in {row['value']:.0%}{between} of {row['n']:,} lists"
    return f"<br><small>■ {_text(topic)}: {told}</small>"


def _switches(switches: list[dict[str, Any]], seconds: object) -> str:
    said = []
    for one in switches:
        mark = ("☑" if one["on"] else "☐") if one["enabled"] else "–"
        why = "" if one["enabled"] else f" <small>({escape(one['help'].split(':')[0])})</small>"
        stale = f" <b>{escape(one['stale'])}</b>" if one.get("stale") else ""
        ways = _ways(one, stale, seconds) or stale
        said.append(f"{mark}\u00a0{escape(one['label'])}{why}{ways}")
    return f"<p><b>Take away from</b> {' &nbsp; '.join(said)}</p>"


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
        count = len(one["rows"])
        carried = f"{count} row{'' if count == 1 else 's'}; fewest found to end it, weights as they are: {some}{more}"
        cause = because(one["fate"], one["cause"], state.get("causes"))
        why = f" <i>{escape(cause)}</i>" if cause else ""
        told = escape(carried) if count else "the catalogue alone"
        lines.append(f"<li>{escape(one['text'])} <small>{told}.{why}</small></li>")
    title = "What each sentence rests on"
    return f"<details><summary>{title}</summary><ul>{''.join(lines)}</ul></details>"


def _table(cells: list[str], widths: tuple[int, ...]) -> str:
    """Columns beside each other, also where no style sheet is heard; the cells are HTML already."""
    body = []
    for cell, wide in zip(cells, widths, strict=True):
        # said twice: where styles are taken away, and where a notebook's own sheet aligns cells
        body.append(f'<td valign="top" width="{wide}%" style="{CELL};{PANEL}">{cell}</td>')
    return f'<table width="100%" style="{TABLE}"><tbody><tr>{"".join(body)}</tr></tbody></table>'
