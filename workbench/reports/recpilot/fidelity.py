"""Do imagined visits look like real ones? Measures of two sets of visits beside each other.

    JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m),  m = (p + q)/2, in bits: 0 alike, 1 nothing in common

The last line is a test of two samples: how well a logistic regression on counts of actions, their
transitions, lengths and shares tells real from imagined visits, as AUC in folds; .5 is a coin.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data import FUNNEL
from workbench.errors import DataError, check_number, typed
from workbench.reports.recpilot.trajectories import Trajectories
from workbench.statistics import auc

FOLDS = 5


@typed
def fidelity(real: Trajectories, imagined: Trajectories, seed: int = 0) -> pd.DataFrame:
    """[measure, real, imagined, distance]: JSD of actions and of transitions; rows a visit, with the
    mean absolute difference of quantiles as distance; shares of visits with a step of the funnel
    and of rows on products not touched before in the visit, with their difference; AUC of telling
    one from the other.

    Raises `DataError` where a set has fewer than ten visits, and for sets of other products or actions.
    """
    check_number(0, seed=seed)
    for part in (real, imagined):
        if len(part) < 10:
            raise DataError(f"{len(part)} visits", "fidelity", "ten or more of each")
    if (real.actions, real.n_items) != (imagined.actions, imagined.n_items):
        what = f"actions {', '.join(imagined.actions)} beside {', '.join(real.actions)}"
        raise DataError(what, "fidelity", "the same actions, in one order, and as many products")
    sides = (real, imagined)
    counts = [_actions(part) for part in sides]
    steps = [_transitions(part) for part in sides]
    rows = []
    for name, both in (("actions", counts), ("transitions", steps)):
        rows.append((f"{name}, JSD in bits", np.nan, np.nan, jsd(*(x.sum(axis=0) for x in both))))
    length = [np.diff(part.offsets) for part in sides]
    quantiles = [np.quantile(part, np.linspace(0, 1, 101)) for part in length]
    apart = np.abs(quantiles[0] - quantiles[1]).mean()
    rows.append(("rows a visit", length[0].mean(), length[1].mean(), apart))
    for step in sorted(set(FUNNEL) & set(real.actions), key=FUNNEL.__getitem__):
        at = real.actions.index(step)
        one, two = ((part[:, at] > 0).mean() for part in counts)
        rows.append((f"visits with a {step}", one, two, two - one))
    new = [_distinct(part) for part in sides]
    one, two = (part.sum() / n.sum() for part, n in zip(new, length, strict=True))
    rows.append(("rows on a new product of the visit", one, two, two - one))
    features = [
        np.column_stack([c, s, n, d / n])
        for c, s, n, d in zip(counts, steps, length, new, strict=True)
    ]
    rows.append(("told apart, AUC", np.nan, np.nan, _told_apart(*features, seed)))
    return pd.DataFrame(rows, columns=["measure", "real", "imagined", "distance"])


def jsd(p: np.ndarray, q: np.ndarray) -> float:
    """The divergence of two lists of counts, in bits.

    >>> jsd([1, 0], [0, 1]), jsd([2, 2], [1, 1])
    (1.0, 0.0)
    """
    p, q = (np.asarray(part) / np.sum(part) for part in (p, q))
    mean = (p + q) / 2
    logs = [np.log2(np.where(x > 0, x, 1) / np.where(mean > 0, mean, 1)) for x in (p, q)]
    return float((p @ logs[0] + q @ logs[1]) / 2)


def _actions(part: Trajectories) -> np.ndarray:
    """Rows of each action, (B, n_actions)."""
    found = np.zeros((len(part), len(part.actions)))
    np.add.at(found, (part.rows, part.action), 1)
    return found


def _transitions(part: Trajectories) -> np.ndarray:
    """Neighbouring rows by their actions and whether the product is the same, (B, 2·n²)."""
    n = len(part.actions)
    inside = part.rows[1:] == part.rows[:-1]
    same = part.item[1:] == part.item[:-1]
    code = (part.action[:-1].astype(np.int64) * n + part.action[1:]) * 2 + same
    found = np.zeros((len(part), 2 * n * n))
    np.add.at(found, (part.rows[1:][inside], code[inside]), 1)
    return found


def _distinct(part: Trajectories) -> np.ndarray:
    """Products of each visit, (B,)."""
    pairs = np.unique(np.stack([part.rows, part.item]), axis=1)[0]
    return np.bincount(pairs, minlength=len(part))


def _told_apart(real: np.ndarray, imagined: np.ndarray, seed: int) -> float:
    """AUC over all visits, each scored by a model that was not fitted on it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([real, imagined])
    y = np.repeat([0, 1], [len(real), len(imagined)])
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    found = np.zeros(len(y))
    for part in range(FOLDS):
        rest = fold != part
        scale = StandardScaler().fit(x[rest])
        model = LogisticRegression(max_iter=1000).fit(scale.transform(x[rest]), y[rest])
        found[~rest] = model.decision_function(scale.transform(x[~rest]))
    return float(auc(found, y == 1))
