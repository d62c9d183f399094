"""The rows that a counted model was fitted on and has not forgotten: the state from which all other
states that know an order are made.

A sequence is one row of `log.histories()`; pass `log.by_session()` for sessions. *All* rows are
kept. Limits such as "the m most recent sessions" or "the last r baskets" apply when a question is
asked: where a deletion makes a session older, or takes it out, the one that was cut off before
moves up as in a refit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from workbench.data import Histories, Interactions
from workbench.errors import ModelError
from workbench.recommend.protocol import held_at


@dataclass(frozen=True)
class FittedRows:
    """Rows as histories, user code u in row u; never changed in place, so that copies may share it.

    A state that makes more of the rows extends `made` and `without`. COLUMNS are kept of the rows,
    all others blank; NAMES are their names in a saved model, the number of items last.
    """

    rows: Histories

    COLUMNS: ClassVar[tuple[str, ...]] = ("offsets", "item", "position", "interaction")
    NAMES: ClassVar[tuple[str, ...]] = (*COLUMNS, "n_items")

    @classmethod
    def of(cls, log: Interactions, config: Any = None) -> Self:
        """All rows of a log."""
        whole = log.histories()
        kept = {name: getattr(whole, name) for name in cls.COLUMNS}
        return cls.made(_histories(kept, whole.n_items), config)

    @classmethod
    def made(cls, rows: Histories, config: Any) -> Self:
        """What is made of rows: nothing more here."""
        return cls(rows)

    @property
    def n_items(self) -> int:
        """Items of the log that was fitted."""
        return self.rows.n_items

    def without(self, removed: Interactions) -> Self:
        """Take rows out. Raises `DataError` for rows not in here."""
        rows, _ = self.left(removed)
        return replace(self, rows=rows)

    def left(self, removed: Interactions) -> tuple[Histories, np.ndarray]:
        """The rows without some, found by their ids; also the codes of those who lose one,
        ascending.

        Raises `DataError` for an id that is not in here, or that names a row of another user or
        item.
        """
        rows = self.rows
        at = held_at(removed, rows.offsets, rows.interaction, rows.item.__getitem__)
        kept = np.ones(len(rows.item), dtype=bool)
        kept[at] = False
        return rows.keep(kept), np.unique(rows.rows[at])

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns kept; all else follows from them."""
        kept = [getattr(self.rows, name) for name in self.COLUMNS]
        return dict(zip(self.NAMES, [*kept, np.array([self.n_items])], strict=True))

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], config: Any = None) -> Self:
        """The inverse of `arrays`; raises `ModelError` for rows that fit no catalogue."""
        *columns, n_items = (arrays[name] for name in cls.NAMES)
        kept = dict(zip(cls.COLUMNS, columns, strict=True))
        offsets, item = kept["offsets"], kept["item"]
        lengths = {len(kept[name]) for name in cls.COLUMNS[1:]}
        rising = len(offsets) > 0 and offsets[0] == 0 and (np.diff(offsets) >= 0).all()
        whole = rising and lengths == {int(offsets[-1])} and len(n_items) == 1
        where, do = "arrays.safetensors", "save the model again"
        if not whole or item.min(initial=0) < 0:
            want = "offsets and rows of one length, no code below 0"
            raise ModelError("the rows do not fit each other", where, want, do)
        if item.max(initial=-1) >= n_items[0]:
            want = "codes below the number of items"
            raise ModelError(f"item {item.max()} of {n_items[0]}", where, want, do)
        return cls.made(_histories(kept, int(n_items[0])), config)


def _histories(kept: dict[str, np.ndarray], n_items: int) -> Histories:
    """Histories of these columns; −1 in those that are not kept."""
    user = np.arange(len(kept["offsets"]) - 1, dtype=np.int32)
    blank = np.full(len(kept["item"]), -1, dtype=np.int8)
    columns = dict.fromkeys(("action", "basket", "position"), blank) | kept
    return Histories(user=user, n_items=n_items, actions=(), **columns)
