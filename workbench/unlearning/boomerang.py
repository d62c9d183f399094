"""The boomerang: exact deletion of a topic can *raise* what a user is shown of it.

A served list never offers what the user is known to have had. Once the rows are gone, nobody knows
any more, and what was deleted may be offered again. x is the user's row of the 0/1 matrix, x' the
same without the topic; f and f' are the models fitted with and without the deleted rows:

    as served before    top_k(f(x) without x)
    after               top_k(f'(x') without x')
    after, tombstone    top_k(f'(x') without x)        never offer again what was deleted
    never had           top_k(f(z) without z)          z: a user like x' who never had the topic
    placebo             as `after`, with as many rows outside the topic deleted instead
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from workbench import html
from workbench.data import Interactions
from workbench.data.checks import checked_codes
from workbench.errors import DataError, UnknownItem, UnknownUser
from workbench.recommend import Counted, scores_of, top_k
from workbench.statistics import paired_auc, paired_bootstrap
from workbench.unlearning.exposure import exposure, never_had, share
from workbench.unlearning.leavers import rows_of_each, score_after

ROWS = ("as served before", "after", "after, tombstone", "never had", "placebo")
SERVED, AFTER, TOMBSTONE, NEVER, PLACEBO = ROWS
MATCHES, CALIPER = 1, None
"""Never had: the one user nearest by the number of items *left*, however far."""


@dataclass(frozen=True)
class Boomerang:
    """One topic deleted exactly by each of many users, each alone.

    table: [user, row, exposed, share, again]; one line per user and row of `ROWS`. exposed: a topic
    item in the top k; share: of the top k; again: a *deleted* item in it. NaN where a row does not
    exist (nobody matches; nothing else to delete). scores: [user, match, after, never,
    after_hidden, never_hidden]; mean score of the topic's items by the model after deletion, for
    the user and for the match; `hidden`: without the items that the user deleted.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    k: int
    n_never: int

    def __repr__(self) -> str:
        mean = self.table.groupby("row")["exposed"].mean()
        shown = f"exposed@{self.k} {mean[SERVED]:.2f} before, {mean[AFTER]:.2f} after"
        return f"Boomerang({self.table['user'].nunique()} users: {shown})"

    def to_frame(self, value: str = "exposed", seed: int = 0) -> pd.DataFrame:
        """Means, paired differences to `as served before`: [row, minus, estimate, low, high, n]."""
        table = self.table.dropna(subset=[value])
        return paired_bootstrap(table, by="row", value=value, seed=seed)

    def auc(self, seed: int = 0) -> pd.DataFrame:
        """How often scores tell deleter from match, .5 is chance: [list, estimate, low, high, n]."""
        pairs = self.scores.dropna()
        rows = []
        for kind, end in (("all items", ""), ("without the deleted items", "_hidden")):
            found = paired_auc(pairs[f"after{end}"], pairs[f"never{end}"], seed)
            rows.append((kind, *found, len(pairs)))
        return pd.DataFrame(rows, columns=["list", "estimate", "low", "high", "n"])

    def _repr_html_(self) -> str:
        means = self.to_frame().query("minus == ''").drop(columns="minus")
        title = f"Share of users shown the topic in their top {self.k}"
        return html.table(means.to_dict("records"), title, digits=2)


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
    Raises `DataError` where no user has enough, `UnknownItem` and `UnknownUser` for codes outside
    the log, and `ModelError` for a model that was fitted on another.

    >>> boomerang(EASE().fit(log), log, catalogue.items_of("Horror novels"))  # doctest: +SKIP
    Boomerang(311 users: exposed@10 0.43 before, 0.71 after)
    """
    # who deletes, and who like them never had the topic
    items = checked_codes(items, log.n_items, "items", UnknownItem)
    topic = np.isin(np.arange(log.n_items), items)
    having = log.matrix()[:, topic].sum(axis=1)
    users = np.flatnonzero(having >= at_least) if users is None else users
    users = checked_codes(users, log.n_users, "users", UnknownUser)
    if not len(users) or (having[users] == 0).any():
        wanted = f"users with at least {at_least} of the {topic.sum()} items"
        raise DataError("nobody to delete for", "boomerang", wanted)
    own = log.matrix()[users].toarray() > 0
    left = (own & ~topic).sum(axis=1)
    matches = never_had(log, np.flatnonzero(topic), left, MATCHES, CALIPER)[:, 0]
    # each of them alone: scores by the model after the topic's rows, or placebo rows, are gone
    everybody, rng = log.histories(), np.random.default_rng(seed)
    after, placebo, rest = np.zeros(own.shape), np.zeros(own.shape), own.copy()
    means = np.full((len(users), 4), np.nan)
    for at, rows in enumerate(rows_of_each(log, users)):
        history = everybody.select([users[at]])
        deleted = history.interaction[topic[history.item]]
        both = everybody.select([users[at], max(matches[at], 0)]).without(deleted)
        after[at], never = score_after(model, rows.only(deleted), both)
        if matches[at] >= 0:
            kinds = (topic, topic & ~own[at])
            means[at] = [_mean(scores, kind) for kind in kinds for scores in (after[at], never)]
        others = history.interaction[~topic[history.item]]
        if len(others):
            drawn = rng.choice(others, min(len(deleted), len(others)), replace=False)
            kept = history.without(drawn)
            placebo[at] = score_after(model, rows.only(drawn), kept)[0]
            rest[at] = kept.matrix().toarray()[0] > 0
    # the five lists, and for whom a row does not exist
    served = top_k(scores_of(model, everybody), k, log.matrix())
    lists = {
        SERVED: served[users],
        AFTER: top_k(after, k, own & ~topic),
        TOMBSTONE: top_k(after, k, own),
        NEVER: served[matches],
        PLACEBO: top_k(placebo, k, rest),
    }
    absent = {NEVER: matches < 0, PLACEBO: left == 0}
    # one line per user and row
    parts = []
    for row in ROWS:
        part = pd.DataFrame({"user": users.astype(np.int64), "row": row})
        part["exposed"] = exposure(lists[row], np.flatnonzero(topic))
        part["share"] = share(lists[row], np.flatnonzero(topic))
        part["again"] = exposure(lists[row], sparse.csr_array(own & topic))
        part.loc[absent.get(row, []), ["exposed", "share", "again"]] = np.nan
        parts.append(part)
    table = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    # and one per user and match
    pairs = pd.DataFrame({"user": users.astype(np.int64), "match": matches})
    pairs[["after", "never", "after_hidden", "never_hidden"]] = means
    return Boomerang(table, pairs, k, int((having == 0).sum()))


def _mean(scores: np.ndarray, items: np.ndarray) -> float:
    return scores[items].mean() if items.any() else np.nan
