"""Requests of one shopper, one after another, through every place of one or more services.

Each starts from what the last one left. Between them the shopper reads the new page, and a shop that
keeps an archive keeps it: a place that one request cleaned may hold rows of the next. What is said
of a place is what stands in it, looked for after the deed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.histories import unique_ids
from workbench.errors import DataError, typed
from workbench.html import content_id, escape, table
from workbench.ledger.causes import causes
from workbench.ledger.loop import Forgetting, forget
from workbench.ledger.memory import Service
from workbench.ledger.receipts import held_of, receipt
from workbench.ledger.tiers import ITEM_WEIGHTS, Switches
from workbench.unlearning import verify
from workbench.unlearning.receipt import Receipt

ARCHIVE = "archive"


@dataclass(frozen=True, eq=False, repr=False)
class Course:
    """What a row of requests did.

    requests: the rows of each, by name, in their order. steps: for each service, by name, a
    `Forgetting` a request. left: each service as the last request left it.

    >>> course({"counted": one, "trained": other}, 72, {"first": ids}).to_frame()  # doctest: +SKIP
    """

    user: int
    requests: dict[str, np.ndarray]
    steps: dict[str, tuple[Forgetting, ...]]
    left: dict[str, Service]

    @cached_property
    def held(self) -> pd.DataFrame:
        """[asked, after, place, rows]: how many rows of a request stand at a place after so many
        requests, 0 for before the first. Weights and pages are those of a model: "weights: NAME"."""
        lines = []
        for number, name in enumerate(self.requests):
            for after in range(len(self.requests) + 1):
                for place, rows in self._places(number, after).items():
                    lines.append((name, after, place, rows))
        return pd.DataFrame(lines, columns=["asked", "after", "place", "rows"])

    def _services(self, after: int) -> dict[str, Service]:
        """The services after so many requests, the page that was read then in the archive."""
        return {
            name: self.left[name] if after == len(told) else told[after].services[0]
            for name, told in self.steps.items()
        }

    def _places(self, number: int, after: int) -> dict[str, int]:
        """Rows of one request at every place after so many."""
        found: dict[str, int] = {}
        for name, service in self._services(after).items():
            told = self.steps[name][number]
            for tier in service.tiers:
                shared = tier.name == "log" or tier.name in service.stores
                place = "weights" if tier == ITEM_WEIGHTS else tier.name
                if tier.enabled and tier.name != "tombstone":
                    label = place if shared else f"{place}: {name}"
                    # stores of two shops: the one that holds more
                    rows = held_of(service, tier.name, told.removal)
                    found[label] = max(found.get(label, 0), rows)
            support = service.report(self.user, told.seed).support["interaction"]
            ids = list(self.requests.values())[number]
            found[f"page: {name}"] = int(np.isin(ids, support).sum())
        return found

    def to_frame(self) -> pd.DataFrame:
        """[request, place, before, after]: what went at each place, by the request that asked."""
        order = {name: number for number, name in enumerate(self.requests)}
        at = self.held.assign(step=self.held["after"] - self.held["asked"].map(order))
        parts = {}
        for step, side in ((0, "before"), (1, "after")):
            own = at[at["step"] == step].set_index(["asked", "place"])
            parts[side] = own["rows"]
        frame = pd.DataFrame(parts).reindex(self.held[["asked", "place"]].drop_duplicates())
        return frame.rename_axis(["request", "place"]).reset_index()

    @property
    def still(self) -> pd.DataFrame:
        """What is still found after the last request: [asked, place, rows], rows above 0."""
        last = self.held[self.held["after"] == len(self.requests)]
        return last.loc[last["rows"] > 0, ["asked", "place", "rows"]].reset_index(drop=True)

    @cached_property
    def fates(self) -> pd.DataFrame:
        """Every sentence at every request: [model, request, claim, kind, sentence, fate, dependence]."""
        parts = []
        for model, told in self.steps.items():
            for request, one in zip(self.requests, told, strict=True):
                said = pd.concat([one.before.to_frame(), one.after.to_frame()])
                said = said.drop_duplicates("claim")[["claim", "kind", "sentence"]]
                own = one.fates.merge(said, on="claim", how="left")
                parts.append(own.assign(model=model, request=request))
        first = ["model", "request", "claim", "kind", "sentence", "fate", "dependence"]
        return pd.concat(parts, ignore_index=True)[first]

    @cached_property
    def returned(self) -> pd.DataFrame:
        """What came back: [model, request, kind, sentence, how, cause]. how: "stands" where it rested
        on the rows and is said all the same, "again" where an earlier request had ended it."""
        parts = []
        for model, told in self.steps.items():
            ended: set[str] = set()
            for request, one in zip(self.requests, told, strict=True):
                again = (one.fates["fate"] == "new") & one.fates["claim"].isin(ended)
                some = one.fates[again | (one.fates["fate"] == "back")]
                # a cause is looked for where something came back, and nowhere else
                why = causes(one.removal, self.user, one.on, some)
                how = some["fate"].map({"back": "stands", "new": "again"})
                own = some[["claim"]].assign(model=model, request=request, how=how)
                parts.append(own.merge(why, on="claim"))
                ended |= set(one.fates.loc[one.fates["fate"] == "gone", "claim"])
        keys = ["model", "request", "claim"]
        said = self.fates[[*keys, "kind", "sentence"]]
        found = pd.concat(parts).merge(said, on=keys)
        return found[["model", "request", "kind", "sentence", "how", "cause"]]

    def receipts(
        self, model: str, reason: str = "sensitive", folders: Iterable[Path] = ()
    ) -> list[tuple[Receipt, str]]:
        """A receipt a request and its key, in order, see `workbench.ledger.receipt`. Raises
        `DataError` for a service that is not there."""
        if model not in self.steps:
            raise DataError(f"no service {model!r}", "receipts", ", ".join(self.steps))
        folders = tuple(folders)
        return [receipt(told, reason, folders=folders) for told in self.steps[model]]

    def verified(self, model: str, receipts: Iterable[tuple[Receipt, str]]) -> pd.DataFrame:
        """Each receipt looked at again with its key and its rows, and the last with the log and the
        weights as they are now: [request, form, sums, seal, rows, weights, data, absent], see
        `workbench.unlearning.verify`; None for what is not there to be looked at any more."""
        told, lines = self.steps[model], []
        log, now = told[0].services[0].log, self.left[model]
        pairs = zip(self.requests.items(), receipts, strict=True)
        for number, ((name, ids), (one, key)) in enumerate(pairs, 1):
            rows = log.select(np.isin(log.frame["interaction"], ids))
            last = {"model": now.model, "data": now.log} if number == len(told) else {}
            found = verify(one, key, rows=rows, **last)
            lines.append({"request": name, **found.set_index("check")["ok"]})
        return pd.DataFrame(lines)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {len(ids)}" for name, ids in self.requests.items())
        found = len(self.still)
        told = f"still found {found} times" if found else "none of the rows is found"
        return f"Course(user {self.user}: {rows} rows; {' and '.join(self.steps)}; {told})"

    def _repr_html_(self) -> str:
        """Places × requests: rows before → after; then what came back."""
        frame = self.to_frame()
        frame["rows"] = frame["before"].astype(str) + " → " + frame["after"].astype(str)
        wide = frame.pivot(index="place", columns="request", values="rows")
        wide = wide.loc[frame["place"].unique(), [*self.requests]].reset_index()
        back = table(self.returned.to_dict("records"), caption="came back")
        name = content_id("course", repr(self), wide.to_csv(), self.returned.to_csv())
        grid = table(wide.to_dict("records"), caption="rows of each request, before → after")
        return f'<div id="{name}"><p>{escape(repr(self))}</p>{grid}{back}</div>'


@typed
def course(
    services: Mapping[str, Service],
    user: int,
    requests: Mapping[str, Iterable[int]],
    switches: Mapping[str, Switches] | None = None,
    ways: Mapping[str, str] | None = None,
    seed: int = 0,
    draws: int = 1,
) -> Course:
    """Serve requests one after another, by every service; those handed in stay as they are.

    switches: where a request reaches, by its name; everywhere unless told. ways: how rows leave the
    weights, by the name of a service. seed, draws: as `forget` takes them. Raises `DataError` for
    services of different logs, and whatever `forget` does.
    """
    if not services or not requests:
        raise DataError("nothing to do", "course", "a service and a request, or more")
    if len({service.log.fingerprint for service in services.values()}) > 1:
        what = f"{', '.join(services)} stand on different logs"
        raise DataError(what, "services", "one log", "build them of the same log")
    asked = {name: unique_ids(ids) for name, ids in requests.items()}
    steps: dict[str, tuple[Forgetting, ...]] = {}
    left: dict[str, Service] = {}
    for name, service in services.items():
        done = []
        for number, (request, ids) in enumerate(asked.items()):
            service = read(service, user, number, seed)
            reach = (switches or {}).get(request)
            way = (ways or {}).get(name)
            told = forget(service, user, ids, reach, seed=seed, draws=draws, way=way)
            done.append(told)
            service = told.services[1]
        steps[name], left[name] = tuple(done), read(service, user, len(asked), seed)
    return Course(int(user), asked, steps, left)


def read(service: Service, user: int, days: int, seed: int = 0) -> Service:
    """The service after the shopper read their page, so many days after the last row of the log: an
    archive keeps it, where there is one."""
    archive: Any = service.stores.get(ARCHIVE)
    if not hasattr(archive, "add"):
        return service
    day = service.log.frame["timestamp"].max() + pd.Timedelta(days=days)
    kept = archive.add(service.report(user, seed), day)
    return replace(service, stores=service.stores | {ARCHIVE: kept})


@typed
def chained(receipts: Iterable[tuple[Receipt, str]]) -> bool:
    """Whether each receipt begins where the one before it ended: the same rows, the same weights."""
    contents = [one.content for one, _ in receipts]
    return all(
        old["data"]["after"] == new["data"]["before"]
        and old["weights"]["after"] == new["weights"]["before"]
        for old, new in pairwise(contents)
    )
