"""Why not this item? One product, its place by each scorer, and what it would need.

place    1 + products with a higher score, ties by the lower index, as everywhere
missing  (score at the last place of the list − its score) / (score at the first − at the last):
         0 and below it is on the list, 1 it lacks as much again as lies between first and last
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Histories
from workbench.errors import DataError, check_number, typed
from workbench.html import escape, table
from workbench.reports.recpilot import Drawn, bought_in
from workbench.views.look import LINES, framed
from workbench.views.text import brief

WIDE, ROW, LEFT, RIGHT, FOOT = 860, 34, 300, 60, 52
"""Of the drawing: width, height of a scorer's line, its margins, room for the places."""


@typed
@dataclass(frozen=True, repr=False, eq=False)
class WhyNot:
    """One product beside the lists it is not on: `show(WhyNot(item, scores, history, catalogue))`.

    item: a code. scores: of each scorer, by name, (n_items,). history: of the one shopper. drawn:
    the imagined visits of this history. k: places of a list. Raises `DataError` for scores of
    another width or that are no numbers (−inf is a score: never), several histories, an item that
    is none.

    >>> show(WhyNot(17, {"EASE": scores}, history, catalogue))  # doctest: +SKIP
    WhyNot(mint tea: EASE 23 of 240)
    """

    item: int
    scores: Mapping[str, np.ndarray]
    history: Histories
    catalogue: Catalogue
    drawn: Drawn | None = None
    k: int = 10
    source: str = ""

    def __post_init__(self) -> None:
        n = len(self.catalogue)
        check_number(1, n, k=self.k)
        check_number(0, n - 1, item=self.item)
        if len(self.history) != 1 or self.history.n_items != n:
            raise DataError("another history", "history", "of one shopper, of this catalogue")
        if not self.scores:
            raise DataError("no scorer", "scores", "one or more")
        for name, score in self.scores.items():
            if np.shape(score) != (n,) or np.isnan(score).any():
                raise DataError(f"scores of {name!r}", "scores", f"{n} numbers")
        if self.drawn is not None and len(self.drawn.histories) != 1:
            raise DataError("visits of several shoppers", "drawn", "those of this history")

    @cached_property
    def places(self) -> pd.DataFrame:
        """[scorer, place, of, missing, first]: no place where a score is −inf or all are equal, and
        NaN missing where scores do not tell first from last."""
        lines = []
        for name, given in self.scores.items():
            score = np.asarray(given, dtype=np.float64)
            order = np.lexsort((np.arange(len(score)), -score))
            has = score[self.item] > -np.inf and score.max() > score.min()
            place = int(np.flatnonzero(order == self.item)[0]) + 1 if has else None
            first, last = score[order[0]], score[order[self.k - 1]]
            known = has and -np.inf < last < first
            missing = (last - score[self.item]) / (first - last) if known else np.nan
            lines.append((name, place, len(score), missing, self._title(order[0])))
        found = pd.DataFrame(lines, columns=["scorer", "place", "of", "missing", "first"])
        found["place"] = pd.Series([line[1] for line in lines], dtype=object)
        return found

    def facts(self) -> list[str]:
        """What the rows and the imagined visits hold of it, in sentences."""
        kind = self.catalogue.kind
        own = self.history.item == self.item
        same = np.array([kind[i] == kind[self.item] for i in self.history.item], dtype=bool)
        told = [f"It stands in {own.sum()} of the shopper's {len(own)} rows."]
        others = f"Other products of its kind ({brief(kind[self.item])}) stand in"
        told.append(f"{others} {(same & ~own).sum()} of them.")
        if same.any():
            ago = int(self.history.ago[same].min())
            told.append(f"The kind was last touched {ago} visits before the last one.")
        if self.drawn is not None:
            tokens = self.drawn.tokens[0]
            token = self.drawn.simulator.vocabulary.items_from + self.item
            touched, n = (tokens == token).any(axis=1).sum(), len(tokens)
            bought = bought_in(self.drawn)[0, :, self.item].sum()
            told.append(f"Of {n} imagined visits {touched} touch it and {bought} buy it.")
        return told

    def to_frame(self) -> pd.DataFrame:
        """A row a scorer, see `places`."""
        return self.places

    def __repr__(self) -> str:
        pairs = zip(self.places["scorer"], self.places["place"], strict=True)
        told = ", ".join(f"{name} {'none' if place is None else place}" for name, place in pairs)
        return f"WhyNot({self._title(self.item)}: place by {told}; of {len(self.catalogue)})"

    def _repr_html_(self) -> str:
        title = escape(f"Why not “{self._title(self.item)}”?")
        note = (
            f"A point is its place among {len(self.catalogue)} products; left of the dashed line it "
            f"would be on a list of {self.k}. Missing: how far its score is below the last of the "
            "list, in steps from that to the first."
        )
        lines = self.places.to_dict("records")
        for one in lines:
            place, lacks = one["place"], one["missing"]
            said = "never" if place is None else "" if np.isnan(lacks) else f"{lacks:.2f}"
            one["missing"] = "on the list" if place is not None and place <= self.k else said
        said = "".join(f"<li>{escape(one)}</li>" for one in self.facts())
        parts = [f'<p><b style="font-size:1.35em">{title}</b></p><p>{note}</p>', self._draw()]
        parts += [f"<ul>{said}</ul>", table(lines)]
        return framed("why", parts, self.source, "line-height:1.35")

    def _title(self, item: int) -> str:
        return brief(self.catalogue.title(item), 60)

    def _draw(self) -> str:
        """A line a scorer, the place on it, places by their logarithm; the list ends at the dashes."""
        n, foot = len(self.catalogue), ROW * len(self.places) + 10

        def at(place: float) -> float:
            return LEFT + (WIDE - LEFT - RIGHT) * np.log(place) / np.log(max(n, 2))

        parts, ink = [], 'stroke="currentColor"'
        ends = f'x1="{at(self.k + 0.5):.1f}" x2="{at(self.k + 0.5):.1f}" y1="0" y2="{foot}"'
        parts.append(f'<line {ends} {ink} stroke-width="2" stroke-dasharray="7 5"/>')
        for j, one in enumerate(self.places.itertuples()):
            y = ROW * j + ROW / 2 + 5
            faint = f'{ink} stroke-opacity=".3"'
            parts.append(f'<line x1="{LEFT}" x2="{at(n):.1f}" y1="{y}" y2="{y}" {faint}/>')
            parts.append(_text(LEFT - 14, y + 6, brief(one.scorer, 34), "end"))
            if one.place is None:
                parts.append(_text(at(n) + 8, y + 6, "never", "start"))
                continue
            x, filled = at(one.place), LINES[0] if one.place <= self.k else "none"
            paint = f'fill="{filled}" stroke="{LINES[0]}" stroke-width="3"'
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="7" {paint}/>')
            parts.append(_text(x + 12, y - 4, str(one.place), "start"))
        for place in [p for p in (1, 3, 10, 30, 100, 300, 1000, 10_000) if p <= n]:
            parts.append(_text(at(place), foot + 20, f"{place:,}", "middle"))
        parts.append(_text((LEFT + WIDE - RIGHT) / 2, foot + 42, "place", "middle"))
        box = f'viewBox="0 0 {WIDE} {foot + FOOT}" width="100%" font-size="17"'
        role = 'role="img" aria-label="places by scorer" font-family="system-ui, sans-serif"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {role}>{"".join(parts)}</svg>'


def _text(x: float, y: float, said: str, anchor: str) -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"'
    return f"<text {at}>{escape(said)}</text>"
