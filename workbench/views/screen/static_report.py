"""The report on a forget screen without scripts: the page with its table, and its margin folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.html import escape
from workbench.reports.forms import page_table
from workbench.views.look import LIT, NEW, SMALL
from workbench.views.screen.told import because, words
from workbench.views.text import brief

State = dict[str, Any]
WHOLE = "overflow-wrap:normal"
"""No word is broken, where a narrow cell would."""


def static_report(state: State, picked: dict[str, Any] | None) -> str:
    """The page as it reads, each sentence with its mark, and below it every claim, folded."""
    causes = state.get("causes")

    def said(one: dict[str, Any]) -> str:
        text = _marked(one, _told(one["told"]), causes)
        return f'<u style="{LIT}">{text}</u>' if one is picked else text

    key = " <small>underlined: picked, carried by the ◆ and ● on the left</small>" if picked else ""
    title = f"<b>Report</b>{key}"
    claims = "".join(_section(name, own, said) for name, own in _by_section(state["sentences"]))
    page = state.get("page")
    if page is None:
        return title + claims
    written = f"<br><small>{escape(page['written'])}</small>" if "written" in page else ""
    body = ""
    for name, lines in _by_section(page["lines"]):
        body += _section(name, [one for one in lines if not one["cells"]], said)
        rows = [_cells(one, one is picked, causes) for one in lines if one["cells"]]
        body += page_table([_head(cell) for cell in page["head"]], rows) if rows else ""
    # nothing can be pressed here: buttons are words
    words = " · ".join(f"[{escape(word)}]" for word in page["buttons"].values())
    # what a file makes anew stands open
    fold = "<details open>" if written else "<details>"
    margin = f"{fold}<summary>{escape(page['margin'])}</summary>{claims}</details>"
    changed = "".join(f"<p><b>{escape(one)}</b></p>" for one in state.get("changed", ()))
    return f"{title}{written}{changed}{body}<p><small>{words}</small></p>{margin}"


def _by_section(lines: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Lines by their heading, in the order in which the headings come."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for one in lines:
        sections.setdefault(one["section"], []).append(one)
    return list(sections.items())


def _section(name: str, own: list[dict[str, Any]], said: Callable[..., str]) -> str:
    """A heading and its sentences; a line of the comparison is no sentence."""
    if not own:
        return ""
    text = "".join(said(one) + (" " if one["text"].endswith(".") else "<br>") for one in own)
    return (
        f'<div style="margin-top:.4em"><b style="{SMALL}">{escape(brief(name))}</b><br>{text}</div>'
    )


def _head(told: list[str | list[str]]) -> str:
    return f'<span style="{WHOLE}">{_told(told)}</span>'


def _cells(one: dict[str, Any], picked: bool, causes: dict[str, Any] | None) -> list[str]:
    """A row of the table: its first cell bears the mark."""
    first, *rest = (_told(cell) for cell in one["cells"])
    first = _marked(one, first, causes)
    gone = one["fate"] == "gone"
    rest = [f"<s>{cell}</s>" if gone and cell else cell for cell in rest]
    # numbers are not broken within themselves
    rest[1:] = [f'<span style="{WHOLE}">{cell}</span>' for cell in rest[1:]]
    return [f'<u style="{LIT}">{first}</u>' if picked else first, *rest]


def _told(told: list[str | list[str]]) -> str:
    """Text with its numbers: one that is another now stands beside the old one."""
    parts = []
    for part in told:
        if isinstance(part, str):
            parts.append(escape(part))
        else:
            old, new = (escape(text) or "–" for text in part)
            parts.append(f"{old} → <b>{new}</b>")
    return " ".join(parts)


def _marked(one: dict[str, Any], text: str, causes: dict[str, Any] | None) -> str:
    """A text that says what became of it."""
    if not one["fate"]:
        return text
    mark, word = words()["fate"].get(one["fate"], ("", ""))
    # of what came back also why
    why = because("back", one["cause"], causes) if one["fate"] == "back" else ""
    cause = f" <small>({escape(why)})</small>" if why else ""
    if one["fate"] == "gone":
        text = f"<s>{text}</s>"
    ground = NEW if one["fate"] in ("back", "new") else ""
    return f'<span style="{ground}">{text} <b>{mark}\u00a0{escape(word)}</b>{cause}</span>'
