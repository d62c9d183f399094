"""The static form of a token strip: HTML that needs no style and no script.

Colour shows the score (orange: the persona made the word likelier; blue: less likely), but no
meaning rests on it: pieces past the threshold have their number beside them, planted truth a line,
values beyond the colour range carry ▲ or ▼, and tables below repeat what the live form shows.
Where styles are taken away those past the threshold are bold or italic, and the line is below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.html import escape, table
from workbench.statistics import auc
from workbench.views.look import BLUE, COLUMNS, EDGE, ORANGE, PANEL, STRENGTH, framed, over
from workbench.views.strip.text import blanks, readable

if TYPE_CHECKING:
    from workbench.views.strip.strip import TokenStrip

PAPER = f"flex:3 1 24em;min-width:0;padding:.1em .6em;border-radius:4px;{EDGE}"
SIDE = f"flex:1 1 22em;min-width:0;padding:.4em .6em;overflow-x:auto;border-radius:4px;{PANEL}"
TEXT = "color:var(--jp-content-font-color1,inherit);font-size:1.25em;line-height:1.9;margin:.1em 0"
TEXT += ";white-space:pre-wrap;overflow-wrap:anywhere"
BESIDE = "font-size:.58em;font-weight:700;line-height:0;white-space:nowrap"
"""A number beside its piece."""
PLANTED = '<u style="text-decoration:none;border-top:.12em solid">'
STEPS = 9
"""Of a colour: more cannot be told apart behind text."""


def draw(strip: TokenStrip) -> str:
    """Everything the strip has, one part under another; the id is made of the content."""
    parts = []
    if strip.title:
        title = escape(readable(strip.title)[0])
        parts.append(f'<p style="font-size:1.35em;margin:.2em 0"><b>{title}</b></p>')
    # what the colours mean; the text beside its strongest pieces; what it counts to
    parts += [_ramp(strip), _small(_legend(strip))]
    parts.append(f'<div style="{COLUMNS}"><div style="{PAPER}">{_text(strip, strip.tokens)}</div>')
    parts.append(f'<div style="{SIDE}">{_top(strip)}</div></div>')
    parts += [_small(escape(line)) for line in _lines(strip)]
    # the same text under another persona, by memory item, over training
    more = ((strip.against, _compared), (strip.memory, _remembered), (strip.film, _filmed))
    more += ((strip.claims, _claimed),)
    parts += [drawn(strip) for given, drawn in more if given is not None]
    return framed("strip", parts, strip.source)


def strongest(values: np.ndarray, count: int = 10) -> np.ndarray:
    """Places of the largest |values|, first come first among equals."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")[:count]


def _ramp(strip: TokenStrip) -> str:
    """The bar of colours, from the one end to the other, as wide as in the live form."""
    width = strip.colour_range
    cells = []
    for step in range(-STEPS, STEPS + 1):
        colour = _colour(strip, width * step / STEPS)
        cells.append(f'<i style="{colour};padding:0 .45em">&nbsp;</i>')
    name = escape(readable(strip.score)[0])
    bar = f'<i style="{EDGE}">{"".join(cells)}</i>'
    return f"<p><small><b>{name}</b> {_number(-width)} {bar} {_number(width)}</small></p>"


def _number(value: float) -> str:
    """A signed number with a minus sign at which no line breaks."""
    return f"{value:+.1f}".replace("-", "−")


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
        out += [escape(shown[here:first]), mark]
        here = last
    # the rest of the text, or how much of it is not drawn
    left = len(found.start) - len(marks)
    if left:
        out.append(f" … <i>{left:,} more {strip.level}s not drawn</i>")
    else:
        out.append(escape(shown[here:]))
    return f'<p dir="auto" style="{TEXT}">{"".join(out)}</p>'


def _marks(strip: TokenStrip, frame: pd.DataFrame, said: list[str]) -> list[str]:
    """One span a piece: its text, and its number if it goes past the threshold."""
    known = _known(strip, frame)
    truth = strip.planted() if strip.truth else ()
    out = []
    for place, (text, value) in enumerate(zip(said, known[strip.score], strict=False)):
        piece = escape(text)
        if len(truth) and truth[place]:
            piece = f"{PLANTED}{piece}</u>"
        # past the threshold: the number, and a sign beyond the colours
        if abs(value) >= strip.threshold:
            tag, look = ("b", "font-weight:400") if value > 0 else ("i", "font-style:normal")
            number = _number(value)
            if abs(value) > strip.colour_range * (1 + 1e-9):  # but for rounding
                number += "▲" if value > 0 else "▼"
            # a number stands before the line ends
            piece, ends = piece.rstrip("\n"), "\n" * text.endswith("\n")
            piece = (
                f'<{tag} style="{look}">{piece}</{tag}><sub style="{BESIDE}">{number}</sub>{ends}'
            )
        style = f"{_colour(strip, value)};border-radius:2px"
        # under the mouse
        hover = " · ".join(f"{name} {column[place]:+.3f}" for name, column in known.items())
        out.append(f'<span style="{style}" title="{escape(hover)}">{piece}</span>')
    return out


