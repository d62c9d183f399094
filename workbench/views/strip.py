"""The token strip: a text with each word's score on it, as static HTML that survives without styles and scripts.

Colour shows the score (orange: the persona made the word likelier; blue: less likely), but no meaning rests on it:
words past the threshold are bold or italic with their number beside them, planted truth is underlined, values beyond
the colour range carry ▲ or ▼, and the strongest words stand in a table below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.html import content_id, escape, table

ORANGE, BLUE = "230,97,1", "33,113,199"  # apart for the colour-blind; blended over the page, so both themes work
SHOWN = {" ": "␠", "\n": "↵\n", "\t": "⇥", "\u200b": "∅", "\u200d": "∅", "\ufeff": "∅"}


@dataclass(frozen=True, repr=False)
class TokenStrip:
    """Draw one text of a token (or word) table.

    `tokens` holds the rows of one text: [text, start, end, <score>] and, if present, log_prob_with and
    log_prob_without for the hover title; `truth` names a boolean column of planted personal words, underlined.
    `threshold` (in the score's unit) is where a number is printed; `limit` is the most tokens drawn.
    Raises `DataError` for several texts or a missing column.
    """

    tokens: pd.DataFrame
    response: str
    score: str = "pir"
    title: str = ""
    provenance: str = ""
    truth: str | None = None
    threshold: float = 0.8
    scale: float | None = None
    limit: int = 2000

    def __post_init__(self) -> None:
        missing = {"text", "start", "end", self.score, *([self.truth] if self.truth else [])} - set(self.tokens.columns)
        if missing:
            raise DataError(
                f"missing columns {sorted(missing)}", where="tokens", expected="a table made by score_tokens"
            )
        if self.tokens["text"].nunique() > 1:
            raise DataError("more than one text", where="tokens", do="select one: tokens[tokens['text'] == ...]")

    @property
    def colour_range(self) -> float:
        """Half-width of the colour range: the 98 % quantile of |score|, symmetric about 0, unless `scale` is given."""
        size = self.tokens[self.score].abs().to_numpy(dtype=float)
        return self.scale or float(max(np.quantile(size, 0.98) if len(size) else 0.0, 1e-9))

    def to_frame(self) -> pd.DataFrame:
        """The rows that are drawn, with the piece of text each one covers."""
        pieces = [self.response[a:b] for a, b in zip(self.tokens["start"], self.tokens["end"], strict=True)]
        return self.tokens.assign(piece=pieces)

    def __repr__(self) -> str:
        past = int((self.tokens[self.score].abs() >= self.threshold).sum())
        return f"TokenStrip({len(self.tokens)} tokens, {past} with |{self.score}| ≥ {self.threshold:g})"

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        shown, left = frame.head(self.limit), max(0, len(frame) - self.limit)
        name = content_id("strip", self.response, self.score, self.title, frame[self.score].round(9).tolist())
        body = "".join(self._marks(shown)) + (f" … <i>{left:,} more tokens not drawn</i>" if left else "")
        ink = "color:var(--jp-content-font-color1,inherit)"
        text = f'<p dir="auto" style="{ink};line-height:2;white-space:pre-wrap;max-width:60em">{body}</p>'
        head = f"<p><b>{escape(self.title)}</b></p>" if self.title else ""
        foot = f"<p><small>{escape(self.provenance)}</small></p>" if self.provenance else ""
        return f'<div id="{name}">{head}{text}<p><small>{self._legend()}</small></p>{self._top(frame)}{foot}</div>'

    def _marks(self, frame: pd.DataFrame) -> list[str]:
        """The text from beginning to end, scored pieces marked, everything between them kept."""
        out, at = [], 0
        for row in frame.to_dict("records"):
            start, end = int(row["start"]), int(row["end"])
            if start >= at:  # pieces of one many-byte character share its span: the first one is drawn
                out += [_visible(self.response[at:start], bare=True), self._mark(row)]
                at = end
        return [*out, _visible(self.response[at:], bare=True) if len(frame) == len(self.tokens) else ""]

    def _mark(self, row: dict) -> str:
        value, piece = float(row[self.score]), _visible(row["piece"])
        strength = min(1.0, abs(value) / self.colour_range)
        clip = ("▲" if value > 0 else "▼") if abs(value) > self.colour_range * (1 + 1e-9) else ""
        if self.truth and row[self.truth]:
            piece = f"<u>{piece}</u>"
        if abs(value) >= self.threshold:
            tag = "b" if value > 0 else "i"
            piece = f"<{tag}>{piece}</{tag}><sub>{value:+.1f}{clip}</sub>"
        hover = f"{self.score} {value:+.3f}"
        if "log_prob_with" in row and "log_prob_without" in row:
            hover += f" · log p with {row['log_prob_with']:.3f} · without {row['log_prob_without']:.3f}"
        colour = ORANGE if value > 0 else BLUE
        style = f"background:rgba({colour},{0.6 * strength:.2f});border-radius:2px"
        return f'<span style="{style}" title="{escape(hover)}">{piece}</span>'

    def _legend(self) -> str:
        signs = "likelier with the persona", "less likely"
        text = (
            f"<b>bold</b><sub>+</sub> {signs[0]}, <i>italic</i><sub>−</sub> {signs[1]}, by {self.threshold:g} or more; "
        )
        text += f"colour from −{self.colour_range:.2f} (blue) to +{self.colour_range:.2f} (orange), ▲▼ beyond"
        return text + ("; <u>underlined</u> planted as personal" if self.truth else "")

    def _top(self, frame: pd.DataFrame, count: int = 10) -> str:
        strongest = frame.loc[frame[self.score].abs().sort_values(ascending=False, kind="stable").index[:count]]
        names = [
            name for name in ("piece", self.score, "log_prob_with", "log_prob_without", self.truth) if name in frame
        ]
        rows = [{name: _plain(row[name]) for name in names} for row in strongest.to_dict("records")]
        return f"<details><summary>the {len(rows)} strongest</summary>{table(rows, digits=2)}</details>"


def _plain(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else value


def _visible(text: str, bare: bool = False) -> str:
    """Escaped text; inside a mark, white space and zero-width characters get a sign so that they can be seen."""
    if bare:
        return escape(text)
    return escape("".join(sign if sign == " " and not text.isspace() else SHOWN.get(sign, sign) for sign in text))
