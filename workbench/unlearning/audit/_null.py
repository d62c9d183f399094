"""The null that checks share: retrains held out against the other retrains.

    null(s) = mean over units of statistic(held-out retrains, other retrains),   s: a way to hold m of R out
    estimate = mean over s and units of statistic(m models of a method, other retrains of s)

A method's models are compared with as many retrains as held-out retrains are, so that the two differ
in nothing but what the models saw. The line `retrain` is the control: it stands in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
from scipy import stats

from workbench.errors import DataError
from workbench.statistics import wilson
from workbench.unlearning.audit._table import COLUMNS, CONTROL, DRAWS, Audit, joined

SPLITS, ROUNDING = 40, 1e-9
"""Ways to hold retrains out that are looked at, at most; what is no difference."""


def against(
    check: str,
    values: Mapping[str, np.ndarray],
    retrained: np.ndarray,
    statistic: Callable[[np.ndarray, np.ndarray], np.ndarray],
    people: np.ndarray | None = None,
    seed: int = 0,
) -> Audit:
    """Hold methods against retrains, and retrains against retrains.

    values: of each method, (m, units, …). retrained: (R, units, …) with m < R. statistic: of some
    models and some retrains, (units,). people: (units,) whose each unit is; intervals draw people,
    and a way to hold retrains out. Raises `DataError` for too few retrains, or for no unit.
    """
    units = retrained.shape[1]
    label = np.arange(units) if people is None else np.asarray(people)
    people = np.unique(label, return_inverse=True)[1]
    if not units:
        raise DataError("no unit to compare", check, "rows, lists or people that all models answer")
    lines, parts = [], []
    for found in values.values():
        held_out(len(found), len(retrained), check)
    strange = _odd(retrained, statistic).var(ddof=1)
    for name, found in (*values.items(), (CONTROL, None)):
        # what a method is held against, and what retrains are held against with it; the control
        # stands in for the first method
        m = len(next(iter(values.values())) if found is None else found)
        ways = held_out(m, len(retrained), check)
        null = np.stack([statistic(retrained[held], retrained[rest]) for held, rest in ways])
        own = null
        if found is not None:
            own = np.stack([statistic(found, retrained[rest]) for _, rest in ways])
        bounds = np.quantile(null.mean(axis=1), (0.025, 0.975))
        seeds = strange * (1 / m + 1 / len(retrained)), len(retrained) - 1
        fires = found is not None and _fires(own, null, bounds, people, seeds)
        n = int(people.max()) + 1
        lines.append((check, name, *interval(own, people, seed), *bounds, n, fires))
        parts.append(unit_lines(check, name, own, label))
    return Audit(pd.DataFrame(lines, columns=COLUMNS), pd.concat(parts, ignore_index=True))


def each_against(
    statistics: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]],
    values: Mapping[str, np.ndarray],
    retrained: np.ndarray,
    people: np.ndarray | None = None,
    seed: int = 0,
) -> Audit:
    """`against` of several statistics, by the name of the check."""
    lines = (
        against(name, values, retrained, how, people, seed) for name, how in statistics.items()
    )
    return joined(*lines)


def _fires(
    own: np.ndarray,
    null: np.ndarray,
    bounds: np.ndarray,
    people: np.ndarray,
    seeds: tuple[float, int],
) -> bool:
    """Whether the mean of `own` (ways, units) is outside the bounds, and further from that of the
    null than people and seeds explain: Welch's t test, 5 %. The difference is paired by unit; seeds:
    the variance that they give it, and its degrees of freedom."""
    excess, n = (own - null).mean(axis=0), int(people.max()) + 1
    apart, mean = excess.mean(), own.mean()
    inside = bounds[0] - ROUNDING <= mean <= bounds[1] + ROUNDING
    if inside or n < 2:
        return False
    spread = np.bincount(people, excess - apart)
    parts = np.array([n / (n - 1) * (spread**2).sum() / len(excess) ** 2, seeds[0]])
    total = max(parts.sum(), ROUNDING**2)
    degrees = total**2 / max((parts**2 / [n - 1, seeds[1]]).sum(), ROUNDING**4)
    return bool(abs(apart) > stats.t.ppf(0.975, degrees) * total**0.5)


def _odd(retrained: np.ndarray, statistic: Callable) -> np.ndarray:
    """How far each retrain is from the others beyond what they are from each other; (R,). A method
    of m bases that vary as retrains do is off by S² (1/m + 1/R), S² the variance of these."""
    every, odd = np.arange(len(retrained)), []
    for one in every:
        rest = every[every != one]
        among = [statistic(retrained[[j]], retrained[rest[rest != j]]).mean() for j in rest]
        odd.append(statistic(retrained[[one]], retrained[rest]).mean() - np.mean(among))
    return np.array(odd) * (len(every) - 1) / len(every)


def held_out(m: int, retrains: int, where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ways to hold m of so many retrains out: (held, rest), at most `SPLITS`, the same every time."""
    if not 1 <= m < retrains or retrains < 3:
        what = f"{m} models of a method and {retrains} retrains"
        want = "at least one model, and three retrains and more than models"
        raise DataError(what, where, want)
    if comb(retrains, m) <= SPLITS:
        every = [np.array(held) for held in combinations(range(retrains), m)]
    else:
        rng = np.random.default_rng(0)
        every = [np.sort(rng.permutation(retrains)[:m]) for _ in range(SPLITS)]
    rest = [np.setdiff1d(np.arange(retrains), held) for held in every]
    return list(zip(every, rest, strict=True))


def interval(values: np.ndarray, people: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Mean of (ways, units) with 95 % from draws of people and ways; Wilson's where all are 0 or
    all 1."""
    mean, n = float(values.mean()), int(people.max()) + 1
    if n < 2:
        return mean, np.nan, np.nan
    if (values == values.flat[0]).all() and values.flat[0] in (0, 1):
        return mean, *wilson(n * mean, n)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)[:, people]
    drawn = values[rng.integers(len(values), size=DRAWS)]
    found = (weight * drawn).sum(axis=1) / weight.sum(axis=1)
    return mean, *(float(bound) for bound in np.quantile(found, (0.025, 0.975)))


def unit_lines(check: str, row: str, values: np.ndarray, people: np.ndarray) -> pd.DataFrame:
    """What stands behind a line: [check, row, person, value], a line a unit."""
    return pd.DataFrame(
        {"check": check, "row": row, "person": people, "value": values.mean(axis=0)}
    )
