"""Tombstone: never offer again what was deleted; the model stays as it is.

    score'(u, i) = −∞ where u removed i and holds it no more, else score(u, i)

A filter in front of a model, which every service has already. It hides an answer and forgets nothing:
neighbours of the item, the person's vector and everybody else's lists still tell of it. What it costs
is a list of what each person wanted forgotten, kept for ever. A session that is not in the log has no
stone. Hidden are the rows that the log it is handed knows: `stream` and the grid hand it training and
validation; handed the training part alone, it offers still what a request names of the other.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np

from workbench.data import Histories, Interactions
from workbench.errors import ConfigError, ModelError
from workbench.recommend.saving import load_arrays, load_model, save_arrays
from workbench.settings import Frozen
from workbench.unlearning.requests import Request


class Tombstone:
    """A model behind a filter.

    hidden: codes u · n_items + i of the pairs that are not offered, ascending.

    >>> Method("tombstone", tombstone, prepare=buried)  # doctest: +SKIP
    """

    def __init__(self, model: Any) -> None:
        self.model, self.hidden = model, np.zeros(0, np.int64)

    @property
    def bound(self) -> str | None:
        """The indexes of the model behind."""
        return self.model.bound

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Fit the model behind; stones stay."""
        self.model.fit(log)
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores of the model behind, −inf where a stone lies."""
        scores = np.array(self.model.score(histories))
        codes = histories.user.astype(np.int64)[:, None] * histories.n_items
        codes = codes + np.arange(histories.n_items)
        scores[np.isin(codes, self.hidden)] = -np.inf
        return scores

    def bury(self, users: np.ndarray, items: np.ndarray, n_items: int) -> Self:
        """Hide pairs, in place."""
        codes = np.asarray(users, np.int64) * n_items + items
        self.hidden = np.union1d(self.hidden, codes)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        own = copy.copy(self)
        own.model = self.model.copy()
        return own

    def save(self, folder: Path) -> None:
        """Write stones and the model behind, whole or not at all."""
        parts = {"behind": self.model}
        save_arrays(folder, "Tombstone", Frozen(), {"hidden": self.hidden}, self.bound, parts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for a damaged or another model."""
        _, arrays = load_arrays(folder, "Tombstone", Frozen, ("hidden",))
        own, hidden = cls(load_model(Path(folder, "behind"))), arrays["hidden"]
        if hidden.dtype != np.int64 or hidden.ndim != 1 or (np.diff(hidden) <= 0).any():
            what, want = f"hidden is {hidden.dtype}{hidden.shape}", "ascending codes of pairs"
            raise ModelError(what, str(folder), want, "save the model again")
        own.hidden = hidden
        return own


def buried(base: Any, log: Interactions) -> Tombstone:
    """The base behind a filter, nothing hidden yet: `prepare` of a method."""
    return Tombstone(base.copy())


def tombstone(
    model: Any, before: Interactions, request: Request, config: None = None, seed: int = 0
) -> dict[str, Any]:
    """Hide what was removed and is held no more: of the rows of the request those in `before`, as no
    item of others is known. Raises `ConfigError` for a model without filter.

    Notes: hidden (pairs so far).
    """
    if not isinstance(model, Tombstone):
        do = "Method('tombstone', tombstone, prepare=buried)"
        raise ConfigError(f"a {type(model).__name__}", "tombstone", "a Tombstone", do)
    gone = request.removed(before).frame
    held = request.remaining(before).matrix()
    users, items = gone["user"].to_numpy(), gone["item"].to_numpy()
    left = np.asarray(held[users, items]).ravel() > 0
    model.bury(users[~left], items[~left], before.n_items)
    return {"hidden": len(model.hidden), "guarantee": "none"}
