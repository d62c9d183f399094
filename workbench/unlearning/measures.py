"""What is measured of a model, one number a person.

    percentile(u, i) = share of the other items that u does not hold which score below i, ties half    1: the best
    deleted(u) = mean percentile of what u deleted and holds no more

Stated first, by task. *Collaborative*: `deleted`, asked of the history that is left. *Session*: the same
of continued sessions, those that lost rows and have one left, asked for what each lost; a person's value
is the mean over theirs. *Basket*: the same of the person's baskets; `repeat` where a deleted item had
been in two of their baskets or more (a habit), `novel` where in one; what they still hold in another
basket is not deleted. *Spam*: `promoted`, the percentile of promoted items in genuine users' lists.

`history kept` asks the same model with the rows still in the history, as an old cache or the study's
evaluation does; models that know a person by a vector alone read no history, and have no such row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories
from workbench.recommend.cells import tidy
from workbench.recommend.evaluation import judged_lists, list_metrics, top_lists
from workbench.recommend.ranking import scores_or_none, top_k
from workbench.unlearning.exposure import exposure, never_had, share
from workbench.unlearning.scenarios import Scenario

TOP, QUESTIONS = 10, 1_000
"""Length of lists; questions and histories of others that are asked at most, drawn with seed 0."""

Part = tuple[str, np.ndarray, np.ndarray]
"""A measure, the people it is known of, and their values."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What models are asked after so many requests: the same for all of them.

    histories: of leavers (spam: of genuine users), what they deleted taken out; kept: the same with
    it. person: (B,) whose each is. wanted: {measure: (B, n_items)} non-zero where an item's
    percentile counts. topic: (B, n_items) of `items`, those that are not held. others: histories of
    people who asked for nothing, and whose. questions, targets, asker: of utility. masked: whether
    lists leave out what the history holds.
    """

    histories: Histories
    kept: Histories
    person: np.ndarray
    wanted: dict[str, sparse.csr_array]
    deleted: sparse.csr_array
    topic: sparse.csr_array
    others: Histories
    others_person: np.ndarray
    questions: Histories
    targets: sparse.csr_array
    asker: np.ndarray
    masked: bool


def percentiles(model: Any, histories: Histories, asked: sparse.csr_array) -> np.ndarray:
    """Mean percentile of the asked items of each history among what it does not hold, ties half;
    (B,), NaN without asked items, other items or scores. asked: (B, n_items), non-zero where an
    item is."""
    scores = np.asarray(scores_or_none(model, histories), dtype=np.float64)
    return _percentiles(scores, histories.matrix(), [asked])[0]


def measures(model: Any, scenario: Scenario, done: int) -> pd.DataFrame:
    """What is measured of a model after so many requests: [measure, unit, value], long; a unit is a
    person's code, and one without a value has NaN.

    deleted, topic: percentiles of what was deleted and of the other items of the topic that the
    person does not hold. exposed: an item of the topic in the top 10; *tombstone*: with the deleted
    items masked; again: a deleted item in it; share: of the list. others exposed: the same of up to
    1,000 who asked for nothing. ndcg@10, recall@10: on the task's questions (up to 1,000), with and
    without the targets of the topic. Lists leave out what is held where the task's do.

    >>> measures(model, scenario, 10).groupby("measure")["value"].mean()  # doctest: +SKIP
    """
    asked = asked_of(scenario, done)
    scores = np.asarray(scores_or_none(model, asked.histories), dtype=np.float64)
    held = asked.histories.matrix()
    values: dict[str, np.ndarray] = {}
    # percentiles, and those of a model that still reads the rows
    kinds = asked.wanted if scenario.promotes else asked.wanted | {"topic": asked.topic}
    values |= dict(zip(kinds, _percentiles(scores, held, list(kinds.values())), strict=True))
    if not scenario.promotes:
        again = np.asarray(scores_or_none(model, asked.kept), dtype=np.float64)
        if not np.array_equal(again, scores, equal_nan=True):
            found = _percentiles(again, held, [asked.deleted])[0]
            values["deleted, history kept"] = found
    # lists
    values |= _lists(scores, held, asked, scenario)
    parts = [_by_person(name, asked.person, value) for name, value in values.items()]
    if len(asked.others):
        exclude = asked.others.matrix() if asked.masked else None
        lists = top_lists(model, asked.others, TOP, exclude)
        shown = _silent(lists, exposure(lists, scenario.items))
        parts.append(_by_person("others exposed", asked.others_person, shown))
    parts += _utility(model, scenario, asked)
    names, units, found = zip(*parts, strict=True)
    told = np.repeat(names, [len(each) for each in units])
    columns = {"unit": np.concatenate(units), "value": np.concatenate(found)}
    return pd.DataFrame({"measure": told} | columns)


def continued(scenario: Scenario, done: int) -> int:
    """How many histories the primary endpoint asks: of sessions the study of them wants 200."""
    return len(asked_of(scenario, done).histories)


def primary(scenario: Scenario) -> str:
    """The measure that the verdict is about."""
    return "promoted" if scenario.promotes else "deleted"


def exposed_never(model: Any, scenario: Scenario, done: int) -> pd.DataFrame:
    """The row *never had*: for each leaver the user most like them who holds none of the items, by
    what is left (`exposure.never_had`); [measure, unit, value, match], of a model that was never
    asked to forget. In a session task both are sessions, the match one of a person without any of the
    items. Leavers without a match have no line. Empty for spam: there nobody who is asked had the
    items, and *never* is what a retrain shows the same people."""
    known, asked = scenario.known(done), asked_of(scenario, done)
    names = ["measure", "unit", "value", "match"]
    if scenario.promotes:
        return pd.DataFrame(columns=names)
    left = np.diff(asked.histories.matrix().indptr)
    # nobody who deleted is a stranger to it, nor in a visit without it a person who has it in another
    people, topic = scenario.task.people, known.frame["item"].isin(scenario.items)
    holders = np.union1d(scenario.concerned(done), people[known.frame["user"][topic]])
    others = known.select(~np.isin(people[known.frame["user"]], holders))
    match = never_had(others, scenario.items, left, 1)[:, 0]
    found = np.flatnonzero(match >= 0)
    histories = known.histories(match[found])
    lists = top_lists(model, histories, TOP, histories.matrix() if asked.masked else None)
    value = _silent(lists, exposure(lists, scenario.items))
    own = {"unit": asked.person[found], "value": value, "match": match[found]}
    return pd.DataFrame({"measure": "never had"} | own)[names]


@lru_cache(maxsize=16)
def asked_of(scenario: Scenario, done: int) -> Asked:
    """What models are asked of a scenario after so many requests, made once."""
    task, gone = scenario.task, scenario.forgotten(done)
    known, people = scenario.known(done), task.people
    leavers, leaving = scenario.leavers(done), scenario.concerned(done)
    # of spam genuine people are asked, of anything else those who deleted and have something left
    filled = np.unique(known.frame["user"])
    if scenario.promotes:
        users = _some(filled[~np.isin(people[filled], leaving)])
    else:
        users = np.intersect1d(leavers, filled)
    histories = known.histories(users)
    deleted = scenario.deleted(done)[users]
    free = _not_held(scenario.items, histories.matrix())
    if scenario.promotes:
        wanted = {"promoted": free}
    else:
        wanted = {"deleted": deleted}
        if task.name == "next basket":
            again = scenario.repeated(done)[users]
            wanted |= {"deleted, repeat": again, "deleted, novel": tidy(deleted - again)}
    other = tidy(free - free.multiply(deleted != 0))
    # those who asked for nothing; genuine people are asked already
    rest = filled[~np.isin(people[filled], leaving)]
    others = known.histories(_some(rest)[: 0 if scenario.promotes else None])
    # utility: nobody's question is asked with what they deleted, none is a faker's
    rows = np.arange(len(task.histories))
    if scenario.promotes:
        rows = rows[~np.isin(task.person, leaving)]
    rows = _some(rows)
    questions = task.histories.select(rows)
    questions = questions.keep(~np.isin(questions.interaction, gone))
    return Asked(
        histories,
        scenario.both.histories(users),
        people[users],
        wanted,
        deleted,
        other,
        others,
        people[others.user],
        questions,
        task.targets[rows],
        task.person[rows],
        task.exclude is not None,
    )


def _not_held(items: np.ndarray, held: sparse.csr_array) -> sparse.csr_array:
    """1 where one of the items is not held; (B, n_items)."""
    topic = np.isin(np.arange(held.shape[1]), items).astype(float)
    rows = sparse.csr_array(np.ones((held.shape[0], 1))) @ sparse.csr_array(topic[None, :])
    return tidy(rows - held.multiply(topic[None, :]))


def _some(rows: np.ndarray) -> np.ndarray:
    """At most so many of them, the same each time; ascending."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:QUESTIONS])


