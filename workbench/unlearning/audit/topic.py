"""Are the *other* items of the topic where a retrain would have them?

    topic(u) = mean percentile of the topic's items that u neither deleted nor holds
    distance = mean over u of (unlearned − retrained)

A method may put the deleted items where they belong and leave the taste for their like: exposure and
*deleted* do not see it. What attacks on classifiers read of the classes near the forgotten one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from workbench.unlearning.audit._asked import Models, every, whole
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._table import Audit
from workbench.unlearning.measures import percentiles
from workbench.unlearning.scenarios import Scenario


def difference(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """Mean over models less mean over retrains; (units,)."""
    return unlearned.mean(axis=0) - retrained.mean(axis=0)


def other_topic_items(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int, seed: int = 0
) -> Audit:
    """Difference to retrain of the leavers' mean percentile of other topic items; two-sided.

    >>> other_topic_items({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    users = scenario.leavers(done)
    histories = scenario.known(done).histories(users)
    # of the topic, what was neither deleted nor is held
    wanted = np.zeros((len(users), histories.n_items))
    wanted[:, scenario.items] = 1
    taken = scenario.deleted(done)[users] + histories.matrix()
    wanted[taken.nonzero()] = 0
    asked = sparse.csr_array(wanted)
    values, other = every(models, retrained, lambda one: percentiles(one, histories, asked))
    values, other, kept = whole(values, other)
    people = scenario.task.people[users][kept]
    return against("topic: other items", values, other, difference, people, seed)
