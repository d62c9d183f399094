"""What the laws of recommenders share: a fitted model, its log, and what counts as equal."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.laws import NotOffered


def small_log(seed: int = 0, users: int = 24, items: int = 16, rows: int = 320) -> Interactions:
    """A random log with times, sessions, baskets, actions, repeats, and an item and a user that
    have no row."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"user": np.sort(np.r_[np.arange(users - 1).repeat(4), rng.integers(0, users - 1, rows)])}
    )
    n = len(frame)
    frame["item"] = np.minimum(rng.geometric(0.2, n) - 1, items - 2)
    at = frame.groupby("user").cumcount().to_numpy()
    frame["basket"] = frame["session"] = frame["user"] * 1000 + at // 3
    frame["time"] = 1_700_000_000 + (at // 3) * 86_400 + (at % 3) * 60 + frame["user"]
    frame["action"] = rng.choice(["view", "cart", "purchase"], n)
    names = {"timestamp": "time", "action": "action", "session": "session", "basket": "basket"}
    return Interactions.from_table(
        frame, **names, users=pd.Index(range(users)), items=pd.Index(range(items))
    )


@dataclass(frozen=True)
class Bench:
    """What laws share: one fitted model that no law changes, the log, and histories with at least
    one row."""

    make: Callable[[], Any]
    log: Interactions
    seed: int
    partial: bool
    fits: int

    @cached_property
    def model(self) -> Any:
        return self.fitted(self.log)

    @cached_property
    def histories(self) -> Histories:
        return self.log.histories(np.unique(self.log.frame["user"])[:64])

    @cached_property
    def scores(self) -> np.ndarray:
        return np.asarray(self.model.score(self.histories)).copy()

    @cached_property
    def other(self) -> Interactions:
        """Another log with the same indexes: half of the rows."""
        return self.log.select(np.random.default_rng(self.seed).random(len(self.log)) < 0.5)

    @cached_property
    def removed(self) -> Interactions:
        """All rows of the first history."""
        return self.log.only(self.histories.interaction[self.histories.row(0)])

    @cached_property
    def drawn(self) -> str | None:
        """How a second scoring by the same model differs."""
        return far(np.asarray(self.model.score(self.histories)), self.scores)

    @cached_property
    def drawn_in_fit(self) -> str | None:
        """How the scores of a second fit on the same log differ."""
        return far(np.asarray(self.fitted(self.log).score(self.histories)), self.scores)

    def lean(self, fits: bool = False) -> None:
        """Ask no law that compares two scorings, or two fits, of a model that is not the same
        twice: what it found would be the fault that "same again" names."""
        if self.drawn or (fits and self.drawn_in_fit):
            twice = "fits" if not self.drawn else "scorings"
            raise NotOffered(f'equal scores from two {twice}, see the law "same again"')

    def fitted(self, log: Interactions) -> Any:
        model = self.make()
        model.fit(apart(log))
        return model

    def differs(
        self, model: Any, histories: Histories | None = None, want: np.ndarray | None = None
    ) -> str | None:
        """How a model's scores differ from the wanted ones, beyond rounding."""
        self.lean()
        found = np.asarray(model.score(self.histories if histories is None else histories))
        return far(found, self.scores if want is None else want)

    def numbers(self, scores: np.ndarray) -> np.ndarray:
        """Which scores are numbers, or the −inf of an item that is not offered."""
        return np.isfinite(scores) | (np.isneginf(scores) & self.partial)


def reloaded(model: Any) -> Any:
    """What is read of a model that was saved."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        return type(model).load(Path(folder, "model"))


def apart(log: Interactions) -> Interactions:
    """A log of its own: what a model writes into it reaches nobody else."""
    return replace(log, frame=log.frame.copy())


def far(found: np.ndarray, want: np.ndarray, of: np.ndarray | None = None) -> str | None:
    """What differs beyond rounding: 1e-9 of the largest score, 1e-4 in float32, which numbers may be
    though they are handed over in float64; −inf is equal to −inf alone.

    of: the numbers that both were made of, where those tell their kind."""
    if found.shape != want.shape:
        return f"shape {found.shape} in place of {want.shape}"
    left_out = np.isneginf(want)
    if not np.array_equal(np.isneginf(found), left_out):
        return "scores of −inf for other items"
    found, want = found[~left_out], want[~left_out]
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    most = float(np.abs(found.astype(float) - want.astype(float)).max(initial=0)) / scale
    kinds = found, want, want if of is None else of
    kind = "float32" if any(map(_single, kinds)) else "float64"
    bound = {"float64": 1e-9, "float32": 1e-4}[kind]
    told = f"scores that differ by {most:.2g} of the largest ({kind}: {bound:g} is rounding)"
    return None if most <= bound else told


def _single(scores: np.ndarray) -> bool:
    """Whether these are float32 numbers; whole ones may be of any kind."""
    if scores.dtype != np.float64:
        return True
    short = scores.astype(np.float32)
    return bool((short == scores).all() and (short % 1 != 0).any())
