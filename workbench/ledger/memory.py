"""Where memory lives: a small recommendation service with every place that remembers a shopper."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Histories, Interactions
from workbench.data.histories import unique_ids
from workbench.errors import ConfigError, DataError
from workbench.ledger.tiers import Switches, Tier, check_stores, tiers_of
from workbench.recommend import scores_or_none, top_k
from workbench.reports import Claim, EntityStore, Evidence, Report, Store, make_claims, write

TOP = 10
"""Length of the lists that are served and compared."""
REMOVALS = 8
"""Requests that a service keeps: each may hold a copy of the model."""


@dataclass(frozen=True)
class Service:
    """Everything that remembers a shopper. Frozen: forgetting, hiding and steering return another
    service.

    stores: what is remembered beside the log, by name; the stored profile is the first.
    weights_log: the log that the item weights stand for. stale: for a shopper whose stored vector
    was not computed anew, the log it was computed from. tombstones: (user, item) never to be
    offered again. steered: (user, topic) → penalty on the topic's items, in standard deviations of
    the shopper's scores; inf hides them. mask_seen: whether products of the log are never offered
    again; False for baskets, where people buy again. unsaid: topics that no report names unasked.

    >>> service = Service.build(world.log, world.catalogue, EASE())  # doctest: +SKIP
    """

    log: Interactions
    catalogue: Catalogue
    model: Any
    stores: dict[str, Store]
    weights_log: Interactions = field(repr=False)
    stale: dict[int, Interactions] = field(default_factory=dict, repr=False)
    tombstones: frozenset[tuple[int, int]] = frozenset()
    steered: dict[tuple[int, str], float] = field(default_factory=dict)
    mask_seen: bool = True
    unsaid: frozenset[str] = frozenset()

    @classmethod
    def build(
        cls,
        log: Interactions,
        catalogue: Catalogue,
        model: Any,
        stores: Iterable[type[Store]] = (EntityStore,),
        mask_seen: bool = True,
        unsaid: Iterable[str] = (),
    ) -> Service:
        """Fit the model on the log and build the stores; the model handed in is fitted in place.

        Raises `ConfigError` for two stores of one name.
        """
        built = check_stores(kind.build(log, catalogue) for kind in stores)
        rules = {"mask_seen": mask_seen, "unsaid": frozenset(unsaid)}
        return cls(log, catalogue, model.fit(log), built, weights_log=log, **rules)

    @property
    def stores_vectors(self) -> bool:
        """Whether the model keeps a vector per user."""
        return hasattr(self.model, "forget_user_vector")

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Every place that remembers a shopper, in the order of the screen."""
        return tiers_of(self.stores.values(), self.stores_vectors)

    def reach(self, switches: Switches) -> frozenset[str]:
        """The tiers that are switched on; raises `ConfigError` for names that are no tier here."""
        known = [tier.name for tier in self.tiers]
        unknown = sorted(switches.model_extra.keys() - known)
        if unknown:
            raise ConfigError(f"no place is called {unknown[0]!r}", "switches", ", ".join(known))
        return frozenset(name for name in known if switches.on(name))

    def remove(self, interactions: Iterable[int], switches: Switches) -> Service:
        """The service after a request that reaches where the switches say. Raises `DataError` for
        rows nobody knows."""
        return self.removal(interactions).at(self.reach(switches))

    def removal(self, interactions: Iterable[int]) -> Removal:
        """The request, ready to be combined with any switches; the last few are kept, with what
        they have cleaned."""
        ids = unique_ids(interactions)
        key = ("removal", ids.tobytes())
        old = [name for name in self._kept if name[0] == "removal" and name != key]
        for name in old[: max(len(old) - REMOVALS + 1, 0)]:
            del self._kept[name]
        return self.keep(key, lambda: Removal(self, ids))

    def hide(self, user: int, topic: str) -> Service:
        """Filter: show the shopper nothing of a topic; nothing is forgotten."""
        return self.steer(user, topic, np.inf)

    def steer(self, user: int, topic: str, strength: float = 1.0) -> Service:
        """ "No horror, please": lower the topic's scores by `strength` standard deviations; nothing
        is forgotten."""
        self.catalogue.items_of(topic)
        return replace(self, steered={**self.steered, (int(user), topic): float(strength)})

    def listed(self, user: int, k: int = TOP) -> np.ndarray:
        """The shopper's list as served, item codes, best first."""
        return self.evidence(user).ranked[:k]

    def recommend(self, user: int, k: int = TOP) -> pd.DataFrame:
        """The list as served: [item, title, category, price, score], best
        first."""
        items = self.listed(user, k)
        table = self.catalogue.frame.loc[items, ["item", "title", "category", "price"]]
        scores = self.evidence(user).scores[items]
        return table.assign(score=scores).reset_index(drop=True)

    def served(self, histories: Histories) -> np.ndarray:
        """Lists (B, TOP) for many shoppers, by one pass of the model.

        A shopper to whom the model gives no scores, or all that may be offered the same, gets no
        list: all −1.
        """
        scores = np.asarray(scores_or_none(self.model, histories), dtype=np.float64)
        for row in np.flatnonzero(np.isin(histories.user, self._adjusted)):
            scores[row] += self.adjust(int(histories.user[row]))
        seen = histories.matrix() if self.mask_seen else None
        return top_k(scores, TOP, seen)

    @cached_property
    def everyone(self) -> Histories:
        """Histories of all shoppers."""
        return self.log.histories()

    @cached_property
    def _adjusted(self) -> list[int]:
        return sorted({user for user, _ in (*self.tombstones, *self.steered)})

    def adjust(self, user: int) -> np.ndarray | None:
        """What is added to the shopper's scores before ranking: −inf where nothing may be
        offered."""
        if user not in self._adjusted:
            return None
        added = np.zeros(len(self.catalogue))
        for (owner, topic), strength in self.steered.items():
            if owner == user:
                spread = np.std(self.model.score(self.log.histories([user])))
                # what is hidden is so even where all scores are equal
                lowered = strength * spread if np.isfinite(strength) else strength
                added[self.catalogue.items_of(topic)] -= lowered
        added[[item for owner, item in self.tombstones if owner == user]] = -np.inf
        return added

    def evidence(self, user: int) -> Evidence:
        """What a report may look at: this service as it remembers one shopper; made once."""
        parts = (self.log, self.catalogue, self.model, user, self.stores)
        rules = {"unsaid": self.unsaid, "mask_seen": self.mask_seen}

        def made() -> Evidence:
            served = {"adjust": self.adjust(user), "stale": self.stale.get(user)}
            return Evidence.of(*parts, **rules, **served)

        return self.keep(("evidence", user), made)

    @cached_property
    def _kept(self) -> dict[Any, Any]:
        """Answers worth keeping: the service never changes."""
        return {}

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """The answer under `key`, made when first asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def report(self, user: int, seed: int = 0) -> Report:
        """The shopper's report, every claim checked."""
        return self.keep(("report", user, seed), lambda: write(self.evidence(user), seed))

    def claims(self, user: int) -> dict[str, Claim]:
        """The claims of the report by id, without their ranges: what an ablation compares."""

        def made() -> dict[str, Claim]:
            if ("report", user, 0) in self._kept:
                told = list(self.report(user).claims)
            else:
                told = make_claims(self.evidence(user), ranges=False)[0]
            return {claim.claim: claim for claim in told}

        return self.keep(("claims", user), made)


class Removal:
    """One request against one service: each place is cleaned at most once, then combined as the
    switches say.

    ids: sorted. users: whose rows they are. pairs: (user, item) of them. taken, left: the rows of
    every log of the service, by `id(log)`.
    """

    def __init__(self, service: Service, interactions: Iterable[int]) -> None:
        self.service = service
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

    def _owners(self, ids: np.ndarray) -> list[int]:
        """Whose these rows are, for the stores; raises `DataError` for a row that none names."""
        owners = []
        named = np.zeros(0, dtype=np.int64)
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
    def stores(self) -> dict[str, Store]:
        """The stores, cleaned."""
        stores = self.service.stores.items()
        return {name: store.forget(self.ids, self.users) for name, store in stores}

    @cached_property
    def weights(self) -> Any:
        """The model with cleaned item weights: rows taken out where it can do that, else refitted
        on what remains (and then user vectors are clean, too)."""
        model = self.service.model.copy()
        held = id(self.service.weights_log)
        if hasattr(model, "forget"):
            return model.forget(self.taken[held])
        return model.fit(self.left[held])

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
