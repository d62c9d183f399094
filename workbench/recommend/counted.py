"""What all counted models share: one model around a state that is never changed in place.

    fit(log)          state = State.of(log)
    forget(removed)   state = state.without(removed)      bit by bit State.of(log without removed)

A method's page brings its settings (`Config`), what it counts (`State`), and the formula: `score`
and `contributions`. The states that several methods count stand in `cells.py` (rows per user and
item) and `rows.py` (the rows themselves). EASE stands alone: its P is changed in place.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, ClassVar, Self

from workbench.data import Histories, Interactions
from workbench.recommend.bound import Bound
from workbench.recommend.protocol import check_items, check_kind, fitted


class CountedModel(Bound):
    """A model whose whole memory is its `State`; a method adds `score` and `contributions`.

    A state is what is kept of a log, frozen, so that copies of a model share it. It has `n_items`,
    `of(log, config)`, `without(removed)`, equal to what `of` makes of the rows that are left
    (`DataError` for rows not in here), `arrays()`, which tell nothing of rows that were taken out,
    their `NAMES`, and `from_arrays(arrays, config)` (`ModelError` where they do not fit each
    other).

    >>> Popularity().fit(log).forget(log.only([17, 18])).score(log.histories())  # doctest: +SKIP
    """

    State: type[Any]
    reads_users: ClassVar[bool] = False
    """Whether scores depend on who asks, and not on the history alone."""
    state: Any = None

    def __repr__(self) -> str:
        return self._named(*(f"{name}={value}" for name, value in self.config))

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count; `valid` is not used."""
        check_kind(log, Interactions)
        self.state, self.bound = self.State.of(log, self.config), log.index_fingerprint
        return self

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        self.state = self._state_for(removed, Interactions).without(removed)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        return copy.copy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        self._write(folder, fitted(self.state, self).arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for a damaged or another model."""
        model, arrays = cls._read(folder, cls.State.NAMES)
        model.state = cls.State.from_arrays(arrays, model.config)
        return model

    def _state_for(self, asked: Any, kind: type[Any] = Histories) -> Any:
        """The state, if these histories, or the rows of this log, can be asked about."""
        state = fitted(self.state, self)
        check_items(asked, state.n_items, self.bound, kind, self.reads_users)
        return state
