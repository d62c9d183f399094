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
"""Shoppers in the group that never had the topic."""
CALIPER = None
"""Products that they may hold more or fewer than the shopper; None: the nearest, however far."""


def never_had(service: Service, user: int, topic: str) -> np.ndarray:
    """The `NEVER` users without a row on the topic whose number of distinct products is nearest to
    what the shopper holds, the topic's own products included; see
    `workbench.unlearning.never_had`."""
    held = service.keep("matrix", service.everyone.matrix)
    own = held.indptr[user + 1] - held.indptr[user]
    items = service.catalogue.items_of(topic)
    found = matched(held, items, left=[own], n=NEVER, caliper=CALIPER, users=[user])[0]
    return found[found >= 0]


def lists(service: Service, k: int) -> np.ndarray:
    """Everybody's list as served, (n_users, k)."""
    return service.keep(("lists", k), lambda: service.served(service.everyone, k)[1])


def exposure(
    before: Service, after: Service, user: int, topic: str | None, k: int = 10
) -> pd.DataFrame:
    """Share of shoppers whose list holds the topic: [row, value, low, high, n], always the same
    three rows.

    One shopper gives 0 or 1 and no interval; the third row has the 95 % interval of Wilson (1927).
    """
    rows = []
    if topic is not None:
        items = before.catalogue.items_of(topic)
        # the shopper, as served before and after
        for name, service in (("as served before", before), ("after", after)):
            hit = exposed(served_to(service, user, k)[1][None], items)[0]
            rows.append({"row": name, "value": hit, "low": np.nan, "high": np.nan, "n": 1})
        # the group that never had it, as served before
        group = never_had(before, user, topic)
        shown = exposed(lists(before, k)[group], items)
        low, high = wilson(int(shown.sum()), len(group)) if len(group) else (np.nan, np.nan)
        mean = float(shown.mean()) if len(group) else np.nan
        rows.append({"row": "never had", "value": mean, "low": low, "high": high, "n": len(group)})
    return pd.DataFrame(rows, columns=["row", "value", "low", "high", "n"])


def served_to(service: Service, user: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and list (item codes, −1 where none is left) of one shopper."""
    scores, items = service.keep(
        ("served", user, k), lambda: service.served(service.log.histories([user]), k)
    )
    return scores[0], items[0]


def lists_of(service: Service, user: int, k: int) -> np.ndarray:
    """The list of one shopper as served, item codes."""
    items = served_to(service, user, k)[1]
    return items[items >= 0]


def touched(before: Service, after: Service, left_out: np.ndarray, k: int = 10) -> pd.DataFrame:
    """What a change does to everybody else's list, one row: [others, changed, share, mean_churn,
    max_churn, most].

    Everybody else's rows are the same before and after, so that only shared weights can change
    their lists. Churn is the share of a list of k that was replaced; `most` is the user code with
    the largest churn (−1: nobody).
    """
    old = lists(before, k)
    # the same weights give everybody else the same list
    new = old if after.model is before.model else after.served(before.everyone, k)[1]
    # everybody with a row but those left out
    active = np.diff(before.everyone.offsets) > 0
    active[left_out] = False
    others = np.flatnonzero(active)
    # how much of each of their lists was replaced
    moved = churn(old[others], new[others])
    changed = int((moved > 0).sum())
    facts = {
        "others": len(others),
        "changed": changed,
        "share": changed / max(len(others), 1),
        "mean_churn": float(moved.mean()) if len(others) else 0.0,
        "max_churn": float(moved.max(initial=0.0)),
        "most": int(others[moved.argmax()]) if changed else -1,
    }
    return pd.DataFrame([facts])
