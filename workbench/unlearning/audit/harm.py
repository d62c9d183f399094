"""What did it cost people who asked for nothing, and whom of them?

    loss(u) = NDCG@10(u; unlearned) − NDCG@10(u; retrained)
    harmed(u) = 1 if u is served worse by every unlearned model than by any retrain
    churn(u) = share of u's list that others stand in than under a retrain

A retrain of another seed harms people too: share and churn are read beside that. By group: the least,
middle and most active thirds, and those who hold the topic themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.recommend.evaluation import evaluate_targets
from workbench.unlearning.audit._asked import Models, every, others, served, whole
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._pairs import of_pairs
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.audit.topic import difference
from workbench.unlearning.exposure import churn
from workbench.unlearning.scenarios import Scenario

QUESTIONS = 1_000
"""Test questions asked, at most."""


def below_all(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """1 where the best of (m, units) is worse than the worst of (r, units); (units,)."""
    return (unlearned.max(axis=0) < retrained.min(axis=0)).astype(np.float64)


def utilities(scenario: Scenario, done: int, seed: int = 0) -> tuple[np.ndarray, Any]:
    """The people who asked for nothing and have test questions, and `ask(model)`: their mean
    NDCG@10, (people,), NaN where the model has no list."""
    task = scenario.task
    rows = np.flatnonzero(~np.isin(task.person, scenario.concerned(done)))
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:QUESTIONS])
    histories, targets, person = task.histories.select(rows), task.targets[rows], task.person[rows]
    exclude = None if task.exclude is None else task.exclude[rows]
    people = np.unique(person)

    def ask(model: Any) -> np.ndarray:
        found = evaluate_targets(model, histories, targets, (10,), exclude=exclude)
        found = found[found["metric"] == "ndcg"]
        mean = found["value"].groupby(person[found["row"]]).mean()
        return mean.reindex(people).to_numpy()

    return people, ask


def groups_of(scenario: Scenario, people: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of these people: all, by thirds of activity, and holders of the topic."""
    frame, owner = scenario.task.train.frame, scenario.task.owner
    rows = pd.Series(owner).value_counts().reindex(people, fill_value=0).to_numpy()
    low, high = np.quantile(rows, (1 / 3, 2 / 3))
    holders = np.unique(owner[frame["item"].isin(scenario.items).to_numpy()])
    groups = {"all": np.ones(len(people), bool), "least active": rows <= low}
    groups |= {"middle third": (rows > low) & (rows <= high), "most active": rows > high}
    return groups | {"topic holders": np.isin(people, holders)}


def harm_to_others(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
) -> Audit:
    """NDCG@10 against retrain by group, share harmed, and churn, of people who asked for nothing.

    >>> harm_to_others({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    people, ask = utilities(scenario, done, seed)
    values, again = every(models, retrained, ask)
    values, again, kept = whole(values, again)
    parts = []
    for group, mask in groups_of(scenario, people[kept]).items():
        if mask.sum() < 2:
            continue
        some = {name: found[:, mask] for name, found in values.items()}
        check = f"harm: NDCG@10, {group}"
        parts.append(against(check, some, again[:, mask], difference, seed=seed))
        check = f"harm: share harmed, {group}"
        parts.append(against(check, some, again[:, mask], below_all, seed=seed))
    # whose list is another one
    users = others(scenario, done, seed)
    lists = {name: served(some, scenario, done, users, 10) for name, some in models.items()}
    again = served(retrained, scenario, done, users, 10)
    pairs, owner = of_pairs(lists, again, churn), scenario.task.people[users]
    parts.append(against("harm: churn@10, others", *pairs, owner, seed))
    return joined(*parts)
