"""Who is shown a topic: the shopper before and after, and people like them who never had it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.ledger.memory import Service
from workbench.statistics import wilson

NEVER = 25
"""Shoppers in the group that never had the topic."""


def never_had(service: Service, user: int, topic: str, n: int = NEVER) -> np.ndarray:
    """The n users without a row on the topic whose number of distinct products is nearest; ties:
    lower code first."""
    x = service.keep("matrix", service.everyone.matrix)
    activity = np.diff(x.indptr)
    had = np.asarray(x[:, service.catalogue.items_of(topic)].sum(axis=1)).ravel() > 0
    free = np.flatnonzero(~had & (activity > 0) & (np.arange(len(activity)) != user))
    nearest = np.argsort(np.abs(activity[free] - activity[user]), kind="stable")
    return free[nearest[:n]]


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
        for name, service in (("as served before", before), ("after", after)):
            hit = float(np.isin(lists_of(service, user, k), items).any())
            rows.append({"row": name, "value": hit, "low": np.nan, "high": np.nan, "n": 1})
        group = never_had(before, user, topic)
        shown = np.isin(lists(before, k)[group], items).any(axis=1)
        low, high = wilson(int(shown.sum()), len(group)) if len(group) else (np.nan, np.nan)
        share = float(shown.mean()) if len(group) else np.nan
        rows.append({"row": "never had", "value": share, "low": low, "high": high, "n": len(group)})
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
    if after.model is before.model:
        new = old
    else:
        new = after.served(before.everyone, k)[1]
    activity = np.diff(before.everyone.offsets)
    others = np.flatnonzero((activity > 0) & ~np.isin(np.arange(len(old)), left_out))
    kept = (old[others, :, None] == new[others, None, :]).any(axis=2) & (old[others] >= 0)
    churn = 1.0 - kept.sum(axis=1) / np.maximum((old[others] >= 0).sum(axis=1), 1)
    changed = int((churn > 0).sum())
    most = int(others[churn.argmax()]) if changed else -1
    facts = {"others": len(others), "changed": changed, "share": changed / max(len(others), 1)}
    facts |= {"mean_churn": float(churn.mean()) if len(others) else 0.0}
    return pd.DataFrame([facts | {"max_churn": float(churn.max(initial=0.0)), "most": most}])
