"""What every check returns, and the null that they share: retrains held out against the others.

    null(s) = mean over units of statistic(held-out retrains, other retrains),   s: a way to hold m of R out
    estimate = mean over s and units of statistic(m models of a method, other retrains of s)

A method's models are compared with as many retrains as held-out retrains are, so that the two differ
in nothing but what the models saw. The line `retrain` is the control: it stands in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from workbench import html
from workbench.errors import DataError
from workbench.statistics import wilson

COLUMNS = ["check", "row", "estimate", "low", "high", "null_low", "null_high", "n", "fires"]
CONTROL = "retrain"
SPLITS, DRAWS = 40, 1_000
"""Ways to hold retrains out that are looked at, at most; draws of an interval."""


@dataclass(frozen=True, eq=False)
class Audit:
    """Lines of one check or several: [check, row, estimate, low, high, null_low, null_high, n, fires].

    row: a method, or a control. low, high: 95 % over people. null: where 95 % of the estimates lie
    for models that never saw the rows. fires: the estimate lies outside the null, and so it would
    with other people and seeds (`against`). One line in twenty or so fires by chance. each: what
    stands behind, a line a unit and row.
    """

    table: pd.DataFrame
    each: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    def __repr__(self) -> str:
        checks, lines = self.table["check"].nunique(), int(self.table["fires"].sum())
        return f"Audit({checks} checks: {lines} of {len(self.table)} lines fire)"

    def _repr_html_(self) -> str:
        said = self.table["fires"].map({True: "outside the null", False: ""})
        rows = self.table.assign(fires=said).to_dict("records")
        return html.table(rows, "Audit: estimate with 95 % interval, beside retrain vs retrain")

    def to_frame(self) -> pd.DataFrame:
        """The lines."""
        return self.table.copy()

    def line(self, row: str, check: str | None = None) -> pd.Series:
        """One line by its row, and by its check where there are several."""
        found = self.table[self.table["row"] == row]
        return (found if check is None else found[found["check"] == check]).iloc[0]


def joined(*audits: Audit) -> Audit:
    """Several checks as one table; `each` of all of them."""
    parts = [one.each for one in audits if len(one.each)]
    tables = [one.table for one in audits if len(one.table)]
    each = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return Audit(pd.concat(tables, ignore_index=True)[COLUMNS], each)


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
    people = np.arange(units) if people is None else np.unique(people, return_inverse=True)[1]
    if not units:
        raise DataError("no unit to compare", check, "rows, lists or people that all models answer")
    lines, parts = [], []
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
        fires = found is not None and _fires(own, null, bounds, people, seed)
        n = int(people.max()) + 1
        lines.append((check, name, *interval(own, people, seed), *bounds, n, fires))
        parts.append(unit_lines(check, name, own, people))
    return Audit(pd.DataFrame(lines, columns=COLUMNS), pd.concat(parts, ignore_index=True))


def _fires(
    own: np.ndarray, null: np.ndarray, bounds: np.ndarray, people: np.ndarray, seed: int
) -> bool:
    """Whether the mean of `own` (ways, units) is outside the bounds, and its distance to the null,
    way by way and person by person, is not 0 with 95 %. That a method has but few bases counts as a
    way more to hold retrains out: its seeds are taken to vary as theirs do."""
    rng, n = np.random.default_rng(seed), int(people.max()) + 1
    way, other = rng.integers(len(null), size=(2, DRAWS))
    weight = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)[:, people]
    excess = (own - null)[way] + null[other] - null.mean(axis=0)
    low, high = np.quantile((weight * excess).sum(axis=1) / weight.sum(axis=1), (0.025, 0.975))
    outside = not bounds[0] <= own.mean() <= bounds[1]
    return bool(outside and n > 1 and (low > 0 or high < 0))


def outside(low: float, high: float, null: Sequence[float]) -> bool:
    """Whether a whole interval lies outside its null: for lines that nothing pairs."""
    return bool(low > null[1] or high < null[0])


def held_out(m: int, retrains: int, where: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ways to hold m of so many retrains out: (held, rest), at most `SPLITS`, the same every time."""
    if not 1 <= m < retrains:
        what = f"{m} models of a method and {retrains} retrains"
        raise DataError(what, where, "at least one model, and more retrains than models")
    every = list(combinations(range(retrains), m))
    if len(every) > SPLITS:
        drawn = np.random.default_rng(0).permutation(len(every))[:SPLITS]
        every = [every[k] for k in np.sort(drawn)]
    rest = [np.setdiff1d(np.arange(retrains), held) for held in every]
    return [(np.array(held), left) for held, left in zip(every, rest, strict=True)]


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
