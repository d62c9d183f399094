"""SISA: shards that never met each other's people; only those of the leavers are fitted anew.

    score(u) = that of the shard of u (models with vectors of users), else the mean over shards of (s − s̄) / sd(s)

Bourtoule et al., Machine Unlearning, S&P 2021: sharded, isolated, sliced, aggregated; here without
slices. The partition is drawn from a seed and the number of users alone, so that it tells nothing
of a row: the result *is* what the same shards fitted on the remaining rows would be. Partitions by what
people like (RecEraser, UltraRE) are exact only given themselves. A shard sees a part of the people and
is a worse model; requests of many people hit all shards, and then nothing is saved.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field

from workbench.data import Histories, Interactions
from workbench.errors import ModelError
from workbench.recommend.protocol import check_items, fitted, fitted_copy
from workbench.recommend.saving import load_arrays, load_model, save_arrays, saved_bound
from workbench.settings import Frozen


class SisaConfig(Frozen):
    """How people are spread."""

    shards: int = Field(default=4, ge=2)
    """Parts, about equal in people."""
    seed: int = Field(default=0, ge=0)
    """Who is in which part."""


class Sisa:
    """Copies of one model, each fitted on some of the people; a recommender that forgets exactly.

    It keeps the log, as it has to fit shards anew: one more place where rows are, in its folder too
    (`rows/rows.parquet`, by user and item code).

    >>> Sisa(BPR()).fit(log).forget(log.only(ids))  # doctest: +SKIP
    """

    def __init__(self, model: Any, config: SisaConfig | None = None) -> None:
        self.model, self.config = model, config or SisaConfig()
        self.shards: list[Any] | None = None
        self.log: Interactions | None = None
        self.bound: str | None = ""  # the indexes that the shards were fitted for

    def shard_of(self, users: np.ndarray, n_users: int) -> np.ndarray:
        """The number of the shard of each user code."""
        drawn = np.random.default_rng(self.config.seed).permutation(n_users) % self.config.shards
        return drawn[users]

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Fit every shard on the rows of its people; `valid` is not used."""
        self.log, self.shards = log, [None] * self.config.shards
        self.bound = log.index_fingerprint
        self._refit(range(self.config.shards))
        return self

    def forget(self, removed: Interactions) -> Self:
        """Fit the shards anew that had a row of these; equals a fit on what remains."""
        fitted(self.shards, self)
        check_items(removed, self.log.n_items, self.bound, Interactions, True)
        # a model that was read from a folder has codes only: the names are those of the request
        log = Interactions(self.log.frame, removed.users, removed.items)
        self.log = log.without(removed.frame["interaction"])
        users = removed.frame["user"].to_numpy()
        self._refit(np.unique(self.shard_of(users, self.log.n_users)))
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Of the shard of each user, or the mean of all shards' standard scores."""
        shards = fitted(self.shards, self)
        if not getattr(self.model, "per_user", None):
            return np.mean([_standard(shard.score(histories)) for shard in shards], axis=0)
        scores = np.empty((len(histories), histories.n_items))
        owner = self.shard_of(histories.user, self.log.n_users)
        for number in np.unique(owner):
            rows = np.flatnonzero(owner == number)
            scores[rows] = shards[number].score(histories.select(rows))
        return scores

    def copy(self) -> Self:
        """A copy that shares shards, as they are never changed in place."""
        own = copy.copy(self)
        own.shards = list(self.shards) if self.shards else self.shards
        return own

    def save(self, folder: Path) -> None:
        """Write shards and rows into a folder, whole or not at all."""
        parts = {f"shard-{k}": shard for k, shard in enumerate(fitted(self.shards, self))}
        shape = {"shape": np.array([self.log.n_users, self.log.n_items])}
        parts |= {"rows": _Rows(self.log.frame)}
        save_arrays(folder, "Sisa", self.config, shape, self.bound, parts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for a damaged or another model."""
        config, arrays = load_arrays(folder, "Sisa", SisaConfig, ("shape",))
        shards = [load_model(Path(folder, f"shard-{k}")) for k in range(config.shards)]
        own = cls(type(shards[0])(shards[0].config), config)
        try:
            names = [pd.RangeIndex(int(n)) for n in arrays["shape"]]
            own.log = Interactions(pd.read_parquet(Path(folder, "rows", "rows.parquet")), *names)
        except (OSError, ValueError, TypeError) as error:
            do = "save the model again"
            raise ModelError(f"no rows ({error})", str(folder), "a saved Sisa", do) from error
        own.shards, own.bound = shards, saved_bound(folder)
        return own

    def _refit(self, numbers: Any) -> None:
        owner = self.shard_of(self.log.frame["user"].to_numpy(), self.log.n_users)
        for number in numbers:
            self.shards[number] = fitted_copy(self.model, self.log.select(owner == number))


class _Rows:
    """Rows of a log as a part of a saved model."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def save(self, folder: Path) -> None:
        folder.mkdir()
        self.frame.to_parquet(folder / "rows.parquet", index=False)


def _standard(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    spread = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)


def sharded(base: Any, log: Interactions, config: SisaConfig | None = None) -> Sisa:
    """Shards of the base's kind, fitted: `prepare` of a method whose algorithm is `exact`."""
    return Sisa(base.copy(), config).fit(log)
