"""Three tasks asked of one log in the same way, and a table that holds any models against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from workbench import html
from workbench.data import Histories, Interactions, split
from workbench.data.splits import Split
from workbench.errors import ConfigError, DataError
from workbench.recommend.evaluation import as_targets, evaluate_lists, joined, next_items, top_lists
from workbench.recommend.protocol import Recommender
from workbench.statistics import paired_bootstrap

MOST_LEARNED = 1_000  # questions about training rows that are drawn


@dataclass(frozen=True)
class Task:
    """One kind of question asked of a log: what comes next, and whom to fit on.

    histories, targets, exclude: the test questions, as `evaluate_targets` takes them. person: who each question is
    about, (B,): the unit that intervals resample. owner: the person of each training row, (len(train),). learned:
    (histories, targets) of questions that a model could answer from its training rows.
    """

    name: str
    train: Interactions
    valid: Interactions
    histories: Histories
    targets: sparse.csr_array
    exclude: sparse.csr_array | None
    person: np.ndarray
    owner: np.ndarray
    learned: tuple[Histories, sparse.csr_array]

    def counts(self) -> dict[str, object]:
        """How large the task is, and which share of what is asked for stands in the history already."""
        repeats = (self.targets * self.histories.matrix()).nnz
        sizes = {"rows to learn from": len(self.train), "people": len(np.unique(self.owner))}
        sizes |= {"questions": len(self.histories), "targets": self.targets.nnz}
        return {"task": self.name} | sizes | {"repeats among targets": repeats / self.targets.nnz}

    def __repr__(self) -> str:
        return f"Task({self.name}: {len(self.train):,} rows to learn from, {len(self.histories):,} questions)"


def collaborative_task(log: Interactions) -> Task:
    """Which items has this user not met yet, but will? The first row of every cell, split .8/.1/.1 by time per user.

    Training and validation items are masked at test.
    """
    parts = split(log.select(~log.frame.duplicated(["user", "item"]).to_numpy()), "temporal")
    known, targets = joined(parts, ("train", "valid")), parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    histories = known.histories(users)
    learned = parts.train.histories(users), parts.train.matrix()[users]
    return _task("collaborative filtering", parts, histories, targets[users], known.matrix()[users], None, learned)


def session_task(log: Interactions, seed: int = 0) -> Task:
    """What comes next in this session? Sessions of two rows or more, .8/.1/.1 by time; every prefix is a question.

    Nothing is masked: people go back to what they looked at. seed: draws the training questions of `learned`.
    """
    sessions = log.by_session()
    owner = log.frame["user"].groupby(sessions.frame["user"]).first().to_numpy()
    sessions = sessions.select((sessions.frame.groupby("user")["item"].transform("size") > 1).to_numpy())
    parts = split(sessions, "session")
    histories, items = next_items(parts.test)
    learned, its = next_items(parts.train)
    some = np.sort(np.random.default_rng(seed).permutation(len(its))[:MOST_LEARNED])
    learned = learned.select(some)
    targets, known = as_targets(items, histories), as_targets(its[some], learned)
    return _task("session", parts, histories, targets, None, owner, (learned, known))


def basket_task(log: Interactions, least: int = 4) -> Task:
    """What is in this shopper's next basket? Users of `least` baskets or more; the last basket is asked.

    Rows without a basket are left out, and nothing is masked: people buy again.
    """
    log = log.select(log.frame["basket"].notna().to_numpy())
    enough = log.frame.groupby("user")["basket"].transform("nunique") >= least
    parts = split(log.select(enough.to_numpy()), "next_basket")
    targets = parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    before = split(parts.train, "next_basket")  # the last training basket, given those before it
    learned = joined(before, ("train", "valid")).histories(users), before.test.matrix()[users]
    histories = joined(parts, ("train", "valid")).histories(users)
    return _task("next basket", parts, histories, targets[users], None, None, learned)


def _task(
    name: str,
    parts: Split,
    histories: Histories,
    targets: sparse.csr_array,
    exclude: sparse.csr_array | None,
    owner: np.ndarray | None,
    learned: tuple[Histories, sparse.csr_array],
) -> Task:
    """owner: the person behind each user code of the parts, (n_users,); None where they are the same."""
    if not len(histories) or not len(parts.train):
        do = "give a longer log, or another task"
        raise DataError(f"{len(parts.train)} training rows, {len(histories)} questions", name, "some of both", do)
    owner = np.arange(parts.train.n_users) if owner is None else owner
    person, of_rows = owner[histories.user], owner[parts.train.frame["user"]]
    return Task(name, parts.train, parts.valid, histories, targets, exclude, person, of_rows, learned)


@dataclass(frozen=True)
class Comparison:
    """Models on one task: `table` one row per model, `values` one per model and question, `models` fitted."""

    task: Task
    table: pd.DataFrame
    values: pd.DataFrame
    models: dict[str, Recommender]

    def __repr__(self) -> str:
        best = self.table.loc[self.table["ndcg"].idxmax(), "model"]
        return f"Comparison({self.task.name}: {len(self.table)} models, the best {best})"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def _repr_html_(self) -> str:
        caption = f"{self.task.name}, {len(self.task.histories):,} questions"
        return html.table(self.table.round(3).to_dict("records"), caption)


def compare(models: Mapping[str, Recommender], task: Task, k: int = 10, seed: int = 0) -> Comparison:
    """Fit every model on the training part and ask it the test questions; one row per model.

    Columns: ndcg with its 95 % interval over persons, every person counting once; `vs` = difference to the *first*
    model, paired; recall of repeat and of novel targets on the same lists; `repeats`: share of the list that stands
    in the history; `learned`, `unseen`: how often a target scores above an item that the person never had (AUC), for
    targets among the rows the model learned from and for those of the test. Their distance is what the model
    remembers of rows beyond what it understands.

    >>> compare({"popular": Popularity(), "knn": ItemKNN()}, collaborative_task(log)).table  # doctest: +SKIP
    """
    if not models:
        raise ConfigError("no model", "compare", "at least one, by name")
    fitted, values, rows = {}, [], []
    for name, model in models.items():
        fitted[name] = model.fit(task.train, task.valid)
        lists = top_lists(model, task.histories, k, task.exclude)
        found = evaluate_lists(lists, task.histories, task.targets, (k,))
        found = found[found["metric"] == "ndcg"]
        values.append(found.assign(model=name, person=task.person[found["row"]]))
        rows.append({"model": name} | _details(model, task, lists))
    table = pd.concat(values, ignore_index=True)
    means = table.groupby(["model", "person"], sort=False, as_index=False)["value"].mean()
    found = paired_bootstrap(means, "model", "person", seed, within=())
    plain, against = (found[found["minus"] == ""], found[found["minus"] != ""])
    plain = plain.rename(columns={"estimate": "ndcg"})[["model", "ndcg", "low", "high"]]
    against = against.rename(columns={"estimate": "vs", "low": "vs low", "high": "vs high"})
    wide = plain.merge(against[["model", "vs", "vs low", "vs high"]], how="left").merge(pd.DataFrame(rows))
    return Comparison(task, wide, table, fitted)


def target_auc(model: Recommender, histories: Histories, targets: sparse.csr_array | np.ndarray) -> np.ndarray:
    """For every row the share of (target, item never had) pairs in which the target scores higher, ties half; (B,).

    targets: as in `evaluate_targets`. .5 is chance. NaN for a row without targets, or where history and targets hold
    every item.
    """
    targets = as_targets(targets, histories)
    held, shares = (histories.matrix() + targets).tocsr(), np.full(len(histories), np.nan)
    for rows in np.array_split(np.arange(len(histories)), 1 + len(histories) // 512):
        scores = np.asarray(model.score(histories.select(rows)), dtype=np.float64)
        never, wanted = held[rows].toarray() == 0, targets[rows]
        b = np.repeat(np.arange(len(rows)), np.diff(wanted.indptr))
        own = scores[b, wanted.indices][:, None]
        won = (((own > scores[b]) + 0.5 * (own == scores[b])) * never[b]).sum(axis=1)
        with np.errstate(invalid="ignore"):  # 0 / 0: nothing to compare
            shares[rows] = np.bincount(b, won, len(rows)) / (np.diff(wanted.indptr) * never.sum(axis=1))
    return shares


def _details(model: Recommender, task: Task, lists: np.ndarray) -> dict[str, float]:
    """Repeat and novel recall, the share of repeats in a list, and the two AUCs."""
    k, asked, recall = lists.shape[1], task.histories, {}
    for only in ("repeat", "novel"):
        found = evaluate_lists(lists, asked, task.targets, (k,), only=only)
        recall[only] = found.loc[found["metric"] == "recall", "value"].mean()
    cells = np.arange(len(lists))[:, None] * asked.n_items + lists
    again = np.isin(cells, asked.rows * asked.n_items + asked.item) & (lists >= 0)
    learned, unseen = target_auc(model, *task.learned), target_auc(model, asked, task.targets)
    return recall | {"repeats": again.mean(), "learned": np.nanmean(learned), "unseen": np.nanmean(unseen)}