def _known(strip: TokenStrip, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """What is told of each piece: the score, and both sides of it where known."""
    names = {strip.score: strip.score, "log_prob_with": "log p with", "log_prob_without": "without"}
    return {told: strip.values(name, frame) for name, told in names.items() if name in frame}


def _colour(strip: TokenStrip, value: float) -> str:
    """Orange or blue, the stronger the nearer to the end of the colour range."""
    share = min(1, abs(value) / strip.colour_range) if value == value else 0
    step = round(STEPS * share)
    return over(ORANGE if value > 0 else BLUE, STRENGTH * step / STEPS)


def _legend(strip: TokenStrip) -> str:
    told = "orange, <b>+</b>: likelier with the persona; blue, <i>−</i>: less likely"
    told += f"; a number: by {strip.threshold:g} or more, ▲▼ beyond the colours"
    return told + f"; {PLANTED}line</u>: planted as personal" * bool(strip.truth)


def _lines(strip: TokenStrip) -> list[str]:
    """What the threshold finds of the truth, and what PerCE's weights would do."""
    lines = []
    if strip.truth:
        truth = strip.planted()
        values = strip.values(strip.score)
        high = values >= strip.threshold
        asked = f"{strip.score} ≥ {strip.threshold:g} against the planted truth"
        found = f"{(truth & high).sum()} found, {(high & ~truth).sum()} false high"
        missed = f"{(truth & ~high).sum()} missed; AUC {auc(values, truth):.2f}"
        lines.append(f"{asked}: {found}, {missed}")
    if {"pir", "log_prob_with"} <= set(strip.tokens) and len(strip.tokens):
        m, M = strip.clip
        seen = strip.lens()
        told = "{share:.0%} of the tokens above m, mean weight {mean:.2f}"
        told += ", {loss:.0%} of the loss on them (unweighted {plain:.0%})"
        lines.append(f"PerCE weights (m {m:g}, M {M:g}): {told.format(**seen)}")
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
        cells = {name: column[place] for name, column in columns.items()}
        rows.append({"piece": blanks(said), **cells})
    opened = "" if folded else " open"
    body = table(rows, digits=2)
    return f"<details{opened}><summary>{escape(title)}</summary>{body}</details>"


def _top(strip: TokenStrip) -> str:
    columns = _known(strip, strip.tokens)
    order = strongest(columns[strip.score])
    if strip.truth:
        columns[strip.truth] = np.where(strip.planted(), "yes", "no").tolist()
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


def _claimed(strip: TokenStrip) -> str:
    """The claims, each with its words of the text, and the words past the threshold that stand in
    none."""
    found, (shown, at) = strip.pieces[strip.level], readable(strip.response)
    said = [blanks(shown[at[a] : at[b]]) for a, b in zip(found.start, found.end, strict=True)]
    held = np.array([found.add_up(row) > 0 for row in strip.claimed]).reshape(-1, len(said))
    rows = [
        {"claim": readable(told)[0], "its words": " ".join(np.array(said)[own])}
        for told, own in zip(strip.claims.values(), held, strict=True)
    ]
    values = strip.values(strip.score)
    bare = np.flatnonzero((values >= strip.threshold) & ~held.any(axis=0))
    title = f"{len(bare)} {strip.level}s with {strip.score} ≥ {strip.threshold:g} and no claim"
    bare = bare[np.argsort(-values[bare], kind="stable")]
    whole = f"<details><summary>what each claim says here</summary>{table(rows)}</details>"
    return whole + _table(strip, bare, {strip.score: values}, title, folded=False)


def sum_check(grid: np.ndarray, whole: np.ndarray) -> str:
    """Do the memory items' values (items × tokens) add up to the whole, token by token?"""
    rest = np.abs(whole - grid.sum(axis=0))
    worst = float(np.nanmax(rest)) if np.isfinite(rest).any() else float("nan")
    verdict = "does not add up: what items share or lack is in “rest”"
    if worst <= 1e-3:
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
