"""Token scores added up to words, sentences, lines, or whatever a regular expression finds.

Tables and pictures are cut here, by one rule, so that they agree. Every token has one deciding
character, and belongs to the piece that holds it: its last one that is not white space; of a token
of white space alone, the next such character of the text (a tokenizer gives the space before a word
to the word), at the end of the text the last. Words, sentences and lines hold every character that
is not white space, so that no token is lost and their sums are the sum over the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.html import sourced
from workbench.tokens.encoding import check_columns, check_once

SUMS = ("log_prob_with", "log_prob_without", "pir", "pcxmi", "kl", "entropy", "loss", "word_match")
MEANS = ("probability_difference", "attention")
"""Beginnings of the names of scores that do not add up; of a piece a picture shows their mean."""
QUOTES = "\"'”’“‘»«›‹)]}」』）】"
"""What may close a sentence behind its full stop: quotes in any direction («so», »so«), brackets."""
LEVELS = {
    "word": r"\S+",
    # up to a full stop and what closes it (a no-break space may part them: « so. »), before white
    # space; or to the end of the line
    "sentence": rf"\S(?:.*?[.!?…。！？]+(?:[\u00a0\u202f]?[{re.escape(QUOTES)}])*(?=\s|$)|.*)",
    "line": r"\S.*",
}


@dataclass(frozen=True)
class Pieces:
    """Spans of one text (`start`, `end`, characters) that hold a token, and for each token the
    number of its piece, −1 for none."""

    start: np.ndarray
    end: np.ndarray
    group: np.ndarray

    def add_up(self, values: np.ndarray, mean: bool = False) -> np.ndarray:
        """Sum (or mean) of the tokens of each piece; a value that is not a number counts as
        nothing."""
        inside = (self.group >= 0) & ~np.isnan(values)
        counts = np.bincount(self.group[inside], minlength=len(self.start))
        sums = np.bincount(self.group[inside], weights=values[inside], minlength=len(self.start))
        added = sums / np.maximum(counts, 1) if mean else sums
        return np.where(counts > 0, added, np.nan)


def spans_of(text: str, level: str) -> np.ndarray:
    """The spans of a level of `LEVELS`, or of the matches of a regular expression; int64 (n, 2).

    Raises `ConfigError` for an expression that cannot be read.
    """
    try:
        expression = re.compile(LEVELS.get(level, level))
    except (re.error, TypeError) as error:
        expected = f"one of {list(LEVELS)}, or a regular expression"
        raise ConfigError(f"{level!r}: {error}", "level", expected) from error
    spans = [found.span() for found in expression.finditer(text) if found[0]]
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def token_group(text: str, start: np.ndarray, end: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """For each token (`start`, `end`) the row of `spans` that holds its deciding character; int64,
    −1 for none.

    spans: (n, 2), in order, not overlapping.
    """
    solid = np.array([found.start() for found in re.finditer(r"\S", text)], dtype=np.int64)
    if not len(spans) or not len(solid):
        return np.full(len(start), -1)
    # the last character of the token that is not white space; else the next of the text
    last = np.searchsorted(solid, end - 1, side="right") - 1
    within = (last >= 0) & (solid[last] >= np.minimum(start, end - 1))
    following = np.minimum(last + 1, len(solid) - 1)
    place = solid[np.where(within, last, following)]
    # the span that begins last before it, if it reaches so far
    row = np.searchsorted(spans[:, 0], place, side="right") - 1
    reaches = (row >= 0) & (place < spans[row, 1])
    return np.where(reaches, row, -1)


def cut(text: str, start: np.ndarray, end: np.ndarray, level: str) -> Pieces:
    """The pieces of a text for a picture: spans of `level` that hold a token of (`start`, `end`).

    `level`: "token" (each token, but tokens that share a many-byte character share its piece), a
    name of `LEVELS`, or a regular expression.
    """
    if level == "token":
        return _tokens(start, end)
    spans = spans_of(text, level)
    group = token_group(text, start, end, spans)
    # spans without a token are left out, the others numbered anew
    kept, number = np.unique(group[group >= 0], return_inverse=True)
    group[group >= 0] = number
    return Pieces(*spans[kept].T, group)


def _tokens(start, end):
    # a token begins a piece where all before it have ended
    reach = np.maximum.accumulate(end)
    first = np.ones(len(start), dtype=bool)
    first[1:] = (start[1:] >= reach[:-1]) & (end[1:] > start[1:])
    last = np.roll(first, -1)
    return Pieces(start[first], reach[last], np.cumsum(first) - 1)


@sourced
def add_up(
    tokens: pd.DataFrame, pairs: pd.DataFrame, spans: pd.DataFrame, also: Sequence[str] = ()
) -> pd.DataFrame:
    """Add token scores up to larger pieces: `spans` [text, start, end, ...] with `n_tokens` and the
    sums.

    pairs: [text, response], what the spans are spans of. By the chain rule the PIR of a piece is
    the sum over its tokens, as are log-probabilities, loss, KL and entropy; `also` names further
    columns that add up (attributions do, differences of probabilities do not). Spans of a text may
    not overlap; those without a token are left out. Raises `DataError` for a text without a
    response.
    """
    also = [also] if isinstance(also, str) else [*also]
    check_columns(tokens, ("text", "start", "end", *also), "tokens")
    check_columns(pairs, ("text", "response"), "pairs")
    check_columns(spans, ("text", "start", "end"), "spans")
    check_once(pairs, "pairs")
    names = [name for name in (*SUMS, *also) if name in tokens]
    responses = dict(zip(pairs["text"], pairs["response"], strict=True))
    scored = dict(list(tokens.groupby("text", sort=False)))
    parts = [spans.iloc[:0].assign(**dict.fromkeys([*names, "n_tokens"], 0.0))]
    for text, table in spans[spans["text"].isin(scored)].groupby("text", sort=False):
        if text not in responses:
            raise DataError(f"no response of text {text!r}", "pairs", "one row for each text")
        # which of its spans each token belongs to
        table = table.sort_values("start", kind="stable")
        part = scored[text]
        start, end = part["start"].to_numpy(), part["end"].to_numpy()
        cut = table[["start", "end"]].to_numpy()
        said = [responses[text][a:b] for a, b in zip(start, end, strict=True)]
        if end.max() > len(responses[text]) or [*part.get("token", said)] != said:
            what, do = f"text {text!r} has another response", "pass the pairs that were scored"
            raise DataError(what, "pairs", "the text that the tokens are cut from", do)
        if (cut[1:, 0] < cut[:-1, 1]).any():
            raise DataError(f"spans of text {text!r} overlap", "spans", "each apart")
        group = token_group(responses[text], start, end, cut)
        # sums over the tokens of each span
        added = part[group >= 0].groupby(group[group >= 0])
        sums = added[names].sum().assign(n_tokens=added.size())
        held = table.iloc[sums.index].reset_index(drop=True)
        parts.append(pd.concat([held, sums.reset_index(drop=True)], axis=1))
    return pd.concat(parts[1:] or parts, ignore_index=True)


@sourced
def pieces(
    tokens: pd.DataFrame, pairs: pd.DataFrame, level: str = "sentence", also: Sequence[str] = ()
) -> pd.DataFrame:
    """Add token scores up to pieces of the response: [text, piece, start, end, n_tokens, <sums>].

    `level` is "word" (a run without white space), "sentence", "line", or a regular expression whose
    matches are the pieces. Raises `ConfigError` for an expression that cannot be read.

    >>> pairs = pd.DataFrame({"text": ["a"], "response": ["Bright. And warm!"]})
    >>> tokens = pd.DataFrame({"text": "a", "start": [0, 6, 7, 11], "end": [6, 7, 11, 17], "pir": [1.0, 0.5, 0.0, 2.0]})
    >>> pieces(tokens, pairs)[["piece", "pir"]].values.tolist()
    [['Bright.', 1.5], ['And warm!', 2.0]]
    """
    check_columns(pairs, ("text", "response"), "pairs")
    spans_of("", level)  # an expression that cannot be read is refused, with or without texts
    rows = []
    for text, response in pairs[["text", "response"]].itertuples(index=False):
        for start, end in spans_of(response, level).tolist():
            rows.append((text, response[start:end], start, end))
    spans = pd.DataFrame(rows, columns=["text", "piece", "start", "end"])
    return add_up(tokens, pairs, spans, also)


@sourced
def words(tokens: pd.DataFrame, pairs: pd.DataFrame, also: Sequence[str] = ()) -> pd.DataFrame:
    """Add token scores up to words, runs without white space: [text, word, start, end, n_tokens,
    <sums>]."""
    return pieces(tokens, pairs, "word", also).rename(columns={"piece": "word"})
