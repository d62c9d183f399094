"""Popularity: score(u, i) = c_i, the number of users who have item i. The same list for
everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.data import Histories, Interactions
from workbench.recommend.cells import Cells, check_items, fitted, shared_out
from workbench.recommend.saving import csr_from, csr_parts, load_arrays, save_arrays


class PopularityConfig(BaseModel):
    """Popularity has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Popularity:
    """Count users per item. Forgetting is subtraction, exact in integers."""

    def __init__(self, config: PopularityConfig | None = None) -> None:
        self.config = config or PopularityConfig()
        self.cells: Cells | None = None

    def __repr__(self) -> str:
        return "Popularity()"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Count; `valid` is not used."""
        self.cells = Cells.of(log)
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """The counts, once per history; float64 (B, n_items)."""
        counts = fitted(self.cells, self).matrix.sum(axis=0)
        check_items(histories, len(counts))
        return np.tile(np.asarray(counts, dtype=np.float64), (len(histories), 1))

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """[row, item, interaction, weight], every weight 0: the score reads no history, only
        everybody's counts."""
        return shared_out(histories, items, lambda targets, at: np.zeros(len(targets)))

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals a refit exactly. Raises `DataError` and changes nothing
        if it cannot."""
        self.cells, _ = fitted(self.cells, self).without(removed)
        return self

    def copy(self) -> Self:
        """An independent copy (cells are never changed in place, so they are shared)."""
        twin = type(self)(self.config)
        twin.cells = self.cells
        return twin

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        save_arrays(
            folder, "Popularity", self.config, csr_parts(fitted(self.cells, self).counts, "cells")
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, arrays = load_arrays(folder, "Popularity", PopularityConfig, ("cells.data",))
        model = cls(config)
        model.cells = Cells(csr_from(arrays, "cells"))
        return model
