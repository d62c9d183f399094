"""How well a score finds the words that were planted as personal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu

from workbench.errors import DataError


def detection(tokens: pd.DataFrame, scores: Sequence[str], truth: str = "personal", seed: int = 0) -> pd.DataFrame:
    """AUC of each score for the boolean column `truth`: [score, auc, low, high, precision, tokens, personal].

    `auc` is the probability that a personal token scores above another (ties count half; .5 is chance). `low` and
    `high` bound 95 % of 200 resamples of whole texts, since tokens of one text are not independent. `precision` is
    the share of personal tokens among the k highest, k being the number of personal tokens.
    Raises `DataError` when all tokens, or none, are personal.
    """
    mark = tokens[truth].to_numpy(dtype=bool)
    if mark.all() or not mark.any():
        raise DataError(f"{int(mark.sum())} of {len(mark)} tokens are marked", where=truth, expected="some, not all")
    text = pd.factorize(tokens["text"])[0]
    places = np.split(np.argsort(text, kind="stable"), np.cumsum(np.bincount(text))[:-1])
    rng = np.random.default_rng(seed)
    draws = [np.concatenate([places[i] for i in rng.integers(0, len(places), len(places))]) for _ in range(200)]
    rows = []
    for score in scores:
        values = tokens[score].to_numpy(dtype=float)
        again = [_auc(values[draw], mark[draw]) for draw in draws if mark[draw].any() and not mark[draw].all()]
        low, high = np.quantile(again, [0.025, 0.975])
        # among equals the order is a coin's, not that of the text
        first = np.lexsort((rng.random(len(values)), -values))[: mark.sum()]
        rows.append((score, _auc(values, mark), low, high, mark[first].mean(), len(mark), int(mark.sum())))
    return pd.DataFrame(rows, columns=["score", "auc", "low", "high", "precision", "tokens", "personal"])


def _auc(values: np.ndarray, mark: np.ndarray) -> float:
    return float(
        mannwhitneyu(values[mark], values[~mark], method="asymptotic").statistic / (mark.sum() * (~mark).sum())
    )
