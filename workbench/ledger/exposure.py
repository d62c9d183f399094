"""Who is shown a topic: the shopper before and after, and people like them who never had it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.ledger.memory import Service
from workbench.ledger.removal import Removal, Score
from workbench.statistics import wilson
from workbench.unlearning.exposure import churn
from workbench.unlearning.exposure import exposure as exposed
from workbench.unlearning.exposure import never_had as matched

NEVER = 25
"""Shoppers in the group that never had the topic, at most; fewer where fewer are alike."""


def never_had(removal: Removal, user: int, topic: str) -> np.ndarray:
    """The users without a row on the topic who hold about as many distinct products as the shopper
    has left after the request, by the rule of `workbench.unlearning.never_had`: at most `NEVER`,
    nearest first; none where nobody is within its caliper.

    The places that the request reaches change nothing in whom it is held against.
    """
    service = removal.service
    left = np.unique(removal.left[id(service.log)].rows_of(user)["item"])
    items = service.catalogue.items_of(topic)
    found = matched(service.everyone.matrix(), items, left=[len(left)], n=NEVER, users=[user])[0]
    return found[found >= 0]


def lists(service: Service) -> np.ndarray:
    """Everybody's list as served, (n_users, 10)."""

    def made() -> np.ndarray:
        known = service.scores
        return service.served(
            service.everyone, None if known is None else lambda part: known[part.user]
        )

    return service.keep("lists", made)


def exposure(removal: Removal, after: Service, user: int, topic: str | None) -> pd.DataFrame:
    """Share of shoppers whose list holds the topic: [row, value, low, high, n], always the same
    three rows.

    One shopper gives 0 or 1 and no interval; the third row, `never_had`, has the 95 % interval of
    Wilson (1927), and no value where its n is 0.
    """
    columns = ["row", "value", "low", "high", "n"]
    if topic is None:
        return pd.DataFrame(columns=columns)
    # the shopper, as served before and after; the group that never had it, as served before
    before = removal.service
    served = {
        "as served before": before.listed(user)[None],
        "after": after.listed(user)[None],
        "never had": lists(before)[never_had(removal, user, topic)],
    }
    rows = []
    for name, shown in served.items():
        hits = exposed(shown, before.catalogue.items_of(topic))
        n = len(hits)
        mean = hits.mean() if n else np.nan
        # one shopper alone has no width, a group of any size has
        group = n and name == "never had"
        width = wilson(int(hits.sum()), n) if group else (np.nan, np.nan)
        rows.append((name, mean, *width, n))
    return pd.DataFrame(rows, columns=columns)


def touched(
    before: Service, after: Service, left_out: np.ndarray, score: Score | None = None
) -> dict[str, float]:
    """What a change does to everybody else's list: others, changed, share, max_churn.

    Everybody else's rows are the same before and after, so that only shared weights can change
    their lists. Churn is the share of a list that was replaced. score: the scores afterwards, where
    there is a shorter way to them (`Removal.score`).
    """
    old = new = lists(before)
    # the same weights give everybody else the same list
    if after.model is not before.model:
        new = after.served(before.everyone, score)
    # everybody with a row but those left out
    active = np.diff(before.everyone.offsets) > 0
    active[left_out] = False
    moved = churn(old[active], new[active])
    changed = int((moved > 0).sum())
    return {
        "others": len(moved),
        "changed": changed,
        "share": changed / max(len(moved), 1),
        "max_churn": float(moved.max(initial=0.0)),
    }
