"""The token strip: a text with each word's score on it. This file draws the static form; `strip_live` the live one.

Colour shows the score (orange: the persona made the word likelier; blue: less likely), but no meaning rests on it:
pieces past the threshold are bold or italic with their number beside them, planted truth is underlined, values beyond
the colour range carry ▲ or ▼, and tables below repeat what the live form shows. Without styles and scripts all of it
can still be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from workbench.errors import ConfigError, DataError
from workbench.html import content_id, escape, table
from workbench.views.strip_text import MEANS, SENTENCES, WORDS, Pieces, blanks, pattern_pieces, readable, token_pieces

ORANGE, BLUE = "230,97,1", "33,113,199"  # apart for the colour-blind; blended over the page, so both themes work
SIDES = ("log_prob_with", "log_prob_without")


@dataclass(frozen=True, repr=False)
class TokenStrip:
    """One text of a token table: static HTML here, `.widget()` is the live form, `.export(path)` a file.

    `tokens` holds the rows of one text: [text, start, end, <score>] and, if present, log_prob_with and
    log_prob_without for the hover title; every other column of floats is a score to choose in the live form. `truth`
    names a boolean column of planted personal words, underlined. `threshold` (in the score's unit) is where a number is
    printed, `scale` the half-width of the colours, `limit` the most pieces drawn in the static form, `level` what is
    drawn: "token", or a name of `levels` (regular expressions; a piece's score is the sum over its tokens).

    More to look at: `against`, the token table of the same response under another persona (`names` calls the two);
    `memory`, a table [position, memory, value] with `memories`, their texts, and perhaps `whole`, what the values of a
    token should add up to (else the score); `film`, [step, position, <score>]; `clip`, m and M of PerCE's weights.
    `provenance` is a line or a mapping, see `described`.

    Raises `DataError` for several texts, a missing column, offsets outside the response or tables that do not fit.
    """

    tokens: pd.DataFrame
    response: str
    score: str = "pir"
    title: str = ""
    provenance: str | Mapping[str, object] = ""
    truth: str | None = None
    threshold: float = 0.8
    scale: float | None = None
    limit: int = 2000
    level: str = "token"
    levels: Mapping[str, str] = field(default_factory=lambda: {"word": WORDS, "sentence": SENTENCES})
    against: pd.DataFrame | None = None
    names: tuple[str, str] = ("this persona", "the other persona")
    memory: pd.DataFrame | None = None
    memories: Sequence[str] = ()
    film: pd.DataFrame | None = None
    clip: tuple[float, float] = (0.8, 5.0)

    def __post_init__(self) -> None:
        wanted = {"text", "start", "end", self.score, *([self.truth] if self.truth else [])}
        wanted |= {"position"} if self.memory is not None or self.film is not None else set()
        for name, frame in (("tokens", self.tokens), ("against", self.against)):
            missing = (wanted if name == "tokens" else {"start", "end", self.score}) - set(
                [] if frame is None else frame
            )
            if missing and frame is not None:
                raise DataError(f"missing columns {sorted(missing)}", name, "a table made by score_tokens")
        if self.tokens["text"].nunique() > 1:
            raise DataError("more than one text", where="tokens", do="select one: tokens[tokens['text'] == ...]")
        start, end = (self.tokens[side].to_numpy() for side in ("start", "end"))
        if ((start < 0) | (end < start) | (end > len(self.response)) | (np.diff(start, prepend=0) < 0)).any():
            raise DataError("offsets that are not of this response", "tokens", "0 ≤ start ≤ end ≤ its length, in order")
        if self.against is not None and not (
            np.array_equal(self.against["start"], start) and np.array_equal(self.against["end"], end)
        ):
            raise DataError("other tokens than the first table", "against", "the same response by the same tokenizer")
        if self.level not in ("token", *self.levels):
            raise ConfigError(f"level {self.level!r}", "level", f"one of {['token', *self.levels]}")
        if not 0 <= self.clip[0] <= self.clip[1]:
            raise ConfigError(f"clip {self.clip}", "clip", "0 ≤ m ≤ M")

    # --- what is shown, as numbers ------------------------------------------------------------------------------------

    @property
    def scores(self) -> list[str]:
        """The score and every other column of floats."""
        floats = [str(name) for name in self.tokens.select_dtypes("floating") if name not in SIDES]
        return list(dict.fromkeys([self.score, *floats]))

    @cached_property
    def pieces(self) -> dict[str, Pieces]:
        """The pieces of every level."""
        start, end = (self.tokens[side].to_numpy(dtype=np.int64) for side in ("start", "end"))
        found = {name: pattern_pieces(pattern, self.response, end) for name, pattern in self.levels.items()}
        return {"token": token_pieces(start, end), **found}

    @cached_property
    def memory_grid(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Memory items, their values (items × tokens), and what these should add up to (one number a token)."""
        names, values = self._grid(self.memory, "memory", "value")
        whole = self.tokens[self.score].to_numpy(dtype=float)
        if "whole" in self.memory:
            whole = self._grid(self.memory, "memory", "whole")[1][0]
        told = dict(enumerate(self.memories))
        return [str(told.get(name, name)) for name in names], values, whole

    @cached_property
    def film_grid(self) -> tuple[list[Any], np.ndarray]:
        """Training steps and the score at each of them (steps × tokens)."""
        left = [name for name in self.film if name not in ("text", "step", "position")]
        return self._grid(self.film, "step", self.score if self.score in left else left[0])

    def _grid(self, frame: pd.DataFrame, rows: str, value: str) -> tuple[list[Any], np.ndarray]:
        mine = self.tokens["text"].iloc[:1].tolist()
        part = frame[frame["text"].isin(mine)] if "text" in frame else frame
        if {rows, "position", value} - set(part) or part.duplicated([rows, "position"]).any() or part.empty:
            raise DataError(
                f"not a table of {rows}s", rows, f"[{rows}, position, {value}], each pair once, of this text"
            )
        grid = part.pivot(index=rows, columns="position", values=value).reindex(columns=self.tokens["position"])
        return grid.index.tolist(), grid.to_numpy(dtype=float)

    def values(self, name: str, frame: pd.DataFrame | None = None, level: str | None = None) -> np.ndarray:
        """A column of `tokens` (or of another frame) for every piece of a level: sums, or means for `MEANS`."""
        column = (self.tokens if frame is None else frame)[name].to_numpy(dtype=float)
        return self.pieces[level or self.level].add_up(column, name.startswith(MEANS))

    def planted(self, level: str | None = None) -> np.ndarray:
        """Which pieces hold a token of the truth."""
        return self.pieces[level or self.level].add_up(self.tokens[self.truth].to_numpy(dtype=float)) > 0

    @property
    def colour_range(self) -> float:
        """Half-width of the colour range: the 98 % quantile of |score|, symmetric about 0, unless `scale` is given."""
        size = np.abs(self.values(self.score))
        size = size[np.isfinite(size)]
        return self.scale or float(max(np.quantile(size, 0.98) if len(size) else 0.0, 1e-9))

    def to_frame(self, level: str = "token") -> pd.DataFrame:
        """The tokens with the text each one covers (`piece`), or the pieces of another level with their scores."""
        if level == "token":
            spans = zip(self.tokens["start"], self.tokens["end"], strict=True)
            return self.tokens.assign(piece=[self.response[a:b] for a, b in spans])
        found = self.pieces[level]
        out = pd.DataFrame({"text": self.tokens["text"].iloc[0], "start": found.start, "end": found.end})
        out["n_tokens"] = np.bincount(found.group[found.group >= 0], minlength=len(out))
        for name in [*(side for side in SIDES if side in self.tokens), *self.scores]:
            out[name] = self.values(name, level=level)
        out = out.assign(**{self.truth: self.planted(level)}) if self.truth else out
        return out.assign(piece=[self.response[a:b] for a, b in zip(found.start, found.end, strict=True)])

    def lens(self, m: float | None = None, M: float | None = None) -> dict[str, float]:
        """What PerCE's weights clip(PIR, m, M) would do to this text, over its tokens.

        `share` of tokens up-weighted (PIR > m), `capped` (PIR > M), `mean` weight, and the share of the loss that
        lies on up-weighted tokens, with the weights (`loss`) and without (`plain`).
        """
        (low, high), (m, M) = self.clip, (m, M)
        m, M = low if m is None else m, high if M is None else M
        pir, loss = (self.tokens[name].to_numpy(dtype=float) for name in ("pir", "log_prob_with"))
        weight, up = np.clip(pir, m, M), pir > m
        loss = np.maximum(-loss, 0)
        out = {"share": up.mean(), "capped": (pir > M).mean(), "mean": weight.mean()}
        out |= {"loss": (weight * loss)[up].sum() / max((weight * loss).sum(), 1e-12)}
        return {name: float(value) for name, value in {**out, "plain": loss[up].sum() / max(loss.sum(), 1e-12)}.items()}

    # --- the static form ----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        past = int((self.tokens[self.score].abs() >= self.threshold).sum())
        return f"TokenStrip({len(self.tokens)} tokens, {past} with |{self.score}| ≥ {self.threshold:g})"

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{escape(self.title)}</b></p>" if self.title else "", self._text(self.tokens)]
        parts += [f"<p><small>{self._legend()}</small></p>", *self._lines(), self._top()]
        parts += [self._compared()] if self.against is not None else []
        parts += [self._remembered()] if self.memory is not None else []
        parts += [self._filmed()] if self.film is not None else []
        parts += [f"<p><small>{escape(self.source)}</small></p>" if self.source else ""]
        body = "".join(parts)
        return f'<div id="{content_id("strip", body)}">{body}</div>'

    @property
    def source(self) -> str:
        """Provenance as one line."""
        if isinstance(self.provenance, str):
            return self.provenance
        return " · ".join(f"{name}: {value}" for name, value in self.provenance.items())

    def said(self, level: str | None = None) -> list[str]:
        """What each piece says, with signs for what could not be seen."""
        found, (shown, at) = self.pieces[level or self.level], self._readable
        return [blanks(shown[at[a] : at[b]]) for a, b in zip(found.start, found.end, strict=True)]

    @cached_property
    def _readable(self) -> tuple[str, np.ndarray]:
        return readable(self.response)

    def _text(self, frame: pd.DataFrame) -> str:
        """The text from beginning to end, scored pieces marked, everything between them kept."""
        found, (shown, at) = self.pieces[self.level], self._readable
        start, end = at[found.start], at[found.end]
        marks = self._marks(frame)
        drawn, out, here = marks[: self.limit], [], 0
        for mark, first, last in zip(drawn, start, end, strict=False):
            out += [escape(shown[here:first]), mark]
            here = last
        left = len(marks) - len(drawn)
        out.append(f" … <i>{left:,} more {self.level}s not drawn</i>" if left else escape(shown[here:]))
        style = "color:var(--jp-content-font-color1,inherit);line-height:2;white-space:pre-wrap;max-width:60em;"
        return f'<p dir="auto" style="{style}overflow-wrap:anywhere">{"".join(out)}</p>'

    def _marks(self, frame: pd.DataFrame) -> list[str]:
        """One span a piece: its text, and as far as it goes past the threshold its number."""
        values, width, out = self.values(self.score, frame), self.colour_range, []
        truth = self.planted() if self.truth else np.zeros(len(values), dtype=bool)
        sides = [
            (label, self.values(name, frame))
            for label, name in (("log p with", "log_prob_with"), ("without", "log_prob_without"))
            if name in frame
        ]
        for place, (value, piece) in enumerate(zip(values, map(escape, self.said()), strict=True)):
            clip = ("▲" if value > 0 else "▼") if abs(value) > width * (1 + 1e-9) else ""
            piece = f"<u>{piece}</u>" if truth[place] else piece
            if abs(value) >= self.threshold:
                tag = "b" if value > 0 else "i"
                piece = f"<{tag}>{piece}</{tag}><sub>{value:+.1f}{clip}</sub>"
            hover = " · ".join([f"{self.score} {value:+.3f}", *(f"{label} {side[place]:.3f}" for label, side in sides)])
            strength = min(1.0, abs(value) / width) if value == value else 0.0
            style = f"background:rgba({ORANGE if value > 0 else BLUE},{0.6 * strength:.2f});border-radius:2px"
            out.append(f'<span style="{style}" title="{escape(hover)}">{piece}</span>')
        return out

    def _legend(self) -> str:
        signs = "likelier with the persona", "less likely"
        text = (
            f"<b>bold</b><sub>+</sub> {signs[0]}, <i>italic</i><sub>−</sub> {signs[1]}, by {self.threshold:g} or more; "
        )
        text += f"colour from −{self.colour_range:.2f} (blue) to +{self.colour_range:.2f} (orange), ▲▼ beyond"
        return text + ("; <u>underlined</u> planted as personal" if self.truth else "")

    def _lines(self) -> list[str]:
        """What the threshold finds of the truth, and what PerCE's weights would do."""
        lines = []
        if self.truth:
            truth, high = self.planted(), self.values(self.score) >= self.threshold
            hit, false, missed = (truth & high).sum(), (~truth & high).sum(), (truth & ~high).sum()
            line = f"{self.score} ≥ {self.threshold:g} against the planted truth: {hit} found, {false} false high, "
            lines.append(f"{line}{missed} missed; AUC {auc(self.values(self.score), truth):.2f}")
        if {"pir", "log_prob_with"} <= set(self.tokens) and len(self.tokens):
            (m, M), seen = self.clip, self.lens()
            lines.append(
                f"PerCE weights (m {m:g}, M {M:g}): {seen['share']:.0%} of the tokens above m, mean weight "
                f"{seen['mean']:.2f}, {seen['loss']:.0%} of the loss on them (unweighted {seen['plain']:.0%})"
            )
        return [f"<p><small>{escape(line)}</small></p>" for line in lines]

    def _table(self, order: np.ndarray, columns: Mapping[str, Any], title: str) -> str:
        """Chosen pieces as rows, under a heading that can be opened."""
        said = self.said()
        rows = [{"piece": said[i], **{name: _plain(column[i]) for name, column in columns.items()}} for i in order]
        return f"<details><summary>{escape(title)}</summary>{table(rows, digits=2)}</details>"

    def _top(self, count: int = 10) -> str:
        names = [name for name in (self.score, *SIDES) if name in self.tokens]
        columns = {name: self.values(name) for name in names}
        order = strongest(columns[self.score], count)
        columns |= {self.truth: self.planted()} if self.truth else {}
        return self._table(order, columns, f"the {len(order)} strongest")

    def _compared(self) -> str:
        one, other = self.values(self.score), self.values(self.score, self.against)
        (first, second), gap = self.names, one - other
        columns = {first: one, second: other, "difference": gap}
        rows = self._table(strongest(gap), columns, f"largest differences, {first} minus {second}")
        return f"<p><b>{escape(second)}</b></p>{self._text(self.against)}{rows}"

    def _remembered(self, count: int = 12) -> str:
        names, grid, whole = self.memory_grid
        add = self.pieces[self.level].add_up
        parts, total = [add(row) for row in grid], add(whole)
        order = np.sort(strongest(total, count))
        columns = {str(number): part for number, part in enumerate(parts[:count])}
        columns |= {f"all {len(parts)}": sum(parts)} if len(parts) > count else {}
        columns |= {"sum": sum(parts), self.score: total, "rest": total - sum(parts)}
        told = "".join(f"<li>{escape(readable(name)[0])}</li>" for name in names)
        check = self._table(order, columns, f"word × memory: the {len(order)} strongest {self.level}s")
        return f'<p>Memory items:</p><ol start="0">{told}</ol>{check}<p><small>{sum_check(grid, whole)}</small></p>'

    def _filmed(self, count: int = 8) -> str:
        steps, grid = self.film_grid
        shown = np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).astype(int))
        columns = {f"step {steps[i]}": self.pieces[self.level].add_up(grid[i]) for i in shown}
        order = strongest(list(columns.values())[-1])
        film = self._table(order, columns, f"over training, the {len(order)} strongest at the end")
        if not self.truth:
            return film
        found = ", ".join(f"{name} {auc(column, self.planted()):.2f}" for name, column in columns.items())
        return f"{film}<p><small>AUC against the planted truth: {escape(found)}</small></p>"

    # --- the live form ------------------------------------------------------------------------------------------------

    def widget(self, rescore: Callable[[TokenStrip, pd.DataFrame], pd.DataFrame] | None = None) -> Any:
        """The live form, an anywidget; `rescore` answers the reader's marks (default `strip_live.score_marks`)."""
        from workbench.views.strip_live import StripWidget

        return StripWidget.of(self, rescore)

    def export(self, path: Path | str) -> Path:
        """Write the strip to a file: .html (live, self-contained, no network) or .csv; see `strip_live.export`."""
        from workbench.views.strip_live import export

        return export(self, path)


