"""Intervals of a mean, of a difference of paired means, of a share; the area under the ROC curve.

A mean of values that are all 0 or 1 is a share and has Wilson's interval, a difference of two paired
shares that of Bonett and Price; other means of fewer than 20 units have Student's t interval, of more
the percentile bootstrap. The bootstrap of a share near 0 or 1 is too narrow, down to no width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workbench.errors import DataError
from workbench.html import sourced

RESAMPLES = 2_000
# units, below which Student's t is taken: of 5 normal values a bootstrap's 95 % cover 84 %
FEW = 20
COLUMNS = ["estimate", "low", "high", "n"]


def bootstrap_mean(
    values: np.ndarray | pd.Series,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    *,
    shares: bool = True,
) -> tuple[float, float, float]:
    """Mean of independent values with its interval; NaN values are an error, NaN bounds for n < 2.

    The interval is Wilson's where all values are 0, ½ or 1 (shares=False: not even then, as for
    differences, which could be −1), Student's t below 20 values, else the percentile bootstrap.

    >>> tuple(round(bound, 3) for bound in bootstrap_mean(np.array([1.0, 1.0, 1.0])))
    (1.0, 0.439, 1.0)
    """
    values = np.asarray(values, dtype=np.float64)
    n, missing = len(values), int(np.isnan(values).sum())
    if missing:
        raise DataError(f"{missing} of {n} values are missing", "bootstrap_mean")
    if n < 2:
        return (float(values[0]) if n else float("nan")), float("nan"), float("nan")
    mean = float(values.mean())
    if shares and np.isin(values, (0, 0.5, 1)).all():
        return mean, *wilson(float(values.sum()), n, level)
    if n < FEW:
        half = float(stats.t.ppf(0.5 + level / 2, n - 1) * values.std(ddof=1) / n**0.5)
        return mean, mean - half, mean + half
    # at most 80 MB at a time
    batch = max(1, 10_000_000 // n)
    return mean, *percentiles((values,), np.mean, seed, level, n_resamples=resamples, batch=batch)


def percentiles(
    data: tuple[np.ndarray, ...],
    statistic: Callable[..., np.ndarray],
    seed: int,
    level: float,
    **options: Any,
) -> tuple[float, float]:
    """Bounds of the percentile bootstrap; options: of `scipy.stats.bootstrap`."""
    rng = np.random.default_rng(seed)
    how = {"confidence_level": level, "method": "percentile", "rng": rng, **options}
    found = stats.bootstrap(data, statistic, **how).confidence_interval
    return float(found.low), float(found.high)


@sourced
def paired_bootstrap(
    table: pd.DataFrame,
    by: str,
    unit: str = "user",
    seed: int = 0,
    *,
    value: str = "value",
    within: Sequence[str] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Means of the levels of `by`, and their differences to the first level paired on `unit`, with
    intervals.

    table: long; one row per unit, level of `by` and combination of the columns `within` (default:
    those among metric and k that the table has). A difference is taken over the units that have
    both levels, and resampled over units: what all levels find easy or hard about a unit cancels.
    Intervals of means are those of `bootstrap_mean`. A difference of two shares (all values 0 or 1)
    has the interval of Bonett & Price (Journal of Educational and Behavioral Statistics 2012): one
    unit more who gained, and one who lost. The order of levels is that of their first row.

    Returns [*within, <by>, minus, estimate, low, high, n]: `minus` is "" for a plain mean, else the
    level taken off. A unit without a value lacks this level; `n` counts those that have it. Raises
    `DataError` for missing columns, values that are no numbers, rows without level or unit, or a
    unit that occurs twice in one level.

    >>> t = pd.DataFrame({"user": [1, 2, 1, 2], "model": ["a", "a", "b", "b"], "value": [0.0, 1.0, 0.5, 1.5]})
    >>> paired_bootstrap(t, "model").query("minus == 'a'")[["model", "estimate", "low", "high"]].values.tolist()
    [['b', 0.5, 0.5, 0.5]]
    """
    if within is None:
        within = [column for column in ("metric", "k") if column in table and column != by]
    needed = [*within, by, unit, value]
    absent = [column for column in needed if column not in table]
    if absent:
        do = "name them: by=, unit=, value=, within="
        raise DataError(f"no column {absent[0]!r}", "table", ", ".join(needed), do)
    if table[[by, unit]].isna().any(axis=None) or not pd.api.types.is_numeric_dtype(table[value]):
        what = f"a row without {by} or {unit}, or a {value} that is no number"
        want = f"numbers in {value!r}, no gaps in {by!r} and {unit!r}"
        raise DataError(what, "table", want, "drop or convert them")
    if table.duplicated([*within, by, unit]).any():
        want = f"one value each ({', '.join(needed[:-1])})"
        raise DataError(f"a {unit} occurs twice in one {by}", "table", want)
    rows = []
    for key, part in (
        table.groupby([*within], sort=False, observed=True) if within else [((), table)]
    ):
        first, *others = dict.fromkeys(part[by])
        wide = part.pivot(index=unit, columns=by, values=value)
        for name in (first, *others):
            found = wide[name].dropna()
            rows.append((*key, name, "", *bootstrap_mean(found, seed, level), len(found)))
        for name in others:
            both = wide[[first, name]].dropna()
            rows.append((*key, name, first, *_difference(both, seed, level), len(both)))
    return pd.DataFrame(rows, columns=[*within, by, "minus", *COLUMNS])


