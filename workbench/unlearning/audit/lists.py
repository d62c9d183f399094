"""Are people served the list that a retrain would serve them?

    overlap@k = |A ∩ B| / k
    RBO = (1 − p) Σ_{d ≥ 1} p^{d−1} |A_{:d} ∩ B_{:d}| / d                       1: the same list
    seen to depth k:  RBO_ext = X_k/k · p^k + (1 − p)/p · Σ_{d ≤ k} X_d/d · p^d,   X_d = |A_{:d} ∩ B_{:d}|

Webber, Moffat & Zobel, A Similarity Measure for Indefinite Rankings, TOIS 2010, eq. 30 (equal lengths):
agreement at depth k goes on beyond it. Two retrains do not serve one list either: hence the null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.unlearning.audit._asked import Models, others, served
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._pairs import of_pairs
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.scenarios import Scenario

P = 0.9
"""Persistence: of the weight 86 % lies on the first ten places."""


def agreements(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|A_{:d} ∩ B_{:d}| for d from 1 to k; (B, k). Lists (B, k) of codes, −1 where one has ended."""
    same = (one[:, :, None] == other[:, None, :]) & (one >= 0)[:, :, None]
    # a shared item counts from the depth at which both lists have reached it
    place = np.arange(one.shape[1])
    depth = np.maximum(place[:, None], place[None, :])
    counts = [(same & (depth == d)).sum(axis=(1, 2)) for d in place]
    return np.cumsum(np.stack(counts, axis=1), axis=1)


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Share of k that two lists have in common; (B,).

    >>> overlap(np.array([[1, 2]]), np.array([[2, 3]])).tolist()
    [0.5]
    """
    return agreements(one, other)[:, -1] / one.shape[1]


def rank_biased_overlap(one: np.ndarray, other: np.ndarray, p: float = P) -> np.ndarray:
    """RBO of two lists, extrapolated from what is seen of them; (B,), 0 to 1.

    >>> rank_biased_overlap(np.array([[1, 2, 3]]), np.array([[1, 2, 3]])).round(9).tolist()
    [1.0]
    """
    depth = np.arange(1, one.shape[1] + 1)
    share = agreements(one, other) / depth
    return share[:, -1] * p ** depth[-1] + (1 - p) / p * (share @ p**depth)


def list_overlap(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    k: int = 10,
    seed: int = 0,
) -> Audit:
    """Overlap@k and RBO with retrains, of leavers and of at most 200 others; intervals draw people.

    >>> list_overlap({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    groups = {"leavers": scenario.leavers(done), "others": others(scenario, done, seed)}
    kinds = {f"overlap@{k}": overlap, "RBO": rank_biased_overlap}
    parts = []
    for group, users in groups.items():
        people = scenario.task.people[users]
        values = {name: served(some, scenario, done, users, k) for name, some in models.items()}
        again = served(retrained, scenario, done, users, k)
        # who is served nothing by some model has no list to compare
        kept = np.all(
            [(some >= 0).any(axis=2).all(axis=0) for some in (again, *values.values())], 0
        )
        if scenario.promotes and not kept.any():  # a ring that is gone is served nothing
            continue
        values = {name: found[:, kept] for name, found in values.items()}
        for name, alike in kinds.items():
            pairs = of_pairs(values, again[:, kept], alike)
            parts.append(against(f"lists: {name}, {group}", *pairs, people[kept], seed))
    return joined(*parts)
