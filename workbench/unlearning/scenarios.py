"""A task, and a stream of requests against it.

    logₖ = training rows − rows of the first k requests

Sensitive removal as in the ERASE study: users are shuffled with the seed, each asks for *all* rows on
a topic to be forgotten, one after another. The rows of training and validation go; what is asked at
the test stays and is counted apart, as forgetting makes it harder to find.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import sparse

from workbench.data import Interactions
from workbench.data.checks import checked_codes
from workbench.data.splits import joined_logs
from workbench.errors import DataError, UnknownItem
from workbench.recommend.tasks import Task
from workbench.unlearning.requests import Request


@dataclass(frozen=True, eq=False)
class Scenario:
    """What is to be forgotten, in which order, and what models are asked afterwards.

    items: codes of the topic, or of what was promoted. requests: numbered from 0 in their order.
    """

    name: str
    task: Task = field(repr=False)
    requests: tuple[Request, ...] = field(repr=False)
    items: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        rows = sum(map(len, self.requests))
        return f"Scenario({self.name}: {len(self.requests)} requests, {rows:,} rows)"

    def forgotten(self, done: int) -> np.ndarray:
        """Ids of the first `done` requests; ascending."""
        parts = [np.zeros(0, np.int64), *(one.interactions for one in self.requests[:done])]
        return np.unique(np.concatenate(parts))

    def train(self, done: int) -> Interactions:
        """What the model stands for after so many requests."""
        return self._left(self.task.train, done)

    def valid(self, done: int) -> Interactions:
        """The validation rows after so many requests."""
        return self._left(self.task.valid, done)

    def known(self, done: int) -> Interactions:
        """Both: what a service still knows of people."""
        return joined_logs(self.train(done), self.valid(done))

    def leavers(self, done: int) -> np.ndarray:
        """Whose rows the first `done` requests name: user codes, ascending."""
        both = joined_logs(self.task.train, self.task.valid).frame
        return np.unique(both["user"][both["interaction"].isin(self.forgotten(done))])

    def deleted(self, done: int) -> sparse.csr_array:
        """What each user asked to be forgotten, and holds no more; 0/1 (n_users, n_items)."""
        both = joined_logs(self.task.train, self.task.valid)
        gone = both.select(both.frame["interaction"].isin(self.forgotten(done)).to_numpy())
        found = gone.matrix()
        found = sparse.csr_array(found - found.multiply(self.known(done).matrix()))
        found.eliminate_zeros()
        return found

    def _left(self, log: Interactions, done: int) -> Interactions:
        return log.select(~log.frame["interaction"].isin(self.forgotten(done)).to_numpy())


def sensitive(
    task: Task,
    items: np.ndarray,
    n: int | None = None,
    at_least: int = 3,
    seed: int = 2,
    order: Literal["id", "drawn"] = "id",
    name: str = "sensitive",
) -> Scenario:
    """People each ask for all their rows on some items to be forgotten.

    items: codes of a topic. n: people, drawn with the seed from those who hold at least `at_least`
    of the items in training and validation; None takes them all. order: of the requests, by user
    code as in the study, or as drawn. Raises `DataError` where nobody holds enough.
    """
    items = checked_codes(items, task.train.n_items, "items", UnknownItem)
    both = joined_logs(task.train, task.valid).frame
    rows = both[both["item"].isin(items)].assign(person=lambda t: task.people[t["user"]])
    held = rows.groupby("person")["item"].nunique()
    able = held.index[held >= at_least].to_numpy()
    if not len(able):
        what = f"nobody holds {at_least} of the {len(items)} items"
        raise DataError(what, "sensitive", "people with rows to forget", "lower at_least")
    drawn = np.random.default_rng(seed).permutation(able)[:n]
    drawn = np.sort(drawn) if order == "id" else drawn
    ids = rows.groupby("person")["interaction"]
    requests = [Request(k, ids.get_group(person)) for k, person in enumerate(drawn)]
    return Scenario(name, task, tuple(requests), np.unique(items))
