"""The live token strip: what `static/strip*.js` is given, the widget, the marks that come back, and
the files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from workbench.errors import WorkbenchError
from workbench.html import content_id
from workbench.statistics import auc
from workbench.tokens.aggregate import MEANS, Pieces
from workbench.views.page import packed, page, read, write
from workbench.views.paper import other_suffix
from workbench.views.strip.text import readable

if TYPE_CHECKING:
    from workbench.views.strip.strip import TokenStrip

PARTS = ("values", "text", "parts", "tabs", "pinned")
SCRIPTS = ("text.js", *(f"strip_{part}.js" for part in PARTS), "strip.js")
Rescore = Callable[["TokenStrip", pd.DataFrame], pd.DataFrame]


def to_state(strip: TokenStrip) -> dict[str, Any]:
    """What the page needs, JSON throughout: arrays as base64 (float32, int32).

    `text` is the response with a sign for every hidden character, so that the page shows what
    nobody could see; `start` and `end` of a piece are UTF-16 units of it, `from` and `to`
    characters of the response itself.
    """
    shown, at = readable(strip.response)
    # for each character of the response, where it stands in the shown text in UTF-16 units
    units = [2 if sign > "\uffff" else 1 for sign in shown]
    wide = np.concatenate([[0], np.cumsum(units)])[at]
    tokens = strip.tokens
    state: dict[str, Any] = {
        "title": readable(strip.title)[0],
        "provenance": readable(strip.source)[0],
        "text": shown,
        "tokens": len(tokens),
        **{name: getattr(strip, name) for name in ("score", "scale", "threshold", "level")},
        "clip": list(strip.clip),
        "levels": [_level(name, part, wide) for name, part in strip.pieces.items()],
        "scores": _scores(tokens, strip.scores),
    }
    # what some strips have and others lack
    if strip.truth:
        state |= {"truth": packed(tokens[strip.truth], "u1"), "truth_name": strip.truth}
    if "kind" in tokens:
        state["kinds"] = {"name": "kind", "values": tokens["kind"].astype(str).tolist()}
    if {"log_prob_with", "log_prob_without"} <= set(tokens):
        state["given"] = {side: packed(tokens[f"log_prob_{side}"]) for side in ("with", "without")}
    if strip.against is not None:
        both = [name for name in strip.scores if name in strip.against]
        names = [readable(name)[0] for name in strip.names]
        state["against"] = {"names": names, "scores": _scores(strip.against, both)}
    if strip.memory is not None:
        names, grid, whole = strip.memory_grid
        items = [readable(name)[0] for name in names]
        state["memory"] = {"items": items, "values": packed(grid.ravel()), "whole": packed(whole)}
    if strip.film is not None:
        steps, grid = strip.film_grid
        told = [str(step) for step in steps]
        state["film"] = {"name": strip.score, "steps": told, "values": packed(grid.ravel())}
    if strip.claims is not None:
        told = [readable(text)[0] for text in strip.claims.values()]
        state["claims"] = {"labels": told, "held": packed(strip.claimed.ravel())}
    return {"id": content_id("strip", json.dumps(state, sort_keys=True)), **state}


def _level(name: str, part: Pieces, wide: np.ndarray) -> dict[str, str]:
    arrays = {
        "start": wide[part.start],
        "end": wide[part.end],
        "group": part.group,
        "from": part.start,
        "to": part.end,
    }
    return {"name": name, **{key: packed(array, "<i4") for key, array in arrays.items()}}


def _scores(frame: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "mean": name.startswith(MEANS), "values": packed(frame[name])}
        for name in names
    ]


def score_marks(strip: TokenStrip, marks: pd.DataFrame) -> pd.DataFrame:
    """AUC of every score for the words that a reader marked as personal: [score, auc, words,
    personal].

    `marks` is what `StripWidget.marks` gives. A word is personal if one of its tokens is marked so.
    As long as nothing is marked as not personal, words without a mark count as not personal; after
    that only marked words count.
    """
    level = "word" if "word" in strip.levels else "token"
    # the words that are marked as personal, and those that count
    sides = np.zeros((2, len(strip.tokens)))
    sides[marks["personal"].astype(int), marks["token"]] = 1
    no, personal = (strip.pieces[level].add_up(side) > 0 for side in sides)
    counted = no | personal | (not sides[0].any())
    # every score added up to them
    marked = personal[counted]
    areas = [auc(strip.values(name, level=level)[counted], marked) for name in strip.scores]
    table = pd.DataFrame({"score": strip.scores, "auc": areas})
    return table.assign(words=len(marked), personal=int(marked.sum()))


class StripWidget(anywidget.AnyWidget):
    """anywidget around the strip's scripts.

    `marks` is the table of the reader's own marks, `scores` what `rescore(strip, marks)` made of
    it, the table shown under the marks: `score_marks`, or a function of the reader's own, set on
    the widget. `pinned` is the span of the pinned piece (characters of the response, or None).
    """

    strip: TokenStrip
    rescore: Rescore
    scores: pd.DataFrame

    _esm = read(*SCRIPTS)
    _css = read("base.css", "strip.css")
    state = traitlets.Dict().tag(sync=True)
    marked = traitlets.List().tag(sync=True)
    pinned = traitlets.List(allow_none=True, default_value=None).tag(sync=True)
    answer = traitlets.List().tag(sync=True)

    @classmethod
    def of(cls, strip: TokenStrip) -> StripWidget:
        """The live form of a strip."""
        widget = cls(state=to_state(strip))
        widget.strip = strip
        widget.rescore = score_marks
        widget.scores = pd.DataFrame()
        widget.observe(widget._marked, "marked")
        widget.on_msg(lambda _, message, buffers: widget.send(widget._saved(message)))
        return widget

    @property
    def marks(self) -> pd.DataFrame:
        """One row a marked token: [text, token, start, end, piece, personal]; `token` counts the
        strip's rows."""
        marked = pd.DataFrame(self.marked, columns=["token", "personal"])
        marked = marked.astype({"token": "int64", "personal": bool})
        rows = marked.join(self.strip.to_frame().reset_index(drop=True), on="token", rsuffix=" ")
        return rows[["text", "token", "start", "end", "piece", "personal"]]

    def _marked(self, change: Any) -> None:
        try:
            self.scores = self.rescore(self.strip, self.marks) if self.marked else pd.DataFrame()
        except (WorkbenchError, KeyError, TypeError, ValueError) as error:
            # the reader's own function; the page says it
            self.scores = pd.DataFrame({"error": [f"{type(error).__name__}: {error}"]})
        # JSON knows no "not a number"; an AUC without both kinds is shown as a dash
        self.answer = json.loads(self.scores.to_json(orient="records"))

    def _saved(self, message: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request of the page for a file."""
        if message.get("save") == "html":
            return {"file": as_page(self.strip)}
        return {"error": "no such file"}

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live form, and the static one where nothing runs."""
        bundle = super()._repr_mimebundle_(**options)
        live, more = bundle if isinstance(bundle, tuple) else (bundle, {})
        plain = {"text/plain": repr(self.strip), "text/html": self.strip._repr_html_()}
        return {**(live or {}), **plain}, more


def as_page(strip: TokenStrip) -> str:
    """The strip as one HTML file: its scripts and styles inside, every connection forbidden.

    What stands there until the script runs is the static form, and not more of a long text than is
    read in that moment.
    """
    static = replace(strip, limit=min(strip.limit, 300))._repr_html_()
    title = readable(strip.title)[0] or "Token strip"
    styles = ("base.css", "strip.css", "page.css")
    scripts = (*SCRIPTS, "strip_page.js")
    return page(title, static, {"state": to_state(strip)}, styles, scripts)


def export_strip(strip: TokenStrip, path: Path | str) -> Path:
    """Write a strip to `path` and return it: .html is the live form in one file, .csv the pieces of
    its level.

    Both carry the provenance. In the CSV a piece that a spreadsheet would take for a formula begins
    with an apostrophe; `start` and `end` say exactly what it was. A picture is drawn by the page:
    press PNG there. Raises `ConfigError` for another suffix.
    """
    path = Path(path)
    if path.suffix == ".html":
        return write(as_page(strip), path)
    if path.suffix != ".csv":
        do = "open the live form or the .html file and press PNG" if path.suffix == ".png" else None
        raise other_suffix(path, ".html or .csv", do)
    frame = strip.to_frame(strip.level).assign(provenance=strip.source)
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        frame[name] = frame[name].map(_unarmed)
    return write(frame.to_csv(index=False, lineterminator="\n"), path)


def _unarmed(value: object) -> object:
    """Text that a spreadsheet shows and does not compute; other values as they are."""
    if not isinstance(value, str):
        return value
    text = readable(value)[0]
    return f"'{text}" if text[:1] in tuple("=+-@\t") else text
