"""How a model of two methods forgets: by a fit on what remains."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from workbench.data import Histories, Interactions
from workbench.recommend.protocol import check_kind, fitted, fitted_copy, must_offer


class ByRefit:
    """A model of two methods, `fit` and `score`, that forgets by a fit on what remains: exact
    wherever a second fit is the same, and as slow as one.

    >>> ByRefit(mine).fit(log).forget(log.only([17, 18])).score(log.histories())  # doctest: +SKIP
    """

    def __init__(self, model: Any) -> None:
        must_offer(model, "fit", "score")
        self.model, self.log = model, None

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Fit a copy of the model."""
        self.model, self.log = fitted_copy(self.model, log, valid), log
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """The model's own scores."""
        return self.model.score(histories)

    def copy(self) -> Self:
        """An independent copy: nothing in it is changed in place."""
        return copy.copy(self)

    def forget(self, removed: Interactions) -> Self:
        """Fit a copy on the log without these rows."""
        return self.fit(fitted(self.log, self).without(removed.frame["interaction"]))


def forgetting(model: Any, log: Interactions) -> Any:
    """A model that takes rows out: itself, or, where it has no `forget`, one fitted anew on `log`, and
    after every request. Raises `ConfigError` for what is no log or no model."""
    check_kind(log, Interactions)
    must_offer(model, "fit", "score")
    return model if hasattr(model, "forget") else ByRefit(model).fit(log)
