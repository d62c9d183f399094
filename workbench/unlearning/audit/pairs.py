"""Did two methods do the same thing?

    weights(A, B) = ‖θ_A − θ_B‖ / ‖θ_A‖        lists(A, B) = 1 − overlap@10       both: mean over bases

Two formulas may be one: CEU and IDEA coincide once sign, Δ and solver are corrected, and users of such
code have asked why two methods return one model. Equal: no list differs, and weights by less than 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from workbench.unlearning.audit._asked import Models, others, served
from workbench.unlearning.audit._table import COLUMNS, CONTROL, Audit, outside
from workbench.unlearning.audit.lists import overlap
from workbench.unlearning.outcome import NOTHING, step_length
from workbench.unlearning.scenarios import Scenario


def pair_distances(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
    k: int = 10,
) -> Audit:
    """Distance between the results of any two methods, base by base; `each`: [first, second,
    weights, lists, equal].

    Methods must stand on the same bases in the same order. low, high: the least and the most of
    the bases. The control is two retrains of other seeds, whose distances are the null. n: bases.
    Lists are those of the leavers and of at most 200 others.

    >>> pair_distances({"CEU": one, "IDEA": other}, retrained, scenario, 40).each  # doctest: +SKIP
    """
    users = np.union1d(scenario.leavers(done), others(scenario, done, seed))
    lists = {name: served(some, scenario, done, users, k) for name, some in models.items()}
    # two retrains: the control
    seen = served(retrained, scenario, done, users, k)
    places = list(combinations(range(len(retrained)), 2))
    null = {
        "weights": [step_length(retrained[a], retrained[b]) for a, b in places],
        "lists": [_lists_apart(seen[a], seen[b]) for a, b in places],
    }
    lines, each = [], []
    for first, second in combinations(models, 2):
        both = list(zip(models[first], models[second], strict=True))
        found = {
            "weights": [step_length(one, other) for one, other in both],
            "lists": [_lists_apart(*two) for two in zip(lists[first], lists[second], strict=True)],
        }
        # a model without weights is judged by its lists
        equal = not np.any(found["lists"]) and not np.nanmax([0, *found["weights"]]) >= NOTHING
        each.append((first, second, *(np.mean(found[kind]) for kind in found), equal))
        lines += _lines(f"{first} {'=' if equal else '≠'} {second}", found, null, len(both))
    lines += _lines(f"{CONTROL} ≠ {CONTROL}", null, null, len(places))
    columns = ["first", "second", "weights", "lists", "equal"]
    return Audit(pd.DataFrame(lines, columns=COLUMNS), pd.DataFrame(each, columns=columns))


def _lists_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean share of a list that the other one has not; 0 for equal lists, ended ones too."""
    length = np.maximum((one >= 0).sum(axis=1), (other >= 0).sum(axis=1)) / one.shape[1]
    return float((length - overlap(one, other)).mean())


def _lines(row: str, found: dict, null: dict, n: int) -> list[tuple]:
    """One line a kind of distance."""
    lines = []
    for kind, values in found.items():
        bounds = np.quantile(null[kind], (0.025, 0.975))
        said = np.mean(values), min(values), max(values)
        lines.append((f"pairs: {kind}", row, *said, *bounds, n, outside(*said[1:], bounds)))
    return lines
