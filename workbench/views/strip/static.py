"""The static form of a token strip: HTML that needs no style and no script.

Colour shows the score (orange: the persona made the word likelier; blue: less likely), but no
meaning rests on it: pieces past the threshold are bold or italic with their number beside them,
planted truth is underlined, values beyond the colour range carry ▲ or ▼, and tables below repeat
what the live form shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.html import content_id, escape, table
from workbench.statistics import auc
from workbench.views.strip.text import blanks, readable

if TYPE_CHECKING:
    from workbench.views.strip.strip import TokenStrip

# apart for the colour-blind; blended over the page, so both themes work
ORANGE, BLUE = "230,97,1", "33,113,199"
# two columns as in the live form, one under the other where there is no room, or no style
COLUMNS = "display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start"
PAPER = "flex:3 1 24em;min-width:0;padding:.2em .8em;border:1px solid rgba(128,128,128,.5)"
PAPER += ";border-radius:4px"
PANEL = "flex:1 1 15em;min-width:0;padding:.4em .8em;background:rgba(128,128,128,.1)"
PANEL += ";border-radius:4px;overflow-x:auto"
STEPS = 10


def draw(strip: TokenStrip) -> str:
    """Everything the strip has, one part under another; the id is made of the content."""
    parts = []
    if strip.title:
        title = escape(readable(strip.title)[0])
        parts.append(f'<p style="font-size:1.25em;margin:.2em 0"><b>{title}</b></p>')
    # what the colours mean; the text beside its strongest pieces; what it counts to
    parts += [_ramp(strip), _small(_legend(strip))]
    parts.append(f'<div style="{COLUMNS}"><div style="{PAPER}">{_text(strip, strip.tokens)}</div>')
    parts.append(f'<div style="{PANEL}">{_top(strip)}</div></div>')
    parts += [_small(escape(line)) for line in _lines(strip)]
    # the same text under another persona, by memory item, over training
    if strip.against is not None:
        parts.append(_compared(strip))
    if strip.memory is not None:
        parts.append(_remembered(strip))
    if strip.film is not None:
        parts.append(_filmed(strip))
    if strip.source:
        parts.append(_small(escape(readable(strip.source)[0])))
    body = "".join(parts)
    return f'<div id="{content_id("strip", body)}">{body}</div>'


def strongest(values: np.ndarray, count: int = 10) -> np.ndarray:
    """Places of the largest |values|, first come first among equals."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")[:count]


def _ramp(strip: TokenStrip) -> str:
    """The bar of colours, from the one end to the other, as wide as in the live form."""
    width = strip.colour_range
    cells = []
    for step in range(-STEPS, STEPS + 1):
        colour = _colour(strip, width * step / STEPS)
        cells.append(f'<i style="background:{colour};padding:0 .45em">&nbsp;</i>')
    name = escape(readable(strip.score)[0])
    bar = f'<i style="border:1px solid rgba(128,128,128,.4)">{"".join(cells)}</i>'
    return f"<p><small><b>{name}</b> {_number(-width)} {bar} {_number(width)}</small></p>"


