"""A task, and a stream of requests against it.

    logₖ = training rows − rows of the first k requests

The rows of training and validation go; what is asked at the test stays, those who leave included, and
what of it is of the topic is kept apart, as forgetting makes it harder to find. In a session task a
user is a session and its person stands in `task.people`: a request of one person reaches into many.
`scenarios.py` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from workbench import html
from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.data.splits import joined_logs
from workbench.errors import DataError, UnknownItem, check_number
from workbench.recommend.cells import tidy
from workbench.recommend.tasks import Task
from workbench.unlearning.requests import Request, check_apart

PROMOTED = ("spam", "flood")
"""Reasons of requests that are about other people's lists."""
ENOUGH = 200
"""Continued sessions below which an endpoint of a session task tells little."""


@dataclass(frozen=True)
class KeptApart:
    """What is asked at the test, the topic's apart from the rest; each (B, n_items), one row a
    question.

    >>> evaluate_targets(model, task.histories, scenario.kept_apart.others)  # doctest: +SKIP
    """

    topic: sparse.csr_array
    others: sparse.csr_array

    @property
    def questions(self) -> np.ndarray:
        """Which questions want an item of the topic; bool (B,)."""
        return np.diff(self.topic.indptr) > 0

    def counts(self) -> dict[str, int]:
        """How much is kept apart."""
        counts = {"targets": self.topic.nnz + self.others.nnz, "of the topic": self.topic.nnz}
        alone = self.questions & (np.diff(self.others.indptr) == 0)
        counts |= {"questions with one": int(self.questions.sum())}
        return counts | {"questions of nothing else": int(alone.sum())}


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

    @classmethod
    def of(cls, name: str, task: Task, requests: Iterable[Request], items: np.ndarray) -> Scenario:
        """A scenario of requests of one's own.

        Raises `DataError` for requests that are not numbered 0, 1, 2, …, name a row that is in
        neither training nor validation, or name one twice.
        """
        requests = tuple(requests)
        items = np.unique(checked_codes(items, task.train.n_items, "items", UnknownItem))
        made = cls(name, task, requests, items)
        if [one.request for one in requests] != list(range(len(requests))):
            do = "numbered(requests) numbers them"
            raise DataError("numbers with gaps", name, "0, 1, 2, … in their order", do)
        for one in requests:
            made.both.only(one.interactions, one.digest)
        check_apart(requests)
        return made

    @property
    def promotes(self) -> bool:
        """Whether it is about other people's lists: then genuine people are asked, no leavers."""
        return any(request.reason in PROMOTED for request in self.requests)

    # --- the rows, at every moment

    @cached_property
    def both(self) -> Interactions:
        """Training and validation, before any request."""
        return joined_logs(self.task.train, self.task.valid)

    def _served(self, log: Interactions, done: int) -> np.ndarray:
        """Which rows of a log the first `done` requests name; bool (n,)."""
        check_number(0, len(self.requests), done=done)
        return np.isin(log.frame["interaction"].to_numpy(), self.forgotten(done))

    def forgotten(self, done: int) -> np.ndarray:
        """Ids of the first `done` requests; ascending."""
        parts = [np.zeros(0, np.int64), *(one.interactions for one in self.requests[:done])]
        return np.unique(np.concatenate(parts))

    def train(self, done: int) -> Interactions:
        """What the model stands for after so many requests."""
        return self.task.train.select(~self._served(self.task.train, done))

    def valid(self, done: int) -> Interactions:
        """The validation rows after so many requests."""
        return self.task.valid.select(~self._served(self.task.valid, done))

    def known(self, done: int) -> Interactions:
        """Both: what a service still knows of people."""
        return self.both.select(~self._served(self.both, done))

    # --- who and what

    def leavers(self, done: int) -> np.ndarray:
        """Whose rows the first `done` requests name: user codes, ascending (of a session task,
        sessions)."""
        return np.unique(self.both.frame["user"].to_numpy()[self._served(self.both, done)])

    def leaving_people(self, done: int) -> np.ndarray:
        """The people behind them, ascending."""
        return np.unique(self.task.people[self.leavers(done)])

    def stayers(self, done: int) -> np.ndarray:
        """Users with rows left of whom no request names any: of spam, those who are genuine."""
        users = np.unique(self.known(done).frame["user"])
        return np.setdiff1d(users, self.leavers(done))

    def concerned(self, done: int) -> np.ndarray:
        """People who are none of the others: who have left so far, of spam and floods who ever will,
        as a fake is no genuine person before its request either; ascending."""
        return self.leaving_people(len(self.requests) if self.promotes else done)

    def continued(self, done: int) -> np.ndarray:
        """Leavers with at least a row left: user codes, ascending. Of a session task these are the
        sessions that an endpoint can ask on; fewer than `ENOUGH` tell little."""
        left = np.unique(self.known(done).frame["user"])
        return np.intersect1d(self.leavers(done), left)

    def histories(
        self, done: int, cleaned: bool = True, users: np.ndarray | None = None
    ) -> Histories:
        """What models are asked with after so many requests: the histories of those who continue,
        or of `users`. cleaned: without what was asked to be forgotten, or as if nobody had told the
        store of histories."""
        users = self.continued(done) if users is None else users
        return self.known(done if cleaned else 0).histories(users)

    def deleted(self, done: int) -> sparse.csr_array:
        """What each user asked to be forgotten, and holds no more; 0/1 (n_users, n_items)."""
        gone = self.both.select(self._served(self.both, done)).matrix()
        return tidy(gone - gone.multiply(self.known(done).matrix()))

    def repeated(self, done: int) -> sparse.csr_array:
        """Those of `deleted` that stood in two baskets of theirs or more (without baskets: in two
        rows); 0/1 (n_users, n_items). The others were novel once: what a model repeats, it forgets
        apart."""
        frame = self.both.frame
        if frame["basket"].notna().all():
            frame = frame.drop_duplicates(["user", "item", "basket"])
        counts = self.both.of_rows(frame).counts()
        return tidy(self.deleted(done).multiply(counts > 1)).astype(np.float64)

    @cached_property
    def kept_apart(self) -> KeptApart:
        """The test's questions about the items, apart from the rest."""
        own = np.zeros(self.task.train.n_items)
        own[self.items] = 1.0
        parts = []
        for mask in (own, 1.0 - own):
            part = sparse.csr_array(self.task.targets.multiply(mask[None, :]).tocsr())
            part.eliminate_zeros()
            parts.append(part)
        return KeptApart(*parts)

    # --- counts

    def emptied(self, done: int) -> pd.DataFrame:
        """What the requests leave empty in training: [unit, before, touched, emptied, one_left].

        unit: person, user, item, session, basket (those that the log has). one_left: touched units
        of one row: a session or a history of one row is no example of what comes next.
        """
        frame, served = self.task.train.frame, self._served(self.task.train, done)
        frame = frame.assign(person=self.task.owner)
        lines = []
        for unit, by in units_of(frame).items():
            own = frame[by].notna().all(axis=1).to_numpy()
            group = frame[own].groupby(by, sort=False).ngroup().to_numpy()
            had = np.bincount(group)
            lost = np.bincount(group[served[own]], minlength=len(had))
            counts = {"before": int((had > 0).sum()), "touched": int((lost > 0).sum())}
            counts |= {"emptied": int(((lost > 0) & (had == lost)).sum())}
            counts |= {"one_left": int(((lost > 0) & (had - lost == 1)).sum())}
            lines.append({"unit": unit} | counts)
        return pd.DataFrame(lines)

    def counts(self, done: int | None = None) -> dict[str, object]:
        """What a reader is told first: rows by part, their share, people, who continues."""
        done = len(self.requests) if done is None else done
        train, valid = (
            int(self._served(log, done).sum()) for log in (self.task.train, self.task.valid)
        )
        rows = len(self.both) + (0 if self.task.test is None else len(self.task.test))
        counts = {"requests": done, "training rows": train, "validation rows": valid}
        counts |= {"share of all rows": (train + valid) / rows}
        counts |= {"people": len(self.leaving_people(done)), "continued": len(self.continued(done))}
        if self.task.name == "session":
            counts |= {"enough": counts["continued"] >= ENOUGH}
        return counts

    def to_frame(self) -> pd.DataFrame:
        """One line a request: [request, reason, time, people, train, valid, items]."""
        train = set(self.task.train.frame["interaction"])
        rows = self.both.frame.set_index("interaction")
        lines = []
        for one in self.requests:
            own = rows.loc[one.interactions]
            people = len(np.unique(self.task.people[own["user"]]))
            learned = sum(row in train for row in one.interactions.tolist())
            line = {"request": one.request, "reason": one.reason, "time": one.time}
            line |= {"people": people, "train": learned, "valid": len(one) - learned}
            lines.append(line | {"items": own["item"].nunique()})
        return pd.DataFrame(lines)

    def _repr_html_(self) -> str:
        caption = f"{self.name}: {self.task.name}"
        rows = [{"what": what, "": str(value)} for what, value in self.counts().items()]
        return html.table(rows, caption) + html.table(
            self.emptied(len(self.requests)).to_dict("records"), "What is left empty in training"
        )


def units_of(frame: pd.DataFrame) -> dict[str, list[str]]:
    """What rows can be counted by: unit → columns. A session or basket belongs to a person."""
    found = {"person": ["person"], "item": ["item"]}
    if not (frame["person"] == frame["user"]).all():
        found |= {"session": ["user"]}
    elif frame["session"].notna().any():
        found |= {"session": ["user", "session"]}
    if frame["basket"].notna().any():
        found |= {"basket": ["user", "basket"]}
    return found
