"""How well a score finds the words that were planted as personal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

from workbench.errors import DataError
from workbench.html import sourced
from workbench.statistics import auc
from workbench.tokens.encoding import check_columns

RESAMPLES = 200


@sourced
def detection(
    tokens: pd.DataFrame,
    scores: Sequence[str],
    truth: str = "personal",
    seed: int = 0,
    threshold: float | None = None,
) -> pd.DataFrame:
    """AUC of each score for the boolean column `truth`: [score, auc, low, high, precision, tokens,
    personal].

    `auc` is the probability that a personal token scores above another (ties count half; .5 is
    chance). `low` and `high` bound 95 % of 200 resamples of whole texts, since tokens of one text
    are not independent. `precision` is the share of personal tokens among the k highest, k being
    the number of personal tokens (so recall and F1 are the same number). `threshold`, in the
    scores' unit, adds `f1`, that of calling every token above it personal. Raises `DataError` when
    all tokens, or none, are personal, and for a score that some tokens do not have.
    """
    scores = [scores] if isinstance(scores, str) else list(scores)
    check_columns(tokens, ("text", truth, *scores), "tokens")
    if tokens[truth].isna().any() or not tokens[truth].isin([0, 1]).all():
        raise DataError("a mark that is neither true nor false", truth, "a mark for each token")
    mark = tokens[truth].to_numpy(dtype=bool)
    if mark.all() or not mark.any():
        what = f"{int(mark.sum())} of {len(mark)} tokens are marked"
        raise DataError(what, truth, "some, not all")
    # how often each text is in a resample: its tokens count so often, and nothing has to be sorted
    # again
    text = pd.factorize(tokens["text"])[0]
    rng, n = np.random.default_rng(seed), text.max() + 1
    draws = [np.bincount(rng.integers(0, n, n), minlength=n)[text] for _ in range(RESAMPLES)]
    often = np.array(draws)
    rows = []
    for score in scores:
        values = tokens[score].to_numpy(dtype=float)
        if np.isnan(values).any():
            what = f"{int(np.isnan(values).sum())} of {len(values)} tokens have no score"
            raise DataError(what, score, "a number for each token", "leave those tokens out")
        low, high = np.nanquantile(auc(values, mark, often), [0.025, 0.975])
        row = {"score": score, "auc": auc(values, mark), "low": low, "high": high}
        # among equals the order is a coin's, not that of the text
        first = np.lexsort((rng.random(len(values)), -values))[: mark.sum()]
        row["precision"] = mark[first].mean()
        if threshold is not None:
            row["f1"] = f1_score(mark, values > threshold)
        rows.append(row | {"tokens": len(mark), "personal": int(mark.sum())})
    return pd.DataFrame(rows)


def detection_by_kind(tokens: pd.DataFrame, scores: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """`detection` of each personal kind (c, d, s) apart, against all tokens that are not personal:
    [kind, score, ...].

    An average over kinds hides that a score may find copies and miss style.
    """
    check_columns(tokens, ("kind", "personal"), "tokens")
    parts = {}
    for kind in ("c", "d", "s"):
        mine = tokens["kind"] == kind
        if mine.any():
            parts[kind] = detection(tokens[mine | ~tokens["personal"]], scores, seed=seed)
    if not parts:
        raise DataError("no token of kind c, d or s", "tokens", "a table that `mark` has marked")
    return pd.concat(parts, names=["kind"]).reset_index("kind").reset_index(drop=True)
