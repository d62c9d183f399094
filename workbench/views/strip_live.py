"""The live token strip: what `static/strip*.js` is given, the widget, the marks that come back, and
the files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from workbench.errors import ConfigError, WorkbenchError
from workbench.html import content_id
from workbench.views.page import page, read, write
from workbench.views.strip import TokenStrip, auc
from workbench.views.strip_text import MEANS, WORDS, pattern_pieces, readable

SCRIPTS = ("strip_values.js", "strip_text.js", "strip.js")
Rescore = Callable[[TokenStrip, pd.DataFrame], pd.DataFrame]


def to_state(strip: TokenStrip) -> dict[str, Any]:
    """What the page needs, JSON throughout: arrays as base64 (float32, int32).

    `text` is the response with a sign for every hidden character, so that the page shows what
    nobody could see; `start` and `end` of a piece are UTF-16 units of it, `from` and `to`
    characters of the response itself.
    """
    shown, at = readable(strip.response)
    wide = np.concatenate([[0], np.cumsum([2 if sign > "\uffff" else 1 for sign in shown])])[at]
    tokens, count = strip.tokens, len(strip.tokens)
    state: dict[str, Any] = {
        "title": readable(strip.title)[0],
        "provenance": readable(strip.source)[0],
        "text": shown,
        "tokens": count,
        "score": strip.score,
        "scale": strip.scale,
        "threshold": strip.threshold,
        "clip": list(strip.clip),
        "level": strip.level,
        "levels": [
            {
                "name": name,
                "start": _packed(wide[part.start], "<i4"),
                "end": _packed(wide[part.end], "<i4"),
            }
            | {
                "group": _packed(part.group, "<i4"),
                "from": _packed(part.start, "<i4"),
                "to": _packed(part.end, "<i4"),
            }
            for name, part in strip.pieces.items()
        ],
        "scores": _scores(tokens, strip.scores),
        "given": None,
        "truth": _packed(tokens[strip.truth], "u1") if strip.truth else None,
        "truth_name": strip.truth,
        "kinds": {"name": "kind", "values": tokens["kind"].astype(str).tolist()}
        if "kind" in tokens
        else None,
        "against": None,
        "memory": None,
        "film": None,
    }
    if {"log_prob_with", "log_prob_without"} <= set(tokens):
        state["given"] = {side: _packed(tokens[f"log_prob_{side}"]) for side in ("with", "without")}
    if strip.against is not None:
        both = [name for name in strip.scores if name in strip.against]
        state["against"] = {
            "names": [readable(name)[0] for name in strip.names],
            "scores": _scores(strip.against, both),
        }
    if strip.memory is not None:
        names, grid, whole = strip.memory_grid
        items = [readable(name)[0] for name in names]
        state["memory"] = {"items": items, "values": _packed(grid.ravel()), "whole": _packed(whole)}
    if strip.film is not None:
        steps, grid = strip.film_grid
        state["film"] = {
            "name": strip.score,
            "steps": [str(step) for step in steps],
            "values": _packed(grid.ravel()),
        }
    return {"id": content_id("strip", json.dumps(state, sort_keys=True)), **state}


def _packed(values: Any, kind: str = "<f4") -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")


def _scores(frame: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "mean": name.startswith(MEANS), "values": _packed(frame[name])}
        for name in names
    ]


def score_marks(strip: TokenStrip, marks: pd.DataFrame) -> pd.DataFrame:
    """AUC of every score for the words that a reader marked as personal: [score, auc, words,
    personal].

    `marks` is what `StripWidget.marks` gives. A word is personal if one of its tokens is marked so.
    As long as nothing is marked as not personal, words without a mark count as not personal; after
    that only marked words count.
    """
    end = strip.tokens["end"].to_numpy(dtype=np.int64)
    found = pattern_pieces(strip.levels.get("word", WORDS), strip.response, end)
    yes, no = np.zeros(len(end)), np.zeros(len(end))
    yes[marks["token"][marks["personal"]]] = 1
    no[marks["token"][~marks["personal"]]] = 1
    personal, counted = found.add_up(yes) > 0, (found.add_up(yes + no) > 0) | (not no.any())
    rows = [
        (
            name,
            auc(
                found.add_up(strip.tokens[name].to_numpy(float), name.startswith(MEANS))[counted],
                personal[counted],
            ),
        )
        for name in strip.scores
    ]
    table = pd.DataFrame(rows, columns=["score", "auc"])
    return table.assign(words=int(counted.sum()), personal=int(personal[counted].sum()))


class StripWidget(anywidget.AnyWidget):
    """anywidget around the strip's scripts.

    `marks` is the table of the reader's own marks, `scores` what `rescore` made of it, `pinned` the
    span of the pinned piece (characters of the response, or None).
    """

    _esm = read(*SCRIPTS)
    _css = read("base.css", "strip.css")
    state = traitlets.Dict().tag(sync=True)
    marked = traitlets.List().tag(sync=True)
    pinned = traitlets.List(allow_none=True, default_value=None).tag(sync=True)
    answer = traitlets.List().tag(sync=True)

    @classmethod
    def of(cls, strip: TokenStrip, rescore: Rescore | None = None) -> StripWidget:
        """The live form of a strip; `rescore(strip, marks)` returns the table shown under the
        marks."""
        widget = cls(state=to_state(strip))
        widget.strip, widget.rescore = strip, rescore or score_marks
        widget.scores = pd.DataFrame()
        widget.observe(widget._marked, "marked")
        widget.on_msg(lambda _, message, buffers: widget.send(widget._saved(message)))
        return widget

    @property
    def marks(self) -> pd.DataFrame:
        """One row a marked token: [text, token, start, end, piece, personal]; `token` counts the
        strip's rows."""
        places = [int(place) for place, _ in self.marked]
        rows = (
            self.strip.to_frame()
            .iloc[places][["text", "start", "end", "piece"]]
            .reset_index(drop=True)
        )
        rows.insert(1, "token", np.array(places, dtype=np.int64))
        return rows.assign(personal=np.array([bool(kind) for _, kind in self.marked], dtype=bool))

    def _marked(self, change: Any) -> None:
        try:
            self.scores = self.rescore(self.strip, self.marks) if self.marked else pd.DataFrame()
        except (
            WorkbenchError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:  # the reader's own function; the page says it
            self.scores = pd.DataFrame({"error": [f"{type(error).__name__}: {error}"]})
        # JSON knows no "not a number"; an AUC without both kinds is shown as a dash
        self.answer = json.loads(self.scores.to_json(orient="records"))

    def _saved(self, message: dict[str, Any]) -> dict[str, Any]:
        """The reply to one request of the page for a file."""
        return (
            {"file": as_page(self.strip)}
            if message.get("save") == "html"
            else {"error": "no such file"}
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The live form, and the static one where nothing runs."""
        bundle = super()._repr_mimebundle_(**options)
        live, more = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {
            **(live or {}),
            "text/plain": repr(self.strip),
            "text/html": self.strip._repr_html_(),
        }, more


def as_page(strip: TokenStrip) -> str:
    """The strip as one HTML file: its scripts and styles inside, every connection forbidden.

    What stands there until the script runs is the static form without its style attributes, which
    the file's own policy would refuse, and not more of a long text than is read in that moment.
    """
    brief = replace(strip, limit=min(strip.limit, 300))
    # quotes in text are escaped, so these are attributes
    static = re.sub(r' style="[^"]*"', "", brief._repr_html_())
    styles, scripts = ("base.css", "strip.css", "page.css"), (*SCRIPTS, "strip_page.js")
    return page(
        readable(strip.title)[0] or "Token strip",
        static,
        {"state": to_state(strip)},
        styles,
        scripts,
    )


def export(strip: TokenStrip, path: Path | str) -> Path:
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
        raise ConfigError(
            f"cannot write {path.suffix or 'a file without a suffix'}",
            str(path),
            ".html or .csv",
            do,
        )
    frame = strip.to_frame(strip.level).assign(provenance=strip.source)
    for name in frame.select_dtypes(exclude=["number", "bool"]):
        frame[name] = [
            _unarmed(value) if isinstance(value, str) else value for value in frame[name]
        ]
    return write(frame.to_csv(index=False, lineterminator="\n"), path)


def _unarmed(text: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    text = readable(text)[0]
    return f"'{text}" if text[:1] in tuple("=+-@\t") else text
