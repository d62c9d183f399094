"""The loop: take rows away where memory lives, write the report again, and account for every claim."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.histories import unique_ids
from workbench.errors import DataError, UnknownUser
from workbench.ledger.exposure import exposure, lists_of, served_to, touched
from workbench.ledger.memory import TIERS, Removal, Service, Switches
from workbench.reports import Report, dependence, diff

LADDER = {
    "nothing": Switches.only([]),
    "log": Switches.only(["log"]),
    "log, profile": Switches.only(["log", "profile"]),
    "log, profile, vector": Switches.only(["log", "profile", "user_vector"]),
    "everything": Switches(),
    "everything, tombstone": Switches(tombstone=True),
    "weights only": Switches.only(["item_weights"]),
}
"""Settings of growing reach, and one that goes at it backwards."""


@dataclass(frozen=True)
class Forgetting:
    """What one request did.

    before, after: reports. fates: [claim, fate, delta, dependence]. causes: [claim, cause], for every claim that was
    not simply kept. exposure: [row, value, low, high, n]. others: one row, see `touched`. null: what changes for no
    reason that matters, [kind, draw, rows, gone, new, others, exposed]; its first line is the request itself.
    lists: [list, place, item, score, topic, deleted]. seconds: how long the answer took.
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
        """One row a claim, before or after: sentence, share of it that lay on the removed rows, fate, cause."""
        said = pd.concat([self.before.to_frame(), self.after.to_frame()]).drop_duplicates("claim")
        table = self.fates.merge(self.causes, on="claim", how="left").merge(said, on="claim", how="left")
        return table[["claim", "kind", "sentence", "dependence", "fate", "cause", "delta"]]

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {fate}" for fate, n in self.fates["fate"].value_counts().sort_index().items())
        changed = int(self.others["changed"].iloc[0])
        done = f"{self.action} {len(self.interactions)} rows" if self.action == "forget" else self.action
        return f"Forgetting(user {self.user}, {done}: {counts or 'no claims'}; {changed} others changed)"

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
    """Take rows of a shopper (user code) away where the switches reach; the service handed in stays as it is.

    topic: what the exposure is about; where absent, the topic that all removed rows share. draws: placebo requests and
    other shoppers leaving, drawn with `seed`, that the changes are held against. Raises `UnknownUser`, and `DataError`
    for rows that are not this shopper's.
    """
    started = time.perf_counter()
    ids, switches = _own(service, user, interactions), switches or Switches()
    removal = service.removal(ids)
    after = removal.at(switches.on)
    topic = topic if topic is not None or not len(ids) else _shared_topic(service, removal)
    return _account(service, after, user, ids, "forget", switches, topic, seed, draws, removal, started)


def filter_topic(service: Service, user: int, topic: str, seed: int = 0) -> Forgetting:
    """Hide a topic from a shopper's list and pick; nothing is forgotten."""
    started, off = time.perf_counter(), Switches.only([])
    return _account(service, service.hide(user, topic), user, (), "filter", off, topic, seed, 0, None, started)


def steer(service: Service, user: int, topic: str, strength: float = 1.0, seed: int = 0) -> Forgetting:
    """ "No horror, please": the topic's scores fall by `strength` standard deviations; nothing is forgotten."""
    started, off = time.perf_counter(), Switches.only([])
    steered = service.steer(user, topic, strength)
    return _account(service, steered, user, (), "steer", off, topic, seed, 0, None, started)


def ladder(service: Service, user: int, interactions: Iterable[int], topic: str | None = None) -> pd.DataFrame:
    """One row per setting of `LADDER`: claims by fate, topic and deleted products in the list, others changed."""
    rows = []
    for name, switches in LADDER.items():
        told = forget(service, user, interactions, switches, topic, draws=0)
        counts = told.fates["fate"].value_counts()
        after = told.lists[told.lists["list"] == "after"]
        row = {"taken away from": name} | {
            fate: int(counts.get(fate, 0)) for fate in ("gone", "weakened", "back", "new")
        }
        row |= {"topic in top 10": int(after["topic"].sum()), "deleted in top 10": int(after["deleted"].sum())}
        rows.append(row | {"others changed": int(told.others["changed"].iloc[0])})
    return pd.DataFrame(rows)


def _account(
    before: Service,
    after: Service,
    user: int,
    ids: Iterable[int],
    action: str,
    switches: Switches,
    topic: str | None,
    seed: int,
    draws: int,
    removal: Removal | None,
    started: float,
) -> Forgetting:
    old, new = before.report(user, seed), after.report(user, seed)
    fates = diff(old, new, ids)
    rested = dependence(old.support, ids)
    fates["dependence"] = fates["claim"].map(rested).fillna(0.0)
    causes = _causes(removal, user, switches, fates) if removal and len(removal.ids) else _no_causes(fates, action)
    others = touched(before, after, np.array([user]))
    exposed = exposure(before, after, user, topic)
    return Forgetting(
        user=user,
        interactions=tuple(int(i) for i in ids),
        action=action,
        switches=switches,
        topic=topic,
        before=old,
        after=new,
        fates=fates,
        causes=causes,
        exposure=exposed,
        others=others,
        null=_null(before, after, user, ids, switches, topic, seed, draws),
        lists=_lists(before, after, user, ids, topic),
        seconds=time.perf_counter() - started,
        services=(before, after),
    )


def _own(service: Service, user: int, interactions: Iterable[int]) -> np.ndarray:
    if not 0 <= user < service.log.n_users:
        raise UnknownUser(f"user code {user}", "forget", f"a code from 0 to {service.log.n_users - 1}")
    ids = unique_ids(interactions)
    foreign = np.setdiff1d(ids, service.log.rows_of(user)["interaction"])
    if len(foreign):
        raise DataError(
            f"interaction {foreign[0]} is not a row of user {user}",
            "interactions",
            "rows of this shopper in service.log",
            "take ids from service.log.rows_of(user)",
        )
    return ids


