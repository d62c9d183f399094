"""Where memory lives: a small recommendation service with every place that remembers a shopper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Histories, Interactions
from workbench.data.buttons import kept_out
from workbench.data.histories import unique_ids
from workbench.errors import ConfigError, DataError, typed
from workbench.ledger.removal import Removal, Score
from workbench.ledger.tiers import Switches, Tier, check_stores, tiers_of
from workbench.recommend import scores_of, scores_or_none
from workbench.recommend.protocol import check_kind, fitted_copy, must_offer
from workbench.recommend.ranking import cutoffs, lists_of
from workbench.reports import Claim, EntityStore, Evidence, Report, Store, make_claims, write

if TYPE_CHECKING:
    from workbench.reports.wording import Writer

TOP = 10
"""Length of the lists that are served and compared."""
KEPT = 512
"""Answers about single shoppers that a service keeps, some four a shopper."""
SCORES = 1 << 27
"""Bytes up to which everybody's scores are kept: other lists after a request follow from them."""
REMOVALS = 8
"""Requests that a service keeps: each may hold copies of the model."""


@dataclass(frozen=True)
class Service:
    """Everything that remembers a shopper. Frozen: every change returns another service.

    stores: what is remembered beside the log, by name; the stored profile is the first.
    weights_log: the log that the item weights stand for. stale: for a shopper whose stored vector
    was not computed anew, the log it was computed from. tombstones: (user, item) never to be
    offered again. steered: (user, topic) → penalty on the topic's items, in standard deviations of
    the shopper's scores; inf hides them. mask_seen: whether products of the log are never offered
    again; False for baskets, where people buy again. unsaid: topics that no report names unasked.
    agent: what a report offers, role → item code, by the evidence; the scores' own choice without one.
    writer: what puts a page in words, see `reports.wording`; the template without one.
    forgetters: other ways to take rows out of the item weights, by name: an algorithm as
    `workbench.unlearning.unlearn` takes it, or one with its settings (a `Method`). verdicts: what
    is known of them, in words.

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
    agent: Callable[[Evidence], Mapping[str, int]] | None = field(default=None, repr=False)
    forgetters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    verdicts: Mapping[str, str] = field(default_factory=dict, repr=False)
    writer: Writer | None = field(default=None, repr=False)

    @classmethod
    @typed
    def build(
        cls,
        log: Interactions,
        catalogue: Catalogue,
        model: Any,
        stores: Iterable[Any] = (EntityStore,),
        mask_seen: bool | None = None,
        unsaid: Iterable[str] = (),
        agent: Callable[[Evidence], Mapping[str, int]] | None = None,
        forgetters: Mapping[str, Any] | None = None,
        verdicts: Mapping[str, str] | None = None,
        writer: Any = None,
    ) -> Service:
        """Fit a copy of the model on the log and build the stores; mask_seen: as is the model's task
        unless told.

        Raises `ConfigError` for two stores of one name, and for a model that lacks fit or score,
        before it is fitted; `DataError` for a catalogue of other items; `UnknownItem` for an
        unsaid topic that no item has.
        """
        must_offer(model, "fit", "score")
        if len(catalogue) != log.n_items:
            what = f"{len(catalogue)} items in the catalogue, {log.n_items} in the log"
            raise DataError(what, "Service.build", do="make it of log.items, one row per code")
        for topic in unsaid:
            catalogue.items_of(topic)
        stores = tuple(stores)
        for kind in stores:
            if not callable(getattr(kind, "build", None)):
                want = "kinds of store, each with build(log, catalogue)"
                raise ConfigError(f"{kind!r:.80} is none", "stores", want)
        built = check_stores(kind.build(log, catalogue) for kind in stores)
        if mask_seen is None:
            mask_seen = not getattr(model, "repeats", False)
        rules = {"mask_seen": mask_seen, "unsaid": frozenset(unsaid), "agent": agent}
        others = {"forgetters": dict(forgetters or {}), "verdicts": dict(verdicts or {})}
        if writer is not None:
            must_offer(writer, "sentences")
        for name, method in others["forgetters"].items():
            apart = name in ("exact", "retrain") or getattr(method, "prepare", None)
            if apart or not callable(getattr(method, "algorithm", method)):
                want = "a name of its own, and an algorithm that changes the model at hand"
                raise ConfigError(f"{name!r}: {method!r}", "forgetters", want)
        own = fitted_copy(model, log)
        return cls(
            log, catalogue, own, built, weights_log=log.deeds, **rules, **others, writer=writer
        )

    @property
    def stores_vectors(self) -> bool:
        """Whether the model keeps a vector per user."""
        return hasattr(self.model, "forget_user_vector")

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """Every place that remembers a shopper, in the order of the screen."""
        return tiers_of(self.stores.values(), self.stores_vectors)

    @property
    def ways(self) -> tuple[str, ...]:
        """How rows can be taken out of the item weights, by name; what is done unless told first."""
        return ("exact" if hasattr(self.model, "forget") else "retrain", *self.forgetters)

    def reach(self, switches: Switches) -> frozenset[str]:
        """The tiers that are switched on; raises `ConfigError` for names that are no tier here."""
        check_kind(switches, Switches)
        known = [tier.name for tier in self.tiers]
        unknown = sorted(switches.model_extra.keys() - known)
        if unknown:
            raise ConfigError(f"no place is called {unknown[0]!r}", "switches", ", ".join(known))
        return frozenset(name for name in known if switches.on(name))

    def remove(self, interactions: Iterable[int], switches: Switches) -> Service:
        """The service after a request that reaches so far; `DataError` for rows nobody knows."""
        return self.removal(interactions).at(self.reach(switches))

    def removal(
        self, interactions: Iterable[int], digest: str | None = None, way: str | None = None
    ) -> Removal:
        """The request, for any switches; the last ones are kept, with what they have cleaned.
        digest: what it was when it was written down; `DataError` for other rows. way: one of
        `ways`, the first unless told; `ConfigError` for another."""
        ids, way = unique_ids(interactions), way or self.ways[0]
        if way not in self.ways:
            raise ConfigError(f"no way is called {way!r}", "way", ", ".join(self.ways))
        if digest is not None:
            self.log.only(ids, digest)
        return self.keep(("removal", ids.tobytes(), way), lambda: Removal(self, ids, way))

    def hide(self, user: int, topic: str) -> Service:
        """Filter: show the shopper nothing of a topic; nothing is forgotten."""
        return self.steer(user, topic, np.inf)

    def steer(self, user: int, topic: str, strength: float = 1.0) -> Service:
        """ "No horror, please": lower the topic's scores by `strength` standard deviations."""
        self.log.check_user(user)
        self.catalogue.items_of(topic)
        # no text, and not NaN, which would take the topic out
        if not (isinstance(strength, Real) and strength > -np.inf):
            want = "a number of standard deviations; inf hides the topic"
            raise ConfigError(f"strength {strength!r}", "steer", want)
        return replace(self, steered={**self.steered, (int(user), topic): float(strength)})

    def listed(self, user: int, k: int = TOP) -> np.ndarray:
        """The shopper's list as served, item codes, best first."""
        (k,) = cutoffs(k, several=False)
        return self.evidence(user).ranked[:k]

    def recommend(self, user: int, k: int = TOP) -> pd.DataFrame:
        """The list as served: [item, id, title, category, price, score], best first."""
        items = self.listed(user, k)
        table = self.catalogue.frame.loc[items, ["item", "title", "category", "price"]]
        scores = self.evidence(user).scores[items]
        table.insert(1, "id", self.log.items[items])
        return table.assign(score=scores).reset_index(drop=True)

    def served(self, histories: Histories, score: Score | None = None) -> np.ndarray:
        """Lists (B, TOP) for many shoppers, some at a time; score: the model's unless told.

        A shopper to whom the model gives no scores, or all that may be offered the same, gets no
        list: all −1.
        """
        score = score or partial(scores_or_none, self.model)

        def adjusted(part: Histories) -> np.ndarray:
            scores = np.asarray(score(part), dtype=np.float64)
            for row in np.flatnonzero(np.isin(part.user, self._adjusted)):
                scores[row] += self.adjust(int(part.user[row]))
            return scores

        return lists_of(adjusted, histories, TOP, seen=self.mask_seen)

    @cached_property
    def everyone(self) -> Histories:
        """Histories of all shoppers."""
        return self.log.histories()

    @cached_property
    def scores(self) -> np.ndarray | None:
        """Everybody's scores, before anything is hidden; None where they are many, or of no use
        after a request."""
        size = 8 * self.log.n_users * self.log.n_items
        if size > SCORES or not hasattr(self.model, "score_without"):
            return None
        return scores_or_none(self.model, self.everyone)

    @cached_property
    def _out(self) -> set[tuple[int, int]]:
        """(user, item) that is not offered: by a tombstone, or by a press."""
        return kept_out(self.log, self.catalogue) | self.tombstones

    @cached_property
    def _adjusted(self) -> list[int]:
        return sorted({user for user, _ in (*self._out, *self.steered)})

    def adjust(self, user: int) -> np.ndarray | None:
        """What is added to the shopper's scores: −inf where nothing may be offered."""
        if user not in self._adjusted:
            return None
        added = np.zeros(len(self.catalogue))
        for (owner, topic), strength in self.steered.items():
            if owner == user:
                spread = np.std(scores_of(self.model, self.log.histories([user])))
                # what is hidden is so even where all scores are equal
                lowered = strength * spread if np.isfinite(strength) else strength
                added[self.catalogue.items_of(topic)] -= lowered
        added[[item for owner, item in self._out if owner == user]] = -np.inf
        return added

    def evidence(self, user: int) -> Evidence:
        """What a report may look at: this service as it remembers one shopper; made once."""
        self.log.check_user(user)  # True is kept as 1
        parts = (self.log, self.catalogue, self.model, user, self.stores)
        rules = {"unsaid": self.unsaid, "mask_seen": self.mask_seen}

        def made() -> Evidence:
            served = {"adjust": self.adjust(user), "stale": self.stale.get(user)}
            found = Evidence.of(*parts, **rules, **served)
            return found if self.agent is None else found.choosing(self.agent(found))

        return self.keep(("evidence", user), made)

    @cached_property
    def _kept(self) -> dict[Any, Any]:
        """Answers worth keeping: the service never changes."""
        return {}

    def keep(self, key: Any, make: Callable[[], Any]) -> Any:
        """The answer under `key`, made when first asked for. Of requests, and of all answers whose
        keys are tuples, only the last ones asked for are kept."""
        # the one asked for goes to the end, the first ones go
        self._kept[key] = self._kept.pop(key) if key in self._kept else make()
        one = key[0] == "removal"
        several = (name for name in self._kept if isinstance(name, tuple))
        held = [name for name in several if not one or name[0] == "removal"]
        for name in held[: -(REMOVALS if one else KEPT)]:
            del self._kept[name]
        return self._kept[key]

    def report(self, user: int, seed: int = 0) -> Report:
        """The shopper's report, every claim checked, and every sentence of a writer."""
        self.log.check_user(user)
        options = {"seed": seed, "writer": self.writer}
        return self.keep(("report", user, seed), lambda: write(self.evidence(user), **options))

    def claims(self, user: int) -> dict[str, Claim]:
        """The claims of the report by id, without their ranges: what an ablation compares."""

        def made() -> dict[str, Claim]:
            if ("report", user, 0) in self._kept:
                told = list(self.report(user).claims)
            else:
                told = make_claims(self.evidence(user), ranges=False)[0]
            return {claim.claim: claim for claim in told}

        return self.keep(("claims", user), made)