def _percentiles(
    scores: np.ndarray, held: sparse.csr_array, asked: list[sparse.csr_array]
) -> list[np.ndarray]:
    """The mean percentile of every kind of asked items; one (B,) a kind."""
    scores = np.where(
        np.isnan(scores).all(axis=1)[:, None],
        np.nan,
        np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf),
    )
    found = [np.full(len(scores), np.nan) for _ in asked]
    for row, line in enumerate(scores):
        wanted = [kind.indices[kind.indptr[row] : kind.indptr[row + 1]] for kind in asked]
        items = np.concatenate(wanted)
        if not len(items) or np.isnan(line).all():
            continue
        # the scores of what is not held, in order; an asked item is no rival of its own
        free = np.ones(len(line), bool)
        free[held.indices[held.indptr[row] : held.indptr[row + 1]]] = False
        others, own = np.sort(line[free]), free[items]
        rivals = len(others) - own
        low = np.searchsorted(others, line[items], "left")
        high = np.searchsorted(others, line[items], "right")
        with np.errstate(invalid="ignore", divide="ignore"):
            places = np.where(rivals > 0, (low + high - own) / 2 / rivals, np.nan)
        ends = np.cumsum([len(kind) for kind in wanted])
        for kind, part in zip(found, np.split(places, ends[:-1]), strict=True):
            part = part[~np.isnan(part)]
            kind[row] = part.mean() if len(part) else np.nan
    return found


