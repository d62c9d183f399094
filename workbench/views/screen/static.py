"""The forget screen without scripts: tables and words that keep their meaning when every style is
removed."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from workbench.html import content_id, escape


@cache
def _known() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def words(causes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Marks and words for fates and causes, shared with `screen.js`; `causes`: those of the places
    at hand, as in the state."""
    return _known() | {"cause": {**(causes or {}), **_known()["cause"]}}


def static_screen(state: dict[str, Any]) -> str:
    """A forget screen (the JSON of `state`) as escaped HTML; equal states give equal text."""
    rows, topic = state["history"], state["topic"]
    # an id of what is drawn: how long a file took, how the answer came, and words are no part of it
    drawn = {**state, "seconds": None}
    drawn.pop("controls", None)
    drawn.pop("causes", None)
    name = content_id("screen", json.dumps(drawn, sort_keys=True, default=str))
    # whose screen, and how much is gone
    removed = sum(row["removed"] for row in rows)
    told = f"{len(rows)} rows, nothing forgotten yet"
    if removed:
        told = f"{removed} of {len(rows)} rows forgotten"
    source = state.get("provenance")
    parts = [
        f"<p><b>{escape(state['user']['name'])}</b>: {told}</p>",
        f"<details><summary>History: {len(rows)} rows</summary>{_history(rows)}</details>",
        f"<p><b>Report</b></p>{_report(state['sentences'], state.get('causes'))}",
        f"<p><b>Lists</b> (■ {escape(topic)})</p>" if topic else "<p><b>Lists</b></p>",
        _lists(state["lists"]),
        _switches(state["switches"]) if removed else "",
        _exposure(state["exposure"], topic),
        "".join(f"<p>{escape(line)}</p>" for line in state["footer"]),
        f"<p><small>{escape(source)}</small></p>" if source else "",
    ]
    return f'<div id="{name}">{"".join(parts)}</div>'


def _history(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        title = escape(row["title"])
        if row["removed"]:
            title = f"<s>{title}</s>"
        topics = escape(", ".join(row["topics"]))
        mark = "✗ deleted" if row["removed"] else ""
        first = [escape(row[name]) for name in ("interaction", "when", "action")]
        lines.append(_line([*first, title, topics, mark]))
    return _table(["row", "when", "action", "product", "topics", ""], lines)


def _report(sentences: list[dict[str, Any]], causes: dict[str, Any] | None) -> str:
    lines = []
    for one in sentences:
        # the sentence, and the rows it stands on
        text = escape(one["text"])
        if one["fate"] == "gone":
            text = f"<s>{text}</s>"
        carried = "the catalogue alone"
        if one["rows"]:
            smallest = ", ".join(map(str, one["smallest"])) or "none"
            count = len(one["rows"])
            carried = f"{count} row{'' if count == 1 else 's'}, smallest set {smallest}"
        # what became of it, and why
        became = ""
        if one["fate"]:
            mark, word = words()["fate"].get(one["fate"], ("", ""))
            cause = because(one["fate"], one["cause"], causes)
            became = f"<b>{mark} {escape(word)}</b>" + (f": {escape(cause)}" if cause else "")
        lines.append(_line([escape(one["section"]), text, escape(carried), became]))
    return _table(["section", "sentence", "carried by", "after forgetting"], lines)


def because(fate: str | None, cause: str | None, causes: dict[str, Any] | None = None) -> str:
    """A cause in words: several places are joined by + in the state.

    >>> because("gone", "a + b", {"a": ["a was cleaned", ""], "b": ["b was struck", ""]})
    'a was cleaned and b was struck'
    """
    parts = (cause or "").split(" + ") if fate and fate != "kept" else []
    known = words(causes)["cause"]
    return " and ".join(known[part][fate == "back"] if part in known else part for part in parts)


def _lists(lists: dict[str, Any]) -> str:
    now, after, never = lists["now"], lists["after"], lists["never"] or []
    before = {one["item"] for one in now}
    shown: list[tuple[str, list[str]]] = [("now", [_item(one, "") for one in now])]
    if after is not None:
        lines = []
        for one in after:
            new = "" if one["item"] in before else "+ new here"
            lines.append(_item(one, "⟲ deleted, offered again" if one["deleted"] else new))
        shown.append(("after", lines))
    if never:
        shown.append(("never had it", [_item(one, f"{one['share']:.0%}") for one in never]))
    longest = max((len(lines) for _, lines in shown), default=0)
    rows = []
    for place in range(longest):
        cells = ["".join(lines[place : place + 1]) for _, lines in shown]
        rows.append(_line([str(place + 1), *cells]))
    return _table(["place", *(title for title, _ in shown)], rows)


def _item(one: dict[str, Any], note: str) -> str:
    mark = "<b>■</b> " if one["topic"] else ""
    return mark + escape(one["title"]) + (f" <i>({escape(note)})</i>" if note else "")


def _switches(switches: list[dict[str, Any]]) -> str:
    told = {True: "on", False: "off"}
    said = [f"{s['label']}: {told[bool(s['on'])] if s['enabled'] else s['help']}" for s in switches]
    return f"<p>Taken away from: {escape('; '.join(said))}</p>"


def _exposure(rows: list[dict[str, Any]], topic: str | None) -> str:
    if not topic or not rows:
        return ""
    lines = []
    for row in rows:
        between = "" if row["low"] is None else f" [{row['low']:.0%} to {row['high']:.0%}]"
        told = "nobody alike" if row["value"] is None else f"{row['value']:.0%}{between}"
        lines.append(_line([escape(row["row"]), told, f"{row['n']:,}"]))
    return _table(["list", f"with {topic} in it", "shoppers"], lines)


def _line(cells: list[str]) -> str:
    """A row of a table; the cells are HTML already."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _table(heads: list[str], lines: list[str]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
