"""Visits on the way to a purchase: what a simulator learns from, is asked about, and imagines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.data.checks import checked_codes
from workbench.data.histories import spans, starts
from workbench.errors import DataError
from workbench.reports.recpilot._run_length import rows_of, run_length
from workbench.reports.recpilot.grammar import BOS, BOUGHT, PAD, Vocabulary


@dataclass(frozen=True)
class Trajectories:
    """Ragged visits: visit b owns the slice `offsets[b]:offsets[b + 1]` of `item` and `action`.

    user, session: (B,), session −1 where a visit is imagined. action: codes into `actions`. bound:
    the `index_fingerprint` of the log whose codes these are.
    """

    user: np.ndarray
    session: np.ndarray
    offsets: np.ndarray
    item: np.ndarray
    action: np.ndarray
    n_items: int
    actions: tuple[str, ...]
    bound: str | None = None

    def __len__(self) -> int:
        return len(self.user)

    def __repr__(self) -> str:
        return f"Trajectories({len(self):,} visits, {len(self.item):,} rows)"

    @cached_property
    def rows(self) -> np.ndarray:
        """The visit of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def is_bought(self) -> np.ndarray:
        """Which rows are purchases."""
        return self.action == self.actions.index(BOUGHT)

    def bought(self) -> np.ndarray:
        """What each visit buys, as a set: booleans (B, n_items)."""
        found = np.zeros((len(self), self.n_items), dtype=bool)
        found[self.rows[self.is_bought], self.item[self.is_bought]] = True
        return found

    def select(self, visits: np.ndarray) -> Trajectories:
        """Some of the visits, in the order asked for."""
        visits = checked_codes(visits, len(self), "visits")
        start, end = self.offsets[visits], self.offsets[visits + 1]
        take = spans(start, end)[1]
        return replace(
            self,
            user=self.user[visits],
            session=self.session[visits],
            offsets=starts(end - start),
            item=self.item[take],
            action=self.action[take],
        )

    def tokens(self, vocabulary: Vocabulary | None = None) -> np.ndarray:
        """Run-length tokens without bos, padded on the right: (B, T)."""
        vocabulary = vocabulary or Vocabulary(self.actions, self.n_items)
        flat, row = run_length(self.item, self.action, self.rows, vocabulary)
        kept = flat != BOS
        visit = self.rows[row][kept]
        length = np.bincount(visit, minlength=len(self))
        found = np.full((len(self), length.max(initial=0)), PAD)
        found[visit, spans(np.zeros_like(length), length)[1]] = flat[kept]
        return found

    @classmethod
    def of_tokens(
        cls,
        tokens: np.ndarray,
        vocabulary: Vocabulary,
        user: np.ndarray | None = None,
        session: np.ndarray | None = None,
        bound: str | None = None,
    ) -> Trajectories:
        """The visits of (B, T) tokens without bos; the inverse of `tokens`. Raises `DataError` for a
        row that is no sentence of the grammar."""
        wrong = np.flatnonzero(~vocabulary.valid(tokens))
        if len(wrong):
            where, do = f"tokens, row {wrong[0]}", "select the valid ones first"
            raise DataError("no sentence of the grammar", where, "runs, then a purchase", do)
        marked = np.concatenate([np.full((len(tokens), 1), BOS), tokens], axis=1)
        item, action, visit = rows_of(marked[marked != PAD], vocabulary)
        offsets = starts(np.bincount(visit, minlength=len(tokens)))
        none = np.full(len(tokens), -1)
        user = none if user is None else np.asarray(user)
        session = none if session is None else np.asarray(session)
        shape = (vocabulary.n_items, vocabulary.actions)
        return cls(user, session, offsets, item, action, *shape, bound)

    def to_frame(self) -> pd.DataFrame:
        """[visit, user, session, item, action], a row a deed."""
        names = np.array(self.actions, dtype=object)[self.action]
        ids = {"visit": self.rows, "user": self.user[self.rows]}
        ids["session"] = self.session[self.rows]
        return pd.DataFrame(ids | {"item": self.item, "action": names})
