"""What lists are like, beyond how often they are right."""

from __future__ import annotations

import numpy as np

from workbench.data import Interactions
from workbench.data.checks import checked_codes
from workbench.errors import DataError, UnknownItem, UnknownUser


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that stands in at least one list; lists (B, k) as from `top_k`."""
    lists = _codes(lists, n_items)
    return len(np.unique(lists[lists >= 0])) / n_items


def novelty(lists: np.ndarray, log: Interactions) -> np.ndarray:
    """Mean self-information −log₂ p(i) of each list, in bits; (B,), NaN for an empty list.

    p(i): share of the users of `log` who have the item; items that nobody has count as one user's
    (Zhou et al., PNAS 2010).
    """
    owners = np.diff(log.matrix().tocsc().indptr)
    return _list_mean(
        lists, -np.log2(np.maximum(owners, 1) / max(log.deeds.frame["user"].nunique(), 1))
    )


def popularity_bias(lists: np.ndarray, log: Interactions, users: np.ndarray) -> np.ndarray:
    """How much more popular a user's list is than the user's own items: ratio of mean counts − 1;
    (B,).

    0 means as popular as what the user chose (popularity lift, Abdollahpouri et al., RecSys 2020
    workshop). NaN for a user without rows or an empty list.
    """
    users = checked_codes(users, log.n_users, "users", UnknownUser)
    if len(users) != len(lists):
        raise DataError(f"{len(users)} users of {len(lists)} lists", "users", "one for each list")
    x = log.matrix()
    owners = np.diff(x.tocsc().indptr).astype(float)
    own = x[users]
    with np.errstate(invalid="ignore", divide="ignore"):
        return _list_mean(lists, owners) / (own @ owners / np.diff(own.indptr)) - 1


def _list_mean(lists: np.ndarray, value: np.ndarray) -> np.ndarray:
    lists = _codes(lists, len(value))
    there = lists >= 0
    with np.errstate(invalid="ignore"):
        return (value[np.maximum(lists, 0)] * there).sum(axis=1) / there.sum(axis=1)


def _codes(lists: np.ndarray, n_items: int) -> np.ndarray:
    lists = np.asarray(lists)
    return checked_codes(lists.reshape(-1), n_items, "lists", UnknownItem, -1).reshape(lists.shape)
