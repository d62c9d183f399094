"""The boomerang: exact deletion of a topic can *raise* what a user is shown of it.

A served list never offers what the user is known to have had. Once the rows are gone, nobody knows
any more, and what was deleted may be offered again. So three rows always stand together: as served
before, after, and never had (users matched on activity who never had the topic); beside them the
same with a tombstone (never offer again what was deleted), and a placebo (as many rows outside the
topic deleted instead).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench import html
from workbench.data import Histories, Interactions
from workbench.errors import DataError
from workbench.recommend import Counted, top_k
from workbench.statistics import paired_auc, paired_bootstrap

SERVED, AFTER, TOMBSTONE, NEVER, PLACEBO = ROWS = (
    "as served before",
    "after",
    "after, tombstone",
    "never had",
    "placebo",
)


@dataclass(frozen=True)
class Boomerang:
    """One topic deleted exactly by each of many users, each alone.

    table: [user, row, exposed, share, again]; one line per user and row of `ROWS`. exposed: at
    least one topic item in the user's top k; share: of the top k; again: at least one *deleted*
    item in it. NaN where the row does not exist for a user (nobody matches; nothing else to
    delete). scores: [user, match, after, never, after_hidden, never_hidden]; mean score of the
    topic's items, by the model after deletion, for the user and for the match who never had it;
    `hidden`: without the items that the user deleted.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    k: int
    n_never: int

    def __repr__(self) -> str:
        mean = self.table.groupby("row")["exposed"].mean()
        users = self.table["user"].nunique()
        return (
            f"Boomerang({users} users: exposed@{self.k} {mean[SERVED]:.2f} before, "
            f"{mean[AFTER]:.2f} after)"
        )

    def to_frame(self, value: str = "exposed", seed: int = 0) -> pd.DataFrame:
        """Means, and differences to `as served before` paired on users: [row, minus, estimate, low,
        high, n]."""
        table = self.table.dropna(subset=[value])
        return paired_bootstrap(table, by="row", value=value, seed=seed)

    def auc(self, seed: int = 0) -> pd.DataFrame:
        """How often scores tell a deleter from the never-had match: [list, estimate, low, high, n];
        .5 is chance."""
        pairs = self.scores.dropna()
        kinds = {
            "all items": ("after", "never"),
            "without the deleted items": ("after_hidden", "never_hidden"),
        }
        rows = [
            (kind, *paired_auc(pairs[a], pairs[b], seed), len(pairs))
            for kind, (a, b) in kinds.items()
        ]
        return pd.DataFrame(rows, columns=["list", "estimate", "low", "high", "n"])

    def _repr_html_(self) -> str:
        means = self.to_frame().query("minus == ''").drop(columns="minus")
        return html.table(
            means.to_dict("records"),
            f"Share of users shown the topic in their top {self.k}",
            digits=2,
        )


def score_after(model: Counted, removed: Interactions, histories: Histories) -> np.ndarray:
    """Scores of `histories` by the model without `removed`; the model itself stays as it is."""
    if hasattr(model, "score_without"):
        # EASE: taking one user out changes P by a matrix of rank 2, so x·P' is x·P plus two
        # vectors; no n × n matrix is copied or updated. `tests/unlearning` compares this with the
        # slow way below.
        return model.score_without(removed, histories)
    return model.copy().forget(removed).score(histories)


def never_had(log: Interactions, items: np.ndarray, activity: np.ndarray) -> np.ndarray:
    """For each number of distinct items in `activity` (B,): the user with the nearest number who
    has none of `items`.

    int64 (B,), −1 where there is nobody. Ties: lower user code. One user may match several.
    """
    x = log.matrix()
    own = np.diff(x.indptr)
    free = np.flatnonzero((x[:, items].sum(axis=1) == 0) & (own > 0))
    if not len(free):
        return np.full(len(activity), -1)
    return free[np.abs(own[free] - np.asarray(activity)[:, None]).argmin(axis=1)]


