"""What a report may look at: one shopper's rows, the model's view of them, the catalogue, the
stored profile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Histories, Interactions
from workbench.recommend import top_k

LIST = 20
"""Length of the list that an interest is read from."""
Statement = tuple[str, str, str, str]
# value, interaction ids, weights (positive, summing to 1)
Executed = tuple[float, np.ndarray, np.ndarray]


class NotSo(Exception):
    """A statement that does not hold; the message says why."""


def item_name(item: int) -> str:
    """How claims name an item."""
    return f"item:{int(item)}"


def item_code(name: str) -> int:
    """The code in `item:5`; raises `NotSo` for anything else."""
    head, _, tail = name.partition(":")
    if head != "item" or not tail.isdigit():
        raise NotSo(f"{name!r} names no item")
    return int(tail)


@dataclass(frozen=True)
class Reading:
    """One shopper as a report sees them: rows, scores of a counted model, catalogue, stored
    profile.

    profile: anything with `lineage(user) -> [kind, entity, interaction, weight]`, or None. adjust:
    (n_items,) added to the scores; −inf takes an item out. source: the log that the model's view of
    the shopper was computed from, where it is not `log` (a stale user vector).
    """

    user: int
    log: Interactions
    catalogue: Catalogue
    model: Any
    profile: Any = None
    adjust: np.ndarray | None = None
    source: Interactions | None = None

    @property
    def name(self) -> str:
        """How claims name the shopper."""
        return f"user:{self.user}"

    @cached_property
    def history(self) -> Histories:
        """The rows that the scores rest on; one row."""
        return (self.log if self.source is None else self.source).histories([self.user])

    @cached_property
    def seen(self) -> np.ndarray:
        """Mask (1, n_items) of what is never offered because the log has it."""
        served = self.history if self.source is None else self.log.histories([self.user])
        return served.matrix().toarray() > 0

    def adjusted(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items) as they are ranked."""
        scores = np.asarray(self.model.score(histories), dtype=np.float64)
        return scores if self.adjust is None else scores + self.adjust

    @cached_property
    def scores(self) -> np.ndarray:
        """Adjusted scores (n_items,)."""
        return self.adjusted(self.history)[0]

    @cached_property
    def ranked(self) -> np.ndarray:
        """All items that may be offered, best first."""
        best = top_k(self.scores[None], len(self.scores), self.seen)[0]
        return best[best >= 0]

    @cached_property
    def listed(self) -> np.ndarray:
        """The list that interests are read from."""
        return self.ranked[:LIST]

    @cached_property
    def _known(self) -> dict[int, np.ndarray]:
        return {}

    @cached_property
    def _topics(self) -> tuple[np.ndarray, np.ndarray]:
        return self.catalogue.topics["item"].to_numpy(), self.catalogue.topics["topic"].to_numpy(
            dtype=object
        )

    def within(self, topic: str, items: np.ndarray) -> np.ndarray:
        """Which of the items have the topic; the shape of `items`."""
        item, name = self._topics
        return np.isin(items, item[name == topic])

    def topic_counts(self, items: np.ndarray) -> dict[str, int]:
        """How many of the items have each topic."""
        item, name = self._topics
        names, counts = np.unique(name[np.isin(item, items)].astype(str), return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))

    def weights(self, items: np.ndarray) -> np.ndarray:
        """What each row of the history adds to the model's score of each item; (n_items,
        n_rows)."""
        if not self._known:  # one question for everything that a page is likely to ask
            items, asked = (
                np.union1d(np.r_[self.listed, list(self.roles.values())], items).astype(np.int64),
                items,
            )
        else:
            asked = items
        new = np.array([item for item in items if int(item) not in self._known], dtype=np.int64)
        if len(new):
            table = self.model.contributions(self.history, new[None, :])
            row, column = (
                np.argsort(new),
                pd.Index(self.history.interaction).get_indexer(table["interaction"]),
            )
            row = row[np.searchsorted(new, table["item"], sorter=row)]
            filled = np.zeros((len(new), len(self.history.item)))
            np.add.at(filled, (row, column), table["weight"].to_numpy())
            self._known.update(zip(new.tolist(), filled, strict=True))
        empty = np.zeros((0, len(self.history.item)))
        return np.stack([self._known[int(item)] for item in asked]) if len(asked) else empty

    @cached_property
    def notes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The stored profile's topics, a note each: topic, interaction, weight; empty without a
        profile."""
        if self.profile is None:
            return np.zeros(0, dtype=object), np.zeros(0, dtype=np.int64), np.zeros(0)
        lineage = self.profile.lineage(self.user)
        topics = lineage["kind"].to_numpy(dtype=object) == "topic"
        kinds = {"entity": object, "interaction": np.int64, "weight": np.float64}
        entity, interaction, weight = (
            lineage[name].to_numpy(dtype=kind)[topics] for name, kind in kinds.items()
        )
        return entity, interaction, weight

    @cached_property
    def price(self) -> np.ndarray:
        """Prices of all items, NaN where unknown."""
        return self.catalogue.frame["price"].to_numpy()

    @cached_property
    def roles(self) -> dict[str, int]:
        """Which item plays which part: pick, and cheaper, upgrade or alternative beside it; absent
        where none fits.

        Cheaper and upgrade are the best-ranked items of the pick's category at a lower or higher
        price; alternatives (the next in the list) stand in for what is missing.
        """
        if not len(self.ranked):
            return {}
        pick, rest = int(self.ranked[0]), self.ranked[1:]
        price, category = self.price, self.catalogue.frame["category"].to_numpy(dtype=object)
        roles, alike = {"pick": pick}, rest[category[rest] == category[pick]]
        for role, fits in (
            ("cheaper", price[alike] < price[pick]),
            ("upgrade", price[alike] > price[pick]),
        ):
            if fits.any():
                roles[role] = int(alike[fits][0])
        others = [int(item) for item in rest[:4] if int(item) not in roles.values()]
        for role, item in zip(
            ("alternative", "second alternative")[: 3 - len(roles)], others, strict=False
        ):
            roles[role] = item
        return roles

    def usual_price(self) -> tuple[float, np.ndarray]:
        """The median price over the shopper's rows, and the mask of the rows whose price is
        known."""
        prices = self.price[self.history.item]
        known = np.isfinite(prices)
        return (float(np.median(prices[known])) if known.any() else np.nan), known

    def carried(self, item: int) -> Executed:
        """The score of an item and the rows that raise it."""
        return (
            float(self.scores[item]),
            self.history.interaction,
            np.maximum(self.weights(np.array([item]))[0], 0.0),
        )
