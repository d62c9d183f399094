"""Does what a page forecasts come true? *You will like this* and *you will buy this*, held against the
visits after it.

    Brier = mean (p − y)²        base rate: the same with one p for everybody, the share of an earlier time

A page says no number, so a forecast is made of the score of its pick: a logistic curve of one number,
fitted on an earlier time (Platt, 1999). It is worth something where its Brier score is below that of the
base rate, by more than the interval.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.statistics import bootstrap_mean


def forecast(scores: np.ndarray, happened: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The chance of each of `asked` (m,), by scores (n,) and what happened (n,) before; the base rate
    where all or none of it happened. Raises `DataError` for a score that is no finite number."""
    scores, asked = (np.asarray(part, dtype=float).reshape(-1, 1) for part in (scores, asked))
    happened = _checked(happened, len(scores))
    if not (np.isfinite(scores).all() and np.isfinite(asked).all()):
        raise DataError("a score that is none", "forecast", "finite numbers")
    if not 0 < happened.sum() < len(happened):
        return np.full(len(asked), happened.mean())
    from sklearn.linear_model import LogisticRegression

    # scores of one size, so that the little that is shrunk is the same everywhere
    size = scores.std() or 1.0
    fitted = LogisticRegression(C=100.0).fit(scores / size, happened)
    return fitted.predict_proba(asked / size)[:, 1]


def calibration(
    chances: np.ndarray, happened: np.ndarray, base: float, seed: int = 0
) -> pd.DataFrame:
    """What was forecast (n,) beside what happened (n,): [what, estimate, low, high, n], 95 %.

    what: "forecast", the mean chance; "happened", the share; "Brier"; "Brier of the base rate" for
    `base`, a share of an earlier time; "gained", the second less the first, paired. Raises
    `DataError` for chances outside 0 to 1 and for what neither happened nor did not.

    >>> calibration([0.9, 0.1], [1, 0], base=0.5)["estimate"].round(2).tolist()
    [0.5, 0.5, 0.01, 0.25, 0.24]
    """
    chances = np.asarray(chances, dtype=float)
    happened = _checked(happened, len(chances))
    if not ((chances >= 0) & (chances <= 1)).all() or not 0 <= base <= 1:
        raise DataError("a chance that is none", "calibration", "numbers from 0 to 1")
    off, off_base = (chances - happened) ** 2, (base - happened) ** 2
    parts = {"forecast": chances, "happened": happened, "Brier": off}
    parts |= {"Brier of the base rate": off_base, "gained": off_base - off}
    rows = []
    for what, values in parts.items():
        interval = bootstrap_mean(values, seed, shares=what == "happened")
        rows.append((what, *interval, len(values)))
    return pd.DataFrame(rows, columns=["what", "estimate", "low", "high", "n"])


def _checked(happened: np.ndarray, n: int) -> np.ndarray:
    """What happened as numbers 0 and 1, (n,)."""
    found = np.asarray(happened, dtype=float)
    if found.shape != (n,) or not n or not np.isin(found, (0, 1)).all():
        what = f"{found.shape} outcomes of {n} forecasts"
        raise DataError(what, "happened", "one a forecast: 1 where it happened, else 0")
    return found
