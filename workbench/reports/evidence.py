"""What a report may look at: one shopper's rows, the model's view of them, catalogue and stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Histories, Interactions
from workbench.data.buttons import too_dear
from workbench.errors import typed
from workbench.recommend import scores_or_none, top_k
from workbench.recommend.protocol import check_bound
from workbench.reports.deeds import Deeds, Intent, intents
from workbench.reports.hushed import hushed, silenced
from workbench.reports.offers import affordable, roles
from workbench.reports.refills import Refills, refills
from workbench.reports.statements import Executed, NotSo
from workbench.reports.stores import Notes, notes_of, sayings
from workbench.reports.support import Deletion, by_deletion, by_rows

LIST = 20
"""Length of the list that an interest is read from."""
SHARE = 0.15
"""An interest holds at least this share of the list, or of a store."""
OF_OFFERS = ("offers", "_added", "_tried")
"""What depends on what is offered, see `Evidence.choosing`."""


@dataclass(frozen=True)
class Evidence:
    """One shopper as a report sees them; made once, handed whole to all that writes or checks.

    stores: by name, anything with `lineage(user)`, see `Store`. chosen: the offers of an agent,
    role → item code; None: those that the scores give, see `roles`. unsaid: topics that are never
    named unasked. adjust: (n_items,) added to the scores; −inf takes an item out. stale: the log
    that the model's view of the shopper was computed from, where it is not `log` (a user vector
    that was not computed anew). mask_seen: whether products of the log are never offered again.

    >>> Evidence.of(log, catalogue, model, user=3, stores={"profile": store})  # doctest: +SKIP
    """

    user: int
    log: Interactions
    catalogue: Catalogue
    model: Any = None
    stores: Mapping[str, Any] = field(default_factory=dict)
    chosen: Mapping[str, int] | None = None
    unsaid: frozenset[str] = frozenset()
    adjust: np.ndarray | None = None
    stale: Interactions | None = None
    mask_seen: bool = True

    @classmethod
    @typed
    def of(
        cls,
        log: Interactions,
        catalogue: Catalogue,
        model: Any,
        user: int,
        stores: Mapping[str, Any] | None = None,
        offers: Mapping[str, int] | None = None,
        unsaid: Iterable[str] = (),
        **served: Any,
    ) -> Evidence:
        """The evidence on a user code; `served`: adjust, stale, mask_seen.

        Raises `UnknownUser`; `UnknownItem` for an offer or unsaid topic that is not in the catalogue;
        `ModelError` for a store of another log.
        """
        log.check_user(user)
        unsaid = frozenset(unsaid)
        for topic in unsaid:
            catalogue.items_of(topic)
        for item in (offers or {}).values():
            catalogue.title(item)
        for store in (stores or {}).values():
            check_bound(getattr(store, "bound", None), log.index_fingerprint)
        return cls(user, log, catalogue, model, stores or {}, offers, unsaid, **served)

    def __repr__(self) -> str:
        rows = len(self.history.item)
        return f"Evidence(user {self.user}, {rows} rows, {', '.join(self.stores) or 'no store'})"

    def choosing(self, chosen: Mapping[str, int]) -> Evidence:
        """The same with an agent's offers, role → item code; what was computed is kept. Raises
        `UnknownItem` for an offer that the catalogue does not have."""
        for item in chosen.values():
            self.catalogue.title(item)
        made = replace(self, chosen=dict(chosen))
        parts = vars(self).keys() - type(self).__dataclass_fields__.keys() - set(OF_OFFERS)
        vars(made).update({name: vars(self)[name] for name in parts})
        return made

    # --- the shopper's rows ---

    @property
    def name(self) -> str:
        """How claims name the shopper."""
        return f"user:{self.user}"

    @cached_property
    def history(self) -> Histories:
        """The rows that the scores rest on; one row."""
        return (self.log if self.stale is None else self.stale).histories([self.user])

    @cached_property
    def seen(self) -> np.ndarray:
        """Mask (1, n_items) of what is never offered because the log has it."""
        if not self.mask_seen:
            return np.zeros((1, self.history.n_items), dtype=bool)
        served = self.history if self.stale is None else self.log.histories([self.user])
        return served.matrix().toarray() > 0

    def rows(self, source: str) -> np.ndarray:
        """Interactions that a claim read at this source may rest on: "history", "deletion" (rows of
        the history, weighed by leaving them out), "log" (the deeds), "presses" (the log, presses
        among it), or a store."""
        if source in ("history", "deletion"):
            return self.history.interaction
        if source == "log":
            return self.deeds.interaction
        if source == "presses":
            return self.log.rows_of(self.user)["interaction"].to_numpy()
        return self.lineages[source]["interaction"].to_numpy(dtype=np.int64)

    @cached_property
    def deeds(self) -> Deeds:
        """What the shopper did, as the log has it."""
        return Deeds.of(self.log, self.user)

    @cached_property
    def intents(self) -> list[Intent]:
        """What the shopper may be after, strongest first; nothing that is left unsaid."""
        return intents(self.deeds, self.catalogue, self.silent, self.refills)

    @cached_property
    def refills(self) -> Refills:
        """What people buy again."""
        return refills(self.log, self.catalogue)

    @cached_property
    def hushed(self) -> frozenset[str]:
        """Topics and kinds that are not named: those left unsaid, and what would say them."""
        return hushed(self.catalogue, self.unsaid)

    @cached_property
    def silent(self) -> np.ndarray:
        """Mask (n_items,) of products of a topic that is left unsaid, or of a hushed kind."""
        return silenced(self.catalogue, self.unsaid)

    @cached_property
    def lineages(self) -> dict[str, pd.DataFrame]:
        """What each store holds of the shopper, a note each."""
        return {name: store.lineage(self.user) for name, store in self.stores.items()}

    @cached_property
    def told(self) -> dict[tuple[str, str, str], tuple[str, pd.DataFrame]]:
        """What stores say of the shopper in words of their own, see `sayings`."""
        saying = {name: store for name, store in self.stores.items() if hasattr(store, "says")}
        return sayings({name: store.says(self) for name, store in saying.items()})

    @cached_property
    def notes(self) -> dict[str, Notes]:
        """What each store holds about the shopper's topics."""
        return {name: notes_of(lineage) for name, lineage in self.lineages.items()}

    # --- what is offered ---

    def adjusted(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items) as they are ranked; `NotSo` without a model."""
        scores = np.asarray(scores_or_none(self._scorer, histories), dtype=np.float64)
        return scores if self.adjust is None else scores + self.adjust

    @property
    def _scorer(self) -> Any:
        if self.model is None:
            raise NotSo("needs the model to be executed again")
        return self.model

    def rescored(self, parts: Histories) -> np.ndarray:
        """Adjusted scores (B, n_items) of parts of the history. Code −1 is nobody's: models with
        stored user vectors score what is left, not what they remember; those that read no rows move
        by as much as a vector that is solved again for the part."""
        if hasattr(self.model, "score_rows"):
            return self.scores + self._read(parts) - self._read(self.history)
        return self.adjusted(replace(parts, user=np.full(len(parts), -1, dtype=np.int32)))

    def _read(self, parts: Histories) -> np.ndarray:
        """Scores (B, n_items) by the rows at hand, also from models that look a user up."""
        own = getattr(self.model, "score_rows", None)
        return own(parts) if own else scores_or_none(self.model, parts)

    @cached_property
    def scores(self) -> np.ndarray:
        """Adjusted scores (n_items,)."""
        return self.adjusted(self.history)[0]

    def lists(self, scores: np.ndarray) -> np.ndarray:
        """Lists as long as `listed` for scores (B, n_items) of parts of the history: what the
        shopper has seen stays masked, so that only the scores move."""
        seen = np.repeat(self.seen, len(scores), axis=0)
        return top_k(scores, max(len(self.listed), 1), seen)

    @cached_property
    def ranked(self) -> np.ndarray:
        """All items that may be offered, best first; none where the model gives them all the same
        score."""
        best = top_k(self.scores[None], len(self.scores), self.seen)[0]
        return best[best >= 0]

    @cached_property
    def listed(self) -> np.ndarray:
        """The list that interests are read from."""
        return self.ranked[:LIST]

    @cached_property
    def offers(self) -> Mapping[str, int]:
        """Which item plays which part on the page."""
        return self.roles if self.chosen is None else self.chosen

    @cached_property
    def roles(self) -> dict[str, int]:
        """The offers that the scores give: pick, and cheaper, upgrade or alternative beside it."""
        return roles(affordable(self.offered, self.dear, self.catalogue), self.catalogue)

    @cached_property
    def offered(self) -> np.ndarray:
        """What may play a part on the page, best first: items of a topic left unsaid play none."""
        return self.ranked[~self.silent[self.ranked]]

    @cached_property
    def offerable(self) -> np.ndarray:
        """What an agent may offer, best first: nothing that they have, see `Deeds.had`."""
        had = self.deeds.had(self.catalogue, self.refills)
        return affordable(self.offered[~np.isin(self.offered, had)], self.dear, self.catalogue)

    @cached_property
    def dear(self) -> int:
        """What they last asked for something cheaper than; −1: nothing. See `too_dear`."""
        return too_dear(self.log, self.catalogue, self.user)

    # --- what carries a score ---

    @property
    def additive(self) -> bool:
        """Whether the model says row by row what a score is made of."""
        return hasattr(self._scorer, "contributions")

    @property
    def carrier(self) -> str:
        """Where the rows under a score are read; see `rows`."""
        return "history" if self.additive else "deletion"

    def weights(self, items: np.ndarray) -> np.ndarray:
        """What each row of the history adds to the model's score of each item that is listed or
        offered; (n_items, n_rows).

        From a model without `contributions`: what the score loses when the row's product is left
        out, shared among the product's rows; 0 below the noise floor.
        """
        added = [self._added[item] for item in np.asarray(items).tolist()]
        return np.reshape(added, (len(added), len(self.history.item)))

    @cached_property
    def _added(self) -> dict[int, np.ndarray]:
        """The weights of everything that a page may ask for, by item: one question to the model."""
        items = np.union1d(self.listed, list(self.offers.values())).astype(np.int64)
        if self.additive:
            weights = by_rows(self.model, self.history, items)
        else:
            weights = self.deletion.effects[items]
        return dict(zip(items.tolist(), weights, strict=True))

    @cached_property
    def deletion(self) -> Deletion:
        """What every score loses when all rows of a product are left out; effects (n_items,
        n_rows)."""
        return by_deletion(lambda histories, _: self._read(histories), self.history, unit="item")

    def carried(self, item: int) -> Executed:
        """The score of an item and the rows that raise it."""
        raised = np.maximum(self.weights(np.array([item]))[0], 0.0)
        return Executed(float(self.scores[item]), self.history.interaction, raised, self.carrier)

    # --- the catalogue ---

    def within(self, topic: str, items: np.ndarray) -> np.ndarray:
        """Which of the items have the topic; the shape of `items`."""
        return np.isin(items, self.catalogue.items_of(topic))

    @cached_property
    def price(self) -> np.ndarray:
        """Prices of all items, NaN where unknown."""
        return self.catalogue.frame["price"].to_numpy()
