"""The loop: take rows away where memory lives, write the report again, and account for every
claim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.errors import DataError, check_number, typed
from workbench.html import escape, sourced, table
from workbench.ledger.causes import causes
from workbench.ledger.exposure import exposure, touched
from workbench.ledger.memory import Service
from workbench.ledger.null import Control, placebos, strangers
from workbench.ledger.removal import Removal
from workbench.ledger.tiers import ITEM_WEIGHTS, Switches, rungs
from workbench.reports import Report, diff
from workbench.unlearning.exposure import off_refit


@dataclass(frozen=True, eq=False, repr=False)
class Forgetting:
    """What one request did; every table is made when first asked for, and then kept.

    removal: the request, bound to the service it was made to. on: the places it reaches. topic:
    what `exposure` and `lists` look for. seed, draws: of the reports' ranges and of the controls.

    >>> forget(service, 3, [17, 18]).fates["fate"].value_counts()  # doctest: +SKIP
    """

    removal: Removal
    user: int
    on: frozenset[str]
    topic: str | None
    seed: int = 0
    draws: int = 3

    @property
    def services(self) -> tuple[Service, Service]:
        """The service before and after."""
        return self.removal.service, self.removal.at(self.on)

    @property
    def interactions(self) -> tuple[int, ...]:
        """The rows that the request names."""
        return tuple(self.removal.ids.tolist())

    @cached_property
    def before(self) -> Report:
        """The report as it was."""
        return self.services[0].report(self.user, self.seed)

    @cached_property
    def after(self) -> Report:
        """The report written again."""
        return self.services[1].report(self.user, self.seed)

    @cached_property
    def fates(self) -> pd.DataFrame:
        """[claim, fate, delta, dependence], see `workbench.reports.diff`. A request that reaches no
        place takes nothing away: then nothing comes back."""
        return diff(self.before, self.after, self.removal.ids if self.on else ())

    @cached_property
    def causes(self) -> pd.DataFrame:
        """[claim, cause], for every claim that was not simply kept."""
        return causes(self.removal, self.user, self.on, self.fates)

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """[row, value, low, high, n], see `workbench.ledger.exposure.exposure`."""
        return exposure(self.removal, self.services[1], self.user, self.topic)

    @cached_property
    def others(self) -> pd.DataFrame:
        """What changed for everybody else, one row, see `touched`."""
        return pd.DataFrame(
            [touched(*self.services, np.array([self.user]), self.removal.score(self.on))]
        )

    @cached_property
    def inexact(self) -> str:
        """What is said beside a deletion whose item weights are not those of a refit; else ""."""
        service, way = self.removal.service, self.removal.way
        if ITEM_WEIGHTS.name not in self.on or not len(self.removal.ids):
            return ""
        if way != service.ways[0]:
            return f" ({way}: {'marked stale' if self.removal.stale(self.on) else 'not exact'})"
        off = service.keep("off", lambda: off_refit(service.model, service.weights_log))
        told = f" (not exact: off by {off:.2g} of the largest score)"
        return told if off else ""

    @cached_property
    def lists(self) -> pd.DataFrame:
        """The top 10 now and after: [list, place, item, title, score, topic, deleted]."""
        rows = self.removal.service.log.rows_of(self.user)
        deleted = rows.loc[rows["interaction"].isin(self.removal.ids), "item"].to_numpy()
        parts = []
        for name, service in zip(("now", "after"), self.services, strict=True):
            items = service.listed(self.user)
            columns = {
                "list": name,
                "place": np.arange(1, len(items) + 1),
                "item": items,
                "title": service.catalogue.frame["title"].to_numpy()[items],
                "score": service.evidence(self.user).scores[items],
                "topic": np.isin(items, self._topic_items),
                "deleted": np.isin(items, deleted),
            }
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def controls(self) -> tuple[Control, ...]:
        """Requests that should change nothing of this one's kind, none answered before it is asked
        for its `effect`."""
        drawn = (self.seed, self.draws)
        own = placebos(self.removal, self.user, self.on, self._topic_items, *drawn)
        return (*own, *strangers(self.removal.service, self.user, *drawn, self.removal.way))

    @cached_property
    def null(self) -> pd.DataFrame:
        """The request beside its controls: [kind, draw, rows, gone, new, back, again, others,
        exposed], see `Control.effect`; its own line first. exposed: whether the topic is listed."""
        asked = ("this request", 0, self.user, self.removal.ids, self.on, self.removal.way)
        lines = []
        for one in (Control(self.removal.service, *asked), *self.controls):
            lines.append({"kind": one.kind, "draw": one.draw, "rows": len(one.ids), **one.effect})
        for line in lines:
            shown = np.isin(line.pop("listed"), self._topic_items).any()
            line["exposed"] = np.nan if self.topic is None else float(shown)
        return pd.DataFrame(lines)

    @cached_property
    def _topic_items(self) -> np.ndarray:
        if self.topic is None:
            return np.zeros(0, dtype=int)
        return self.removal.service.catalogue.items_of(self.topic)

    def to_frame(self) -> pd.DataFrame:
        """One row a claim: its sentence as it was (of a new claim, as it is), and `after`, as it
        reads now ("" where it is gone); share of it that lay on the removed rows, fate, cause."""
        old, new = self.before.to_frame(), self.after.to_frame()
        said = pd.concat([old, new]).drop_duplicates("claim")
        frame = self.fates.merge(self.causes, on="claim", how="left")
        frame = frame.merge(said, on="claim", how="left")
        now = new.set_index("claim")["sentence"].reindex(frame["claim"]).fillna("")
        frame["after"] = now.to_numpy()
        columns = ["claim", "kind", "sentence", "after", "dependence", "fate", "cause", "delta"]
        return frame[columns]

    def __repr__(self) -> str:
        counts = self.fates["fate"].value_counts().sort_index()
        told = ", ".join(f"{n} {fate}" for fate, n in counts.items()) or "no claims"
        done = f"forget {len(self.removal.ids)} rows{self.inexact}"
        changed = int(self.others["changed"].iloc[0])
        return f"Forgetting(user {self.user}, {done}: {told}; {changed} others changed)"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{table(self.to_frame().to_dict('records'))}"


@sourced
@typed
def forget(
    service: Service,
    user: int,
    interactions: Iterable[int],
    switches: Switches | None = None,
    topic: str | None = None,
    seed: int = 0,
    draws: int = 3,
    way: str | None = None,
) -> Forgetting:
    """Take rows of a shopper (user code) away where the switches reach; the service handed in stays
    as it is.

    topic: what the exposure is about; where absent, the topic that all removed rows share. draws:
    placebo requests and other shoppers leaving, drawn with `seed`, that the changes are held
    against. way: how the rows leave the item weights, one of `service.ways`. Raises `UnknownUser`,
    `UnknownItem` for a topic that no product has, `ConfigError` for a way that is none, and
    `DataError` for rows that are not this shopper's.
    """
    check_number(0, seed=seed, draws=draws)
    service.log.check_user(user)
    if topic is not None:
        service.catalogue.items_of(topic)
    removal = service.removal(interactions, way=way)
    on = service.reach(switches or Switches())
    # one shopper's request: nobody deletes what is another's
    foreign = removal.users[removal.users != user]
    if len(foreign):
        raise DataError(
            f"rows that are not user {user}'s but user {foreign[0]}'s",
            "interactions",
            "own rows",
            "take ids from service.log.rows_of(user)",
        )
    if topic is None:
        topic = _shared_topic(removal)
    return Forgetting(removal, user, on, topic, seed, draws)


@sourced
@typed
def ladder(
    service: Service, user: int, interactions: Iterable[int], topic: str | None = None
) -> pd.DataFrame:
    """One row per setting of `rungs(service.tiers)`: claims by fate, topic and deleted
    products in the list, others changed."""
    rows = []
    for name, switches in rungs(service.tiers).items():
        told = forget(service, user, interactions, switches, topic, draws=0)
        fates = told.fates["fate"].tolist()
        after = told.lists[told.lists["list"] == "after"]
        row = {"taken away from": name}
        for fate in ("gone", "weakened", "back", "new"):
            row[fate] = fates.count(fate)
        row["topic in top 10"] = int(after["topic"].sum())
        row["deleted in top 10"] = int(after["deleted"].sum())
        row["others changed"] = int(told.others["changed"].iloc[0])
        rows.append(row)
    return pd.DataFrame(rows)


def _shared_topic(removal: Removal) -> str | None:
    """The smallest topic that all removed products share."""
    catalogue = removal.service.catalogue
    topics = [set(catalogue.topics_of(item)) for _, item in removal.pairs]
    shared = set.intersection(*topics) if topics else set()
    return min(shared, key=lambda topic: (len(catalogue.items_of(topic)), topic), default=None)
