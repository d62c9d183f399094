"""Whose rows, and which, are forgotten worst: strata of activity and of item frequency.

    distance(stratum) = mean over its deleted rows of percentile(unlearned) − percentile(retrained)

Asked of sequences by UniRec (2024) as uniformity and frequency: does unlearning fail more for active
people, or on rare items? Intervals draw people; a stratum of few people says so by its width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.unlearning.audit._asked import Models, asked_values
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.audit.topic import difference
from workbench.unlearning.scenarios import Scenario


def thirds(values: np.ndarray) -> np.ndarray:
    """`low`, `middle` or `high` by thirds of the values; equal values share a stratum.

    >>> thirds(np.array([1, 2, 3])).tolist()
    ['low', 'middle', 'high']
    """
    low, high = np.quantile(values, (1 / 3, 2 / 3))
    return np.select([values <= low, values <= high], ["low", "middle"], "high")


def strata_distance(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int, seed: int = 0
) -> Audit:
    """Difference to retrain of the deleted rows' percentile, by thirds of the person's rows in
    training, and of the item's; of spam that of promoted items in genuine people's lists.

    >>> strata_distance({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    values, again, people, items = asked_values(models, retrained, scenario, done)
    # how active each person was, and how frequent each item, before any request
    train, owner = scenario.task.train, scenario.task.owner
    activity = pd.Series(owner).value_counts().reindex(people, fill_value=0).to_numpy()
    frequency = np.bincount(train.frame["item"], minlength=train.n_items)[items]
    parts = []
    for kind, numbers in {"activity": activity, "item frequency": frequency}.items():
        stratum = thirds(numbers)
        for name in ("low", "middle", "high"):
            mask = stratum == name
            if not mask.any():
                continue
            some = {method: found[:, mask] for method, found in values.items()}
            check = f"strata: {kind} {name}"
            parts.append(against(check, some, again[:, mask], difference, people[mask], seed))
    return joined(*parts)