def _difference(both: pd.DataFrame, seed: int, level: float) -> tuple[float, float, float]:
    """Mean of the second column less the first, with its interval."""
    apart = (both.iloc[:, 1] - both.iloc[:, 0]).to_numpy()
    found = bootstrap_mean(apart, seed, level, shares=False)
    if len(apart) < 2 or not both.isin((0, 1)).all(axis=None):
        return found
    # who has it in the second level alone, and in the first alone
    return found[0], *bonett_price((apart > 0).sum(), (apart < 0).sum(), len(apart), level)


def bonett_price(gained: float, lost: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Interval for the difference of two paired shares: of n pairs so many gained, so many lost.

    >>> tuple(round(float(bound), 3) for bound in bonett_price(4, 0, 4))
    (0.07, 1.0)
    """
    n, gained, lost = n + 2, gained + 1, lost + 1
    middle = (gained - lost) / n
    half = stats.norm.ppf(0.5 + level / 2) * (gained + lost - n * middle**2) ** 0.5 / n
    return max(float(middle - half), -1.0), min(float(middle + half), 1.0)


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Interval for a share (Wilson, JASA 1927); sensible at 0 and n, where a bootstrap has no
    width. Halves count: of pairs that tie, say, for which it is wider than need be; and n may be
    how many draws some that hang together are worth.

    >>> tuple(round(bound, 3) for bound in wilson(0, 10))
    (0.0, 0.278)
    """
    if not 0 <= successes <= n or n < 1:
        raise DataError(f"{successes} of {n}", "wilson", "0 ≤ successes ≤ n and n ≥ 1")
    share, spread = successes / n, stats.norm.ppf(0.5 + level / 2) ** 2 / n
    middle, half = share + spread / 2, (spread * (share * (1 - share) + spread / 4)) ** 0.5
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    # rounding may put a bound past the share itself at 0 and at n
    return min(max(float(low), 0.0), share), max(min(float(high), 1.0), share)


def paired_auc(
    first: np.ndarray, second: np.ndarray, seed: int = 0, level: float = 0.95
) -> tuple[float, float, float]:
    """Share of pairs in which `first` is the larger one, ties half, with Wilson's interval.

    .5: the score cannot tell the two members of a pair apart.

    >>> tuple(round(bound, 3) for bound in paired_auc(np.array([2.0, 3.0]), np.array([1.0, 1.0])))
    (1.0, 0.342, 1.0)
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape:
        raise DataError(
            f"{first.shape} against {second.shape} values", "paired_auc", "one value each per pair"
        )
    return bootstrap_mean(wins(first, second), seed, level)


def wins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 where `first` is the larger one, .5 where they are equal, else 0; what an AUC is the mean
    of."""
    return (first > second) + 0.5 * (first == second)


def auc(
    values: np.ndarray, mark: np.ndarray, weights: np.ndarray | None = None
) -> float | np.ndarray:
    """Probability that a marked value is above another, ties half: the area under the ROC curve.

    values: (n,); those that are not a number are left out, infinite ones are ranked. mark: (n,)
    boolean. weights: (n,) how often each value counts, or (draws, n), for which the values are
    ranked once and the areas come as (draws,). NaN where one kind is missing. `roc_auc_score` of
    scikit-learn, which the tests hold this against, takes no infinite value and sorts for each
    draw.

    >>> auc(np.array([3.0, 1.0, 1.0]), np.array([True, True, False]))
    0.75
    """
    values, mark = np.asarray(values, dtype=np.float64), np.asarray(mark, dtype=bool)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights)
    # where each marked value would stand among the others, before and behind its equals
    marked = np.flatnonzero(mark & ~np.isnan(values))
    other = np.flatnonzero(~mark & ~np.isnan(values))
    other = other[np.argsort(values[other])]
    first = np.searchsorted(values[other], values[marked], side="left")
    behind = np.searchsorted(values[other], values[marked], side="right")
    areas = []
    for weight in np.atleast_2d(weights):
        # it wins against those before it, and half of those that equal it
        total = np.concatenate([[0.0], np.cumsum(weight[other])])
        won = weight[marked] @ (total[first] + total[behind]) / 2
        pairs = weight[marked].sum() * total[-1]
        areas.append(float(won / pairs) if pairs else float("nan"))
    return areas[0] if weights.ndim == 1 else np.array(areas)
