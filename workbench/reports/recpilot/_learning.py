"""One step of a rubric: from the weights before a purchase to those after it.

    paper_exact   w ← w + δ · 1_D,  D the aspect that ranked the purchase best      boosts overwrite, as in the paper
    normalised    the same, then divided by its sum
    damped        w ← (1 − η) w + η (start + Σ_D (NDCG_D − chance) · 1_D)           all aspects, by what they gain
    logit         w ← w + η (s_bought − Σ_i p_i s_i),  p = softmax(s · w)            one step of a conditional logit

The last is no part of the paper: it is what a choice by weighted attributes asks for, the yardstick.
Who presses *cheaper, please* says what they weigh: w ← w + δ · 1_price, as if that aspect had won.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from workbench.reports.recpilot._visible import Candidates
from workbench.reports.recpilot.aspects import (
    ATTRIBUTES,
    DELTA,
    aspect_scores,
    aspects_of,
    chance,
    gains,
)
from workbench.settings import Frozen

START = np.full(len(ATTRIBUTES), 1.0 / len(ATTRIBUTES))
"""Weights of somebody who bought nothing; the paper does not say (ours)."""
Mode = Literal["paper_exact", "normalised", "damped", "logit"]


class RubricConfig(Frozen):
    """Settings of a rubric."""

    mode: Mode = "damped"
    """How a purchase moves the weights."""
    candidates: Candidates = "category"
    """What a purchase is held against: the products of its category, or of its kind."""
    most: PositiveInt = 500
    """Products beside a purchase at most: nobody compared more, and nothing is learnt from it."""
    rate: float = Field(default=0.05, gt=0, le=1)
    """η of damped and logit: what is kept of the weights fades after some 1/η purchases if damped."""
    delta: NonNegativeFloat = DELTA
    """δ: what an aspect adds to the weights of its attributes."""
    largest: int = Field(default=2, ge=1, le=len(ATTRIBUTES))
    """Attributes of an aspect at most."""


class Seen(NamedTuple):
    """What one step learns from: scores (n_candidates, n_attributes) and which was bought."""

    scores: np.ndarray
    chosen: int


class Asked(NamedTuple):
    """A step of another sort: the shopper asked for more of one attribute, by its place."""

    attribute: int


Lesson = Seen | Asked | None
"""What a step teaches: a choice, a wish, or nothing."""


class Learnt(NamedTuple):
    """What steps made of the start: weights (n_steps + 1, n_attributes), and the NDCG of every
    aspect before each step, (n_steps, n_aspects)."""

    weights: np.ndarray
    aspects: np.ndarray


def learn(steps: Sequence[Lesson], config: RubricConfig) -> Learnt:
    """Weights after each step in turn; NDCG are NaN where nothing was chosen."""
    aspects, update = aspects_of(config.largest), MODES[config.mode]
    weights, told = [START], np.full((len(steps), len(aspects)), np.nan)
    for place, seen in enumerate(steps):
        w = weights[-1]
        if isinstance(seen, Asked):
            w = w + config.delta * (np.arange(len(w)) == seen.attribute)
        elif seen is not None:
            # every aspect's ranking under the weights before, all at once
            told[place] = gains(aspect_scores(w, seen.scores, aspects, config.delta), seen.chosen)
            w = update(w, told[place], seen, aspects, config)
        weights.append(w)
    return Learnt(np.stack(weights), told)


def _paper_exact(
    w: np.ndarray, told: np.ndarray, seen: Seen, aspects: np.ndarray, config: RubricConfig
) -> np.ndarray:
    # of equal aspects the first, which is the smaller one
    best = aspects[np.argmax(np.round(told, 12))]
    return w + config.delta * best


def _normalised(
    w: np.ndarray, told: np.ndarray, seen: Seen, aspects: np.ndarray, config: RubricConfig
) -> np.ndarray:
    moved = _paper_exact(w, told, seen, aspects, config)
    return moved / moved.sum()


def _damped(
    w: np.ndarray, told: np.ndarray, seen: Seen, aspects: np.ndarray, config: RubricConfig
) -> np.ndarray:
    gained = (told - chance(len(seen.scores))) @ aspects
    return (1 - config.rate) * w + config.rate * (START + gained)


def _logit(
    w: np.ndarray, told: np.ndarray, seen: Seen, aspects: np.ndarray, config: RubricConfig
) -> np.ndarray:
    utility = seen.scores @ w
    p = np.exp(utility - utility.max())
    expected = p @ seen.scores / p.sum()
    return w + config.rate * (seen.scores[seen.chosen] - expected)


MODES: dict[str, Callable[..., np.ndarray]] = {
    "paper_exact": _paper_exact,
    "normalised": _normalised,
    "damped": _damped,
    "logit": _logit,
}
