"""One request, bound to the service it was made to, ready for every combination of places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.data.histories import unique_ids
from workbench.errors import DataError
from workbench.ledger.tiers import ITEM_WEIGHTS
from workbench.recommend.protocol import copied, fitted_copy
from workbench.reports import Store

if TYPE_CHECKING:
    from workbench.ledger.memory import Service

Score = Callable[[Histories], np.ndarray]


class Removal:
    """One request against one service: each place is cleaned at most once, then combined as the
    switches say.

    ids: sorted. users: whose rows they are. pairs: (user, item) of them. taken, left: the rows of
    every log of the service, by `id(log)`. way: how the item weights forget, one of
    `service.ways`.
    """

    def __init__(self, service: Service, interactions: Iterable[int], way: str) -> None:
        self.service, self.way = service, way
        self.ids = unique_ids(interactions)
        # each log in two: what the shopper has, what the weights and old vectors saw
        logs = (service.log, service.weights_log, *service.stale.values())
        self.taken: dict[int, Interactions] = {}
        self.left: dict[int, Interactions] = {}
        for name, log in {id(log): log for log in logs}.items():
            found = np.isin(log.frame["interaction"].to_numpy(), self.ids)
            self.taken[name] = log.select(found)
            self.left[name] = log.select(~found) if found.any() else log
        rows = pd.concat([log.frame for log in self.taken.values()])
        self.pairs = frozenset(zip(rows["user"].tolist(), rows["item"].tolist(), strict=True))
        # rows that only a store still names
        unlogged = np.setdiff1d(self.ids, rows["interaction"])
        owners = self._owners(unlogged) if len(unlogged) else []
        self.users = np.unique(np.r_[rows["user"].to_numpy(), owners].astype(np.int32))
        self._made: dict[frozenset[str], Service] = {}
        self.outcome, self.seconds = None, None

    def _owners(self, ids: np.ndarray) -> list[int]:
        """Whose these rows are, for the stores; raises `DataError` for a row that none names."""
        owners, named = [], np.zeros(0, dtype=np.int64)
        for user in range(self.service.log.n_users):
            for store in self.service.stores.values():
                known = store.knows(user, ids)
                named = np.union1d(named, known)
                owners += [user] if len(known) else []
        unknown = np.setdiff1d(ids, named)
        if len(unknown):
            what = f"no place remembers interaction {unknown[0]}"
            do = "take ids from the column 'interaction' of service.log"
            raise DataError(what, "interactions", "rows of this service", do)
        return owners

    @cached_property
    def digest(self) -> str:
        """What a request that is written down keeps beside its ids, see `Interactions.only`."""
        return self.taken[id(self.service.log)].fingerprint

    @cached_property
    def stores(self) -> dict[str, Store]:
        """The stores, cleaned."""
        stores = self.service.stores.items()
        return {name: store.forget(self.ids, self.users) for name, store in stores}

    @cached_property
    def weights(self) -> Any:
        """The model with cleaned item weights: rows taken out where it can do that, else refitted
        on what remains (and then user vectors are clean, too), or as another way has it; None where
        that did nothing."""
        service, held, begun = self.service, id(self.service.weights_log), perf_counter()
        if self.way != service.ways[0]:
            model = self._otherwise(service.forgetters[self.way], service.weights_log)
        elif not len(self.taken[held]):  # presses of buttons, for instance: nothing was learned
            model = service.model
        elif hasattr(service.model, "forget"):
            model = copied(service.model).forget(self.taken[held])
        else:
            model = fitted_copy(service.model, self.left[held])
        service.keep("seconds", dict)[self.way] = self.seconds = perf_counter() - begun
        return model

    def _otherwise(self, method: Any, log: Interactions) -> Any:
        """The model after an algorithm of unlearning, None where that moved nothing or failed."""
        # imported when asked for: most services have no such way
        from workbench.unlearning.outcome import DONE, unlearn
        from workbench.unlearning.requests import Request

        if not len(self.taken[id(log)]):
            return None
        how = (getattr(method, "algorithm", method), self.service.model, log, Request(0, self.ids))
        self.outcome = unlearn(*how, getattr(method, "config", None))
        return self.outcome.model if self.outcome.status == DONE else None

    def stale(self, on: frozenset[str]) -> bool:
        """Whether the item weights still stand for the rows: they were not reached, or nothing was
        done to them."""
        return ITEM_WEIGHTS.name not in on or self.weights is None

    @cached_property
    def refitted(self) -> Any:
        """The exact reference: the model fitted on what is left of the log."""
        return fitted_copy(self.service.model, self.left[id(self.service.log)])

    def score(self, on: frozenset[str]) -> Score | None:
        """How other shoppers are scored when these switches are on, where there is a shorter way
        than by the cleaned model: what it said before, and the low rank of the change."""
        service = self.service
        exact = self.way == service.ways[0] and hasattr(service.model, "score_without")
        if ITEM_WEIGHTS.name not in on or not exact:
            return None
        removed = self.taken[id(service.weights_log)]
        if not len(removed):
            return None

        def scores(histories: Histories) -> np.ndarray:
            now = None if service.scores is None else service.scores[histories.user]
            return service.model.score_without(removed, histories, now)

        return scores

    @cached_property
    def vectors(self) -> Any:
        """The model with old item weights and user vectors computed anew."""
        histories = self.left[id(self.service.log)].histories(self.users)
        return self.service.model.copy().forget_user_vector(self.users, histories)

    def at(self, on: frozenset[str]) -> Service:
        """The service when these switches are on."""
        if on not in self._made:
            self._made[on] = self._combine(on) if len(self.ids) else self.service
        return self._made[on]

    def _combine(self, on: frozenset[str]) -> Service:
        old = self.service
        if self.stale(on):
            on = on - {ITEM_WEIGHTS.name}
        changed: dict[str, Any] = {}
        if "log" in on:
            changed["log"] = self.left[id(old.log)]
        cleaned = on & old.stores.keys()
        if cleaned:
            changed["stores"] = old.stores | {name: self.stores[name] for name in cleaned}
        if "tombstone" in on:
            changed["tombstones"] = old.tombstones | self.pairs
        if "item_weights" in on:
            changed |= {"model": self.weights, "weights_log": self.left[id(old.weights_log)]}
        if not old.stores_vectors:
            return replace(old, **changed)
        # stored vectors: computed anew, or from now on older than the log
        if {"item_weights", "user_vector"} & on:
            own = set(self.users.tolist())
            changed["stale"] = {user: log for user, log in old.stale.items() if user not in own}
            if "item_weights" not in on:
                changed["model"] = self.vectors
        else:
            changed["stale"] = {**{int(user): old.log for user in self.users}, **old.stale}
        return replace(old, **changed)
