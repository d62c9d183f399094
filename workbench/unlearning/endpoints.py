"""How would you know? One number a person, its distance to models that never saw the rows, a verdict.

    percentile(u, i) = share of the items that u does not hold which score below i        1: the best
    deleted(u) = mean percentile of what u deleted;   distance = mean over u of (unlearned − retrained)

Two-sided: a deleter who is recognised by what is pushed *below* where a stranger would have it has not
been forgotten either. Equivalent: the 90 % interval of the distance inside the margin. Different: the
95 % interval outside 0 and the distance outside the margin. Else undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.ranking import scores_or_none
from workbench.unlearning.scenarios import Scenario

EQUIVALENT, DIFFERENT, UNDECIDED = VERDICTS = ("equivalent", "different", "undecided")


def percentiles(model: Any, histories: Histories, asked: sparse.csr_array) -> np.ndarray:
    """Mean percentile of the asked items of each history among what it does not hold, ties half;
    (B,), NaN without asked items or scores. asked: (B, n_items), non-zero where an item is."""
    scores = np.asarray(scores_or_none(model, histories), dtype=np.float64)
    held, found = histories.matrix(), np.full(len(histories), np.nan)
    for row in range(len(histories)):
        wanted = asked[[row]].indices
        free = np.ones(histories.n_items, bool)
        free[held[[row]].indices] = False
        if not len(wanted) or np.isnan(scores[row]).all():
            continue
        others = np.sort(scores[row, free])
        low, high = (
            np.searchsorted(others, scores[row, wanted], side) for side in ("left", "right")
        )
        found[row] = ((low + high - 1) / 2 / (len(others) - 1)).mean()
    return found


def measures(model: Any, scenario: Scenario, done: int) -> pd.DataFrame:
    """What is measured of a model after so many requests: [measure, unit, value]."""
    users = scenario.leavers(done)
    histories = scenario.known(done).histories(users)
    found = percentiles(model, histories, scenario.deleted(done)[users])
    return pd.DataFrame({"measure": "deleted", "unit": users, "value": found})


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


def distance(
    unlearned: np.ndarray, retrained: np.ndarray, margin: float, seed: int = 0, draws: int = 2_000
) -> Distance:
    """Unlearned (bases, units) less retrained (seeds, units), NaN where a unit has no value in one.

    Intervals draw units and, within each draw, bases and retrains.
    """
    whole = ~(np.isnan(unlearned).any(axis=0) | np.isnan(retrained).any(axis=0))
    one, two = unlearned[:, whole], retrained[:, whole]
    rng = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        units = rng.integers(one.shape[1], size=one.shape[1])
        bases, seeds = rng.integers(len(one), size=len(one)), rng.integers(len(two), size=len(two))
        # counts in place of copies: how often each unit, base and retrain was drawn
        weight = np.bincount(units, minlength=one.shape[1]) / len(units)
        found[draw] = (one[bases] @ weight).mean() - (two[seeds] @ weight).mean()
    low, low90, high90, high = np.quantile(found, (0.025, 0.05, 0.95, 0.975))
    return Distance(float(one.mean() - two.mean()), low, high, low90, high90, margin, one.shape[1])