def boomerang(
    model: Counted,
    log: Interactions,
    items: np.ndarray,
    *,
    users: np.ndarray | None = None,
    at_least: int = 3,
    k: int = 10,
    seed: int = 0,
) -> Boomerang:
    """Let each user alone delete all rows on `items` (a topic), exactly, and compare the lists.

    model: fitted on `log`. users: by default everybody with at least `at_least` of the items.
    Matching goes by the number of distinct items left after deletion. Raises `DataError` where no
    user has enough.

    >>> boomerang(EASE().fit(log), log, catalogue.items_of("Horror novels"))  # doctest: +SKIP
    Boomerang(311 users: exposed@10 0.43 before, 0.71 after)
    """
    topic = np.zeros(log.n_items, dtype=bool)
    topic[np.asarray(items)] = True
    held = log.matrix()[:, topic].sum(axis=1)
    users = np.flatnonzero(held >= at_least) if users is None else np.asarray(users)
    if not len(users) or (held[users] == 0).any():
        raise DataError(
            "nobody to delete for",
            "boomerang",
            f"users with at least {at_least} of the {topic.sum()} items",
        )
    everybody = log.histories()
    served = model.score(everybody)
    rng = np.random.default_rng(seed)
    left = np.array(
        [len(np.unique(_items(everybody, u)[~topic[_items(everybody, u)]])) for u in users]
    )
    # requests are cut from one user's rows, not from all
    by_user = log.frame.sort_values("user", kind="stable")
    bounds = np.searchsorted(by_user["user"], [users, users + 1])
    table, scores = [], []
    for at, (user, match) in enumerate(
        zip(users, never_had(log, np.flatnonzero(topic), left), strict=True)
    ):
        rows = replace(log, frame=by_user.iloc[bounds[0, at] : bounds[1, at]])
        history = everybody.select([user])
        mine = topic[history.item]
        gone = np.isin(np.arange(log.n_items), history.item[mine])
        own = np.isin(np.arange(log.n_items), history.item)
        ids = history.interaction[mine]
        both = everybody.select([user, max(match, 0)]).without(ids)
        # one model for both: the one in service afterwards
        after, never = score_after(model, rows.only(ids), both)
        lists = {SERVED: (served[user], own), AFTER: (after, own & ~gone), TOMBSTONE: (after, own)}
        if match >= 0:
            lists[NEVER] = (
                served[match],
                np.isin(np.arange(log.n_items), _items(everybody, match)),
            )
        others = history.interaction[~mine]
        if len(others):
            ids = rng.choice(others, min(len(ids), len(others)), replace=False)
            rest = history.without(ids)
            lists[PLACEBO] = (
                score_after(model, rows.only(ids), rest)[0],
                np.isin(np.arange(log.n_items), rest.item),
            )
        for row in ROWS:
            table.append(
                (int(user), row, *_shown(*lists[row], topic, gone, k))
                if row in lists
                else (user, row, *_NONE)
            )
        pair = [
            s[t].mean() if t.any() else np.nan
            for t in (topic, topic & ~gone)
            for s in (after, never)
        ]
        scores.append((int(user), int(match), *(pair if match >= 0 else [np.nan] * 4)))
    return Boomerang(
        pd.DataFrame(table, columns=["user", "row", "exposed", "share", "again"]),
        pd.DataFrame(
            scores, columns=["user", "match", "after", "never", "after_hidden", "never_hidden"]
        ),
        k,
        int((held == 0).sum()),
    )


_NONE = (np.nan, np.nan, np.nan)


def _items(everybody: Histories, user: int) -> np.ndarray:
    return everybody.item[everybody.row(user)]


def _shown(
    scores: np.ndarray, masked: np.ndarray, topic: np.ndarray, gone: np.ndarray, k: int
) -> tuple[float, float, float]:
    best = top_k(scores[None], k, masked[None])[0]
    best = best[best >= 0]
    return (
        float(topic[best].any()),
        float(topic[best].mean()) if len(best) else 0.0,
        float(gone[best].any()),
    )


def leavers(model: Counted, log: Interactions, users: np.ndarray, k: int = 10) -> pd.DataFrame:
    """One user after another leaves entirely and comes back; how many *other* users' lists change?

    [user, others, changed, share, most]: others with rows; those whose top k is another *set* of
    items; the share of them; most items replaced in one list. Counted models are deterministic:
    without a leaver nothing changes.
    """
    everybody, x = log.histories(), log.matrix()
    before = top_k(model.score(everybody), k, x)
    rows = []
    for user in users:
        after = top_k(
            score_after(model, log.only(log.rows_of(int(user))["interaction"]), everybody), k, x
        )
        others = np.flatnonzero((np.diff(x.indptr) > 0) & (np.arange(log.n_users) != user))
        kept = (before[others, :, None] == after[others, None, :]).any(axis=2).sum(axis=1)
        changed = int((kept < k).sum())
        rows.append(
            (
                int(user),
                len(others),
                changed,
                changed / max(len(others), 1),
                int(k - kept.min(initial=k)),
            )
        )
    return pd.DataFrame(rows, columns=["user", "others", "changed", "share", "most"])
