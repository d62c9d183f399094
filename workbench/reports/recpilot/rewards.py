"""What an imagined visit earns (RecPilot, arXiv 2603.07605, equations 3 to 7), held against the visit
that took place.

    R_O = |B̂ ∩ B| / |B̂|                              B̂: what it buys, B: what was bought, as sets
    R_P = 1/|V̂| Σ_{v̂ ∈ V̂} max_{v ∈ V} cos(e_v̂, e_v)   V̂, V: products of the visit, as sets
    R_L = exp(−μ |L̂ − L|)                            L: rows of the visit
    R_F = −1 where the visit breaks the grammar, else 0
    r   = R_O + R_P + R_L + R_F                       each can be switched off

The paper's visits end in one purchase, and R_O asks whether it is the right one; here a visit may buy
several, and more purchases buy nothing. As sets, R_P gains nothing from one product looked at ten
times. The paper's R_F knows two faults; ours is any that the grammar knows.

Logged beside, never rewarded: `recall`, R_P from the other side (is what was visited imagined?), and
`unseen`, R_P by visits in common, which no term of the reward has seen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import PositiveFloat

from workbench.errors import ModelError
from workbench.reports.recpilot._held import Held
from workbench.reports.recpilot.grammar import Vocabulary
from workbench.settings import Frozen

TERMS = ("outcome", "process", "length", "format")
"""What is rewarded: R_O, R_P, R_L, R_F."""
BESIDE = ("recall", "unseen")
"""What is only logged."""


class RewardConfig(Frozen):
    """Which terms are rewarded. All are measured, whatever is switched off."""

    outcome: bool = True
    """R_O: what it buys was bought."""
    process: bool = True
    """R_P: what it looks at is like what was looked at."""
    length: bool = True
    """R_L: it is as long."""
    format: bool = True
    """R_F: it keeps to the grammar."""
    rate: PositiveFloat = 0.2
    """μ: how fast R_L falls with each row too many or too few."""


@dataclass(frozen=True)
class Rewards:
    """Rewards by the item vectors of one model.

    vectors: (n_items, d), those of the frozen supervised model. unseen: (n_items, m), of which the
    reward knows nothing, see `covisits`.

    >>> Rewards(vectors, vocabulary).terms(drawn, real)["outcome"]  # doctest: +SKIP
    array([[1., 0.]])
    """

    vectors: np.ndarray = field(repr=False)
    vocabulary: Vocabulary = field(repr=False)
    config: RewardConfig = field(default_factory=RewardConfig)
    unseen: np.ndarray | None = field(default=None, repr=False)

    def terms(
        self, drawn: np.ndarray, real: np.ndarray, users: Sequence[object] = ()
    ) -> dict[str, np.ndarray]:
        """Every term, rewarded or not, (n, G) each.

        drawn: tokens of G visits imagined for each of n shoppers, (n, G, T). real: those of their
        visits, (n, T'). users: what the shoppers are called. Raises `ModelError` with shopper and
        term where a reward is not a number.
        """
        # what each visit holds
        n, group, _ = drawn.shape
        flat = Held.of(drawn.reshape(n * group, -1), self.vocabulary)
        visits = Held(*(part.reshape(n, group, *part.shape[1:]) for part in flat))
        true = Held.of(real, self.vocabulary)
        # purchase, length and grammar: all visits at once
        hits = (visits.bought & true.bought[:, None]).sum(axis=2)
        found = {
            "outcome": hits / np.maximum(visits.bought.sum(axis=2), 1),
            "length": np.exp(-self.config.rate * np.abs(visits.rows - true.rows[:, None])),
            "format": visits.valid - 1.0,
        }
        # likeness, shopper by shopper, from both sides; and by what the reward has not seen
        both = zip(visits.seen, true.seen, strict=True)
        near = [max_sims(seen, held, self.vectors) for seen, held in both]
        found["process"], found["recall"] = (np.stack(side) for side in zip(*near, strict=True))
        if self.unseen is not None:
            both = zip(visits.seen, true.seen, strict=True)
            found["unseen"] = np.stack([max_sims(*one, self.unseen)[0] for one in both])
        _check_numbers(found, users)
        return found

    def total(self, terms: dict[str, np.ndarray], without: Collection[str] = ()) -> np.ndarray:
        """What is earned, the sum of what is switched on, (n, G); without: terms left out all the
        same."""
        kept = [name for name in TERMS if getattr(self.config, name) and name not in without]
        return sum((terms[name] for name in kept), np.zeros_like(terms["outcome"]))


def max_sims(
    seen: np.ndarray, true: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Max-sim of each of G sets, (G, n_items) of booleans, and one set, (n_items,): how like the
    one the products of each are, and the other way round; (G,) each, 0 for an empty set.

    >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> one, other = max_sims(np.eye(3, dtype=bool)[[0]], np.array([False, True, True]), vectors)
    >>> one.round(2).tolist(), other.round(2).tolist()
    ([0.6], [0.3])
    """
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = vectors / size
    # a product without a direction is like nothing, which is no number: asked for, it is told of
    alike = unit[true] @ unit.T
    some = seen.any(axis=1)
    held = np.where(seen[:, None], alike, -np.inf)
    recall = np.where(some, np.where(some[:, None], held.max(axis=2), 0.0).mean(axis=1), 0.0)
    best = np.where(seen, alike.max(axis=0), 0.0).sum(axis=1)
    return best / np.maximum(seen.sum(axis=1), 1), recall


def _check_numbers(found: dict[str, np.ndarray], users: Sequence[object]) -> None:
    """Raise `ModelError` for the first reward that is none."""
    for name, values in found.items():
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            n, g = wrong[0]
            who = users[n] if len(users) else f"number {n + 1}"
            what = f"{name} of visit {g + 1} of shopper {who} is {values[n, g]}"
            do = "look for item vectors that are 0 or no numbers"
            raise ModelError(what, "reward", "a number", do)
