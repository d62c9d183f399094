"""The boomerang: exact deletion of a topic can *raise* what a user is shown of it.

A served list never offers what the user is known to have had. Once the rows are gone, nobody knows
any more, and what was deleted may be offered again. x is the user's row of the 0/1 matrix, x' the
same without the topic; f and f' are the models fitted with and without the deleted rows:

    as served before    top_k(f(x) without x)
    after               top_k(f'(x') without x')
    after, tombstone    top_k(f'(x') without x)        never offer again what was deleted
    never had           top_k(f(z) without z)          z: a user like x' who never had the topic
    placebo             as `after`, with other items deleted instead, of as many rows at most
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse
from tqdm import tqdm

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.errors import DataError, UnknownItem, UnknownUser
from workbench.html import sourced
from workbench.recommend import Counted, scores_of, top_k
from workbench.recommend.ranking import cutoffs, lists_of
from workbench.recommend.refit import forgetting
from workbench.unlearning.boomerang_result import (
    AFTER,
    KINDS,
    NEVER,
    PLACEBO,
    ROWS,
    SERVED,
    TOMBSTONE,
    VALUES,
    Boomerang,
)
from workbench.unlearning.exposure import exposure, never_had, off_refit, share
from workbench.unlearning.leavers import rows_of_each, score_after


@sourced
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
    """Let each user alone delete all rows on `items` (a topic) and compare the lists; *exactly* is
    said where the model's `forget` equals a refit.

    model: fitted on `log`; one without `forget` is fitted here, and anew twice a user: name few
    `users` where a fit takes long. users: by default everybody with at least `at_least` of the
    items. Who is named twice deletes once. Memory grows with users × k, not with users × items.
    Raises `DataError` where no user has enough, or one of `users` holds none of the items,
    `UnknownItem` and `UnknownUser` for codes outside the log, `ModelError` for a model that was
    fitted on another, and `ConfigError` for what is none.

    >>> boomerang(EASE().fit(log), log, catalogue.items_of("Horror novels"))  # doctest: +SKIP
    Boomerang(311 users: exposed@10 0.43 before, 0.71 after)
    """
    # who deletes, and who like them never had the topic
    model = forgetting(model, log)
    items = checked_codes(items, log.n_items, "items", UnknownItem)
    topic = np.isin(np.arange(log.n_items), items)
    held = log.matrix()
    having = held[:, topic].count_nonzero(axis=1)
    if users is not None:
        users = pd.unique(checked_codes(users, log.n_users, "users", UnknownUser))
    users = _deleters(having, users, at_least, int(topic.sum()))
    distinct = held[users].count_nonzero(axis=1)
    matches = never_had(log, np.flatnonzero(topic), distinct - having[users], n=1)[:, 0]
    # each of them alone; their lists are kept, their scores are not
    everybody, rng = log.histories(), np.random.default_rng(seed)
    each = zip(users, matches, rows_of_each(log, users), strict=True)
    alone = [
        _deletes(model, rows, everybody.select([user, max(match, 0)]), topic, k, rng)
        for user, match, rows in tqdm(each, "boomerang", len(users), False, delay=5)
    ]
    lists = {
        row: np.stack([one.lists[row] for one in alone]) for row in (AFTER, TOMBSTONE, PLACEBO)
    }
    served = partial(lists_of, partial(scores_of, model), k=k, seen=True)
    lists[SERVED] = served(everybody.select(users))
    lists[NEVER] = served(everybody.select(np.maximum(matches, 0)))
    # what was deleted, and for whom a row does not exist
    gone = sparse.csr_array(held[users].multiply(topic))
    drawn = sparse.vstack([one.drawn for one in alone], format="csr")
    absent = {NEVER: matches < 0, PLACEBO: np.diff(drawn.indptr) == 0}
    # one line per user and row
    parts = []
    for row in ROWS:
        part = pd.DataFrame({"user": users.astype(np.int64), "row": row})
        part["exposed"] = exposure(lists[row], np.flatnonzero(topic))
        part["share"] = share(lists[row], np.flatnonzero(topic))
        part["again"] = exposure(lists[row], drawn if row == PLACEBO else gone)
        part.loc[absent.get(row, []), VALUES] = np.nan
        parts.append(part)
    table = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    # and one per user and match
    pairs = pd.DataFrame({"user": users.astype(np.int64), "match": matches})
    columns = [f"{side}{end}" for end in KINDS.values() for side in ("after", "never")]
    pairs[columns] = np.stack([one.means for one in alone])
    pairs.loc[matches < 0, columns] = np.nan
    never = int((having == 0).sum())
    return Boomerang(table, pairs, k, never, off_refit(model, log))


def _deleters(having: np.ndarray, users: np.ndarray | None, at_least: int, size: int) -> np.ndarray:
    """Who deletes: those named, or everybody who holds enough."""
    if not size:
        raise DataError("no items to delete", "items", "the codes of a topic's items")
    if users is None:
        cutoffs(at_least, several=False, where="at_least")
        users = np.flatnonzero(having >= at_least)
        if not len(users):
            wanted = f"users with at least {at_least} of the {size} items"
            raise DataError("nobody to delete for", "boomerang", wanted, "lower at_least")
        return users
    if not len(users):
        raise DataError("nobody to delete for", "users", "user codes, or None for all who have it")
    without = users[having[users] == 0]
    if len(without):
        what = f"{len(without)} of {len(users)} users hold none of the {size} items"
        wanted = f"users with a row to delete; {without[:3].tolist()} have none"
        raise DataError(what, "users", wanted, "leave them out")
    return users


@dataclass(frozen=True)
class _Alone:
    """What one user's deletion leaves: a list of each row, (1, n_items) what the placebo deleted,
    and mean scores of `KINDS`, for the user and the match."""

    lists: dict[str, np.ndarray]
    drawn: sparse.csr_array
    means: list[float]


def _deletes(
    model: Counted,
    rows: Interactions,
    both: Histories,
    topic: np.ndarray,
    k: int,
    rng: np.random.Generator,
) -> _Alone:
    """One user deletes the topic, and elsewhere a placebo. both: that user's history, the match's."""
    own, theirs = both.matrix().toarray() > 0
    history = both.select([0])
    # the topic goes: what the model then says of the user, and of the match
    deleted = history.interaction[topic[history.item]]
    after, never = score_after(model, rows.only(deleted), both.without(deleted))
    lists = {
        AFTER: top_k(after[None], k, (own & ~topic)[None])[0],
        TOMBSTONE: top_k(after[None], k, own[None])[0],
    }
    kinds = (topic, topic & ~own, ~topic & ~own & ~theirs)
    means = [_mean(scores, kind) for kind in kinds for scores in (after, never)]
    # the placebo: other items, whole, in a random order, of as many rows as the topic at most
    elsewhere = rng.permutation(np.flatnonzero(own & ~topic))
    sizes = np.bincount(history.item, minlength=len(topic))[elsewhere]
    drawn = np.isin(np.arange(len(topic)), elsewhere[np.cumsum(sizes) <= len(deleted)])
    others = history.interaction[drawn[history.item]]
    placebo = score_after(model, rows.only(others), history.without(others))
    lists[PLACEBO] = top_k(placebo, k, (own & ~drawn)[None])[0]
    return _Alone(lists, sparse.csr_array(drawn[None]), means)


def _mean(scores: np.ndarray, items: np.ndarray) -> float:
    return scores[items].mean() if items.any() else np.nan
