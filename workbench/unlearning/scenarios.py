"""Scenarios drawn from a log: who leaves, with what, in which order.

Sensitive removal as in the ERASE study: users are shuffled with the seed (2, 3, 5, 7 and 11 there),
each asks for *all* rows on a topic to be forgotten, until there are enough people or enough rows;
one request after another. Beside it what people do for no such reason: a few random rows (mistakes),
the whole account, and as many rows of the same people outside the topic (placebo).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from workbench.data.checks import checked_codes
from workbench.errors import ConfigError, DataError, UnknownItem, check_number
from workbench.recommend.tasks import Task
from workbench.unlearning.requests import Request, merged, numbered
from workbench.unlearning.scenario import Scenario

SEEDS = (2, 3, 5, 7, 11)
"""Of the study."""
Order = Literal["id", "time", "drawn"]
ORDERS = ("id", "time", "drawn")
DAYS = 30
"""Days after the last row within which drawn requests arrive."""


def sensitive(
    task: Task,
    items: np.ndarray,
    n: int | None = None,
    at_least: int = 3,
    seed: int = 2,
    order: Order = "id",
    name: str = "sensitive",
    fraction: float | None = None,
    part: Literal["known", "train"] = "known",
    arrivals: Literal["last row", "drawn"] = "last row",
) -> Scenario:
    """People each ask for all their rows on some items to be forgotten.

    items: codes of a topic. n: people, drawn with the seed from those who hold at least `at_least`
    of the items in training and validation (part: or in training alone); None takes them all.
    fraction: draw until this share of all rows of the task is reached (the study: 1e-4 to 1e-6,
    baskets 1e-3), n people at most. order: of the requests, by person's code as in the study, by
    time, or as drawn. arrivals: a request is made right after the last row that it names, or at a
    time drawn within `DAYS` after the last row of all. Raises `DataError` where nobody holds enough.
    """
    items = np.unique(checked_codes(items, task.train.n_items, "items", UnknownItem))
    rows = _rows(task)
    rows = rows[rows["item"].isin(items)]
    counted = rows if part == "known" else rows[rows["train"]]
    held = counted.groupby("person")["item"].nunique()
    able = held.index[held >= at_least].to_numpy(copy=True)
    if not len(able):
        what = f"nobody holds {at_least} of the {len(items)} items"
        raise DataError(what, name, "people with rows to forget", "lower at_least")
    drawn = np.random.default_rng(seed).permutation(able)[:n]
    if fraction is not None:
        drawn = drawn[: _until(rows, drawn, fraction * _size(task))]
    ids = rows[rows["person"].isin(drawn)].groupby("person")["interaction"]
    named = {person: ids.get_group(person).to_numpy() for person in drawn.tolist()}
    return _scenario(name, task, named, items, "sensitive", order, arrivals, seed)


def mistakes(
    task: Task,
    n: int | None,
    rows: int = 3,
    seed: int = 2,
    order: Order = "id",
    name: str = "mistakes",
    arrivals: Literal["last row", "drawn"] = "last row",
) -> Scenario:
    """People each want up to `rows` rows of theirs out, drawn at random: a click by mistake, a gift.

    n: people, drawn from those who keep at least one row besides; None takes them all. Its items are
    all that is named.
    Raises `DataError` where nobody has so many.
    """
    check_number(1, rows=rows, **({} if n is None else {"n": n}))
    known, rng = _rows(task), np.random.default_rng(seed)
    size = known.groupby("person").size()
    drawn = rng.permutation(size.index[size > rows].to_numpy(copy=True))[:n]
    if not len(drawn):
        raise DataError(f"nobody has more than {rows} rows", name, "people", "ask for fewer rows")
    ids = known[known["person"].isin(drawn)].groupby("person")["interaction"]
    named = {}
    for person in drawn.tolist():
        named[person] = rng.choice(ids.get_group(person).to_numpy(), rows, replace=False)
    return _scenario(name, task, named, None, "mistake", order, arrivals, seed)


def accounts(
    task: Task,
    n: int | None,
    seed: int = 2,
    order: Order = "id",
    name: str = "accounts",
    arrivals: Literal["last row", "drawn"] = "last row",
) -> Scenario:
    """People each want everything forgotten: all rows of training and validation. n: people, drawn;
    None takes all. Of those who are gone nothing can be asked; the endpoint is others, and what is deleted."""
    check_number(1, **({} if n is None else {"n": n}))
    known = _rows(task)
    drawn = np.random.default_rng(seed).permutation(known["person"].unique())[:n]
    ids = known[known["person"].isin(drawn)].groupby("person")["interaction"]
    named = {person: ids.get_group(person).to_numpy() for person in drawn.tolist()}
    return _scenario(name, task, named, None, "account", order, arrivals, seed)


def placebo(scenario: Scenario, seed: int = 0, name: str = "placebo") -> Scenario:
    """The same people in the same order, at the same times, with as many rows outside the topic,
    drawn at random: of training and of validation each where a person has them, else of the other.

    Who has fewer in all gives what there is, and who has none drops out (`to_frame` shows both).
    Raises `DataError` where nobody has any.
    """
    task, rng = scenario.task, np.random.default_rng(seed)
    known = _rows(task).set_index("interaction", drop=False)
    gone = scenario.forgotten(len(scenario.requests))
    free = known[~known["item"].isin(scenario.items) & ~known["interaction"].isin(gone)]
    pools = dict(list(free.groupby("person")))
    requests = []
    for one in scenario.requests:
        ids = []
        for person, own in known.loc[one.interactions].groupby("person"):
            # a random order of what is free, what the requests before took left out
            pool = pools.get(person, free[:0]).sample(frac=1, random_state=rng)
            # those of each part first, then whatever there is
            place = pool.groupby("train").cumcount().to_numpy()
            wanted = own.groupby("train").size().reindex(pool["train"], fill_value=0).to_numpy()
            order = np.argsort(place >= wanted, kind="stable")[: len(own)]
            ids += pool["interaction"].iloc[order].tolist()
            pools[person] = pool.drop(pool.index[order])
        if ids:
            requests.append(Request(0, ids, "placebo", one.time))
    if not requests:
        raise DataError("nobody has a row outside the topic", name, "rows outside", "other items")
    named = np.concatenate([one.interactions for one in requests])
    items = known.loc[named, "item"].unique()
    return _signed(Scenario(name, task, tuple(numbered(requests)), np.unique(items)))


def together(scenario: Scenario, size: int) -> Scenario:
    """The same people, so many of them in one request: a group that leaves as one, when the last of
    them asked.

    Raises `ConfigError` for a size below 1.
    """
    check_number(1, size=size)
    groups = numbered(merged(scenario.requests, size))
    return _signed(replace(scenario, requests=tuple(groups)))


def asked(
    task: Task, requests: Iterable[Request], items: np.ndarray | None = None, name: str = "asked"
) -> Scenario:
    """A scenario of requests that somebody wrote down (`requests_from`), in their order.

    items: what is looked at; None takes all that is named. Rows that the task leaves out (a second
    row on the same item, a session of one row) or asks at the test drop out; raises `DataError` for
    a request of which none is left, and as `Scenario.of` does.
    """
    known, kept = _rows(task), []
    for one in requests:
        own = np.intersect1d(one.interactions, known["interaction"])
        if not len(own):
            what = f"no row of request {one.request} is learned from"
            do = "its rows are asked at the test, or left out by the task"
            raise DataError(what, name, "rows of training or validation", do)
        kept.append(replace(one, interactions=own, digest=None))
    named = np.concatenate([one.interactions for one in kept])
    if items is None:
        items = known.loc[known["interaction"].isin(named), "item"].unique()
    return _signed(Scenario.of(name, task, numbered(kept), np.asarray(items)))


def _rows(task: Task) -> pd.DataFrame:
    """What the task learns from: [interaction, item, timestamp, person, train], by position."""
    parts = []
    for log in (task.train, task.valid):
        frame = log.frame[["interaction", "item", "timestamp", "position"]]
        owner = task.people[log.frame["user"].to_numpy()]
        parts.append(frame.assign(person=owner, train=log is task.train))
    return pd.concat(parts).sort_values("position", ignore_index=True)


def _size(task: Task) -> int:
    """Rows of all parts."""
    logs = (task.train, task.valid, task.test)
    return sum(len(log) for log in logs if log is not None)


def _until(rows: pd.DataFrame, drawn: np.ndarray, wanted: float) -> int:
    """How many of the drawn people it takes for so many rows; all where they have fewer."""
    check_number(0.0, wanted=wanted)
    count = rows.groupby("person").size().loc[drawn].cumsum().to_numpy()
    return min(len(drawn), 1 + int(np.searchsorted(count, wanted)))


def _scenario(
    name: str,
    task: Task,
    named: dict[int, np.ndarray],
    items: np.ndarray | None,
    reason: str,
    order: str,
    arrivals: str,
    seed: int,
) -> Scenario:
    """Requests of people, one each, with times, in their order. named: person → ids, as drawn."""
    if order not in ORDERS:
        raise ConfigError(f"{order!r}", "order", f"one of {', '.join(ORDERS)}")
    people = sorted(named) if order == "id" else list(named)
    requests = [Request(0, named[person], reason) for person in people]
    times = _times(task, requests, arrivals, seed, rising=order != "time")
    timed = [replace(one, time=time) for one, time in zip(requests, times, strict=True)]
    if order == "time" and timed[0].time is None:
        raise DataError("rows without times", name, "times", "take another order")
    ordered = numbered(timed, by_time=order == "time")
    if items is None:
        rows = _rows(task)
        ids = np.concatenate([one.interactions for one in ordered])
        items = rows.loc[rows["interaction"].isin(ids), "item"].unique()
    return _signed(Scenario(name, task, tuple(ordered), np.unique(items)))


def _times(
    task: Task, requests: list[Request], arrivals: str, seed: int, rising: bool
) -> list[pd.Timestamp | None]:
    """When each request is made; None where a row has no time. rising: drawn times in the order of
    the requests."""
    rows = _rows(task).set_index("interaction")["timestamp"]
    if rows.isna().any():
        return [None] * len(requests)
    if arrivals == "last row":
        return [rows.loc[one.interactions].max() for one in requests]
    if arrivals != "drawn":
        raise ConfigError(f"{arrivals!r}", "arrivals", "'last row' or 'drawn'")
    # Poisson arrivals: given how many there are, they are uniform
    days = np.random.default_rng((seed, 1)).uniform(0, DAYS, len(requests))
    days = np.sort(days) if rising else days
    end = rows.max()
    return [end + pd.Timedelta(days=day).round("ms") for day in days.tolist()]


def _signed(scenario: Scenario) -> Scenario:
    """The same, every request with the digest of its rows."""
    signed = tuple(one.signed(scenario.both) for one in scenario.requests)
    return replace(scenario, requests=signed)
