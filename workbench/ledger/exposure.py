"""Who is shown a topic: the shopper before and after, and people like them who never had it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.ledger.memory import Service
from workbench.statistics import wilson
from workbench.unlearning.exposure import churn
from workbench.unlearning.exposure import exposure as exposed
from workbench.unlearning.exposure import never_had as matched

NEVER = 25
"""Shoppers in the group that never had the topic, however far the last of them is."""


def never_had(service: Service, user: int, topic: str) -> np.ndarray:
    """The `NEVER` users without a row on the topic whose number of distinct products is nearest to
    what the shopper holds before the request.

    The rule is `workbench.unlearning.never_had`; what is matched here counts the topic's own
    products too, where `boomerang` counts what is left of a shopper.
    """
    held = service.everyone.matrix()
    own = held.indptr[user + 1] - held.indptr[user]
    items = service.catalogue.items_of(topic)
    found = matched(held, items, left=[own], n=NEVER, users=[user])[0]
    return found[found >= 0]


def lists(service: Service) -> np.ndarray:
    """Everybody's list as served, (n_users, 10)."""
    return service.keep("lists", lambda: service.served(service.everyone))


def exposure(before: Service, after: Service, user: int, topic: str | None) -> pd.DataFrame:
    """Share of shoppers whose list holds the topic: [row, value, low, high, n], always the same
    three rows.

    One shopper gives 0 or 1 and no interval; the third row has the 95 % interval of Wilson (1927).
    """
    columns = ["row", "value", "low", "high", "n"]
    if topic is None:
        return pd.DataFrame(columns=columns)
    items = before.catalogue.items_of(topic)
    rows = []
    # the shopper, as served before and after
    for name, service in (("as served before", before), ("after", after)):
        hit = exposed(service.listed(user)[None], items)[0]
        rows.append((name, hit, np.nan, np.nan, 1))
    # the group that never had it, as served before
    group = never_had(before, user, topic)
    shown = exposed(lists(before)[group], items)
    told = (np.nan, np.nan, np.nan)
    if len(group):
        told = (shown.mean(), *wilson(int(shown.sum()), len(group)))
    rows.append(("never had", *told, len(group)))
    return pd.DataFrame(rows, columns=columns)


def touched(before: Service, after: Service, left_out: np.ndarray) -> dict[str, float]:
    """What a change does to everybody else's list: others, changed, share, max_churn.

    Everybody else's rows are the same before and after, so that only shared weights can change
    their lists. Churn is the share of a list that was replaced.
    """
    old = lists(before)
    # the same weights give everybody else the same list
    new = old if after.model is before.model else after.served(before.everyone)
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
