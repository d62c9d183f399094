"""How much a value moves when any one basket is left out: a range of stability, not a confidence
interval."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from workbench.recommend import top_k
from workbench.reports.reading import Reading, Statement


class LeftOut:
    """Scores of the shopper's history with each basket left out once (a row without basket is one
    of its own)."""

    def __init__(self, reading: Reading, seed: int, most: int) -> None:
        self.reading, history = reading, reading.history
        baskets = np.where(history.basket >= 0, history.basket, -1 - history.interaction)
        units = np.unique(baskets)
        if len(units) > most:
            units = np.sort(np.random.default_rng(seed).choice(units, most, replace=False))
        self.keep = baskets[None, :] != units[:, None]  # (units, rows)
        many = history.select(np.zeros(len(units), dtype=np.int64))
        # code −1 is nobody's: models with stored user vectors score what is left, not what they
        # remember
        self.scores = reading.adjusted(
            replace(many.keep(self.keep.ravel()), user=np.full(len(units), -1, dtype=np.int32))
        )

    @cached_property
    def lists(self) -> np.ndarray:
        """The ranked lists; what the shopper has seen stays masked, so that only the scores
        move."""
        seen = np.repeat(self.reading.seen, len(self.scores), axis=0)
        return top_k(self.scores, len(self.reading.listed), seen)

    def range(self, statement: Statement, value: float) -> tuple[float, float]:
        """Smallest and largest value over the whole and every part; NaN where the value is no
        estimate."""
        kind, _, relation, object = statement
        if kind == "pick":
            values = self.scores[:, int(object.partition(":")[2])]
        elif (kind, relation) == ("interest", "list"):
            values = self.reading.within(object, self.lists).mean(axis=1)
        elif (kind, relation) == ("interest", "profile"):
            entity, ids, weight = self.reading.notes
            own = entity == object
            out = [np.isin(ids, self.reading.history.interaction[~part]) for part in self.keep]
            kept = ~np.array(out)
            total = kept @ weight
            values = np.divide(
                kept @ (weight * own), total, out=np.full(len(total), value), where=total > 0
            )
        else:
            return np.nan, np.nan
        return float(min(values.min(), value)), float(max(values.max(), value))
