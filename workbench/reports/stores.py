"""Stores: places beside the log where a service remembers its shoppers. The stored profile is the
first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.data.histories import unique_ids
from workbench.errors import UnknownItem

COLUMNS = ("kind", "entity", "interaction", "weight", "timestamp")
EMPTY = pd.DataFrame({name: [] for name in COLUMNS}).astype(
    {
        "kind": str,
        "entity": str,
        "interaction": "int64",
        "weight": "float64",
        "timestamp": "datetime64[ms, UTC]",
    }
)


@runtime_checkable
class Store(Protocol):
    """A place that remembers shoppers, with the rows that each memory came from.

    Whoever offers this is a tier of the service it is handed to (`Service.build(..., stores=...)`):
    switches, ladder, canaries, causes, reports and the forget screen read it from here. A store
    that keeps nothing beyond these rows is exact: `forget` equals building from the rest.
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
    """The stored profile: topics and brands per shopper with weight, first and last sight, and
    lineage.

    After K-LaMP (arXiv 2311.06318), whose store counts the entities of a user's history; lineage
    and opt-out are added here, because without lineage nobody can say which note a deleted row had
    written. A row counts 1 plus the rank of its action (view 1 … purchase 4). It is a *stored*
    summary: the log may lose rows that it still knows.

    notes: for each user code a table [kind, entity, interaction, weight, timestamp]. opted_out:
    (user, entity) that the shopper does not want used. Changes return a new store; untouched
    shoppers are shared.

    >>> EntityStore.build(log, catalogue).forget([17, 18]).to_frame(user=3)  # doctest: +SKIP
    """

    name: ClassVar[str] = "profile"
    label: ClassVar[str] = "the stored profile"
    help: ClassVar[str] = "Strike what the rows wrote into the stored profile."
    causes: ClassVar[tuple[str, str]] = (
        "the notes in the profile were struck",
        "the stored profile still says so",
    )

    notes: dict[int, pd.DataFrame] = field(repr=False)
    opted_out: frozenset[tuple[int, str]] = frozenset()

    @classmethod
    def build(cls, log: Interactions, catalogue: Catalogue) -> EntityStore:
        """Write down everything a log tells."""
        rows = log.frame[["user", "item", "interaction", "timestamp"]].copy()
        rank = log.frame["action"].astype(str).map(FUNNEL).fillna(0)
        rows["weight"] = 1.0 + rank.to_numpy(dtype=float)
        # which entities an item has: its topics and its brand
        topics = catalogue.topics.rename(columns={"topic": "entity"}).assign(kind="topic")
        brands = catalogue.frame.loc[catalogue.frame["brand"] != "", ["item", "brand"]]
        brands = brands.rename(columns={"brand": "entity"}).assign(kind="brand")
        # a note for each row and entity
        notes = rows.merge(pd.concat([topics, brands]), on="item")
        notes = notes.sort_values(["interaction", "kind", "entity"], ignore_index=True)
        parts = notes.groupby("user")[list(COLUMNS)]
        return cls({int(user): part.reset_index(drop=True) for user, part in parts})

    def __repr__(self) -> str:
        notes = sum(map(len, self.notes.values()))
        return f"EntityStore({len(self.notes):,} shoppers, {notes:,} notes)"

    def lineage(self, user: int) -> pd.DataFrame:
        """The notes that may be used: [kind, entity, interaction, weight, timestamp], opted-out
        entities left out."""
        notes = self.notes.get(int(user), EMPTY)
        out = [entity for owner, entity in self.opted_out if owner == user]
        return notes[~notes["entity"].isin(out)] if out else notes

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the (sorted) interactions the notes about a shopper still name, opted out or
        not."""
        ids = unique_ids(interactions)
        return ids[np.isin(ids, self.notes.get(int(user), EMPTY)["interaction"])]

    def forget(
        self, interactions: Iterable[int], users: Iterable[int] | None = None
    ) -> EntityStore:
        """Strike what these rows wrote; equals a store built from what remains. `users`: whose
        rows, where known."""
        ids = unique_ids(interactions)
        notes = dict(self.notes)
        for user in list(self.notes) if users is None else map(int, users):
            part = self.notes.get(user, EMPTY)
            struck = np.isin(part["interaction"].to_numpy(), ids)
            if not len(part):
                continue
            if struck.all():
                del notes[user]
            elif struck.any():
                notes[user] = part[~struck].reset_index(drop=True)
        return replace(self, notes=notes)

    def opt_out(self, user: int, entity: str, out: bool = True) -> EntityStore:
        """Stop using an entity (or, `out=False`, use it again); the notes stay until they are
        forgotten."""
        if entity not in set(self.notes.get(int(user), EMPTY)["entity"]):
            raise UnknownItem(
                f"no note on {entity!r}", f"user {user}", "an entity of to_frame(user)"
            )
        change = {(int(user), entity)}
        return replace(self, opted_out=self.opted_out | change if out else self.opted_out - change)

    def edited(self, user: int, table: pd.DataFrame) -> EntityStore:
        """The store after a shopper has edited `to_frame(user)`: lines struck are forgotten, flags
        are taken over."""
        notes = self.notes.get(int(user), EMPTY)
        kept = set(zip(table["kind"], table["entity"], strict=True))
        mask = [pair in kept for pair in zip(notes["kind"], notes["entity"], strict=True)]
        left = notes[np.array(mask, bool)].reset_index(drop=True)
        # the flags of this shopper anew, those of the others as they are
        flagged = table.loc[table["opted_out"].astype(bool), "entity"]
        out = {(int(user), entity) for entity in flagged}
        others = frozenset(pair for pair in self.opted_out if pair[0] != user)
        return EntityStore({**self.notes, int(user): left}, others | out)

    def to_frame(self, user: int) -> pd.DataFrame:
        """One line per entity: kind, entity, weight, share (within its kind), rows, first, last,
        opted_out."""
        notes = self.notes.get(int(user), EMPTY)
        table = notes.groupby(["kind", "entity"], as_index=False).agg(
            weight=("weight", "sum"),
            rows=("interaction", "nunique"),
            first=("timestamp", "min"),
            last=("timestamp", "max"),
        )
        table.insert(3, "share", table["weight"] / table.groupby("kind")["weight"].transform("sum"))
        table["opted_out"] = [(int(user), entity) in self.opted_out for entity in table["entity"]]
        return table.sort_values(
            ["weight", "kind", "entity"], ascending=[False, True, True], ignore_index=True
        )
