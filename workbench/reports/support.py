"""Support by deletion: which rows carry a score that does not come as a sum over rows.

    effect of a unit u  =  mean over draws d of  s(history; d) − s(history without u; d)
    weight of a row     =  max(effect of its unit, 0) / rows of the unit,  normalised to sum 1

The same random numbers d on both sides (common random numbers), so that what the draws do to both
cancels. What does not cancel is the noise floor: with U units and D draws, the standard error of an
effect, pooled over units, times the Student t that not one of U units without effect passes in
95 % of all cases. Units below it carry nothing. Two rows that stand in for each other carry nothing
either: leaving out one of them changes nothing. That is a limit of the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from workbench.data import Histories
from workbench.data.histories import places
from workbench.errors import DataError, typed

ERROR = 0.05
"""Chance that any unit without effect passes the floor."""
ROUNDING = 100
"""An effect below so many rounding steps of the largest score is none."""


@dataclass(frozen=True)
class Deletion:
    """What one history's score loses when parts of it are left out.

    effects: what each row stands for, signed, 0 below the floor: its unit's effect over the unit's
    rows; (n_rows,), or (m, n_rows) where m scores were asked for. floor: a number, or (m,).
    """

    interaction: np.ndarray
    unit: np.ndarray
    effects: np.ndarray
    floor: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Non-negative shares, the shape of `effects`: they sum to 1, or to 0 where no unit passes
        the floor."""
        raised = np.maximum(self.effects, 0.0)
        total = raised.sum(axis=-1, keepdims=True)
        return np.divide(raised, total, out=np.zeros_like(raised), where=total > 0)

    def to_frame(self) -> pd.DataFrame:
        """[interaction, unit, effect, weight, floor], for a single score."""
        columns = {"interaction": self.interaction, "unit": self.unit, "effect": self.effects}
        return pd.DataFrame(columns | {"weight": self.weights, "floor": float(self.floor)})

    def __repr__(self) -> str:
        floor = np.max(self.floor, initial=0.0)
        units = len(np.unique(self.unit))
        some = self.effects.reshape(-1, len(self.unit)).any(axis=0)
        above = f"{some.sum()} of {len(self.unit)} rows above it"
        return f"Deletion({units} units; noise floor {floor:.3g}, {above})"


@typed
def by_deletion(
    score: Callable[[Histories, int], np.ndarray],
    history: Histories,
    unit: str = "session",
    draws: int = 1,
    seed: int = 0,
) -> Deletion:
    """Support of a score by leaving one unit of the history out at a time.

    score(histories, seed): (B,) or (B, m), one row a history; a scorer that draws takes its random
    numbers from `seed` alone, the same for every history. unit: "session", "item" (all rows of a
    product) or "interaction". draws: seeds, from `seed` on; one is enough for a scorer that does
    not draw. Raises `DataError` for a scorer that draws when it is given one seed, for another
    unit, and for histories that do not say their sessions.

    >>> by_deletion(lambda histories, seed: histories.counts() @ weights, history)  # doctest: +SKIP
    Deletion(14 units; noise floor 2.2e-14, 31 of 44 rows above it)
    """
    if len(history) != 1:
        raise DataError("more than one history", "by_deletion", "log.histories([user])")
    labels = _labels(history, unit)
    units, member = np.unique(labels, return_inverse=True)
    # the whole history first, then a copy without each unit
    left_out = np.arange(-1, len(units))
    parts = history.parts(member[None, :] != left_out[:, None])
    scores = np.stack([np.asarray(score(parts, seed + draw)) for draw in range(draws)])
    rounding = _rounding(scores)
    if draws == 1 and (np.abs(score(history, seed + 1)[0] - scores[0, 0]) > rounding).any():
        raise DataError("the scorer draws random numbers", "draws", "two or more", "pass draws=16")
    # (draws, units) or (draws, units, m); nothing is lost where a scorer cannot answer
    lost = np.nan_to_num(scores[:, :1].astype(np.float64) - scores[:, 1:])
    floor = np.maximum(_noise(lost), rounding)
    effect = lost.mean(axis=0)
    effect = np.where(np.abs(effect) > floor, effect, 0.0)
    # a unit's effect is shared equally among its rows
    share = effect.T / np.bincount(member, minlength=len(units))
    return Deletion(history.interaction, labels, share[..., member], floor)


def _labels(history: Histories, unit: str) -> np.ndarray:
    """The unit of each row; a row without session is one of its own."""
    if unit == "interaction":
        return history.interaction
    if unit == "item":
        return history.item
    if unit != "session":
        raise DataError(f"unit {unit!r}", "by_deletion", "session, item or interaction")
    if history.session is None:
        raise DataError("no sessions", "by_deletion", "histories taken from a log")
    return np.where(history.session >= 0, history.session, -1 - history.interaction)


def _noise(lost: np.ndarray) -> np.ndarray:
    """The noise floor of the mean over draws, from lost (draws, units, …); 0 with one draw."""
    draws, units = lost.shape[:2]
    if draws < 2 or not units:
        return np.zeros(lost.shape[2:])
    variance = lost.var(axis=0, ddof=1).mean(axis=0)
    quantile = stats.t.ppf(1 - ERROR / (2 * units), df=units * (draws - 1))
    return quantile * np.sqrt(variance / draws)


def _rounding(scores: np.ndarray) -> np.ndarray:
    """What rounding alone may do to scores (draws, units + 1, …) of their type: in proportion to
    the largest of all targets, as a sum whose terms cancel is as coarse as its terms are."""
    step = np.finfo(scores.dtype).eps if scores.dtype.kind == "f" else 0.0
    largest = np.nan_to_num(np.abs(scores)).max(initial=0.0)
    return np.full(scores.shape[2:], ROUNDING * step * largest)


def by_rows(model: Any, history: Histories, items: np.ndarray) -> np.ndarray:
    """What each row of one history adds to the score of each item, (n_items, n_rows), from a model
    with `contributions`; items sorted."""
    table = model.contributions(history, items[None, :])
    row = np.searchsorted(items, table["item"])
    column = places(table["interaction"].to_numpy(), history.interaction)
    weights = np.zeros((len(items), len(history.item)))
    np.add.at(weights, (row, column), table["weight"].to_numpy())
    return weights
