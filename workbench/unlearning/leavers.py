"""Whose list changes when somebody else leaves?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.errors import UnknownUser
from workbench.html import sourced
from workbench.recommend import Counted, scores_of
from workbench.recommend.protocol import copied
from workbench.recommend.ranking import lists_of
from workbench.recommend.refit import forgetting
from workbench.unlearning.exposure import off_refit, replaced


def rows_of_each(log: Interactions, users: np.ndarray) -> Iterator[Interactions]:
    """The rows of one user after another (codes): a request looks through them, not through all."""
    by_user = log.frame.sort_values("user", kind="stable")
    first, last = np.searchsorted(by_user["user"], [users, np.asarray(users) + 1])
    for start, end in zip(first, last, strict=True):
        yield replace(log, frame=by_user.iloc[start:end])


def score_after(model: Counted, removed: Interactions, histories: Histories) -> np.ndarray:
    """Scores of `histories` by the model without `removed`; the model itself stays as it is."""
    if hasattr(model, "score_without"):
        # EASE: taking one user out changes P by a matrix of rank 2, so x·P' is x·P plus two
        # vectors; no n × n matrix is copied or updated. `tests/unlearning` compares this with the
        # slow way below.
        return model.score_without(removed, histories)
    return scores_of(copied(model).forget(removed), histories)


@sourced
def leavers(model: Counted, log: Interactions, users: np.ndarray, k: int = 10) -> pd.DataFrame:
    """One user after another leaves entirely and comes back; how many *other* users' lists change?

    [user, others, changed, share, most, off]: others with rows; those whose top k is another *set*
    of items; the share of them; most items replaced in one list; how far `forget` is off a refit
    (0: exact). Counted models are deterministic: without a leaver nothing changes. Raises
    `UnknownUser`, and `ModelError` for a model that was not fitted on this log; one without `forget`
    is fitted anew for every leaver.
    """
    model = forgetting(model, log)
    users = checked_codes(users, log.n_users, "users", UnknownUser)
    everybody = log.histories()
    before = lists_of(partial(scores_of, model), everybody, k, seen=True)
    active = np.diff(everybody.offsets) > 0
    rows, off = [], off_refit(model, log)
    for user, gone in zip(users, rows_of_each(log, users), strict=True):
        # the lists without this user's rows
        after = lists_of(partial(score_after, model, gone), everybody, k, seen=True)
        # everybody else's, item by item
        others = np.flatnonzero(active & (np.arange(log.n_users) != user))
        moved = replaced(before[others], after[others])
        changed = int((moved > 0).sum())
        share = changed / max(len(others), 1)
        rows.append((int(user), len(others), changed, share, int(moved.max(initial=0)), off))
    table = pd.DataFrame(rows, columns=["user", "others", "changed", "share", "most", "off"])
    return table.astype({name: float if name in ("share", "off") else int for name in table})
