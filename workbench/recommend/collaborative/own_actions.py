"""EASE + own actions (a rule, ours): what people with such a history have, and what one did oneself
with a product, lately above all.

    score(x)_i = EASE(x)_i + share · Σ_{rows r of i} growth^rank(action_r) · exp(−visits_r / decay)

rank: view 0, favourite 1, cart 2, purchase 3 (`FUNNEL`), 0 for actions that have none; visits_r:
visits between row r and the last one. A row without a session is a visit of its own. The second part
reads the history alone and holds nothing of anybody, so all memory is EASE's: forgetting is exact as
there. On products that one never touched the list is EASE's.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import NonNegativeFloat, PositiveFloat

from workbench.data import FUNNEL, Histories, Interactions
from workbench.errors import ModelError
from workbench.recommend.bound import Bound
from workbench.recommend.cells import contribution_table
from workbench.recommend.collaborative.ease import EASE, EASEConfig
from workbench.recommend.protocol import fitted
from workbench.recommend.saving import load_arrays, save_arrays, saved_bound
from workbench.settings import Frozen


class OwnActionsConfig(Frozen):
    """Settings of EASE + own actions."""

    ease: EASEConfig = EASEConfig()
    """Settings of EASE."""
    share: NonNegativeFloat = 0.1
    """What a view in the last visit adds to the score of its product; 0 leaves EASE."""
    growth: PositiveFloat = 2.0
    """How many times the step before a step of the funnel counts: view 1, favourite 2, cart 4,
    purchase 8."""
    decay: PositiveFloat = 8.0
    """Visits after which a row counts 1/e."""


class OwnActions(Bound):
    """EASE, and what the shopper did with each product.

    >>> OwnActions().fit(log).forget(log.only([17, 18])).score(log.histories())  # doctest: +SKIP
    """

    Config = OwnActionsConfig
    repeats = True
    others: EASE

    def __init__(self, config: OwnActionsConfig | None = None, **fields: object) -> None:
        super().__init__(config, **fields)
        self.others = EASE(self.config.ease)

    def __repr__(self) -> str:
        c = self.config
        return self._named(f"l2={c.ease.l2:g}", f"share={c.share:g}", f"decay={c.decay:g}")

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Solve EASE; `valid` is not used. Raises `TooLarge` before anything is allocated."""
        self.others.fit(log)
        self.bound = self.others.bound
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """EASE's scores and the own ones; float64 (B, n_items)."""
        return self.others.score(histories) + self._own(histories)

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight]: what EASE says of each row, and the row's own action
        where it is on the item; sums to the score."""
        table = self.others.contributions(histories, items)
        weights = self._weights(histories)

        def own(i: np.ndarray, at: np.ndarray) -> np.ndarray:
            return np.where(histories.item[at] == i, weights[at], 0.0)

        # the same rows in the same order, each row's own weight
        table["weight"] += contribution_table(histories, items, own, shared=False)["weight"]
        return table

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit up to rounding. Raises `DataError` and changes
        nothing if it cannot."""
        self.others.forget(removed)
        return self

    def score_without(
        self, removed: Interactions, histories: Histories, scores: np.ndarray | None = None
    ) -> np.ndarray:
        """What `score(histories)` would be after `forget(removed)`; changes nothing. scores: what
        `score(histories)` is now."""
        own = self._own(histories)
        now = None if scores is None else scores - own
        return self.others.score_without(removed, histories, now) + own

    def copy(self) -> Self:
        """An independent copy."""
        twin = copy.copy(self)
        twin.others = self.others.copy()
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        fitted(self.others.cells, self)
        held, parts = {"parts": np.ones(1)}, {"others": self.others}
        save_arrays(folder, "OwnActions", self.config, held, self.bound, parts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for a damaged or another model."""
        config, _ = load_arrays(folder, "OwnActions", cls.Config, ("parts",))
        model = cls(config)
        model.others, model.bound = EASE.load(Path(folder, "others")), saved_bound(folder)
        if model.bound is None:
            # an old folder names no log, and neither does its EASE
            model.others.bound = None
        if (model.others.config, model.others.bound) != (config.ease, model.bound):
            do = "save the model again"
            raise ModelError("EASE of another fit", str(folder), "the one it was saved with", do)
        return model

    def _own(self, histories: Histories) -> np.ndarray:
        """What the shopper did with each product, (B, n_items)."""
        found = np.zeros((len(histories), histories.n_items))
        np.add.at(found, (histories.rows, histories.item), self._weights(histories))
        return found

    def _weights(self, histories: Histories) -> np.ndarray:
        """What each row (N,) adds to the score of its product."""
        c = self.config
        strength = c.growth ** np.array([FUNNEL.get(name, 0) for name in histories.actions] or [0])
        return c.share * strength[histories.action] * np.exp(-histories.ago / c.decay)
