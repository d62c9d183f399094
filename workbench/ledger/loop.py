"""The loop: take rows away where memory lives, write the report again, and account for every
claim."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.ledger.causes import causes
from workbench.ledger.exposure import exposure, lists_of, served_to, touched
from workbench.ledger.memory import Removal, Service
from workbench.ledger.null import Asked, null
from workbench.ledger.tiers import Switches, rungs
from workbench.reports import Report


@dataclass(frozen=True)
class Forgetting:
    """What one request did.

    before, after: reports. fates: [claim, fate, delta, dependence]. causes: [claim, cause], for
    every claim that was not simply kept. exposure: [row, value, low, high, n]. others: one row, see
    `touched`. null: what changes for no reason that matters, [kind, draw, rows, gone, new, others,
    exposed]; its first line is the request itself. lists: [list, place, item, score, topic,
    deleted]. seconds: how long the answer took.
    """

    user: int
    interactions: tuple[int, ...]
    action: str
    switches: Switches
    topic: str | None
    before: Report
    after: Report
    fates: pd.DataFrame
    causes: pd.DataFrame
    exposure: pd.DataFrame
    others: pd.DataFrame
    null: pd.DataFrame
    lists: pd.DataFrame
    seconds: float
    services: tuple[Service, Service] = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a claim, before or after: sentence, share of it that lay on the removed rows,
        fate, cause."""
        said = pd.concat([self.before.to_frame(), self.after.to_frame()]).drop_duplicates("claim")
        table = self.fates.merge(self.causes, on="claim", how="left").merge(
            said, on="claim", how="left"
        )
        return table[["claim", "kind", "sentence", "dependence", "fate", "cause", "delta"]]

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{n} {fate}" for fate, n in self.fates["fate"].value_counts().sort_index().items()
        )
        changed = int(self.others["changed"].iloc[0])
        done = (
            f"{self.action} {len(self.interactions)} rows"
            if self.action == "forget"
            else self.action
        )
        return (
            f"Forgetting(user {self.user}, {done}: {counts or 'no claims'}; {changed} "
            f"others changed)"
        )

    def to_state(self) -> dict[str, Any]:
        """The forget screen as JSON."""
        from workbench.ledger.screen import state

        return state(self)

    def _repr_html_(self) -> str:
        from workbench.ledger.screen import html

        return html(self)


def forget(
    service: Service,
    user: int,
    interactions: Iterable[int],
    switches: Switches | None = None,
    topic: str | None = None,
    seed: int = 0,
    draws: int = 3,
) -> Forgetting:
    """Take rows of a shopper (user code) away where the switches reach; the service handed in stays
    as it is.

    topic: what the exposure is about; where absent, the topic that all removed rows share. draws:
    placebo requests and other shoppers leaving, drawn with `seed`, that the changes are held
    against. Raises `UnknownUser`, and `DataError` for rows that are not this shopper's.
    """
    started = time.perf_counter()
    service.log.check_user(user)
    removal, switches = service.removal(interactions), switches or Switches()
    foreign = [int(other) for other in removal.users if other != user]
    if foreign:
        do = "take ids from service.log.rows_of(user)"
        raise DataError(
            f"rows that are not user {user}'s but user {foreign[0]}'s",
            "interactions",
            "own rows",
            do,
        )
    if topic is None and len(removal.ids):
        topic = _shared_topic(service, removal)
    after = removal.at(service.reach(switches))
    asked = Asked(service, after, user, removal.ids, switches, topic, seed, draws)
    found = (
        causes(removal, user, switches, asked.fates)
        if len(removal.ids)
        else _no_causes(asked.fates, "forget")
    )
    return _account(asked, "forget", found, started)


def filter_topic(service: Service, user: int, topic: str, seed: int = 0) -> Forgetting:
    """Hide a topic from a shopper's list and pick; nothing is forgotten."""
    return _unforgotten("filter", service, service.hide(user, topic), user, topic, seed)


def steer(
    service: Service, user: int, topic: str, strength: float = 1.0, seed: int = 0
) -> Forgetting:
    """ "No horror, please": the topic's scores fall by `strength` standard deviations; nothing is
    forgotten."""
    return _unforgotten("steer", service, service.steer(user, topic, strength), user, topic, seed)


def ladder(
    service: Service, user: int, interactions: Iterable[int], topic: str | None = None
) -> pd.DataFrame:
    """One row per setting of `rungs(service.tiers)`: claims by fate, topic and deleted products in the list,
    others changed."""
    rows = []
    for name, switches in rungs(service.tiers).items():
        told = forget(service, user, interactions, switches, topic, draws=0)
        counts = told.fates["fate"].value_counts()
        after = told.lists[told.lists["list"] == "after"]
        row = {"taken away from": name} | {
            fate: int(counts.get(fate, 0)) for fate in ("gone", "weakened", "back", "new")
        }
        row |= {
            "topic in top 10": int(after["topic"].sum()),
            "deleted in top 10": int(after["deleted"].sum()),
        }
        rows.append(row | {"others changed": int(told.others["changed"].iloc[0])})
    return pd.DataFrame(rows)


def _account(asked: Asked, action: str, found: pd.DataFrame, started: float) -> Forgetting:
    return Forgetting(
        user=asked.user,
        interactions=tuple(asked.ids.tolist()),
        action=action,
        switches=asked.switches,
        topic=asked.topic,
        before=asked.before.report(asked.user, asked.seed),
        after=asked.after.report(asked.user, asked.seed),
        fates=asked.fates,
        causes=found,
        exposure=exposure(asked.before, asked.after, asked.user, asked.topic),
        others=touched(asked.before, asked.after, np.array([asked.user])),
        null=null(asked),
        lists=_lists(asked),
        seconds=time.perf_counter() - started,
        services=(asked.before, asked.after),
    )


def _unforgotten(
    action: str, before: Service, after: Service, user: int, topic: str, seed: int
) -> Forgetting:
    started, nothing = time.perf_counter(), np.zeros(0, dtype=np.int64)
    asked = Asked(before, after, user, nothing, Switches.only([]), topic, seed, draws=0)
    return _account(asked, action, _no_causes(asked.fates, action), started)


def _shared_topic(service: Service, removal: Removal) -> str | None:
    topics = [set(service.catalogue.topics_of(item)) for _, item in removal.pairs]
    shared = set.intersection(*topics)
    return (
        min(shared, key=lambda topic: (len(service.catalogue.items_of(topic)), topic))
        if shared
        else None
    )


def _no_causes(fates: pd.DataFrame, action: str) -> pd.DataFrame:
    changed = fates.loc[fates["fate"] != "kept", "claim"]
    return pd.DataFrame({"claim": changed, "cause": action}).reset_index(drop=True)


def _lists(asked: Asked) -> pd.DataFrame:
    rows = asked.before.log.rows_of(asked.user)
    deleted = rows.loc[rows["interaction"].isin(asked.ids), "item"].to_numpy()
    parts = []
    for name, service in (("now", asked.before), ("after", asked.after)):
        listed = lists_of(service, asked.user, 10)
        scores = served_to(service, asked.user, 10)[0][listed]
        part = pd.DataFrame(
            {"list": name, "place": np.arange(1, len(listed) + 1), "item": listed, "score": scores}
        )
        parts.append(
            part.assign(topic=np.isin(listed, asked.topic_items), deleted=np.isin(listed, deleted))
        )
    return pd.concat(parts, ignore_index=True)
