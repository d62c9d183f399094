"""Visits with a purchase and the rows before them: what a simulator is trained on and asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.data.checks import check_complete
from workbench.data.histories import spans, starts
from workbench.errors import DataError, typed
from workbench.reports.recpilot.grammar import BOUGHT
from workbench.reports.recpilot.trajectories import Trajectories


@dataclass(frozen=True)
class Visits:
    """Visits with a purchase, and the history strictly before each: `histories` and `trajectories`
    have a row a visit. skipped: visits that begin with a purchase, which are no targets."""

    histories: Histories
    trajectories: Trajectories
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.trajectories)

    def __repr__(self) -> str:
        return f"Visits({len(self):,} with a purchase, {len(self.histories.item):,} rows before)"

    def select(self, visits: np.ndarray) -> Visits:
        """Some of the visits."""
        parts = (part.select(visits) for part in (self.histories, self.trajectories))
        return Visits(*parts, self.skipped)


@typed
def visits_of(log: Interactions) -> Visits:
    """Every visit with a purchase: cut after its last one, what it buys gathered in one run at the
    end, and the rows of the shopper before it.

    Raises `DataError` for rows without a session, and for a log where nothing is bought.
    """
    log = log.deeds
    check_complete(log.frame, "session", "visits_of", "map a column to session when reading")
    all_of = log.histories()
    if BOUGHT not in all_of.actions or not (all_of.action == all_of.actions.index(BOUGHT)).any():
        raise DataError("no visit with a purchase", "log", "visits that end in a purchase")
    bought = all_of.action == all_of.actions.index(BOUGHT)
    # each visit: of a shopper and a session, from where it begins to its last purchase
    _, first, visit = np.unique(
        np.stack([all_of.rows, all_of.session]), axis=1, return_index=True, return_inverse=True
    )
    last = np.full(len(first), -1)
    np.maximum.at(last, visit[bought], np.flatnonzero(bought))
    asked = np.flatnonzero((last >= 0) & ~bought[first])
    asked = asked[np.argsort(first[asked], kind="stable")]
    start, end = first[asked], last[asked] + 1
    owner = all_of.rows[start]
    # the rows of the visit alone, those that do not buy first, each part in its order
    which, row = spans(start, end)
    mine = visit[row] == asked[which]
    which, row = which[mine], row[mine]
    order = np.lexsort((row, bought[row], which))
    which, row = which[order], row[order]
    trajectories = Trajectories(
        user=all_of.user[owner],
        session=all_of.session[start],
        offsets=starts(np.bincount(which, minlength=len(asked))),
        item=all_of.item[row],
        action=all_of.action[row],
        n_items=log.n_items,
        actions=all_of.actions,
        bound=all_of.bound,
    )
    begin = all_of.offsets[owner]
    histories = all_of.take(spans(begin, start)[1], all_of.user[owner], start - begin)
    return Visits(histories, trajectories, int(((last >= 0) & bought[first]).sum()))


@typed
def last_visits(log: Interactions) -> tuple[Interactions, Visits]:
    """The log before every shopper's last visit with a purchase, and these visits: those with
    something before them. Shoppers who bought nothing keep all their rows."""
    visits = visits_of(log)
    user = visits.trajectories.user
    last = np.flatnonzero(np.append(user[1:] != user[:-1], True)) if len(user) else user
    chosen = visits.select(last)
    frame = log.deeds.frame
    rows = frame.assign(at=np.arange(len(frame))).groupby(["user", "session"])["at"].min()
    asked = pd.MultiIndex.from_arrays([chosen.trajectories.user, chosen.trajectories.session])
    begins = pd.Series(rows.reindex(asked).to_numpy(), index=chosen.trajectories.user)
    cut = frame["user"].map(begins).fillna(len(frame)).to_numpy()
    before = log.deeds.select(np.arange(len(frame)) < cut)
    return before, chosen.select(np.flatnonzero(np.diff(chosen.histories.offsets) > 0))
