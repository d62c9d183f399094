"""How would you know? A distance to models that never saw the rows, its interval, a verdict.

    d(u) = mean over bases of unlearned(u) − mean over seeds of retrained(u),   distance = mean over u of d(u)
    variance = var_u(d) / n + max(s²_b, s²) / b + max(s²_s, s²) / s,   s² pooled of s²_b and s²_s

Two-sided: a deleter who is recognised by what is pushed *below* where a stranger would have it has not
been forgotten either. Equivalent: the 90 % interval of the distance inside the margin. Different: the
95 % interval outside 0 and the distance outside the margin. Else undecided.

Intervals are over users, bases and retrain seeds. s²_b and s²_s are the variances of the means of b
bases and s retrains; as two bases tell little of theirs, none counts for less than both pooled. The
parts have n − 1 and b + s − 2 degrees of freedom, the sum those of Satterthwaite (Biometrics Bulletin
1946), and Student's t the quantile. A bootstrap of two bases finds half of their variance. Simulated
with 2 bases and 6 retrains (`test_endpoints.py`): where bases vary as retrains do, the 95 % interval
covers .96 to .98 and the 90 % one .93 to .96 (the noise of single values is counted twice), the
bootstrap down to .84 and .78. Where a method triples the spread of bases, .90 and .84: two bases
cannot show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from workbench.errors import DataError

EQUIVALENT, DIFFERENT, UNDECIDED = VERDICTS = ("equivalent", "different", "undecided")
MARGIN = 0.03
"""Of the primary endpoint, a percentile: fixed before anything was measured."""


@dataclass(frozen=True)
class Distance:
    """Unlearned less retrained, paired by unit: estimate, 95 % and 90 % interval, and a verdict.

    decidable: the smallest margin within which so many units could have shown equivalence.
    """

    estimate: float
    low: float
    high: float
    low90: float
    high90: float
    margin: float
    n: int

    @property
    def decidable(self) -> float:
        """Half of the 90 % interval."""
        return (self.high90 - self.low90) / 2

    @property
    def verdict(self) -> str:
        """In one of three words."""
        if -self.margin < self.low90 and self.high90 < self.margin:
            return EQUIVALENT
        outside = self.low > 0 or self.high < 0
        return DIFFERENT if outside and abs(self.estimate) > self.margin else UNDECIDED

    def __repr__(self) -> str:
        bounds = f"{self.estimate:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        return f"Distance({bounds}, {self.verdict} within {self.margin:.3f}, n = {self.n})"


def distance(
    unlearned: np.ndarray,
    retrained: np.ndarray,
    margin: float = MARGIN,
) -> Distance:
    """Unlearned (bases, units) less retrained (seeds, units), NaN where a unit has no value in one.

    One base and one retrain add nothing to the interval, which is then one *given* these two.
    Without units all is NaN and the verdict undecided. Raises `DataError` for tables of other units.

    >>> distance(np.array([[0.2, 0.4, 0.3]]), np.array([[0.1, 0.3, 0.2]])).verdict
    'different'
    """
    one, two = _tables(unlearned, retrained)
    n = one.shape[1]
    if not n:
        return Distance(*[float("nan")] * 5, margin, 0)
    estimate = float(one.mean() - two.mean())
    half, half90 = _half(one, two, 0.95), _half(one, two, 0.9)
    bounds = (estimate + apart for apart in (-half, half, -half90, half90))
    return Distance(estimate, *bounds, margin, n)


def margin_of(no_op: float, fixed: float = MARGIN) -> float:
    """The margin: the fixed one, or half of the distance that doing nothing has, whichever is
    smaller; the fixed one where that distance is not known (NaN).

    >>> margin_of(0.2), margin_of(-0.01)
    (0.03, 0.005)
    """
    return fixed if np.isnan(no_op) else min(fixed, abs(no_op) / 2)


def null(retrained: np.ndarray, bases: int = 1) -> np.ndarray:
    """What no method can be told apart from: distances of retrains to retrains, the mean of `bases`
    of them less that of the rest, for every way to choose them; (ways,).

    retrained: (seeds, units). Empty where no seed would be left. The ways share retrains, so that
    this is a picture and no test.

    >>> null(np.array([[0.0], [1.0], [2.0]])).tolist()
    [-1.5, 0.0, 1.5]
    """
    table, _ = _tables(retrained, retrained)
    means, ways = table.mean(axis=1), []
    if not table.size or len(means) <= bases:
        return np.zeros(0)
    for chosen in combinations(range(len(means)), bases):
        ways.append(means[list(chosen)].mean() - np.delete(means, chosen).mean())
    return np.array(ways)


def _tables(unlearned: np.ndarray, retrained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both without the units that lack a value somewhere."""
    one, two = np.atleast_2d(unlearned).astype(float), np.atleast_2d(retrained).astype(float)
    if one.shape[1] != two.shape[1] or not len(one) or not len(two):
        what = f"{one.shape} unlearned, {two.shape} retrained"
        raise DataError(what, "distance", "(bases, units) and (seeds, units) of the same units")
    whole = ~(np.isnan(one).any(axis=0) | np.isnan(two).any(axis=0))
    return one[:, whole], two[:, whole]


def _half(one: np.ndarray, two: np.ndarray, level: float) -> float:
    """Half the width of the interval."""
    apart = one.mean(axis=0) - two.mean(axis=0)
    seeds = [table.mean(axis=1) for table in (one, two)]
    free = np.array([len(means) - 1 for means in seeds])
    own = np.array([means.var(ddof=1) if len(means) > 1 else 0.0 for means in seeds])
    # users, given the seeds; and seeds, none of whose parts counts for less than the pooled one
    pooled = (own @ free) / max(free.sum(), 1)
    parts = np.array([0.0, (np.maximum(own, pooled) / (free + 1)).sum()])
    freedom = np.array([len(apart) - 1, free.sum()])
    if len(apart) > 1:
        parts[0] = apart.var(ddof=1) / len(apart)
    elif not free.sum():
        return float("nan")
    # Satterthwaite's degrees of freedom of the sum
    known = parts > 0
    if not known.any():
        return 0.0
    fewer = parts.sum() ** 2 / (parts[known] ** 2 / freedom[known]).sum()
    # Student's t; of `scipy.stats`, whose checks take a hundred times as long
    return float(special.stdtrit(fewer, 0.5 + level / 2) * parts.sum() ** 0.5)
