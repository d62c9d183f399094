"""The static form of a token strip: HTML that needs no style and no script.

Colour shows the score (orange: the persona made the word likelier; blue: less likely), but no
meaning rests on it: pieces past the threshold are bold or italic with their number beside them,
planted truth is underlined, values beyond the colour range carry ▲ or ▼, and tables below repeat
what the live form shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.html import content_id, escape, table
from workbench.views.strip.strip import TokenStrip, auc
from workbench.views.strip.text import blanks, readable

# apart for the colour-blind; blended over the page, so both themes work
ORANGE, BLUE = "230,97,1", "33,113,199"


def draw(strip: TokenStrip) -> str:
    """Everything the strip has, one part under another; the id is made of the content."""
    parts = [
        f"<p><b>{escape(readable(strip.title)[0])}</b></p>" if strip.title else "",
        _text(strip, strip.tokens),
    ]
    parts += [
        _small(_legend(strip)),
        *(_small(escape(line)) for line in _lines(strip)),
        _top(strip),
    ]
    parts += [_compared(strip)] if strip.against is not None else []
    parts += [_remembered(strip)] if strip.memory is not None else []
    parts += [_filmed(strip)] if strip.film is not None else []
    parts += [_small(escape(readable(strip.source)[0]))] if strip.source else []
    body = "".join(parts)
    return f'<div id="{content_id("strip", body)}">{body}</div>'


def strongest(values: np.ndarray, count: int = 10) -> np.ndarray:
    """Places of the largest |values|, first come first among equals."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")[:count]


def _small(html: str) -> str:
    return f"<p><small>{html}</small></p>"


def _text(strip: TokenStrip, frame: pd.DataFrame) -> str:
    """The text from beginning to end, scored pieces marked, everything between them kept."""
    found, (shown, at) = strip.pieces[strip.level], readable(strip.response)
    start, end = at[found.start][: strip.limit], at[found.end][: strip.limit]
    marks = _marks(strip, frame, [blanks(shown[a:b]) for a, b in zip(start, end, strict=True)])
    out, here = [], 0
    for mark, first, last in zip(marks, start, end, strict=True):
        out += [escape(shown[here:first]), mark]
        here = last
    left = len(found.start) - len(marks)
    out.append(
        f" … <i>{left:,} more {strip.level}s not drawn</i>" if left else escape(shown[here:])
    )
    style = "color:var(--jp-content-font-color1,inherit);line-height:2;white-space:pre-wrap;max-width:60em;"
    return f'<p dir="auto" style="{style}overflow-wrap:anywhere">{"".join(out)}</p>'


def _marks(strip: TokenStrip, frame: pd.DataFrame, said: list[str]) -> list[str]:
    """One span a piece: its text, and its number if it goes past the threshold."""
    values, width, out = strip.values(strip.score, frame), strip.colour_range, []
    truth = strip.planted() if strip.truth else np.zeros(len(values), dtype=bool)
    sides = [("log p with", "log_prob_with"), ("without", "log_prob_without")]
    given = [(label, strip.values(name, frame)) for label, name in sides if name in frame]
    for place, piece in enumerate(map(escape, said)):
        value = values[place]
        clip = ("▲" if value > 0 else "▼") if abs(value) > width * (1 + 1e-9) else ""
        piece = f"<u>{piece}</u>" if truth[place] else piece
        if abs(value) >= strip.threshold:
            tag = "b" if value > 0 else "i"
            piece = f"<{tag}>{piece}</{tag}><sub>{value:+.1f}{clip}</sub>"
        hover = " · ".join(
            [
                f"{strip.score} {value:+.3f}",
                *(f"{label} {side[place]:.3f}" for label, side in given),
            ]
        )
        strength = min(1.0, abs(value) / width) if value == value else 0.0
        style = f"background:rgba({ORANGE if value > 0 else BLUE},{0.6 * strength:.2f});border-radius:2px"
        out.append(f'<span style="{style}" title="{escape(hover)}">{piece}</span>')
    return out


def _legend(strip: TokenStrip) -> str:
    text = (
        "<b>bold</b><sub>+</sub> likelier with the persona, <i>italic</i><sub>−</sub> less likely, "
    )
    text += f"by {strip.threshold:g} or more; "
    text += (
        f"colour from −{strip.colour_range:.2f} (blue) to +{strip.colour_range:.2f} "
        f"(orange), ▲▼ beyond"
    )
    return text + ("; <u>underlined</u> planted as personal" if strip.truth else "")


