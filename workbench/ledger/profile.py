"""The stored profile: what a service wrote down about its shoppers, with the rows each note came
from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.data.histories import unique_ids
from workbench.errors import UnknownItem

COLUMNS = ("kind", "entity", "interaction", "weight", "timestamp")


@dataclass(frozen=True)
class EntityStore:
    """Entities (topics and brands) per shopper with weight, first and last sight, and lineage.

    After K-LaMP (arXiv 2311.06318), whose store counts the entities of a user's history; lineage
    and opt-out are added here, because without lineage nobody can say which note a deleted row had
    written. A row counts 1 plus the rank of its action (view 1 … purchase 4). It is a *stored*
    summary: the log may lose rows that it still knows.

    notes: for each user code a table [kind, entity, interaction, weight, timestamp]. opted_out:
    (user, entity) that the shopper does not want used. Changes return a new store; untouched
    shoppers are shared.

    >>> EntityStore.build(log, catalogue).forget([17, 18]).to_frame(user=3)  # doctest: +SKIP
    """

    notes: dict[int, pd.DataFrame] = field(repr=False)
    opted_out: frozenset[tuple[int, str]] = frozenset()

    @classmethod
    def build(cls, log: Interactions, catalogue: Catalogue) -> EntityStore:
        """Write down everything a log tells."""
        rows = log.frame[["user", "item", "interaction", "timestamp"]].copy()
        rows["weight"] = 1.0 + log.frame["action"].astype(str).map(FUNNEL).fillna(0).to_numpy(
            dtype=float
        )
        brands = catalogue.frame.loc[catalogue.frame["brand"] != "", ["item", "brand"]]
        entities = pd.concat(
            [
                catalogue.topics.rename(columns={"topic": "entity"}).assign(kind="topic"),
                brands.rename(columns={"brand": "entity"}).assign(kind="brand"),
            ]
        )
        notes = rows.merge(entities, on="item").sort_values(
            ["interaction", "kind", "entity"], ignore_index=True
        )
        return cls(
            {
                int(user): part[list(COLUMNS)].reset_index(drop=True)
                for user, part in notes.groupby("user")
            }
        )

    def __repr__(self) -> str:
        return (
            f"EntityStore({len(self.notes):,} shoppers, "
            f"{sum(map(len, self.notes.values())):,} notes)"
        )

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
        ids, notes = unique_ids(interactions), dict(self.notes)
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
        kept, notes = (
            set(zip(table["kind"], table["entity"], strict=True)),
            self.notes.get(int(user), EMPTY),
        )
        mask = [
            (kind, entity) in kept
            for kind, entity in zip(notes["kind"], notes["entity"], strict=True)
        ]
        out = {
            (int(user), entity) for entity in table.loc[table["opted_out"].astype(bool), "entity"]
        }
        others = frozenset(pair for pair in self.opted_out if pair[0] != user)
        return EntityStore(
            {**self.notes, int(user): notes[np.array(mask, bool)].reset_index(drop=True)},
            others | out,
        )

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


EMPTY = pd.DataFrame(
    {"kind": [], "entity": [], "interaction": [], "weight": [], "timestamp": []}
).astype(
    {
        "kind": str,
        "entity": str,
        "interaction": "int64",
        "weight": "float64",
        "timestamp": "datetime64[ms, UTC]",
    }
)
