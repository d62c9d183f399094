"""How much a value moves when any one basket is left out: a range of stability, not a confidence
interval."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from workbench.data.histories import places
from workbench.reports.evidence import Evidence
from workbench.reports.statements import Statement, item_code

MOST = 64
"""Baskets that are left out, one at a time."""


class LeaveOneBasketOut:
    """The shopper's history with each basket left out once (a row without basket is one of its
    own); of more than `MOST` baskets so many are drawn with `seed`.

    keep: (units, rows), which rows of the history are left in each part.
    """

    SPREAD = "left out"
    """What claims call an interval that was found so."""

    def __init__(self, evidence: Evidence, seed: int = 0) -> None:
        history = evidence.history
        baskets = np.where(history.basket >= 0, history.basket, -1 - history.interaction)
        units = np.unique(baskets)
        if len(units) > MOST:
            units = np.sort(np.random.default_rng(seed).choice(units, MOST, replace=False))
        self.evidence = evidence
        self.keep = baskets[None, :] != units[:, None]

    @cached_property
    def scores(self) -> np.ndarray:
        """Adjusted scores of every part, (units, n_items)."""
        return self.evidence.rescored(self.evidence.history.parts(self.keep))

    @cached_property
    def lists(self) -> np.ndarray:
        """The ranked list of every part."""
        return self.evidence.lists(self.scores)


# --- what each kind of statement is worth in every part, (units,); NaN where nothing is left ---


def offered_scores(left_out: LeaveOneBasketOut, statement: Statement) -> np.ndarray:
    """The score of the item that is offered."""
    return left_out.scores[:, item_code(statement[3])]


def listed_shares(left_out: LeaveOneBasketOut, statement: Statement) -> np.ndarray:
    """The topic's share of the list."""
    lists = left_out.lists
    shares = left_out.evidence.within(statement[3], lists).mean(axis=1)
    return np.where(lists[:, 0] < 0, np.nan, shares)


def stored_shares(left_out: LeaveOneBasketOut, statement: Statement) -> np.ndarray:
    """The topic's share of what a store still holds."""
    _, _, store, topic = statement
    notes = left_out.evidence.notes[store]
    # notes of rows that the history does not have stay
    row = places(notes.interaction, left_out.evidence.history.interaction)
    kept = left_out.keep[:, row] | (row < 0)
    total = kept @ notes.weight
    own = kept @ (notes.weight * (notes.topic == topic))
    return np.divide(own, total, out=np.full(len(total), np.nan), where=total > 0)