def _number(value: float, digits: int = 1) -> str:
    """A signed number with a minus sign at which no line breaks."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _small(html: str) -> str:
    return f"<p><small>{html}</small></p>"


def _text(strip: TokenStrip, frame: pd.DataFrame) -> str:
    """The text from beginning to end, scored pieces marked, everything between them kept."""
    found = strip.pieces[strip.level]
    shown, at = readable(strip.response)
    # where the pieces stand in the text as it is shown; of a long text the first ones
    start = at[found.start][: strip.limit]
    end = at[found.end][: strip.limit]
    said = [blanks(shown[a:b]) for a, b in zip(start, end, strict=True)]
    marks = _marks(strip, frame, said)
    # each mark behind what stands between it and the one before
    out, here = [], 0
    for mark, first, last in zip(marks, start, end, strict=True):
        out.append(escape(shown[here:first]))
        out.append(mark)
        here = last
    # the rest of the text, or how much of it is not drawn
    left = len(found.start) - len(marks)
    if left:
        out.append(f" … <i>{left:,} more {strip.level}s not drawn</i>")
    else:
        out.append(escape(shown[here:]))
    style = "color:var(--jp-content-font-color1,inherit);line-height:2;white-space:pre-wrap;"
    style += "font-size:1.1em;margin:.2em 0;"
    style += "max-width:60em;overflow-wrap:anywhere"
    return f'<p dir="auto" style="{style}">{"".join(out)}</p>'


def _marks(strip: TokenStrip, frame: pd.DataFrame, said: list[str]) -> list[str]:
    """One span a piece: its text, and its number if it goes past the threshold."""
    values = strip.values(strip.score, frame)
    truth = strip.planted() if strip.truth else np.zeros(len(values), dtype=bool)
    hovers = _hovers(strip, frame, values)
    out = []
    for text, value, planted, hover in zip(said, values, truth, hovers, strict=False):
        piece = escape(text)
        # planted truth is underlined
        if planted:
            piece = f"<u>{piece}</u>"
        # past the threshold: bold or italic, with the number, and a sign beyond the colours
        if abs(value) >= strip.threshold:
            tag = "b" if value > 0 else "i"
            number = f"{_number(value)}{_beyond(strip, value)}"
            # a number stands before the line ends
            piece, ends = piece.rstrip("\n"), "\n" * text.endswith("\n")
            piece = f'<{tag}>{piece}</{tag}><sub style="white-space:nowrap">{number}</sub>{ends}'
        style = f"background:{_colour(strip, value)};border-radius:2px"
        out.append(f'<span style="{style}" title="{escape(hover)}">{piece}</span>')
    return out


def _hovers(strip: TokenStrip, frame: pd.DataFrame, values: np.ndarray) -> list[str]:
    """What is told of each piece under the mouse: the score, and both sides of it where known."""
    hovers = [f"{strip.score} {value:+.3f}" for value in values]
    for label, name in (("log p with", "log_prob_with"), ("without", "log_prob_without")):
        if name not in frame:
            continue
        side = strip.values(name, frame)
        hovers = [f"{told} · {label} {p:.3f}" for told, p in zip(hovers, side, strict=True)]
    return hovers


def _beyond(strip: TokenStrip, value: float) -> str:
    """The sign of a value beyond the colour range, but for rounding."""
    if abs(value) <= strip.colour_range * (1 + 1e-9):
        return ""
    return "▲" if value > 0 else "▼"


def _colour(strip: TokenStrip, value: float) -> str:
    """Orange or blue, the stronger the nearer to the end of the colour range."""
    known = value == value
    strength = min(1.0, abs(value) / strip.colour_range) if known else 0.0
    return f"rgba({ORANGE if value > 0 else BLUE},{0.6 * strength:.2f})"


def _legend(strip: TokenStrip) -> str:
    width = strip.colour_range
    parts = [
        "<b>bold</b><sub>+</sub> likelier with the persona, <i>italic</i><sub>−</sub> less likely, "
        f"by {strip.threshold:g} or more",
        f"colour from −{width:.2f} (blue) to +{width:.2f} (orange), ▲▼ beyond",
    ]
    if strip.truth:
        parts.append("<u>underlined</u> planted as personal")
    return "; ".join(parts)


def _lines(strip: TokenStrip) -> list[str]:
    """What the threshold finds of the truth, and what PerCE's weights would do."""
    lines = []
    if strip.truth:
        truth = strip.planted()
        values = strip.values(strip.score)
        high = values >= strip.threshold
        counts = [
            f"{(truth & high).sum()} found",
            f"{(~truth & high).sum()} false high",
            f"{(truth & ~high).sum()} missed",
        ]
        asked = f"{strip.score} ≥ {strip.threshold:g} against the planted truth"
        lines.append(f"{asked}: {', '.join(counts)}; AUC {auc(values, truth):.2f}")
    if {"pir", "log_prob_with"} <= set(strip.tokens) and len(strip.tokens):
        m, M = strip.clip
        seen = strip.lens()
        told = [
            f"{seen['share']:.0%} of the tokens above m",
            f"mean weight {seen['mean']:.2f}",
            f"{seen['loss']:.0%} of the loss on them (unweighted {seen['plain']:.0%})",
        ]
        lines.append(f"PerCE weights (m {m:g}, M {M:g}): {', '.join(told)}")
    return lines