def _shared_topic(service: Service, removal: Removal) -> str | None:
    topics = [set(service.catalogue.topics_of(item)) for _, item in removal.pairs]
    shared = set.intersection(*topics)
    return min(shared, key=lambda topic: (len(service.catalogue.items_of(topic)), topic)) if shared else None


def _no_causes(fates: pd.DataFrame, action: str) -> pd.DataFrame:
    changed = fates.loc[fates["fate"] != "kept", "claim"]
    return pd.DataFrame({"claim": changed, "cause": action}).reset_index(drop=True)


def _causes(removal: Removal, user: int, switches: Switches, fates: pd.DataFrame) -> pd.DataFrame:
    """[claim, cause]: which place made it so, found by switching one at a time.

    gone, new, weakened: the switches without which it would not have happened (each turned off alone); where any one
    would have sufficed, the first that suffices alone. back: the places off whose cleaning alone would end it; where
    it takes several, those; "implied by other rows" where the claim stands although every place is clean.
    """
    usable = [tier for tier in TIERS if tier != "user_vector" or removal.service.stores_vectors]
    on, kept = switches.on & {*usable, "tombstone"}, {}

    def values(tiers: frozenset[str]) -> dict[str, float]:
        if tiers not in kept:
            kept[tiers] = {name: claim.value for name, claim in removal.at(tiers).claims(user).items()}
        return kept[tiers]

    def cause(claim: str, fate: str, delta: float) -> str:
        if fate == "back":
            off, everywhere = [tier for tier in usable if tier not in on], on | set(usable)
            if claim in values(everywhere):
                return "implied by other rows"
            alone = [tier for tier in off if claim not in values(on | {tier})]
            together = [tier for tier in off if claim in values(everywhere - {tier})]
            return " + ".join(alone[:1] or together or off)
        now = values(on).get(claim)

        def same(tiers: frozenset[str]) -> bool:
            value = values(tiers).get(claim)
            near = now is None or value is None or not abs(value - now) > abs(delta) / 2
            return (value is None) == (now is None) and near

        order = [*usable, "tombstone"]
        needed = [tier for tier in order if tier in on and not same(on - {tier})]
        return (
            " + ".join(needed or [tier for tier in order if tier in on and same(frozenset({tier}))][:1]) or "together"
        )

    changed = fates[fates["fate"] != "kept"]
    found = [cause(*row) for row in changed[["claim", "fate", "delta"]].itertuples(index=False, name=None)]
    return pd.DataFrame({"claim": changed["claim"].to_numpy(), "cause": pd.Series(found, dtype=str)})


def _lists(before: Service, after: Service, user: int, ids: Iterable[int], topic: str | None) -> pd.DataFrame:
    rows = before.log.rows_of(user)
    deleted = rows.loc[rows["interaction"].isin(list(ids)), "item"].to_numpy()
    items = before.catalogue.items_of(topic) if topic is not None else np.zeros(0, int)
    parts = []
    for name, service in (("now", before), ("after", after)):
        listed = lists_of(service, user, 10)
        scores = served_to(service, user, 10)[0][listed]
        part = pd.DataFrame({"list": name, "place": np.arange(1, len(listed) + 1), "item": listed, "score": scores})
        parts.append(part.assign(topic=np.isin(listed, items), deleted=np.isin(listed, deleted)))
    return pd.concat(parts, ignore_index=True)


def _null(
    before: Service,
    after: Service,
    user: int,
    ids: Iterable[int],
    switches: Switches,
    topic: str | None,
    seed: int,
    draws: int,
) -> pd.DataFrame:
    """The request beside requests that should change nothing of its kind; see `Forgetting.null`."""
    rng, n = np.random.default_rng([seed, user]), len(np.asarray(ids))
    items = before.catalogue.items_of(topic) if topic is not None else np.zeros(0, int)
    own = before.log.rows_of(user)
    free = own.loc[~own["interaction"].isin(list(ids)) & ~own["item"].isin(items), "interaction"].to_numpy()

    def line(kind: str, draw: int, rows: int, changed: Service, left_out: list[int]) -> dict[str, Any]:
        old, new = (set(service.claims(user)) for service in (before, changed))
        hit = float(np.isin(lists_of(changed, user, 10), items).any()) if topic is not None else np.nan
        touch = touched(before, changed, np.array(left_out))
        facts = {"gone": len(old - new), "new": len(new - old), "others": int(touch["changed"].iloc[0])}
        return {"kind": kind, "draw": draw, "rows": rows, **facts, "exposed": hit}

    lines = [line("this request", 0, n, after, [user])]
    for draw in range(draws if n and len(free) else 0):
        placebo = rng.choice(free, min(n, len(free)), replace=False)
        lines.append(line("placebo rows", draw, len(placebo), before.remove(placebo, switches), [user]))
    strangers = np.flatnonzero(np.diff(before.everyone.offsets) > 0)
    leaving = np.random.default_rng([seed, user, 1]).permutation(strangers[strangers != user])[:draws]

    def leaves(draw: int, stranger: int) -> dict[str, Any]:
        gone = before.log.rows_of(stranger)["interaction"].to_numpy()
        left = before.keep(("left", stranger), lambda: before.remove(gone, Switches()))
        return line("another shopper leaves", draw, len(gone), left, [user, stranger])

    for draw, stranger in enumerate(leaving.tolist()):
        key = ("leaves", stranger, user, topic)
        lines.append(before.keep(key, partial(leaves, draw, stranger)))
    return pd.DataFrame(lines)
