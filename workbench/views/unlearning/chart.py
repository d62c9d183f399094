"""Charts as SVG text: no script, no style sheet; ink is the page's own, light or dark.

    place(v) = start + (v − low) / (high − low) · (end − start)        of logarithms where asked for

Colours come with a shape and a name at the end of the line, so that none of them stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from workbench.html import escape
from workbench.views.look import GREY, LINES

WIDE, HIGH, LETTER, LINE = 640, 350, 18, 21
"""Of a drawing: its width, its least height, its letters, and how far lines of text stand apart."""
ROOM = 21
"""Letters beside a drawing."""
LEFT, RIGHT, TOP, BOTTOM = 82, 258, 14, 60
SHAPES = {
    "circle": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0z",
    "square": "M-5.5,-5.5h11v11h-11z",
    "triangle": "M0,-7l7,12h-14z",
    "diamond": "M0,-7.5l7.5,7.5l-7.5,7.5l-7.5,-7.5z",
    "bar": "M-7,-2.5h14v5h-14z",
}
CONTROLS = ("no-op", "sign flip", "half-way", "retrain, held out")
"""Drawn in grey: what a method must be told apart from."""


@dataclass(frozen=True)
class Look:
    """How a method is drawn wherever it stands."""

    colour: str
    shape: str
    dash: str = ""


def looks(methods: Iterable[str]) -> dict[str, Look]:
    """A colour and a shape for each method; controls are grey and dashed."""
    found, shapes, drawn = {}, [*SHAPES], 0
    for place, name in enumerate(dict.fromkeys(methods)):
        if name in CONTROLS:
            found[name] = Look(GREY, shapes[place % len(shapes)], "7 5")
            continue
        found[name] = Look(LINES[drawn % len(LINES)], shapes[drawn % len(shapes)])
        drawn += 1
    return found


@dataclass(frozen=True)
class Scale:
    """Values to places along one side."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False
    """Whether the values are counts."""

    @classmethod
    def of(cls, values: Iterable[float], start: float, end: float, log: bool = False) -> Scale:
        """Wide enough for all values that are numbers (above 0 on a logarithmic side)."""
        known = np.array([*values])
        whole = known.dtype.kind in "iu"
        known = known.astype(np.float64)
        known = known[np.isfinite(known) & ((known > 0) | (not log))]
        low, high = (known.min(), known.max()) if len(known) else (1.0, 1.0)
        if low == high:
            low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
        room = 0.06 * (np.log10(high / low) if log else high - low)
        if log:
            return cls(low / 10**room, high * 10**room, start, end, log)
        return cls(low - room, high + room, start, end, log, whole)

    def __call__(self, value: float) -> float:
        ends = np.array([self.low, value, self.high], dtype=np.float64)
        low, here, high = np.log10(ends) if self.log else ends
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values within the side."""
        locator = LogLocator(numticks=6) if self.log else MaxNLocator(4, integer=self.whole)
        found = locator.tick_values(self.low, self.high)
        return [float(v) for v in found if self.low <= v <= self.high]


def heights(middle: Iterable[float], ends: Iterable[float]) -> list[float]:
    """What a side has room for: all of `middle`, and of `ends` what is no further from it than it
    is long, so that one wide interval does not press the rest into a line.

    >>> heights([0, 1], [-9, 0.5, 1.5])
    [0.0, 1.0, -1.0, 0.5, 1.5]
    """
    known = np.array([*middle], dtype=np.float64)
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    cut = np.clip(np.array([*ends], dtype=np.float64), 2 * low - high, 2 * high - low)
    return [float(value) for value in (*known, *cut)]


class Chart:
    """One drawing, part by part, later ones on top. names: lines of text beside it."""

    def __init__(
        self,
        title: str,
        x: Iterable[float],
        y: Iterable[float],
        labels: tuple[str, str],
        log: tuple[bool, bool] = (False, False),
        names: int = 0,
    ) -> None:
        self.title, self.labels = title, labels
        self.high = max(HIGH, TOP + BOTTOM + names * LINE)
        self.x = Scale.of(x, LEFT, WIDE - RIGHT, log[0])
        self.y = Scale.of(y, self.high - BOTTOM, TOP, log[1])
        self.parts: list[str] = []
        self.ends: list[tuple[float, str, Look]] = []

    def band(self, low: float, high: float, share: float = 0.14) -> None:
        """What lies between two heights, from side to side."""
        top, bottom = self.y(min(high, self.y.high)), self.y(max(low, self.y.low))
        size = f'width="{WIDE - RIGHT - LEFT}" height="{max(bottom - top, 0):.1f}"'
        paint = f'fill="currentColor" fill-opacity="{share}"'
        self.parts.append(f'<rect x="{LEFT}" y="{top:.1f}" {size} {paint}/>')

    def rule(self, value: float, dash: str = "") -> None:
        """A thin line from side to side."""
        at = f'y1="{self.y(value):.1f}" y2="{self.y(value):.1f}"'
        stroke = f'stroke="currentColor" stroke-opacity=".6" stroke-dasharray="{dash}"'
        self.parts.append(f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" {at} {stroke}/>')

    def ribbon(self, x: Sequence, low: Sequence, high: Sequence, look: Look) -> None:
        """An interval along a line, cut where it leaves the drawing."""
        low, high = (np.clip(end, self.y.low, self.y.high) for end in (low, high))
        there = [*zip(x, high, strict=True), *[*zip(x, low, strict=True)][::-1]]
        points = self._points(there)
        self.parts.append(f'<polygon points="{points}" fill="{look.colour}" fill-opacity=".16"/>')

    def line(self, x: Sequence, y: Sequence, look: Look) -> None:
        """Points joined."""
        dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
        paint = f'fill="none" stroke="{look.colour}" stroke-width="3"{dash}'
        points = self._points(zip(x, y, strict=True))
        self.parts.append(f'<polyline points="{points}" {paint}/>')

    def whisker(self, x: float, low: float, high: float, look: Look) -> None:
        """An interval of one point, cut where it leaves the drawing."""
        low, high = np.clip([low, high], self.y.low, self.y.high)
        ends = " ".join(f'y{end}="{self.y(v):.1f}"' for end, v in ((1, low), (2, high)))
        stroke = f'stroke="{look.colour}" stroke-width="3"'
        self.parts.append(f'<line x1="{self.x(x):.1f}" x2="{self.x(x):.1f}" {ends} {stroke}/>')

    def mark(self, x: float, y: float, look: Look, told: str, filled: bool = True) -> None:
        """One point; `told` is what a pointer that rests on it is told."""
        fill = look.colour if filled else "none"
        where = f'transform="translate({self.x(x):.1f},{self.y(y):.1f})"'
        paint = f'fill="{fill}" stroke="{look.colour}" stroke-width="2.5"'
        shape = f'<path d="{SHAPES[look.shape]}" {paint}/>'
        self.parts.append(f"<g {where}><title>{escape(told)}</title>{shape}</g>")

    def name(self, y: float, text: str, look: Look, more: str = "") -> None:
        """What stands at the right end, at the height of a line's end or as near as there is room."""
        room = ROOM - len(more)
        said = text if len(text) <= room else f"{text[: room - 1]}…"
        self.ends.append((self.y(y), said + more, look))

    def _points(self, pairs: Iterable[tuple[float, float]]) -> str:
        places = ((self.x(x), self.y(y)) for x, y in pairs)
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    def _sides(self) -> str:
        """Two sides with their round values, and what they are."""
        ink, faint = 'stroke="currentColor"', 'stroke="currentColor" stroke-opacity=".13"'
        foot, right = self.high - BOTTOM, WIDE - RIGHT
        out = [f'<path d="M{LEFT},{TOP}V{foot}H{right}" fill="none" {ink}/>']
        digits = max((_digits(v) for v in self.y.ticks), default=0)
        for v in self.y.ticks:
            # powers of ten as they are, other heights with as many decimals as their neighbours
            at, said = self.y(v), short(f"{v:,.{_digits(v) if self.y.log else digits}f}")
            out.append(f'<line x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" {faint}/>')
            out.append(_text(LEFT - 8, at + 6, said, "end"))
        for v in self.x.ticks:
            out.append(_text(self.x(v), foot + 22, short(f"{v:,.{_digits(v)}f}"), "middle"))
        out.append(_text((LEFT + right) / 2, foot + 47, self.labels[0], "middle"))
        turned = f'transform="rotate(-90 18 {(TOP + foot) / 2})"'
        return "".join([*out, _text(18, (TOP + foot) / 2, self.labels[1], "middle", turned)])

    def _names(self) -> str:
        """Names from the top down, none over another; a thread leads from each to its line."""
        ends = sorted(self.ends, key=lambda one: one[0])
        places, least = [], float(TOP + 4)
        for y, _, _ in ends:
            places.append(max(y, least))
            least = places[-1] + LINE
        # where they run out at the foot all of them are pushed up
        most = float(self.high - 14)
        for k in range(len(places) - 1, -1, -1):
            places[k] = min(places[k], most)
            most = places[k] - LINE
        out, right = [], WIDE - RIGHT
        for (y, text, look), at in zip(ends, places, strict=True):
            thread = f"M{right + 4},{y:.1f}L{right + 18},{at:.1f}"
            out.append(f'<path d="{thread}" stroke="{look.colour}" stroke-width="2" fill="none"/>')
            shape = f'<path d="{SHAPES[look.shape]}" fill="{look.colour}"/>'
            out.append(f'<g transform="translate({right + 26},{at:.1f})">{shape}</g>')
            out.append(_text(right + 38, at + 6, text, "start"))
        return "".join(out)

    def draw(self) -> str:
        """The SVG; what it shows is its title to who cannot see it."""
        box = f'viewBox="0 0 {WIDE} {self.high}" width="100%" font-size="{LETTER}"'
        role = f'role="img" aria-label="{escape(self.title)}" font-family="system-ui, sans-serif"'
        inside = "".join([self._sides(), *self.parts, self._names()])
        return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {role}>{inside}</svg>'


def short(said: str) -> str:
    """A number as it is read from afar: no nought before the point, a minus sign.

    >>> short("-0.30"), short("10.5"), short("0.00")
    ('−.30', '10.5', '0')
    """
    if not said.strip("+-0."):
        return "0"
    return re.sub(r"(?<!\d)0\.", ".", said).replace("-", "−")


def _digits(value: float) -> int:
    """Decimals that a round value needs."""
    said = f"{value:.6f}".rstrip("0")
    return len(said.split(".")[1])


def _text(x: float, y: float, said: str, anchor: str, more: str = "") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"'
    return f"<text {at} {more}>{escape(said)}</text>"
