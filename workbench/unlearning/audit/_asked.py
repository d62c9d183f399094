"""What checks ask of models: where a row stands in its user's list, and the lists themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from workbench.data import Histories
from workbench.data.splits import joined_logs
from workbench.recommend.ranking import lists_of, scores_or_none
from workbench.unlearning.measures import asked_of
from workbench.unlearning.scenarios import Scenario

Models = Mapping[str, Sequence[Any]]
"""Of each method some models, one a base."""
OTHERS = 200
"""People besides the leavers who are asked, at most."""


def every(models: Models, retrained: Sequence[Any], ask: Any) -> tuple[dict, np.ndarray]:
    """`ask(model)` of all models: (m, …) of each method, (R, …) of retrains."""
    values = {name: np.stack([ask(one) for one in some]) for name, some in models.items()}
    return values, np.stack([ask(one) for one in retrained])


def whole(values: dict[str, np.ndarray], retrained: np.ndarray) -> tuple[dict, np.ndarray, Any]:
    """Without the units that some model has no value for; and a mask of those that stay."""
    kept = ~np.isnan(retrained).any(axis=0)
    for found in values.values():
        kept &= ~np.isnan(found).any(axis=0)
    return {name: found[:, kept] for name, found in values.items()}, retrained[:, kept], kept


def cells(model: Any, histories: Histories, asked: sparse.csr_array) -> np.ndarray:
    """Percentile of every asked item of every history among what it does not hold, ties half;
    (asked.nnz,), NaN where the model has no answer."""
    scores = np.asarray(scores_or_none(model, histories), dtype=np.float64)
    held, found = histories.matrix(), np.full(asked.nnz, np.nan)
    for row in np.flatnonzero(np.diff(asked.indptr)):
        span = slice(asked.indptr[row], asked.indptr[row + 1])
        free = np.ones(histories.n_items, bool)
        free[held[[row]].indices] = False
        others, own = np.sort(scores[row, free]), scores[row, asked.indices[span]]
        low, high = (np.searchsorted(others, own, side) for side in ("left", "right"))
        found[span] = (low + high - 1) / 2 / max(len(others) - 1, 1)
        found[span][np.isnan(own)] = np.nan
    return found


def deleted_cells(scenario: Scenario, done: int) -> tuple[Histories, sparse.csr_array, np.ndarray]:
    """Histories of the leavers as they are known now, what each deleted, and the person of each
    deleted item (nnz,)."""
    users = scenario.leavers(done)
    asked = sparse.csr_array(scenario.deleted(done)[users])
    people = np.repeat(scenario.task.people[users], np.diff(asked.indptr))
    return scenario.known(done).histories(users), asked, people


def asked_cells(scenario: Scenario, done: int) -> tuple[Histories, sparse.csr_array, np.ndarray]:
    """The same of the primary endpoint: `deleted_cells`, and of spam and floods the promoted items in
    genuine people's lists, as nobody is left who deleted them."""
    if not scenario.promotes:
        return deleted_cells(scenario, done)
    asked = asked_of(scenario, done)
    wanted = asked.wanted["promoted"]
    return asked.histories, wanted, np.repeat(asked.person, np.diff(wanted.indptr))


def asked_values(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int
) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray]:
    """`cells` that all models answer of `asked_cells`: (m, n) of each method, (R, n) of retrains, and
    the person and the item of each."""
    histories, asked, people = asked_cells(scenario, done)
    values, again = every(models, retrained, lambda one: cells(one, histories, asked))
    values, again, kept = whole(values, again)
    return values, again, people[kept], asked.indices[kept]


def requests_of(scenario: Scenario, done: int) -> np.ndarray:
    """The request that each deleted item belongs to, in the order of `deleted_cells`; (nnz,). Of an
    item that two requests name the first."""
    task, users = scenario.task, scenario.leavers(done)
    both = joined_logs(task.train, task.valid).frame.set_index("interaction")
    shape = (task.train.n_users, task.train.n_items)
    number = sparse.lil_array(shape, dtype=np.int64)
    for place in reversed(range(done)):
        rows = both.loc[both.index.isin(scenario.requests[place].interactions)]
        number[rows["user"].to_numpy(), rows["item"].to_numpy()] = place
    asked = sparse.csr_array(scenario.deleted(done)[users])
    owner = np.repeat(users, np.diff(asked.indptr))
    return np.asarray(number.tocsr()[owner, asked.indices]).ravel()


def about(scenario: Scenario, done: int) -> np.ndarray:
    """Which request each of `asked_cells` is about; bool (done, nnz). Of spam and floods all that
    named a row of the promoted item."""
    if not scenario.promotes:
        return requests_of(scenario, done) == np.arange(done)[:, None]
    items = asked_cells(scenario, done)[1].indices
    named = [one.items(scenario.both) for one in scenario.requests[:done]]
    return np.array([np.isin(items, own) for own in named]).reshape(done, len(items))


def others(scenario: Scenario, done: int, seed: int, most: int = OTHERS) -> np.ndarray:
    """User codes of people who asked for nothing and can be answered; drawn, ascending."""
    task, known = scenario.task, scenario.known(done).frame["user"].unique()
    free = np.sort(known[~np.isin(task.people[known], scenario.concerned(done))])
    return np.sort(np.random.default_rng(seed).permutation(free)[:most])


def served(
    models: Iterable[Any], scenario: Scenario, done: int, users: np.ndarray, k: int
) -> np.ndarray:
    """The lists that these users are served, (models, users, k); what they are known to hold is
    left out where the task leaves it out."""
    histories, seen = scenario.known(done).histories(users), scenario.task.exclude is not None
    found = [
        lists_of(lambda part, one=one: scores_or_none(one, part), histories, k, seen=seen)
        for one in models
    ]
    return np.stack(found)