def _table(
    strip: TokenStrip,
    order: np.ndarray,
    columns: Mapping[str, Any],
    title: str,
    folded: bool = True,
) -> str:
    """Chosen pieces as rows, under a heading that can be opened, or is."""
    found = strip.pieces[strip.level]
    shown, at = readable(strip.response)
    rows = []
    for place in order:
        said = shown[at[found.start[place]] : at[found.end[place]]]
        cells = {name: _plain(column[place]) for name, column in columns.items()}
        rows.append({"piece": blanks(said), **cells})
    opened = "" if folded else " open"
    body = table(rows, digits=2)
    return f"<details{opened}><summary>{escape(title)}</summary>{body}</details>"


def _top(strip: TokenStrip) -> str:
    known = {strip.score: strip.score, "log_prob_with": "log p with", "log_prob_without": "without"}
    columns = {told: strip.values(name) for name, told in known.items() if name in strip.tokens}
    order = strongest(columns[strip.score])
    if strip.truth:
        columns[strip.truth] = strip.planted()
    return _table(strip, order, columns, f"the {len(order)} strongest", folded=False)


def _compared(strip: TokenStrip) -> str:
    first, second = (readable(name)[0] for name in strip.names)
    one = strip.values(strip.score)
    other = strip.values(strip.score, strip.against)
    columns = {first: one, second: other, "difference": one - other}
    title = f"largest differences, {first} minus {second}"
    rows = _table(strip, strongest(one - other), columns, title)
    return f"<p><b>{escape(second)}</b></p>{_text(strip, strip.against)}{rows}"


def _remembered(strip: TokenStrip, count: int = 12) -> str:
    """The word × memory map of the strongest pieces, and whether it adds up."""
    names, grid, whole = strip.memory_grid
    add = strip.pieces[strip.level].add_up
    parts = [add(row) for row in grid]
    total = add(whole)
    # a column for each of the first items, then what all of them come to
    columns = {str(number): part for number, part in enumerate(parts[:count])}
    if len(parts) > count:
        columns[f"all {len(parts)}"] = sum(parts)
    columns |= {"sum": sum(parts), strip.score: total, "rest": total - sum(parts)}
    order = np.sort(strongest(total, count))
    title = f"word × memory: the {len(order)} strongest {strip.level}s"
    rows = _table(strip, order, columns, title)
    told = "".join(f"<li>{escape(readable(name)[0])}</li>" for name in names)
    return f'<p>Memory items:</p><ol start="0">{told}</ol>{rows}{_small(sum_check(grid, whole))}'


def sum_check(grid: np.ndarray, whole: np.ndarray, tolerance: float = 1e-3) -> str:
    """Do the memory items' values (items × tokens) add up to the whole, token by token?"""
    rest = np.abs(whole - grid.sum(axis=0))
    worst = float(np.nanmax(rest)) if np.isfinite(rest).any() else float("nan")
    verdict = "does not add up: what items share or lack is in “rest”"
    if worst <= tolerance:
        verdict = "adds up"
    return f"Sum check over {len(whole)} tokens: {verdict} (largest gap {worst:.4f})."


def _filmed(strip: TokenStrip, count: int = 8) -> str:
    """The strongest pieces at some of the training steps, and how well the score finds the truth
    there."""
    steps, grid = strip.film_grid
    # some of the steps, the first and the last among them
    shown = np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).astype(int))
    add = strip.pieces[strip.level].add_up
    columns = {f"step {steps[place]}": add(grid[place]) for place in shown}
    order = strongest(list(columns.values())[-1])
    film = _table(strip, order, columns, f"over training, the {len(order)} strongest at the end")
    if not strip.truth:
        return film
    truth = strip.planted()
    areas = [f"{name} {auc(column, truth):.2f}" for name, column in columns.items()]
    return film + _small(f"AUC against the planted truth: {escape(', '.join(areas))}")


def _plain(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else value
