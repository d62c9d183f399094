"""Is this row a member? An attacker with shadow models that have and have not seen the request.

    φ = logit of the row's percentile        Λ(row) = ln N(φ; μ_in, σ) − ln N(φ; μ_out, σ)
    AUC = P(Λ of a deleted row under an unlearned model > under a retrain);   TPR at 1 % FPR: same scores

Carlini et al., Membership Inference Attacks From First Principles, S&P 2022 (LiRA), per row: means of
its own, and one variance a row pooled over in and out, as few shadows ask for. Shadows are trained on
what remains and a random half of the requests, so that each request is left out by half of them: at
least 16. Of spam and floods nobody is left whose row it would be: what is asked is whether the ring as a
whole was trained on, by what genuine people's lists do with the promoted items; shadows saw all of it or
none. ½: the attacker cannot tell; below ½ a deleter is known by what is pushed down too far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.errors import ConfigError
from workbench.recommend.protocol import fitted_copy
from workbench.unlearning.audit._asked import (
    Models,
    about,
    asked_cells,
    cells,
    every,
    whole,
)
from workbench.unlearning.audit._null import each_against
from workbench.unlearning.audit._table import Audit
from workbench.unlearning.audit.population import pooled_auc
from workbench.unlearning.references import reseeded
from workbench.unlearning.scenarios import Scenario

LEAST, RATE = 16, 0.01
"""Shadows that leave a request out, at least; the false positive rate that is allowed."""


def likelihood_ratio(asked: np.ndarray, shadows: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Λ of asked (m, rows), nats. shadows: φ (S, rows); inside: bool (S, rows), whether the shadow
    saw the row.

    >>> likelihood_ratio(np.array([[1.0]]), np.array([[1.0], [3.0], [0.0], [-2.0]]),
    ...                  np.array([[True], [True], [False], [False]])).tolist()
    [[0.75]]
    """
    seen, unseen = (np.where(mask, shadows, np.nan) for mask in (inside, ~inside))
    means = np.nanmean(seen, axis=0), np.nanmean(unseen, axis=0)
    spread = np.nansum((seen - means[0]) ** 2, axis=0) + np.nansum((unseen - means[1]) ** 2, axis=0)
    variance = np.maximum(spread / (len(shadows) - 2), 1e-9)
    return ((asked - means[1]) ** 2 - (asked - means[0]) ** 2) / (2 * variance)


def caught(members: np.ndarray, strangers: np.ndarray, rate: float = RATE) -> np.ndarray:
    """Share of models of (m, rows) in which a row is above all but `rate` of strangers; (rows,)."""
    return (members > np.quantile(strangers, 1 - rate)).mean(axis=0)


def shadow_models(
    model: Any, scenario: Scenario, done: int, n: int = 2 * LEAST, seed: int = 100
) -> tuple[list[Any], np.ndarray]:
    """n models of other seeds, and which of the first `done` requests each saw, bool (n, done).

    Every request is seen by exactly half of them; of spam and floods, all by the same half. Raises
    `ConfigError` where fewer than 16 would leave a request out.
    """
    if n < 2 * LEAST or n % 2:
        want = f"an even number from {2 * LEAST}, half of which leave a request out"
        raise ConfigError(f"{n} shadows", "membership", want)
    rng, log = np.random.default_rng(seed), scenario.task.train
    saw = np.stack([rng.permutation(np.arange(n) < n // 2) for _ in range(done)], axis=1)
    saw = saw[:, [0] * done] if scenario.promotes else saw
    fitted = []
    for shadow in range(n):
        gone = [scenario.requests[k].interactions for k in np.flatnonzero(~saw[shadow])]
        left = ~log.frame["interaction"].isin(np.concatenate([[], *gone]))
        fitted.append(fitted_copy(reseeded(model, seed + shadow), log.select(left.to_numpy())))
    return fitted, saw


def membership_inference(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
    *,
    shadows: tuple[list[Any], np.ndarray] | None = None,
) -> Audit:
    """AUC and true positive rate at 1 % false positives of Λ over the deleted rows (of spam over the
    promoted items of genuine people).

    shadows: from `shadow_models`, to be made once for many calls; None trains 32 with the settings
    of a retrain. Intervals draw people.

    >>> membership_inference({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    fitted, saw = shadows or shadow_models(retrained[0], scenario, done)
    histories, asked, people = asked_cells(scenario, done)
    values, again = every(models, retrained, lambda one: cells(one, histories, asked))
    seen = np.stack([cells(one, histories, asked) for one in fitted])
    own = about(scenario, done)
    seen[:, ~own.any(axis=0)] = np.nan
    # cells that all answer, shadows too: a visit that the request emptied has none
    values, known, kept = whole(values, np.concatenate([again, seen]))
    again, seen = np.split(known, [len(again)])
    phi = {name: _logit(found, histories.n_items) for name, found in values.items()}
    again, seen = (_logit(found, histories.n_items) for found in (again, seen))
    # of several requests that a cell is about all or none were seen
    first = own.argmax(axis=0)
    inside, people = saw[:, first][:, kept], people[kept]
    told = {name: likelihood_ratio(found, seen, inside) for name, found in phi.items()}
    strangers = likelihood_ratio(again, seen, inside)
    kinds = {"membership: AUC": pooled_auc, f"membership: TPR at {RATE:.0%} FPR": caught}
    return each_against(kinds, told, strangers, people, seed)


def _logit(percentile: np.ndarray, n_items: int) -> np.ndarray:
    inner = np.clip(percentile, 0.5 / n_items, 1 - 0.5 / n_items)
    return np.log(inner / (1 - inner))
