"""One threshold for all rows: what a population attack sees, and what it cannot.

    AUC = P(a score of any row under unlearned models > a score of any row under retrains)

Rows differ far more from each other than a row does from itself without training on it, so that one
threshold tells little; and where half of the rows are pushed up and half down, the mean is ½ by
construction. `hidden_case` is such a case with its answer: told of every row, by the population of none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.unlearning.audit._asked import Models, asked_values
from workbench.unlearning.audit._null import each_against
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.audit.rows import told
from workbench.unlearning.scenarios import Scenario


def pooled_auc(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """Of each row of (m, rows) the share of *all* values of (r, rows) that it is above, ties half;
    (rows,). Its mean is the area under the ROC curve of one threshold for all."""
    pool = np.sort(retrained, axis=None)
    low, high = (np.searchsorted(pool, unlearned, side) for side in ("left", "right"))
    return ((low + high) / 2 / len(pool)).mean(axis=0)


def hidden_case(
    rows: int = 200, m: int = 2, r: int = 6, shift: float = 4.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of (m, rows) and (r, rows): rows stand 10 apart from each other on average, seeds 1;
    every second unlearned row is `shift` above its place and every other one below.

    Per row AUC is Φ(± shift / √2), so that |AUC − ½| is .498 with shift 4; the mean shift is 0.
    """
    rng = np.random.default_rng(seed)
    place, side = rng.normal(0, 10, rows), np.where(np.arange(rows) % 2, -1.0, 1.0)
    unlearned = place + side * shift + rng.normal(size=(m, rows))
    return unlearned, place + rng.normal(size=(r, rows))


def population_checks(
    values: dict, retrained: np.ndarray, people: Any = None, seed: int = 0
) -> Audit:
    """The population's AUC, and beside it what each row says; values (m, rows), retrains (R, rows)."""
    kinds = {"population: AUC": pooled_auc, "population: per row |AUC − ½|": told}
    return each_against(kinds, values, retrained, people, seed)


def population_attack(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int, seed: int = 0
) -> Audit:
    """One threshold over the deleted rows' percentiles, beside the attack on each row.

    The planted case stands in the same table: the population must not see it, the rows must.

    >>> population_attack({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    found = asked_values(models, retrained, scenario, done)[:3]
    planted, unseen = hidden_case(seed=seed)
    case = population_checks({"planted: half up, half down": planted}, unseen, seed=seed)
    told_of = case.table["row"] != "retrain"
    lines = Audit(case.table[told_of], case.each[case.each["row"] != "retrain"])
    return joined(population_checks(*found, seed), lines)
