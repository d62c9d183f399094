"""Can a fresh probe tell who deleted from people who never had it?

    probe: logistic regression, standardised features → deleter or matched stranger; out of fold
    AUC = P(probe score of a deleter > of a stranger)            ½: the model says nothing of it

Deleting rows does not delete what was inferred from them. FairRec (2020) trains an adversary along; one
that was trained along shows that *it* failed, so the probe here is new for every model. Strangers are
matched on what is left, by the rule of `exposure.never_had`. Even a retrain may tell them apart, as
tastes hang together: it is the reference, not ½. Two controls in the table: the same probe on labels
drawn anew, and on a retrain with a leak planted in it, which it must find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.errors import DataError
from workbench.recommend.protocol import must_offer
from workbench.recommend.ranking import scores_or_none
from workbench.statistics import auc
from workbench.unlearning.audit._asked import Models
from workbench.unlearning.audit._table import COLUMNS, CONTROL, DRAWS, Audit, outside
from workbench.unlearning.exposure import never_had
from workbench.unlearning.scenarios import Scenario

MATCHES, FOLDS, PENALTY = 3, 5, 0.05
"""Strangers a deleter; folds; inverse strength of the ridge (few people, many features)."""
LEAK, SHUFFLES = 6.0, 20
"""Length of the planted leak, in standard deviations; how often labels are drawn anew."""


def probe(features: np.ndarray, deleter: np.ndarray, seed: int = 0) -> np.ndarray:
    """Out-of-fold log odds of being a deleter, (n,): features (n, d), deleter (n,) bool. Comparable
    within a fold only up to its own fit; ranks over all folds are what AUC reads."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    one = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, class_weight="balanced"))
    return cross_val_predict(one, features, deleter, cv=folds, method="decision_function")


def people_of(scenario: Scenario, done: int) -> tuple[np.ndarray, np.ndarray]:
    """Leavers and their matches, each once: user codes (n,), and who of them deleted (n,)."""
    users, known = scenario.leavers(done), scenario.known(done)
    users = users[np.isin(users, known.frame["user"])]
    left = known.matrix()[users].count_nonzero(axis=1)
    matches = never_had(scenario.known(0), scenario.items, left, MATCHES)
    strangers = np.setdiff1d(matches[matches >= 0], users)
    if min(len(users), len(strangers)) < FOLDS:
        what = f"{len(users)} deleters and {len(strangers)} strangers"
        raise DataError(what, "leak", f"at least {FOLDS} of each", "serve more requests")
    return np.r_[users, strangers], np.arange(len(users) + len(strangers)) < len(users)


def leak_probe(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
    of: Literal["vectors", "scores"] = "vectors",
) -> Audit:
    """AUC of a probe of user representations, or of the scores without the topic's items.

    The null: the probe on single retrains. Intervals draw people; that of shuffled labels is where
    single draws lie, so that it says how much so few people can show.

    >>> leak_probe({"no-op": bases}, retrained, scenario, 40)  # doctest: +SKIP
    """
    for one in (*retrained, *(one for some in models.values() for one in some)):
        must_offer(one, {"vectors": "represent", "scores": "score"}[of], do='probe of="scores"')
    users, deleter = people_of(scenario, done)
    histories = scenario.known(done).histories(users)
    free = np.setdiff1d(np.arange(histories.n_items), scenario.items)

    def features(model: Any) -> np.ndarray:
        if of == "vectors":
            return model.represent(histories).detach().cpu().numpy().astype(np.float64)
        return scores_or_none(model, histories)[:, free].astype(np.float64)

    def outputs(found: np.ndarray, labels: np.ndarray = deleter) -> np.ndarray:
        return probe(found, labels, seed)

    rng = np.random.default_rng(seed)
    again = [features(one) for one in retrained]
    # a leak of so many standard deviations along one direction, in a retrain
    direction = again[0].std(axis=0) * rng.choice((-1, 1), again[0].shape[1])
    planted = again[0] + LEAK / direction.size**0.5 * deleter[:, None] * direction
    shuffled = [rng.permutation(deleter) for _ in range(SHUFFLES)]
    rows = {name: [(outputs(features(m)), deleter) for m in some] for name, some in models.items()}
    rows[CONTROL] = [(outputs(found), deleter) for found in again]
    rows["shuffled labels"] = [
        (outputs(again[k % len(again)], told), told) for k, told in enumerate(shuffled)
    ]
    rows["planted leak"] = [(outputs(planted), deleter)]
    single = [auc(*one) for one in rows[CONTROL]]
    null = np.quantile(single, (0.025, 0.975))
    lines, each = [], []
    for name, found in rows.items():
        said = _interval(found, seed)
        if name == "shuffled labels":
            said = said[0], *np.quantile([auc(*one) for one in found], (0.025, 0.975))
        lines.append((f"leak: {of}", name, *said, *null, len(users), outside(*said[1:], null)))
        each += [(f"leak: {of}", name, model, auc(*one)) for model, one in enumerate(found)]
    table = pd.DataFrame(lines, columns=COLUMNS)
    return Audit(table, pd.DataFrame(each, columns=["check", "row", "model", "value"]))


def _interval(found: list[tuple[np.ndarray, np.ndarray]], seed: int) -> tuple[float, float, float]:
    """Mean AUC of several probes, with 95 % from draws of people, probes as they are."""
    n = len(found[0][0])
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    drawn = np.nanmean([auc(*one, weights) for one in found], axis=0)
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return float(np.mean([auc(*one) for one in found])), float(low), float(high)
