"""What every recommender offers; a model may offer more, a caller may rely on no more. And the two
errors that every model raises alike: not fitted, and asked about another catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.errors import ModelError


@runtime_checkable
class Recommender(Protocol):
    """A model that scores every item for every history."""

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Learn from a log; returns itself."""

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), nothing masked: float64 for counted and linear models, float32 for
        trained ones."""

    def copy(self) -> Self:
        """An independent copy: changing one never changes the other."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder, whole or not at all."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


@runtime_checkable
class Counted(Recommender, Protocol):
    """A model whose state is a sum over rows, so that a row can be taken out exactly."""

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals the model refitted on what remains."""

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """What each interaction of history b adds to the scores of `items[b]`: [row, item,
        interaction, weight].

        items: (B,) or (B, m) target codes, −1 for none; `row` is b, `item` the target. Weights sum
        to the score.
        """


@runtime_checkable
class Trained(Recommender, Protocol):
    """A model fitted by gradient descent."""

    module: Any

    def examples(self, log: Interactions, users: np.ndarray | None = None) -> Any:
        """Training examples of a log."""

    def loss(self, examples: Any) -> Any:
        """Loss per example (n,)."""

    def represent(self, histories: Histories) -> Any:
        """User representations (B, d)."""

    def parameter_groups(self) -> dict[str, list[Any]]:
        """Named groups of parameters: users, items, shared."""

    def rebuild(self, log: Interactions) -> Self:
        """Make caches (graphs, tables) anew from a log, weights unchanged."""


Fitted = TypeVar("Fitted")


def fitted(state: Fitted | None, model: object) -> Fitted:
    """The state of a model, or a `ModelError` that tells to fit it first."""
    if state is None:
        raise ModelError(
            f"{type(model).__name__} has not been fitted", do="call fit(log) or load(folder) first"
        )
    return state


def check_items(asked: Histories | Interactions, n_items: int) -> None:
    """Histories, or a log, must have been coded with the item index of the fitted log."""
    if asked.n_items != n_items:
        what = "histories" if isinstance(asked, Histories) else "a log"
        raise ModelError(
            f"{what} of {asked.n_items} items for a model of {n_items}",
            what,
            "the item index of the fitted log",
            "take a log with the same indexes, and histories from it",
        )
