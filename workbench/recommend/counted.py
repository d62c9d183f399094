"""What all counted models share: one model around a state that is never changed in place.

    fit(log)          state = State.of(log)
    forget(removed)   state = state.without(removed)      bit by bit State.of(log without removed)

A method's page brings its settings (`Config`), what it counts (`State`), and the formula: `score`
and `contributions`. The states that several methods count stand in `cells.py` (rows per user and
item) and `rows.py` (the rows themselves). EASE stands alone: its P is changed in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from workbench.data import Histories, Interactions
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.saving import load_arrays, save_arrays


class CountedModel:
    """A model whose whole memory is its `State`; a method adds `score` and `contributions`.

    A state is what is kept of a log, frozen, so that copies of a model share it. It has `n_items`,
    `of(log, config)`, `without(removed)`, equal to what `of` makes of the rows that are left
    (`DataError` for rows not in here), `arrays()`, which tell nothing of rows that were taken out,
    their `NAMES`, and `from_arrays(arrays, config)` (`ModelError` where they do not fit each
    other).

    >>> Popularity().fit(log).forget(log.only([17, 18])).score(log.histories())  # doctest: +SKIP
    """

    Config: type[BaseModel]
    State: type[Any]

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config or self.Config()
        self.state: Any = None

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.config)
        return f"{type(self).__name__}({settings})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count; `valid` is not used."""
        self.state = self.State.of(log, self.config)
        return self

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        self.state = fitted(self.state, self).without(removed)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.config)
        twin.state = self.state
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        arrays = fitted(self.state, self).arrays()
        save_arrays(folder, type(self).__name__, self.config, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for a damaged or another model."""
        config, arrays = load_arrays(folder, cls.__name__, cls.Config, cls.State.NAMES)
        model = cls(config)
        model.state = cls.State.from_arrays(arrays, config)
        return model

    def _state_for(self, histories: Histories) -> Any:
        """The state, if these histories can be asked about."""
        state = fitted(self.state, self)
        check_items(histories, state.n_items)
        return state
