"""Experience memory: what a shopper's own visits taught, found again by how like a situation is.

    E_u = {(key, value)}      key: the situation in words; value: what it teaches
    retrieved for an intent q:  the entries with the largest sim(q, key)

RecPilot (arXiv 2603.07605, its second agent) has a language model write them and Qwen3-Embedding-8B
find them. Here a rule writes (`_lessons.py`), a language model may say the same in other words
(`_reworded.py`), and TF-IDF or a sentence encoder finds (`_likeness.py`). The store keeps the rows
and derives the entries, so that *Forget* is exact: without its rows an entry is not derived again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among, unique_ids
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._entries import PRESSED, Entry, situation
from workbench.reports.recpilot._goods import Goods
from workbench.reports.recpilot._lessons import DIARY, diaries_of, lessons, visit_labels
from workbench.reports.recpilot._likeness import Likeness
from workbench.reports.recpilot._reworded import reworded
from workbench.reports.recpilot._told import quiet, told

EMPTY = pd.DataFrame(columns=DIARY)
SAID, LIKE = 2, 0.2
"""Entries that a page may say, at most; those less like the intent are not about it."""


@dataclass(frozen=True, eq=False)
class Experience:
    """The experience memory as a store. Changes return a new one.

    diaries: for each user code the rows [item, action, visit, interaction] that entries are derived
    from. derived: entries as they read, where somebody asked. bound: `index_fingerprint` of the log.

    >>> Service.build(log, catalogue, EASE(), stores=(EntityStore, Experience))  # doctest: +SKIP
    """

    name: ClassVar[str] = "experience"
    label: ClassVar[str] = "the experience memory"
    help: ClassVar[str] = "Derive what your visits taught again, without the rows."
    causes: ClassVar[tuple[str, str]] = (
        "what your visits taught was derived again without the rows",
        "the experience memory still holds what they taught",
    )

    diaries: dict[int, pd.DataFrame] = field(repr=False)
    goods: Goods = field(repr=False)
    likeness: Likeness = field(repr=False)
    bound: str = field(repr=False)
    derived: dict[int, tuple[Entry, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, encoder: str | Path | None = None
    ) -> Experience:
        """Write down the rows of a log. encoder: see `Likeness`; raises `ModelError` for a folder
        that holds none."""
        like = Likeness(catalogue, encoder)
        return cls(diaries_of(log), Goods(catalogue), like, log.index_fingerprint)

    def __repr__(self) -> str:
        rows = sum(map(len, self.diaries.values()))
        return f"Experience({len(self.diaries):,} shoppers, {rows:,} rows)"

    def learn(self, log: Interactions, catalogue: Catalogue, ids: Iterable[int]) -> Experience:
        """With rows that came last (a press of a button); equals a store built from all of them."""
        diaries, derived = dict(self.diaries), dict(self.derived)
        for user, rows in diaries_of(log.only(ids)).items():
            old = diaries.get(user, rows[:0])
            diaries[user] = pd.concat([old, rows], ignore_index=True)
            derived.pop(user, None)
        return replace(self, diaries=diaries, derived=derived)

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Experience:
        """Strike the rows; equals a store built from what remains. Words of a language model go
        with them: the rule's stand for what is derived again."""
        ids = unique_ids(interactions)
        diaries, derived = dict(self.diaries), dict(self.derived)
        for user in list(diaries) if users is None else map(int, users):
            diary = diaries.get(user, EMPTY)
            gone = np.isin(diary["interaction"].to_numpy(), ids)
            if gone.any():
                derived.pop(user, None)
                diaries[user] = diary[~gone].reset_index(drop=True)
            if gone.all():
                diaries.pop(user, None)
        return replace(self, diaries=diaries, derived=derived)

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the interactions its diary of a shopper still names, sorted."""
        return ids_among(interactions, self.diaries.get(int(user), EMPTY)["interaction"])

    def lineage(self, user: int) -> pd.DataFrame:
        """The rows under each entry: [kind, entity, interaction, weight], kind "entry"."""
        notes = [("entry", one.text, row, 1.0) for one in self.entries(user) for row in one.rows]
        types = {"kind": object, "entity": object, "interaction": np.int64, "weight": float}
        return pd.DataFrame(notes, columns=[*types]).astype(types)

    def entries(self, user: int) -> tuple[Entry, ...]:
        """What a shopper's visits taught, the latest last."""
        if user not in self.derived:
            diary = self.diaries.get(int(user), EMPTY)
            self.derived[int(user)] = lessons(diary, self.goods)
        return self.derived[user]

    def reworded(self, user: int, chat: Any, seed: int = 0) -> Experience:
        """The store with a shopper's entries in a language model's words, see `reworded`."""
        own = reworded(self.entries(user), self.goods.catalogue, chat, seed)
        return replace(self, derived={**self.derived, int(user): own})

    def situation(self, items: Iterable[int]) -> str:
        """A situation in words, from the products that were looked at."""
        return situation(items, self.goods)

    def retrieve(self, user: int, intent: str, k: int) -> list[tuple[Entry, float]]:
        """The k entries that are most like a situation, the likest first, ties the latest first."""
        entries = self.entries(user)[::-1]
        like = self.likeness(intent, [entry.key for entry in entries])
        best = np.argsort(-like, kind="stable")[:k]
        return [(entries[place], float(like[place])) for place in best]

    def to_frame(self, user: int) -> pd.DataFrame:
        """A shopper's entries, one row each."""
        return pd.DataFrame(self.entries(user), columns=Entry._fields)

    def says(self, evidence: Evidence) -> pd.DataFrame:
        """The entries most like the shopper's last visit, see `told`; none that names a product of a
        topic left unsaid."""
        rows = evidence.log.rows_of(evidence.user)
        rows = rows[~rows["action"].isin(PRESSED)]
        visit = visit_labels(rows)
        intent = self.situation(rows["item"].to_numpy()[visit == visit[-1:]])
        entries = self.entries(evidence.user)
        loud = [
            (entry, like)
            for entry, like in self.retrieve(evidence.user, intent, len(entries))
            if like >= LIKE and not quiet(entry.items, evidence)
        ]
        lines = ((one.text, like, row, 1.0) for one, like in loud[:SAID] for row in one.rows)
        return told("experience", "when", lines)
