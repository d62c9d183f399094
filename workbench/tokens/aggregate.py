"""Token scores added up to words, sentences, lines, or whatever a regular expression finds."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from workbench.errors import ConfigError

SUMS = ("log_prob_with", "log_prob_without", "pir", "pcxmi", "kl", "entropy", "loss", "word_match")
LEVELS = {
    "word": r"\S+",
    # up to a full stop, with the quotes that close it, before white space; or to the end of the
    # line
    "sentence": r"[^\s](?:.*?[.!?…。！？]+[\"'”’»)\]]*(?=\s|$)|.*)",
    "line": r"[^\s].*",
}


def add_up(tokens: pd.DataFrame, spans: pd.DataFrame, also: Sequence[str] = ()) -> pd.DataFrame:
    """Add token scores up to larger pieces: `spans` [text, start, end, ...] with `n_tokens` and the
    sums.

    A token belongs to the span that holds its last character. By the chain rule the PIR of a piece
    is the sum over its tokens, as are log-probabilities, loss, KL and entropy; `also` names further
    columns that add up (attributions do, differences of probabilities do not). Spans of a text may
    not overlap; those without a token are left out.
    """
    names = [name for name in (*SUMS, *also) if name in tokens]
    parts, scored = [], dict(list(tokens.groupby("text", sort=False)))
    for text, table in spans.groupby("text", sort=False):
        if text not in scored:
            continue
        table = table.sort_values("start", kind="stable")
        last = scored[text]["end"].to_numpy() - 1
        place = np.searchsorted(table["start"].to_numpy(), last, side="right") - 1
        inside = (place >= 0) & (last < table["end"].to_numpy()[np.maximum(place, 0)])
        added = scored[text][inside].groupby(place[inside])
        sums = added[names].sum().assign(n_tokens=added.size())
        parts.append(
            pd.concat(
                [table.iloc[sums.index].reset_index(drop=True), sums.reset_index(drop=True)], axis=1
            )
        )
    empty = spans.iloc[:0].assign(**dict.fromkeys([*names, "n_tokens"], 0.0))
    return pd.concat(parts, ignore_index=True) if parts else empty


def pieces(tokens: pd.DataFrame, pairs: pd.DataFrame, level: str = "sentence") -> pd.DataFrame:
    """Add token scores up to pieces of the response: [text, piece, start, end, n_tokens, <sums>].

    `level` is "word" (a run without white space), "sentence", "line", or a regular expression whose
    matches are the pieces. Raises `ConfigError` for an expression that cannot be read.

    >>> pairs = pd.DataFrame({"text": ["a"], "response": ["Bright. And warm!"]})
    >>> tokens = pd.DataFrame({"text": "a", "start": [0, 6, 7, 11], "end": [6, 7, 11, 17], "pir": [1.0, 0.5, 0.0, 2.0]})
    >>> pieces(tokens, pairs)[["piece", "pir"]].values.tolist()
    [['Bright.', 1.5], ['And warm!', 2.0]]
    """
    try:
        expression = re.compile(LEVELS.get(level, level))
    except re.error as error:
        raise ConfigError(
            f"{level!r}: {error}", "level", f"one of {list(LEVELS)}, or a regular expression"
        ) from error
    said = pairs[["text", "response"]].itertuples(index=False)
    spans = [
        (text, found[0], *found.span())
        for text, response in said
        for found in expression.finditer(response)
    ]
    return add_up(tokens, pd.DataFrame(spans, columns=["text", "piece", "start", "end"]))


def words(tokens: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add token scores up to words, runs without white space: [text, word, start, end, n_tokens,
    <sums>]."""
    return pieces(tokens, pairs, "word").rename(columns={"piece": "word"})
