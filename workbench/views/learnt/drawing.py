"""Figures that are read from the back of a hall, by the colour-blind too: a colour and a mark each."""

from __future__ import annotations

import base64
import io
from typing import Any

from workbench.html import escape

HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, apart for the colour-blind."""
MARKS = "osD^"
LETTERS = 15
"""Points of the letters in a figure that is ten inches wide."""


def figure(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
    """A figure of its own, which no other drawing changes, and its axes (rows, columns)."""
    from matplotlib.figure import Figure

    found = Figure(figsize=size, layout="constrained")
    axes = found.subplots(rows, columns, squeeze=False, **options)
    for axis in axes.flat:
        axis.tick_params(labelsize=LETTERS)
        axis.spines[["top", "right"]].set_visible(False)
    return found, axes


def said(axis: Any, **texts: str) -> None:
    """Texts of an axis (title, xlabel, ylabel), in which nothing is taken for a formula."""
    for name, text in texts.items():
        getattr(axis, f"set_{name}")(text, fontsize=LETTERS, parse_math=False)


def picture(drawn: Any, told: str) -> str:
    """A figure as HTML, and what it shows in words; equal figures give equal text."""
    from PIL import Image

    with io.BytesIO() as file, io.BytesIO() as small:
        drawn.savefig(file, format="png", dpi=80)
        # of few colours: a third of the size
        Image.open(file).convert("RGB").quantize(32).save(small, format="png", optimize=True)
        data = base64.b64encode(small.getvalue()).decode("ascii")
    return f'<p><img alt="{escape(told)}" src="data:image/png;base64,{data}"></p>'
