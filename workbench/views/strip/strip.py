"""The token strip: a text with each word's score on it. `static` and `live` draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, typed
from workbench.html import content_id
from workbench.tokens.aggregate import LEVELS, MEANS, Pieces, cut
from workbench.views.strip.text import writable

SIDES = ("log_prob_with", "log_prob_without")


@typed
@dataclass(frozen=True, repr=False)
class TokenStrip:
    """One text of a token table: static HTML here, `show(strip).widget()` is the live form,
    `export(strip, path)` a file (see `live.export_strip`).

    `tokens` holds the rows of one text: [text, start, end, <score>] and, if present, log_prob_with
    and log_prob_without for the hover title; every other column of floats is a score to choose in
    the live form. `truth` names a boolean column of planted personal words, underlined. `threshold`
    (in the score's unit) is where a number is printed, `scale` the half-width of the colours,
    `limit` the most pieces drawn in the static form, `level` what is drawn: "token", or a name of
    `levels` (regular expressions; a piece's score is the sum over its tokens).

    More to look at: `against`, the token table of the same response under another persona (`names`
    calls the two); `memory`, a table [position, memory, value] with `memories`, their texts, and
    perhaps `whole`, what the values of a token should add up to (else the score); `film`, [step,
    position, <score>]; `clip`, m and M of PerCE's weights; `claims`, claim → the sentence that says
    it, where `tokens` has the column of that name (tuples, see `ledger.page_words`). `provenance` is
    a line or a mapping, see `described`.

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
        default_factory=lambda: {name: LEVELS[name] for name in ("word", "sentence")}
    )
    against: pd.DataFrame | None = None
    names: tuple[str, str] = ("this persona", "the other persona")
    memory: pd.DataFrame | None = None
    memories: Sequence[str] = ()
    film: pd.DataFrame | None = None
    clip: tuple[float, float] = (0.8, 5.0)
    claims: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for name in ("threshold", "scale"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and 0 <= value < np.inf):
                raise ConfigError(f"{name} {value!r}", name, "a number from 0 on")
        self._check_tables()
        self._check_offsets()
        if self.level not in ("token", *self.levels):
            raise ConfigError(f"level {self.level!r}", "level", f"one of {['token', *self.levels]}")
        if not 0 <= self.clip[0] <= self.clip[1]:
            raise ConfigError(f"clip {self.clip}", "clip", "0 ≤ m ≤ M")

    def _check_tables(self) -> None:
        # the columns that are asked for, in the first table and in the one it is compared with
        wanted = {"start", "end", self.score}
        first = wanted | {"text"} | ({self.truth} if self.truth else set())
        if self.memory is not None or self.film is not None:
            first.add("position")
        if self.claims is not None:
            first.add("claims")
        tables = (("tokens", self.tokens, first), ("against", self.against, wanted))
        for name, table, columns in tables[: 1 if self.against is None else 2]:
            expected = "a table made by score_tokens"
            missing = sorted(columns.difference(table if isinstance(table, pd.DataFrame) else ()))
            if missing:
                raise DataError(f"missing columns {missing}", name, expected)
            try:
                table[sorted(columns - {"text", "position", "claims"})].to_numpy(dtype=float)
            except (TypeError, ValueError) as error:
                raise DataError(f"a column without numbers ({error})", name, expected) from None
        if not isinstance(self.response, str):
            what = f"a {type(self.response).__name__}"
            raise DataError(what, "response", "the text that the tokens are of")
        # one text
        if self.tokens["text"].nunique() > 1:
            do = "select one: tokens[tokens['text'] == ...]"
            raise DataError("more than one text", where="tokens", do=do)

    def _check_offsets(self) -> None:
        # spans of this response, in order
        start, end = self._spans
        unordered = (np.diff(start, prepend=0) < 0) | (end < start)
        if (unordered | (end > len(self.response))).any():
            expected = "0 ≤ start ≤ end ≤ its length, in order"
            raise DataError("offsets that are not of this response", "tokens", expected)
        # the other table's are the same
        other = self.against
        if other is not None and not np.array_equal(other[["start", "end"]], np.c_[start, end]):
            expected = "the same response by the same tokenizer"
            raise DataError("other tokens than the first table", "against", expected)

    # --- what is shown, as numbers ----------------------------------------------------------------

    @property
    def scores(self) -> list[str]:
        """The score and every other column of floats."""
        floats = [str(name) for name in self.tokens.select_dtypes("floating") if name not in SIDES]
        return list(dict.fromkeys([self.score, *floats]))

    @property
    def _spans(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each token starts and ends."""
        start = self.tokens["start"].to_numpy(dtype=np.int64)
        return start, self.tokens["end"].to_numpy(dtype=np.int64)

    @cached_property
    def pieces(self) -> dict[str, Pieces]:
        """The pieces of every level."""
        levels = {"token": "token", **self.levels}
        return {name: cut(self.response, *self._spans, level) for name, level in levels.items()}

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
        score = self.score if self.score in left or not left else left[0]
        return self._grid(self.film, "step", score)

    def _grid(self, frame: pd.DataFrame, rows: str, value: str) -> tuple[list[Any], np.ndarray]:
        # the rows of this text
        mine = self.tokens["text"].iloc[:1].tolist()
        part = frame[frame["text"].isin(mine)] if "text" in frame else frame
        # each pair of row and token once
        lacking = {rows, "position", value} - set(part)
        if lacking or part.empty or part.duplicated([rows, "position"]).any():
            expected = f"[{rows}, position, {value}], each pair once, of this text"
            raise DataError(f"not a table of {rows}s", rows, expected)
        # the tokens in the order of the strip
        grid = part.pivot(index=rows, columns="position", values=value)
        grid = grid.reindex(columns=self.tokens["position"])
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
        truth = self.tokens[self.truth].to_numpy(dtype=float)
        return self.pieces[level or self.level].add_up(truth) > 0

    @cached_property
    def claimed(self) -> np.ndarray:
        """Which tokens stand in which claim: claims × tokens, 0 or 1."""
        own = self.tokens["claims"]
        rows = [[float(name in each) for each in own] for name in self.claims]
        return np.reshape(rows, (len(self.claims), len(own)))

    @property
    def colour_range(self) -> float:
        """Half-width of the colour range: the 98 % quantile of |score|, symmetric about 0, unless
        `scale` is given."""
        size = np.abs(self.values(self.score))
        size = size[np.isfinite(size)]
        most = np.quantile(size, 0.98) if len(size) else 0.0
        return self.scale or float(max(most, 1e-9))

    def to_frame(self, level: str = "token") -> pd.DataFrame:
        """The tokens with the text each one covers (`piece`), or the pieces of another level with
        their scores."""
        said = writable(self.response)
        if level == "token":
            start, end = self._spans
            out = self.tokens
        else:
            # each piece: where it is, how many tokens it holds, its scores
            found = self.pieces[level]
            start, end = found.start, found.end
            out = pd.DataFrame({"text": self.tokens["text"].iloc[0], "start": start, "end": end})
            out["n_tokens"] = np.bincount(found.group[found.group >= 0], minlength=len(out))
            sides = [side for side in SIDES if side in self.tokens]
            for name in [*sides, *self.scores]:
                out[name] = self.values(name, level=level)
            if self.truth:
                out[self.truth] = self.planted(level)
        return out.assign(piece=[said[a:b] for a, b in zip(start, end, strict=True)])

    def lens(self, m: float | None = None, M: float | None = None) -> dict[str, float]:
        """What PerCE's weights clip(PIR, m, M) would do to this text, over its tokens.

        `share` of tokens up-weighted (PIR > m), `capped` (PIR > M), `mean` weight, and the share of
        the loss that lies on up-weighted tokens, with the weights (`loss`) and without (`plain`).
        """
        m = self.clip[0] if m is None else m
        M = self.clip[1] if M is None else M
        missing = sorted({"pir", "log_prob_with"}.difference(self.tokens))
        if missing:
            raise DataError(f"missing columns {missing}", "tokens", "PIR and both of its sides")
        pir = self.tokens["pir"].to_numpy(dtype=float)
        # a loss is not negative, whatever rounding says
        loss = np.maximum(-self.tokens["log_prob_with"].to_numpy(dtype=float), 0)
        weight = np.clip(pir, m, M)
        # one mean or share a column
        up = pir > m
        means = {"share": up, "capped": pir > M, "mean": weight}
        out = {name: float(values.mean()) for name, values in means.items()}
        for name, values in {"loss": weight * loss, "plain": loss}.items():
            out[name] = float(values[up].sum() / max(values.sum(), 1e-12))
        return out

    # --- how it looks -----------------------------------------------------------------------------

    def __repr__(self) -> str:
        past = int((self.tokens[self.score].abs() >= self.threshold).sum())
        passed = f"{past} with |{self.score}| ≥ {self.threshold:g}"
        return f"TokenStrip({len(self.tokens)} tokens, {passed})"

    def _repr_html_(self) -> str:
        from workbench.views.strip.static import draw

        return draw(self)

    @property
    def source(self) -> str:
        """Provenance as one line."""
        if isinstance(self.provenance, str):
            return self.provenance
        return " · ".join(f"{name}: {value}" for name, value in self.provenance.items())

    def _widget(self) -> Any:
        """What `show(strip).widget()` gives."""
        from workbench.views.strip.live import StripWidget

        return StripWidget.of(self)

    def _export(self, path: Path | str) -> Path:
        """What `export(strip, path)` writes."""
        from workbench.views.strip.live import export_strip

        return export_strip(self, path)


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
    # a folder's last name, else what kind of model it is
    path = getattr(getattr(model, "config", None), "name_or_path", "") or type(model).__name__
    return {
        "model": f"{Path(str(path)).name} {content_id('weights', *sums)}",
        "persona": content_id("persona", *memories),
        "intervention": intervention,
        "seeds": seeds,
    }
