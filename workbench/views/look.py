"""How static forms look: style attributes, since hosts that show a notebook take style sheets away.

They lay themselves over the page's own colours, light or dark, and are the live forms' colours and
edges: `static/base.css` says them once more.
"""

from __future__ import annotations

from collections.abc import Iterable

from workbench.html import content_id, escape

ORANGE, BLUE = "230,97,1", "33,113,199"
"""Apart for the colour-blind."""
STRENGTH = 0.65
"""How far the strongest colour covers the page: its ink, light or dark, stays readable."""
EDGE = "border:1px solid rgba(128,128,128,.4)"
PANEL = f"{EDGE};background:rgba(128,128,128,.09)"
COLUMNS = "display:flex;flex-wrap:wrap;gap:.5em;align-items:stretch"
"""Cards beside each other, one under the other where there is no room, or no style."""
SMALL = "font-size:.84em"
"""Headings of a section, and numbers."""


def over(colour: str, share: float) -> str:
    """A colour laid over the page."""
    return f"background:rgba({colour},{share:.2f})"


LIT, GONE, NEW = over("255,190,40", 0.25), over(ORANGE, 0.16), over(BLUE, 0.16)
"""What lies under what carries the sentence that is looked at, was deleted, or is new."""
EDGES = {LIT: "200,140,0", GONE: ORANGE, NEW: BLUE}


def edged(ground: str = "", edge: str = "transparent") -> str:
    """A line of a list, with an edge of its ground's colour."""
    edge = f"rgba({EDGES[ground]},.9)" if ground else edge
    return f"{ground};border-left:.25em solid {edge};padding:.1em .4em".lstrip(";")


LINES = ("#2171c7", "#e66101", "#0b9270", "#b05bb8", "#b88a00", "#8d6e63")
"""Of lines in a chart, in their order: blue and orange as above; each shows on light and dark."""
GREY = "#8a8f98"


def framed(name: str, parts: Iterable[str], source: str = "", style: str = "") -> str:
    """A drawing as one element, its id made of what is drawn, with a small line below that says where
    it is from."""
    body = "".join([*parts, f"<p><small>{escape(source)}</small></p>" if source else ""])
    style = f' style="{style}"' if style else ""
    return f'<div id="{content_id(name, body)}"{style}>{body}</div>'
