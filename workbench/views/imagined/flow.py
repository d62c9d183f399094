"""Visits as a flow over kinds of products: where they begin, where they go on, what they buy.

    stop j of a visit   the j-th kind that it comes to, a kind counted again once it was left; a
                        visit that is shorter stays at its last kind
    the end             the kind of the first product that is bought

A stop's height is its number of visits, a ribbon's that of the visits which go from one stop to the
next. The table says the same in numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.data import Catalogue
from workbench.errors import DataError, check_number, typed
from workbench.html import escape, table
from workbench.reports.recpilot import Trajectories
from workbench.views.look import GREY, LINES, framed
from workbench.views.text import brief

WIDE, HIGH, TOP, GAP, BAR, LABEL, LETTERS = 960, 400, 34, 14, 14, 190, 22
"""Of the drawing: width, height, head, space between bars, their width, room for the last names,
letters of a name."""
REST = "other kinds"


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Flow:
    """Visits drawn as a flow: `show(Flow(drawn.trajectories(), catalogue))`.

    visits: real or imagined ones. stops: kinds before the purchase that are drawn, at most twelve. kinds: how many
    have a colour and a name, the others are one. source: the line that ends it. Raises `DataError`
    where there is no visit, or the catalogue is another one.

    >>> show(Flow(drawn.trajectories(), catalogue))  # doctest: +SKIP
    Flow(16 visits: 12 buy stretch-mark balm, 2 folic acid, 2 mint tea)
    """

    visits: Trajectories
    catalogue: Catalogue
    stops: int = 3
    kinds: int = 6
    title: str = "Where imagined visits go"
    source: str = ""

    def __post_init__(self) -> None:
        check_number(1, 12.0, stops=self.stops)
        check_number(1, float(len(LINES)), kinds=self.kinds)
        if not len(self.visits):
            raise DataError("no visit", "visits", "one or more that end in a purchase")
        if self.visits.n_items != len(self.catalogue):
            what = f"visits among {self.visits.n_items} products, {len(self.catalogue)} in it"
            raise DataError(what, "catalogue", "the one of the visits' log")

    @cached_property
    def paths(self) -> pd.DataFrame:
        """A row a visit: the kind at each stop, and the one that is bought."""
        visits = self.visits
        kind = np.array([brief(name) or REST for name in self.catalogue.kind], dtype=object)
        lines = []
        for b in range(len(visits)):
            row = slice(visits.offsets[b], visits.offsets[b + 1])
            buys = visits.is_bought[row]
            looked, bought = kind[visits.item[row][~buys]], kind[visits.item[row][buys]]
            # neighbours of one kind once, then the last one until the end
            path = [name for k, name in enumerate(looked) if not k or name != looked[k - 1]]
            path = path[: self.stops] if path else [bought[0]]
            lines.append([*path, *[path[-1]] * (self.stops - len(path)), bought[0]])
        return pd.DataFrame(lines, columns=self.columns)

    @property
    def columns(self) -> list[str]:
        """What the stops are called."""
        names = [f"then, {k}" if k > 1 else "looks first at" for k in range(1, self.stops + 1)]
        return [*names, "buys"]

    @cached_property
    def named(self) -> list[str]:
        """The kinds that are drawn by name: what is bought first, then what is passed."""
        ends = (
            self.paths["buys"].value_counts(sort=False).sort_values(ascending=False, kind="stable")
        )
        passed = self.paths.stack().value_counts(sort=False)
        passed = passed.sort_values(ascending=False, kind="stable")
        names = dict.fromkeys([*ends.index[: self.kinds - 1], *passed.index])
        return [name for name in names if name != REST][: self.kinds]

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The paths, kinds without a name as one."""
        return self.paths.where(self.paths.isin(self.named), REST)

    def to_frame(self) -> pd.DataFrame:
        """A line a kind: visits at each stop."""
        counts = {name: self.drawn[name].value_counts() for name in self.columns}
        found = pd.DataFrame(counts).reindex([*self.named, REST]).fillna(0).astype(int)
        found = found[found.any(axis=1)]
        return found.rename_axis("kind").reset_index()

    def __repr__(self) -> str:
        ends = self.to_frame().sort_values("buys", ascending=False, kind="stable")
        told = [f"{n} {name}" for name, n in zip(ends["kind"], ends["buys"], strict=True) if n]
        told[0] = told[0].replace(" ", " buy ", 1)
        return f"Flow({len(self.visits)} visits: {', '.join(told)})"

    def _repr_html_(self) -> str:
        note = (
            f"{len(self.visits)} visits. From left to right: the kinds that a visit comes to, one "
            "after another (a shorter visit stays at its last), and what it buys first. Numbers "
            "count visits."
        )
        parts = [f'<p><b style="font-size:1.35em">{escape(self.title)}</b></p>']
        parts += [f"<p>{note}</p>", self._draw(), table(self.to_frame().to_dict("records"))]
        return framed("flow", parts, self.source, "line-height:1.35")

    def _draw(self) -> str:
        """The drawing; its table stands below it."""
        names = [*self.named, REST]
        hues = dict(zip(names, [*LINES[: len(self.named)], GREY], strict=True))
        unit = (HIGH - GAP * len(names)) / len(self.drawn)
        wide = (WIDE - LABEL) / self.stops
        tops, parts = [], []
        # stops: a bar a kind, one below the other in the order of the names
        for j, column in enumerate(self.columns):
            counts = self.drawn[column].value_counts()
            y, top = float(TOP), {}
            parts.append(_text(wide * j, 18, column, 'font-weight="700"'))
            for name in [name for name in names if name in counts]:
                top[name], high = y, unit * counts[name]
                size = f'x="{wide * j:.1f}" y="{y:.1f}" width="{BAR}" height="{high:.1f}"'
                parts.append(f'<rect {size} fill="{hues[name]}"/>')
                short = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
                parts.append(_text(wide * j + BAR + 5, y + high / 2 + 5, f"{short} {counts[name]}"))
                y += high + GAP
            tops.append(top)
        # ribbons lie under the words
        ribbons = [self._ribbons(j, tops, unit, wide, hues) for j in range(self.stops)]
        box = f'viewBox="0 0 {WIDE} {TOP + HIGH}" width="100%" font-size="15"'
        role = f'role="img" aria-label="{escape(self.title)}" font-family="system-ui, sans-serif"'
        inside = "".join([*ribbons, *parts])
        return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {role}>{inside}</svg>'

    def _ribbons(self, j: int, tops: list, unit: float, wide: float, hues: dict) -> str:
        """What goes from the kinds of one stop to those of the next."""
        pair = self.columns[j : j + 2]
        left, right = dict(tops[j]), dict(tops[j + 1])
        counts = self.drawn.value_counts(pair)
        x0, x1 = wide * j + BAR, wide * (j + 1)
        half, out = (x0 + x1) / 2, []
        for one, other in [(a, b) for a in tops[j] for b in tops[j + 1] if (a, b) in counts.index]:
            n = int(counts[one, other])
            y0, y1, high = left[one], right[other], unit * n
            left[one], right[other] = y0 + high, y1 + high
            there = f"M{x0:.1f},{y0:.1f}C{half:.1f},{y0:.1f} {half:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
            back = f"V{y1 + high:.1f}C{half:.1f},{y1 + high:.1f} {half:.1f},{y0 + high:.1f} "
            path = f'd="{there}{back}{x0:.1f},{y0 + high:.1f}Z"'
            told = escape(f"{one} → {other}: {n}")
            paint = f'fill="{hues[one]}" fill-opacity=".28"'
            out.append(f"<path {path} {paint}><title>{told}</title></path>")
        return "".join(out)


def _text(x: float, y: float, said: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="currentColor" {more}>{escape(said)}</text>'
