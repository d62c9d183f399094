"""What the counted session models share: everything but the formula.

A method's file brings a config, `score` and `contributions`. What it holds is a part of its own,
made of rows, that can lose some of them: `Rows`, `postings.Postings`, or one in the method's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic import BaseModel

from workbench.data import Histories, Interactions
from workbench.recommend.cells import check_items, fitted
from workbench.recommend.session._rows import load_rows, save_rows, without


class Held(Protocol):
    """The rows of a model and what it made of them; never changed in place, so that copies may
    share it."""

    rows: Histories

    @classmethod
    def of(cls, rows: Histories) -> Self:
        """Made of rows."""

    def without(self, removed: Interactions) -> Self:
        """What `of` makes of the rows that are left, bit by bit. Raises `DataError` for rows not
        held."""


@dataclass(frozen=True)
class Rows:
    """The rows alone."""

    rows: Histories

    @classmethod
    def of(cls, rows: Histories) -> Rows:
        """Made of rows."""
        return cls(rows)

    def without(self, removed: Interactions) -> Rows:
        """Take rows out. Raises `DataError` for rows not held."""
        return Rows(without(self.rows, removed)[0])


class CountedSession:
    """A counted model around what it holds; a method names its `Config` and what it `Holds`, and
    adds the formula."""

    Config: type[BaseModel]
    Holds: type[Held] = Rows

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config or self.Config()
        self.held: Any = None

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in self.config)})"
        )

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Take in the rows; `valid` is not used."""
        self.held = self.Holds.of(log.histories())
        return self

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        self.held = fitted(self.held, self).without(removed)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.config)
        twin.held = self.held
        return twin

    def save(self, folder: Path) -> None:
        """Write the rows into a folder, whole or not at all; all else follows from them."""
        save_rows(folder, self, self.config, fitted(self.held, self).rows)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, rows = load_rows(folder, cls.__name__, cls.Config)
        model = cls(config)
        model.held = cls.Holds.of(rows)
        return model

    def _held_for(self, histories: Histories) -> Any:
        """What is held, if these histories can be asked about."""
        held = fitted(self.held, self)
        check_items(histories, held.rows.n_items)
        return held
