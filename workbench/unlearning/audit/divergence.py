"""How far are the outputs of a session model from a retrain's?

    KL = Σ_i r_i ln(r_i / q_i)        r, q: softmax of the scores of a retrain and of an unlearned model
    JS = ½ KL(r ‖ m) + ½ KL(q ‖ m),   m = ½ (r + q)               nats; JS is at most ln 2

Only where the softmax of all scores is what the model was trained to give. A margin of pairs is no log
probability: its softmax would depend on a scale that nothing in training sets. The study's precursor
measures KL(retrained ‖ unlearned) for sets; we ask sequences alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from workbench.errors import ModelError
from workbench.recommend.ranking import scores_or_none
from workbench.unlearning.audit._asked import Models, every, others
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._pairs import of_pairs
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.scenarios import Scenario


def kl(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """KL(retrained ‖ unlearned) of log probabilities (B, n_items); (B,), nats."""
    return (np.exp(retrained) * (retrained - unlearned)).sum(axis=1)


def js(unlearned: np.ndarray, retrained: np.ndarray) -> np.ndarray:
    """Jensen–Shannon divergence of log probabilities (B, n_items); (B,), nats."""
    middle = logsumexp(np.stack([unlearned, retrained]), axis=0) - np.log(2)
    return (kl(middle, unlearned) + kl(middle, retrained)) / 2


def check_softmax(models: Sequence[Any]) -> None:
    """Refuse models that no softmax over all items was trained for."""
    from workbench.recommend.session._next_item import NextItem

    for one in models:
        if not isinstance(one, NextItem):
            what = f"the scores of {type(one).__name__} are no log probabilities"
            do = "compare lists or percentiles, which no scale changes"
            raise ModelError(what, "divergence", "GRU4Rec, NARM, SASRec or SR-GNN", do)


def output_divergence(
    models: Models, retrained: Sequence[Any], scenario: Scenario, done: int, seed: int = 0
) -> Audit:
    """KL and JS to retrains, of the leavers' sessions as they are left and of at most 200 others.

    Raises `ModelError` for models other than session ones.

    >>> output_divergence({"no-op": bases}, retrained, scenario, 20)  # doctest: +SKIP
    """
    check_softmax([*retrained, *(one for some in models.values() for one in some)])
    groups = {"leavers": scenario.leavers(done), "others": others(scenario, done, seed)}
    parts = []
    for group, users in groups.items():
        histories = scenario.known(done).histories(users)
        filled = np.flatnonzero(np.diff(histories.offsets) > 0)
        if scenario.promotes and not len(filled):  # a ring that is gone has no session
            continue
        histories, people = histories.select(filled), scenario.task.people[users[filled]]

        def ask(model: Any, histories: Any = histories) -> np.ndarray:
            return log_softmax(scores_or_none(model, histories).astype(np.float64), axis=1)

        values, again = every(models, retrained, ask)
        for name, how in {"KL": kl, "JS": js}.items():
            pairs = of_pairs(values, again, how)
            parts.append(against(f"divergence: {name}, {group}", *pairs, people, seed))
    return joined(*parts)