def _lists(
    scores: np.ndarray, held: sparse.csr_array, asked: Asked, scenario: Scenario
) -> dict[str, np.ndarray]:
    """What the lists of leavers, or of genuine people, hold."""
    names = ("exposed", "share", "again", "exposed, tombstone")
    if not len(scores):
        return {name: np.zeros(0) for name in names[: 2 if scenario.promotes else 4]}
    lists = top_k(scores, TOP, held if asked.masked else None)
    values = {
        "exposed": exposure(lists, scenario.items),
        "share": share(lists, scenario.items),
    }
    if not scenario.promotes:
        values["again"] = exposure(lists, asked.deleted)
        masked = asked.deleted + held if asked.masked else asked.deleted
        stone = top_k(scores, TOP, masked)
        values["exposed, tombstone"] = exposure(stone, scenario.items)
    return {name: _silent(lists, value) for name, value in values.items()}


def _silent(lists: np.ndarray, values: np.ndarray) -> np.ndarray:
    """NaN where there is no list."""
    return np.where((lists < 0).all(axis=1), np.nan, values)


def _utility(model: Any, scenario: Scenario, asked: Asked) -> list[Part]:
    """NDCG and recall on the task's questions, with and without the targets of the topic."""
    questions, targets = asked.questions, asked.targets
    exclude = questions.matrix() if asked.masked else None
    lists = top_lists(model, questions, TOP, exclude)
    keep = np.ones(questions.n_items)
    keep[scenario.items] = 0
    without = tidy(targets.multiply(keep[None, :]))
    parts = []
    for wanted, told in ((targets, ""), (without, ", without topic")):
        rows, *judged = judged_lists(lists, wanted)
        metrics = list_metrics(*judged, TOP) if len(rows) else {}
        for metric in ("ndcg", "recall"):
            value = _silent(lists[rows], metrics.get(metric, np.zeros(0)))
            parts.append(_by_person(f"{metric}@{TOP}{told}", asked.asker[rows], value))
    return parts


def _by_person(name: str, person: np.ndarray, value: np.ndarray) -> Part:
    """The mean over the histories of each person; NaN where none has a value."""
    units, place = np.unique(person, return_inverse=True)
    there = ~np.isnan(value)
    sums = np.bincount(place[there], value[there], len(units))
    with np.errstate(invalid="ignore"):
        return name, units, sums / np.bincount(place[there], minlength=len(units))
