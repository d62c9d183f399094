"""Three tasks asked of one log in the same way; `comparison.py` holds models against each other on
them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from workbench.data import Histories, Interactions, split
from workbench.data.splits import Split
from workbench.errors import DataError
from workbench.recommend.evaluation import as_targets, joined, next_items
from workbench.recommend.protocol import Recommender, check_kind, must_offer
from workbench.recommend.ranking import cutoffs, one_a_list, scores_or_none
from workbench.statistics import wins

MOST_LEARNED = 1_000  # questions about training rows that are drawn


@dataclass(frozen=True)
class Task:
    """One kind of question asked of a log: what comes next, and whom to fit on.

    histories, targets, exclude: the test questions, as `evaluate_targets` takes them. people: the
    person behind each user code, (n_users,). had: (people, n_items), non-zero where the person has
    a row in any part. learned: (histories, targets) of questions about rows that models are fitted
    on; a target is never taken from its own history.
    """

    name: str
    train: Interactions
    valid: Interactions
    histories: Histories
    targets: sparse.csr_array
    exclude: sparse.csr_array | None
    people: np.ndarray
    had: sparse.csr_array
    learned: tuple[Histories, sparse.csr_array]
    test: Interactions | None = None

    @property
    def person(self) -> np.ndarray:
        """Who each test question is about, (B,): the unit that intervals resample."""
        return self.people[self.histories.user]

    @property
    def owner(self) -> np.ndarray:
        """The person of each training row, (len(train),)."""
        return self.people[self.train.frame["user"]]

    def auc(
        self, model: Recommender, histories: Histories, targets: sparse.csr_array | np.ndarray
    ) -> np.ndarray:
        """`target_auc` against the items that the person never had, in no part of the log; (B,)."""
        return target_auc(model, histories, targets, self.had[self.people[histories.user]])

    def counts(self) -> dict[str, object]:
        """How large the task is, and which share of what is asked for stands in the history
        already."""
        repeats = (self.targets * self.histories.matrix()).nnz
        sizes = {"rows to learn from": len(self.train), "people": len(np.unique(self.owner))}
        sizes |= {"questions": len(self.histories), "targets": self.targets.nnz}
        return {"task": self.name} | sizes | {"repeats among targets": repeats / self.targets.nnz}

    def __repr__(self) -> str:
        return (
            f"Task({self.name}: {len(self.train):,} rows to learn from, "
            f"{len(self.histories):,} questions)"
        )


def collaborative_task(log: Interactions, seed: int = 0) -> Task:
    """Which items has this user not met yet, but will? The first row of every cell, split .8/.1/.1
    by time per user.

    Training and validation items are masked at test. seed: draws the training cells of `learned`,
    each taken out of its own history.
    """
    check_kind(log, Interactions)
    log = log.deeds  # a press is no first row
    parts = split(log.select(~log.frame.duplicated(["user", "item"]).to_numpy()), "temporal")
    known, targets = joined(parts, ("train", "valid")), parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    some = parts.train.frame.sample(min(MOST_LEARNED, len(parts.train)), random_state=seed)
    rest = parts.train.histories(some["user"])
    rest = rest.keep(rest.interaction != some["interaction"].to_numpy()[rest.rows])
    learned = rest, as_targets(some["item"].to_numpy(), rest)
    return _task(
        "collaborative filtering",
        parts,
        known.histories(users),
        targets[users],
        learned,
        known.matrix()[users],
    )


def session_task(log: Interactions, seed: int = 0) -> Task:
    """What comes next in this session? Sessions of two rows or more, .8/.1/.1 by time; every prefix
    is a question.

    Nothing is masked: people go back to what they looked at. seed: draws the training questions of
    `learned`.
    """
    check_kind(log, Interactions)
    sessions = log.by_session()
    owner = log.deeds.frame["user"].groupby(sessions.frame["user"]).first().to_numpy()
    sessions = sessions.select(
        (sessions.frame.groupby("user")["item"].transform("size") > 1).to_numpy()
    )
    parts = split(sessions, "session")
    histories, items = next_items(parts.test)
    learned, its = next_items(parts.train)
    some = np.sort(np.random.default_rng(seed).permutation(len(its))[:MOST_LEARNED])
    learned = learned.select(some)
    targets, known = as_targets(items, histories), as_targets(its[some], learned)
    return _task("session", parts, histories, targets, (learned, known), people=owner)


def basket_task(log: Interactions, least: int = 4) -> Task:
    """What is in this shopper's next basket? Users of `least` baskets or more; the last basket is
    asked.

    Rows without a basket are left out, and nothing is masked: people buy again. Baskets of a log
    without any time stand in its order.
    """
    check_kind(log, Interactions)
    cutoffs(least, several=False, where="least")
    by = "position" if log.frame["timestamp"].isna().all() else "time"
    log = log.select(log.frame["basket"].notna().to_numpy())
    enough = log.frame.groupby("user")["basket"].transform("nunique") >= least
    parts = split(log.select(enough.to_numpy()), "next_basket", by=by)
    targets = parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    before = split(
        parts.train, "next_basket", by=by
    )  # the last training basket, given those before it
    learned = joined(before, ("train", "valid")).histories(users), before.test.matrix()[users]
    histories = joined(parts, ("train", "valid")).histories(users)
    return _task("next basket", parts, histories, targets[users], learned)


def _task(
    name: str,
    parts: Split,
    histories: Histories,
    targets: sparse.csr_array,
    learned: tuple[Histories, sparse.csr_array],
    exclude: sparse.csr_array | None = None,
    people: np.ndarray | None = None,
) -> Task:
    """people: the person behind each user code; None where they are the same."""
    if not len(histories) or not len(parts.train):
        do = "give a longer log, or another task"
        raise DataError(
            f"{len(parts.train)} training rows, {len(histories)} questions",
            name,
            "some of both",
            do,
        )
    whole = joined(parts, ("train", "valid", "test"))
    people = np.arange(whole.n_users) if people is None else people
    cells = (people[whole.frame["user"]], whole.frame["item"].to_numpy())
    shape = (int(people.max()) + 1, whole.n_items)
    had = sparse.coo_array((np.ones(len(whole)), cells), shape=shape).tocsr()
    asked = (histories, targets, exclude)
    return Task(name, parts.train, parts.valid, *asked, people, had, learned, parts.test)


TASKS = {"collaborative": collaborative_task, "session": session_task, "basket": basket_task}
"""The three tasks by name: what makes one of a log."""


def target_auc(
    model: Recommender,
    histories: Histories,
    targets: sparse.csr_array | np.ndarray,
    had: sparse.csr_array | None = None,
) -> np.ndarray:
    """For every row the share of (target, other item) pairs in which the target scores higher, ties
    half; (B,).

    targets: as in `evaluate_targets`. Other items: neither in the history nor wanted, nor non-zero
    in `had` (B, n_items). .5 is chance. NaN for a row without targets or other items, or that the
    model cannot answer.
    """
    must_offer(model, "score")
    targets = as_targets(targets, histories)
    held = histories.matrix() + targets
    if had is not None:
        held = held + one_a_list(had, targets.shape, "had")
    held = held.tocsr()
    shares = np.full(len(histories), np.nan)
    for rows in np.array_split(np.arange(len(histories)), 1 + len(histories) // 512):
        scores = np.asarray(scores_or_none(model, histories.select(rows)), dtype=np.float64)
        # one line per target: its row, and how it does against every other item of that row
        wanted = targets[rows]
        count = np.diff(wanted.indptr)
        row = np.repeat(np.arange(len(rows)), count)
        own = scores[row, wanted.indices][:, None]
        never = held[rows].toarray() == 0
        won = (wins(own, scores[row]) * never[row]).sum(axis=1)
        # 0 / 0 where there is nothing to compare
        with np.errstate(invalid="ignore"):
            shares[rows] = np.bincount(row, won, len(rows)) / (count * never.sum(axis=1))
        shares[rows[np.isnan(scores).all(axis=1)]] = np.nan
    return shares
