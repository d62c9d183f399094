"""The token strip: a text with each word's score on it. `static` and `live` draw it."""

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
from workbench.html import content_id
from workbench.views.strip.text import (
    MEANS,
    SENTENCES,
    WORDS,
    Pieces,
    pattern_pieces,
    token_pieces,
    writable,
)

SIDES = ("log_prob_with", "log_prob_without")


@dataclass(frozen=True, repr=False)
class TokenStrip:
    """One text of a token table: static HTML here, `.widget()` is the live form, `.export(path)` a
    file.

    `tokens` holds the rows of one text: [text, start, end, <score>] and, if present, log_prob_with
    and log_prob_without for the hover title; every other column of floats is a score to choose in
    the live form. `truth` names a boolean column of planted personal words, underlined. `threshold`
    (in the score's unit) is where a number is printed, `scale` the half-width of the colours,
    `limit` the most pieces drawn in the static form, `level` what is drawn: "token", or a name of
    `levels` (regular expressions; a piece's score is the sum over its tokens).

    More to look at: `against`, the token table of the same response under another persona (`names`
    calls the two); `memory`, a table [position, memory, value] with `memories`, their texts, and
    perhaps `whole`, what the values of a token should add up to (else the score); `film`, [step,
    position, <score>]; `clip`, m and M of PerCE's weights. `provenance` is a line or a mapping, see
    `described`.

    Raises `DataError` for several texts, a missing column, offsets outside the response or tables
    that do not fit.
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
    levels: Mapping[str, str] = field(
        default_factory=lambda: {"word": WORDS, "sentence": SENTENCES}
    )
    against: pd.DataFrame | None = None
    names: tuple[str, str] = ("this persona", "the other persona")
    memory: pd.DataFrame | None = None
    memories: Sequence[str] = ()
    film: pd.DataFrame | None = None
    clip: tuple[float, float] = (0.8, 5.0)

    def __post_init__(self) -> None:
        wanted = {"text", "start", "end", self.score, *([self.truth] if self.truth else [])}
        wanted |= {"position"} if self.memory is not None or self.film is not None else set()
        other = {"start", "end", self.score} - set(
            self.tokens if self.against is None else self.against
        )
        for name, missing in (("tokens", wanted - set(self.tokens)), ("against", other)):
            if missing:
                raise DataError(
                    f"missing columns {sorted(missing)}", name, "a table made by score_tokens"
                )
        if self.tokens["text"].nunique() > 1:
            raise DataError(
                "more than one text", where="tokens", do="select one: tokens[tokens['text'] == ...]"
            )
        start, end = (self.tokens[side].to_numpy() for side in ("start", "end"))
        if (
            (start < 0)
            | (end < start)
            | (end > len(self.response))
            | (np.diff(start, prepend=0) < 0)
        ).any():
            raise DataError(
                "offsets that are not of this response",
                "tokens",
                "0 ≤ start ≤ end ≤ its length, in order",
            )
        if self.against is not None and not (
            np.array_equal(self.against["start"], start)
            and np.array_equal(self.against["end"], end)
        ):
            raise DataError(
                "other tokens than the first table",
                "against",
                "the same response by the same tokenizer",
            )
        if self.level not in ("token", *self.levels):
            raise ConfigError(f"level {self.level!r}", "level", f"one of {['token', *self.levels]}")
        if not 0 <= self.clip[0] <= self.clip[1]:
            raise ConfigError(f"clip {self.clip}", "clip", "0 ≤ m ≤ M")

    # --- what is shown, as numbers ----------------------------------------------------------------

    @property
    def scores(self) -> list[str]:
        """The score and every other column of floats."""
        floats = [str(name) for name in self.tokens.select_dtypes("floating") if name not in SIDES]
        return list(dict.fromkeys([self.score, *floats]))

    @cached_property
    def pieces(self) -> dict[str, Pieces]:
        """The pieces of every level."""
        start, end = (self.tokens[side].to_numpy(dtype=np.int64) for side in ("start", "end"))
        found = {
            name: pattern_pieces(pattern, self.response, end)
            for name, pattern in self.levels.items()
        }
        return {"token": token_pieces(start, end), **found}

    @cached_property
    def memory_grid(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Memory items, their values (items × tokens), and what these should add up to (one number
        a token)."""
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
        if (
            {rows, "position", value} - set(part)
            or part.duplicated([rows, "position"]).any()
            or part.empty
        ):
            raise DataError(
                f"not a table of {rows}s",
                rows,
                f"[{rows}, position, {value}], each pair once, of this text",
            )
        grid = part.pivot(index=rows, columns="position", values=value).reindex(
            columns=self.tokens["position"]
        )
        return grid.index.tolist(), grid.to_numpy(dtype=float)

    def values(
        self, name: str, frame: pd.DataFrame | None = None, level: str | None = None
    ) -> np.ndarray:
        """A column of `tokens` (or of another frame) for every piece of a level: sums, or means for
        `MEANS`."""
        column = (self.tokens if frame is None else frame)[name].to_numpy(dtype=float)
        return self.pieces[level or self.level].add_up(column, name.startswith(MEANS))

    def planted(self, level: str | None = None) -> np.ndarray:
        """Which pieces hold a token of the truth."""
        return (
            self.pieces[level or self.level].add_up(self.tokens[self.truth].to_numpy(dtype=float))
            > 0
        )

    @property
    def colour_range(self) -> float:
        """Half-width of the colour range: the 98 % quantile of |score|, symmetric about 0, unless
        `scale` is given."""
        size = np.abs(self.values(self.score))
        size = size[np.isfinite(size)]
        return self.scale or float(max(np.quantile(size, 0.98) if len(size) else 0.0, 1e-9))

    def to_frame(self, level: str = "token") -> pd.DataFrame:
        """The tokens with the text each one covers (`piece`), or the pieces of another level with
        their scores."""
        said = writable(self.response)
        if level == "token":
            spans = zip(self.tokens["start"], self.tokens["end"], strict=True)
            return self.tokens.assign(piece=[said[a:b] for a, b in spans])
        found = self.pieces[level]
        out = pd.DataFrame(
            {"text": self.tokens["text"].iloc[0], "start": found.start, "end": found.end}
        )
        out["n_tokens"] = np.bincount(found.group[found.group >= 0], minlength=len(out))
        for name in [*(side for side in SIDES if side in self.tokens), *self.scores]:
            out[name] = self.values(name, level=level)
        out = out.assign(**{self.truth: self.planted(level)}) if self.truth else out
        return out.assign(piece=[said[a:b] for a, b in zip(found.start, found.end, strict=True)])

    def lens(self, m: float | None = None, M: float | None = None) -> dict[str, float]:
        """What PerCE's weights clip(PIR, m, M) would do to this text, over its tokens.

        `share` of tokens up-weighted (PIR > m), `capped` (PIR > M), `mean` weight, and the share of
        the loss that lies on up-weighted tokens, with the weights (`loss`) and without (`plain`).
        """
        (low, high), (m, M) = self.clip, (m, M)
        m, M = low if m is None else m, high if M is None else M
        pir, loss = (self.tokens[name].to_numpy(dtype=float) for name in ("pir", "log_prob_with"))
        weight, up = np.clip(pir, m, M), pir > m
        loss = np.maximum(-loss, 0)
        out = {"share": up.mean(), "capped": (pir > M).mean(), "mean": weight.mean()}
        out |= {"loss": (weight * loss)[up].sum() / max((weight * loss).sum(), 1e-12)}
        return {
            name: float(value)
            for name, value in {**out, "plain": loss[up].sum() / max(loss.sum(), 1e-12)}.items()
        }

    # --- how it looks -----------------------------------------------------------------------------

    def __repr__(self) -> str:
        past = int((self.tokens[self.score].abs() >= self.threshold).sum())
        return (
            f"TokenStrip({len(self.tokens)} tokens, {past} with |{self.score}| ≥ "
            f"{self.threshold:g})"
        )

    def _repr_html_(self) -> str:
        from workbench.views.strip.static import draw

        return draw(self)

    @property
    def source(self) -> str:
        """Provenance as one line."""
        if isinstance(self.provenance, str):
            return self.provenance
        return " · ".join(f"{name}: {value}" for name, value in self.provenance.items())

    def widget(
        self, rescore: Callable[[TokenStrip, pd.DataFrame], pd.DataFrame] | None = None
    ) -> Any:
        """The live form, an anywidget; `rescore` answers the reader's marks (default
        `live.score_marks`)."""
        from workbench.views.strip.live import StripWidget

        return StripWidget.of(self, rescore)

    def export(self, path: Path | str) -> Path:
        """Write the strip to a file: .html (live, self-contained, no network) or .csv; see
        `live.export`."""
        from workbench.views.strip.live import export

        return export(self, path)


