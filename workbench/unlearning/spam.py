"""Spam: accounts that lift some items, with every planted row known.

    n = ⌈r N / (1 − r)⌉        fake among genuine N: a share r of all is fake

N and n count users (collaborative filtering, baskets) or sessions. An account hides what it promotes
among fillers, as the ERASE study's development code does (sessions and baskets; what it does not say
is ours, and marked so):

    fillers     bandwagon: of the most popular 20 %;  random: of all;  average: of all, as often as
                people take them (ours: in rows without ratings a mean rating says nothing);
                push: none, promoted items alone (ours)
    targets     unpopular: of the least popular 20 %;  popular: of the first 5 %;  random
    session     length Poisson(λ), λ log-normal with mean .8 of the genuine, clipped to [4, longest];
                one target, two from 6 rows on, at 20 to 90 % of its length; gaps Weibull, .7 of the
                genuine mean (shape .8: ours)
    baskets     N(.8 a, .2 a) a user, a the genuine mean, clipped to [4, 1.5 a]; of N(.9 b, sd) items,
                clipped to [2, .8 of the largest]; one or two targets a basket
    user        (ours) a profile as long as a session would be, half of it targets at most

Planted rows stand behind all others in `position`, with times among theirs, and are learned from:
`Spam.scenario` puts them into training. Genuine rows stay as they were, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import sparse

from workbench import html
from workbench.data import Interactions
from workbench.errors import ConfigError, check_number
from workbench.recommend.tasks import TASKS, Task
from workbench.unlearning._accounts import (
    MAKERS,
    Hidden,
    fillers,
    genuine_rows,
    new_names,
    planted_rows,
    promoted,
)
from workbench.unlearning.requests import Request
from workbench.unlearning.scenario import Scenario

HOW = ("bandwagon", "random", "average", "push")
TARGETS = ("unpopular", "popular", "random")
Attack = Literal["bandwagon", "random", "average", "push"]


@dataclass(frozen=True, eq=False)
class Spam:
    """A poisoned log, and what is fake in it.

    log: the clean one with more users and rows; the same items. planted: ids of the fake rows.
    accounts: codes of the fake users, each with one session in a session task. items: promoted.
    """

    how: str
    kind: str
    log: Interactions = field(repr=False)
    clean: Interactions = field(repr=False)
    planted: np.ndarray = field(repr=False)
    accounts: np.ndarray = field(repr=False)
    items: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        return f"Spam({self.how}: {len(self.accounts)} accounts, {len(self.planted):,} rows)"

    def requests(self, size: int | None = None) -> list[Request]:
        """The accounts to be forgotten, `size` of them a request; None: the ring is one."""
        size = len(self.accounts) if size is None else size
        check_number(1, size=size)
        rows = self.log.only(self.planted).frame
        found = []
        for number, start in enumerate(range(0, len(self.accounts), size)):
            own = rows["user"].isin(self.accounts[start : start + size])
            request = Request(number, rows["interaction"][own], "spam", last_time(rows[own]))
            found.append(request)
        return found

    def scenario(self, size: int | None = None, task: Task | None = None) -> Scenario:
        """The clean log's task with the fake rows in its training part and genuine people's
        questions alone; without them again once all requests are served.

        size: accounts a request. task: of the clean log, where it is at hand already.
        """
        task = TASKS[self.kind](self.clean) if task is None else task
        poisoned = planted_into(task, self.log.only(self.planted), len(self.accounts))
        requests = [one.signed(poisoned.train) for one in self.requests(size)]
        return Scenario(f"spam, {self.how}", poisoned, tuple(requests), self.items)

    def to_frame(self) -> pd.DataFrame:
        """Rows an item of each sort, before and after: [items, rows before, rows after]."""
        lines = []
        for log in (self.clean, self.log):
            count = np.bincount(log.frame["item"], minlength=log.n_items)
            lines.append((count[self.items].mean(), np.delete(count, self.items).mean()))
        (own, others), (own_after, others_after) = lines
        sorts = ["promoted", "others"]
        table = {"items": sorts, "rows before": [own, others]}
        return pd.DataFrame(table | {"rows after": [own_after, others_after]})

    def _repr_html_(self) -> str:
        return html.table(self.to_frame().to_dict("records"), f"{self!r}: rows an item")


def spam(
    log: Interactions,
    task: Literal["collaborative", "session", "basket"] = "collaborative",
    how: Attack = "bandwagon",
    share: float = 0.01,
    n_targets: int = 10,
    seed: int = 2,
    targets: Literal["unpopular", "popular", "random"] = "unpopular",
) -> Spam:
    """Plant fake accounts in a log.

    share: r, of users or sessions. n_targets: promoted items, drawn from those with a row. Raises
    `ConfigError` for an attack, task or sort of targets that there is not, `DataError` for a log
    without sessions or baskets where the task asks for them, or with too few items.

    >>> spam(log, task="session", how="random", share=.02)  # doctest: +SKIP
    Spam(random: 82 accounts, 402 rows)
    """
    said = (("task", task, TASKS), ("how", how, HOW), ("targets", targets, TARGETS))
    for name, value, known in said:
        if value not in known:
            raise ConfigError(f"{value!r}", name, f"one of {', '.join(known)}")
    check_number(0.0, 0.5, share=share)
    check_number(1, n_targets=n_targets)
    rng, rows = np.random.default_rng(seed), genuine_rows(log, task)
    # what is promoted, and behind what it hides
    popular = np.bincount(rows["item"], minlength=log.n_items)
    items = promoted(popular, n_targets, targets, rng)
    hidden = Hidden(items, *fillers(popular, items, how), rng)
    # one account after another: which items, in how many steps
    lines = pd.concat(MAKERS[task](rows, share, hidden), ignore_index=True)
    planted = planted_rows(log, rows, lines, items, rng)
    # behind all others; new names for new people
    n = int(lines["account"].max()) + 1
    names = pd.Index([*log.users.tolist(), *new_names(log.users, n)], dtype=log.users.dtype)
    whole = pd.concat([log.frame, planted], ignore_index=True)
    accounts = np.arange(log.n_users, log.n_users + n)
    ids = planted["interaction"].to_numpy()
    return Spam(how, task, replace(log, frame=whole, users=names), log, ids, accounts, items)


def last_time(rows: pd.DataFrame) -> pd.Timestamp | None:
    """When the last of the rows was made; None where one has no time."""
    return None if rows["timestamp"].isna().any() else rows["timestamp"].max()


def planted_into(task: Task, planted: Interactions, n: int) -> Task:
    """A task with the rows of n new users in its training part, and its questions as they were."""
    accounts = planted.frame["user"].to_numpy() - (planted.n_users - n)
    fresh = planted.users[-n:]
    if task.name == "session":
        fresh = planted.by_session().users
    users = pd.Index([*task.train.users.tolist(), *fresh.tolist()])
    first = task.train.n_users
    rows = planted.frame.assign(user=(first + accounts).astype("int32"))
    whole = pd.concat([task.train.frame, rows], ignore_index=True)
    train = replace(task.train, frame=whole, users=users)
    # they are people of their own, who had what they hold
    known = task.had.shape[0]
    cells = (accounts, rows["item"].to_numpy())
    held = sparse.coo_array((np.ones(len(rows)), cells), shape=(n, train.n_items)).tocsr()
    # the other parts and all questions know the longer index
    bound = train.index_fingerprint
    valid, test = (replace(log, users=users) for log in (task.valid, task.test))
    asked, targets = task.learned
    return replace(
        task,
        train=train,
        valid=valid,
        test=test,
        histories=replace(task.histories, bound=bound),
        people=np.concatenate([task.people, known + np.arange(n)]),
        had=sparse.vstack([task.had, held]).tocsr(),
        learned=(replace(asked, bound=bound), targets),
    )
