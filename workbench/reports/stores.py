"""Stores: places beside the log where a service remembers its shoppers. The stored profile is the
first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.data.histories import ids_among, unique_ids

COLUMNS = ["kind", "entity", "interaction", "weight"]
EMPTY = pd.DataFrame({"kind": "", "entity": "", "interaction": 0, "weight": 0.0}, index=[])


class Notes(NamedTuple):
    """What a store holds about a shopper's topics, a note each."""

    topic: np.ndarray
    interaction: np.ndarray
    weight: np.ndarray


def notes_of(lineage: pd.DataFrame) -> Notes:
    """The notes of a store's lineage that may be said as interests."""
    topics = lineage["kind"].to_numpy(dtype=object) == "topic"
    return Notes(
        lineage["entity"].to_numpy(dtype=object)[topics],
        lineage["interaction"].to_numpy(dtype=np.int64)[topics],
        lineage["weight"].to_numpy(dtype=np.float64)[topics],
    )


def sayings(tables: Mapping[str, pd.DataFrame]) -> dict[tuple, tuple[str, pd.DataFrame]]:
    """What stores say, by statement: (kind, relation, object) → the first that says it, and its rows.

    tables: by store, [kind, relation, object, value, interaction, weight], a row for each statement
    and interaction that carries it.
    """
    found: dict[tuple, tuple[str, pd.DataFrame]] = {}
    for store, table in tables.items():
        for statement, rows in table.groupby(["kind", "relation", "object"], sort=False):
            found.setdefault(statement, (store, rows))
    return found


@runtime_checkable
class Store(Protocol):
    """A place that remembers shoppers, with the rows that each memory came from.

    Whoever offers this is a tier of the service it is handed to (`Service.build(..., stores=...)`):
    switches, ladder, canaries, causes, reports and the forget screen read it from here. A store
    that keeps nothing beyond these rows is exact: `forget` equals building from the rest. One that
    offers `learn(log, catalogue, interactions) -> Self` takes in rows that came to the log since,
    presses of buttons among them; any other stays as it is after a press. One that cannot forget in
    a moment says in `undone`, a text, what requests have left undone, and still `knows` these rows.
    """

    name: str
    """One word, the name of its switch."""
    label: str
    """How the screen calls it: "the stored profile"."""
    help: str
    """What its switch does, in one sentence."""
    causes: tuple[str, str]
    """Why a sentence went when it was cleaned, and why one stands while it was not."""

    @classmethod
    def build(cls, log: Interactions, catalogue: Catalogue) -> Self:
        """Write down what a log tells."""

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Self:
        """The store without what these rows wrote; equals one built from the rest. `users`: whose
        rows, where known."""

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the interactions it still names for a shopper, sorted."""

    def lineage(self, user: int) -> pd.DataFrame:
        """What it holds of a shopper, a note each: [kind, entity, interaction, weight]. Notes of
        the kind "topic" may be said as interests."""


@dataclass(frozen=True)
class EntityStore:
    """The stored profile: topics and brands per shopper with weight and lineage.

    After K-LaMP (arXiv 2311.06318), whose store counts the entities of a user's history; lineage is
    added here, because without it nobody can say which note a deleted row had written. A row counts
    1 plus the rank of its action (view 1 … purchase 4). It is a *stored* summary: the log may lose
    rows that it still knows.

    notes: for each user code a table [kind, entity, interaction, weight]. Changes return a new
    store; untouched shoppers are shared.

    >>> EntityStore.build(log, catalogue).forget([17, 18]).lineage(user=3)  # doctest: +SKIP
    """

    name: ClassVar[str] = "profile"
    label: ClassVar[str] = "the stored profile"
    help: ClassVar[str] = "Strike what the rows wrote into the stored profile."
    causes: ClassVar[tuple[str, str]] = (
        "the notes in the profile were struck",
        "the stored profile still says so",
    )

    notes: dict[int, pd.DataFrame] = field(repr=False)

    @classmethod
    def build(cls, log: Interactions, catalogue: Catalogue) -> EntityStore:
        """Write down everything a log tells."""
        frame = log.deeds.frame
        rows = frame[["user", "item", "interaction"]].copy()
        rank = frame["action"].astype(str).map(FUNNEL).fillna(0)
        rows["weight"] = 1.0 + rank.to_numpy(dtype=float)
        # which entities an item has: its topics and its brand
        topics = catalogue.topics.rename(columns={"topic": "entity"}).assign(kind="topic")
        brands = catalogue.frame.loc[catalogue.frame["brand"] != "", ["item", "brand"]]
        brands = brands.rename(columns={"brand": "entity"}).assign(kind="brand")
        # a note for each row and entity
        notes = rows.merge(pd.concat([topics, brands]), on="item")
        notes = notes.sort_values(["interaction", "kind", "entity"], ignore_index=True)
        parts = notes.groupby("user")[COLUMNS]
        return cls({int(user): part.reset_index(drop=True) for user, part in parts})

    def __repr__(self) -> str:
        notes = sum(map(len, self.notes.values()))
        return f"EntityStore({len(self.notes):,} shoppers, {notes:,} notes)"

    def lineage(self, user: int) -> pd.DataFrame:
        """The notes about a shopper: [kind, entity, interaction, weight]."""
        return self.notes.get(int(user), EMPTY)

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the (sorted) interactions the notes about a shopper still name."""
        return ids_among(interactions, self.lineage(user)["interaction"])

    def forget(
        self, interactions: Iterable[int], users: Iterable[int] | None = None
    ) -> EntityStore:
        """Strike what these rows wrote; equals a store built from what remains. `users`: whose
        rows, where known."""
        ids = unique_ids(interactions)
        notes = dict(self.notes)
        for user in list(notes) if users is None else map(int, users):
            part = self.lineage(user)
            left = part[~np.isin(part["interaction"].to_numpy(), ids)].reset_index(drop=True)
            notes[user] = left
            if not len(left):
                del notes[user]
        return EntityStore(notes)