def auc(values: np.ndarray, truth: np.ndarray) -> float:
    """Probability that a true piece scores above a false one, ties half; not a number where one
    kind is missing."""
    known = ~np.isnan(values)
    high, low = values[known & truth], values[known & ~truth]
    if not len(high) or not len(low):
        return float("nan")
    return float(mannwhitneyu(high, low, method="asymptotic").statistic / (len(high) * len(low)))


def described(
    model: Any, memories: Sequence[str] = (), intervention: str = "delete", seeds: object = 0
) -> dict:
    """Provenance of a scored text: model and a fingerprint of its weights, hash of the persona,
    intervention, seeds.

    The fingerprint is made of every weight's name, shape and sum. Personas are short, so their hash
    tells two apart but hides nothing.
    """
    weights = model.named_parameters() if hasattr(model, "named_parameters") else []
    sums = [
        f"{name} {tuple(part.shape)} {part.detach().double().sum().item():.6g}"
        for name, part in weights
    ]
    name = Path(
        str(getattr(getattr(model, "config", None), "name_or_path", "") or type(model).__name__)
    ).name
    said = {
        "model": f"{name} {content_id('weights', *sums)}",
        "persona": content_id("persona", *memories),
    }
    return said | {"intervention": intervention, "seeds": seeds}
