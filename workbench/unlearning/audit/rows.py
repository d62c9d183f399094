"""Can each deleted row be told from a row that was never there?

    AUC(row) = P(percentile under unlearned models > under retrains),   ties half
    told(row) = |AUC − ½|                          0: as retrained; ½: told every time, from above or below
    apart(row) = 1 if all unlearned models stand on one side of all retrains

A mean AUC of ½ may be half of the rows pushed up and half pushed down (measured: .53 with .26 of |AUC − ½|).
Of m models and r retrains that are alike, apart(row) is 2 / C(m + r, m) without ties: the null of the
last line has a known mean. Two-sided tests of unlearning: "inexact unlearning" studies of 2024 to 2026;
per example in the manner of U-LiRA (Hayes et al., 2024), with ranks in place of a likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.unlearning.audit._asked import Models, asked_values
from workbench.unlearning.audit._null import each_against
from workbench.unlearning.audit._table import Audit
from workbench.unlearning.scenarios import Scenario


def row_auc(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """P(a value of `unlearned` (m, rows) > one of `retrained` (r, rows)), ties half; (rows,).

    >>> row_auc(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 2.0]])).tolist()
    [0.75, 0.25]
    """
    one, two = unlearned[:, None], retrained[None]
    return ((one > two) + 0.5 * (one == two)).mean(axis=(0, 1))


def told(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """|AUC − ½| of every row; (rows,)."""
    return np.abs(row_auc(unlearned, retrained) - 0.5)


def apart(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """1 where no unlearned value lies among the retrained ones, nor one of those among them; (rows,)."""
    above = unlearned.min(axis=0) > retrained.max(axis=0)
    return (above | (unlearned.max(axis=0) < retrained.min(axis=0))).astype(np.float64)


def row_checks(values: dict, retrained: np.ndarray, people: Any = None, seed: int = 0) -> Audit:
    """The three lines of arrays: values (m, rows) of each method, (R, rows) of retrains."""
    kinds = {"rows: AUC": row_auc, "rows: |AUC − ½|": told, "rows: share outside": apart}
    return each_against(kinds, values, retrained, people, seed)


def deleted_rows(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int, seed: int = 0
) -> Audit:
    """AUC, |AUC − ½| and share of rows outside, over the deleted rows (of spam over the promoted items
    of genuine people); intervals draw people.

    models: of each method some models, one a base. Raises `DataError` for fewer retrains than that
    and one more.

    >>> deleted_rows({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    Audit(3 checks: 3 of 6 lines fire)
    """
    return row_checks(*asked_values(models, retrained, scenario, done)[:3], seed)