def _lines(strip: TokenStrip) -> list[str]:
    """What the threshold finds of the truth, and what PerCE's weights would do."""
    lines = []
    if strip.truth:
        truth, values = strip.planted(), strip.values(strip.score)
        high = values >= strip.threshold
        counts = (
            f"{(truth & high).sum()} found, {(~truth & high).sum()} false high, "
            f"{(truth & ~high).sum()} missed"
        )
        lines.append(
            f"{strip.score} ≥ {strip.threshold:g} against the planted truth: "
            f"{counts}; AUC {auc(values, truth):.2f}"
        )
    if {"pir", "log_prob_with"} <= set(strip.tokens) and len(strip.tokens):
        (m, M), seen = strip.clip, strip.lens()
        lines.append(
            f"PerCE weights (m {m:g}, M {M:g}): {seen['share']:.0%} of the tokens "
            f"above m, mean weight "
            f"{seen['mean']:.2f}, {seen['loss']:.0%} of the loss on them "
            f"(unweighted {seen['plain']:.0%})"
        )
    return lines


def _table(strip: TokenStrip, order: np.ndarray, columns: Mapping[str, Any], title: str) -> str:
    """Chosen pieces as rows, under a heading that can be opened."""
    found, (shown, at) = strip.pieces[strip.level], readable(strip.response)
    rows = [
        {"piece": blanks(shown[at[found.start[i]] : at[found.end[i]]])}
        | {name: _plain(column[i]) for name, column in columns.items()}
        for i in order
    ]
    return f"<details><summary>{escape(title)}</summary>{table(rows, digits=2)}</details>"


def _top(strip: TokenStrip) -> str:
    names = [
        name for name in (strip.score, "log_prob_with", "log_prob_without") if name in strip.tokens
    ]
    columns = {name: strip.values(name) for name in names}
    order = strongest(columns[strip.score])
    columns |= {strip.truth: strip.planted()} if strip.truth else {}
    return _table(strip, order, columns, f"the {len(order)} strongest")


def _compared(strip: TokenStrip) -> str:
    one, other = strip.values(strip.score), strip.values(strip.score, strip.against)
    (first, second), gap = (readable(name)[0] for name in strip.names), one - other
    columns = {first: one, second: other, "difference": gap}
    rows = _table(strip, strongest(gap), columns, f"largest differences, {first} minus {second}")
    return f"<p><b>{escape(second)}</b></p>{_text(strip, strip.against)}{rows}"


def _remembered(strip: TokenStrip, count: int = 12) -> str:
    """The word × memory map of the strongest pieces, and whether it adds up."""
    names, grid, whole = strip.memory_grid
    add = strip.pieces[strip.level].add_up
    parts, total = [add(row) for row in grid], add(whole)
    order = np.sort(strongest(total, count))
    columns = {str(number): part for number, part in enumerate(parts[:count])}
    columns |= {f"all {len(parts)}": sum(parts)} if len(parts) > count else {}
    columns |= {"sum": sum(parts), strip.score: total, "rest": total - sum(parts)}
    told = "".join(f"<li>{escape(readable(name)[0])}</li>" for name in names)
    rows = _table(
        strip, order, columns, f"word × memory: the {len(order)} strongest {strip.level}s"
    )
    return f'<p>Memory items:</p><ol start="0">{told}</ol>{rows}{_small(sum_check(grid, whole))}'


def sum_check(grid: np.ndarray, whole: np.ndarray, tolerance: float = 1e-3) -> str:
    """Do the memory items' values (items × tokens) add up to the whole, token by token?"""
    rest = np.abs(whole - grid.sum(axis=0))
    worst = float(np.nanmax(rest)) if np.isfinite(rest).any() else float("nan")
    verdict = (
        "adds up"
        if worst <= tolerance
        else "does not add up: what items share or lack is in “rest”"
    )
    return f"Sum check over {len(whole)} tokens: {verdict} (largest gap {worst:.4f})."


def _filmed(strip: TokenStrip, count: int = 8) -> str:
    """The strongest pieces at some of the training steps, and how well the score finds the truth
    there."""
    steps, grid = strip.film_grid
    shown = np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).astype(int))
    columns = {f"step {steps[i]}": strip.pieces[strip.level].add_up(grid[i]) for i in shown}
    order = strongest(list(columns.values())[-1])
    film = _table(strip, order, columns, f"over training, the {len(order)} strongest at the end")
    if not strip.truth:
        return film
    found = ", ".join(
        f"{name} {auc(column, strip.planted()):.2f}" for name, column in columns.items()
    )
    return film + _small(f"AUC against the planted truth: {escape(found)}")


def _plain(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else value
