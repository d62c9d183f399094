"""Do readers agree by more than chance? Cohen's kappa (1960) of every two, on the pairs both have read."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd

RESAMPLES = 200


def agreement(asked: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Every two readers: [one, other, n, same, kappa, low, high] of what they chose, wherever it stood;
    neither counts as a choice.

    asked: answers as `ask` and `workbench.views.Readings` give them, one a reader and pair (of judges
    asked in both orders the first is taken). kappa: 0 is what chance would give them with their own
    habits, 1 is always; NaN where both chose one thing throughout, or have no pair in common. low,
    high: 95 % of resampled pairs, those without a kappa left out.
    """
    wide = asked.drop_duplicates(["reader", "pair"])
    wide = wide.pivot(index="pair", columns="reader", values="chosen")
    rng, rows = np.random.default_rng(seed), []
    for one, other in combinations(wide.columns, 2):
        both = wide[[one, other]].dropna().astype(str).to_numpy()
        n = len(both)
        low, high = np.nan, np.nan
        found = kappa(both)
        if n > 1 and np.isfinite(found):
            drawn = [kappa(both[rng.integers(n, size=n)]) for _ in range(RESAMPLES)]
            low, high = np.nanpercentile(drawn, [2.5, 97.5])
        same = float(np.mean(both[:, 0] == both[:, 1])) if n else np.nan
        rows.append((one, other, n, same, found, low, high))
    return pd.DataFrame(rows, columns=["one", "other", "n", "same", "kappa", "low", "high"])


def kappa(both: np.ndarray) -> float:
    """Cohen's kappa of two readers' choices (n, 2); NaN where it is not defined."""
    if not len(both) or len(np.unique(both)) < 2:
        return float("nan")
    from sklearn.metrics import cohen_kappa_score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(cohen_kappa_score(both[:, 0], both[:, 1]))