def strongest(values: np.ndarray, count: int = 10) -> np.ndarray:
    """Places of the largest |values|, first come first among equals."""
    return np.argsort(-np.nan_to_num(np.abs(values)), kind="stable")[:count]


def auc(values: np.ndarray, truth: np.ndarray) -> float:
    """Probability that a true piece scores above a false one, ties half; not a number where one kind is missing."""
    known = ~np.isnan(values)
    high, low = values[known & truth], values[known & ~truth]
    if not len(high) or not len(low):
        return float("nan")
    return float(mannwhitneyu(high, low, method="asymptotic").statistic / (len(high) * len(low)))


def sum_check(grid: np.ndarray, whole: np.ndarray, tolerance: float = 1e-3) -> str:
    """Do the memory items' values add up to the whole, token by token?"""
    rest = np.abs(whole - grid.sum(axis=0))
    worst = float(np.nanmax(rest)) if np.isfinite(rest).any() else float("nan")
    verdict = "adds up" if worst <= tolerance else "does not add up: what items share or lack is in “rest”"
    return f"Sum check over {len(whole)} tokens: {verdict} (largest gap {worst:.4f})."


def described(model: Any, memories: Sequence[str] = (), intervention: str = "delete", seeds: object = 0) -> dict:
    """Provenance of a scored text: model and a fingerprint of its weights, hash of the persona, intervention, seeds.

    The fingerprint is made of every weight's name, shape and sum. Personas are short, so their hash tells two apart
    but hides nothing.
    """
    weights = model.named_parameters() if hasattr(model, "named_parameters") else []
    sums = [f"{name} {tuple(part.shape)} {part.detach().double().sum().item():.6g}" for name, part in weights]
    name = Path(str(getattr(getattr(model, "config", None), "name_or_path", "") or type(model).__name__)).name
    said = {"model": f"{name} {content_id('weights', *sums)}", "persona": content_id("persona", *memories)}
    return said | {"intervention": intervention, "seeds": seeds}


def _plain(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else value
