"""What visits hold, as sets of products: what rewards are made of, and how far visits lie apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench.data import Interactions
from workbench.errors import typed
from workbench.reports.recpilot.grammar import FIRST, Vocabulary


class Held(NamedTuple):
    """What n visits hold: products they touch and products they buy, (n, n_items) of booleans; rows
    and whether they keep to the grammar, (n,)."""

    seen: np.ndarray
    bought: np.ndarray
    rows: np.ndarray
    valid: np.ndarray

    @classmethod
    def of(cls, tokens: np.ndarray, vocabulary: Vocabulary) -> Held:
        """Of (n, T) tokens, sentences of the grammar or not: a product belongs to the action said
        last, if there is one."""
        kinds, place = vocabulary.kinds[tokens], np.arange(tokens.shape[1])
        said = np.maximum.accumulate(np.where(kinds >= FIRST, place, -1), axis=1)
        action = np.where(said < 0, -1, np.take_along_axis(tokens, said.clip(0), axis=1))
        visit, at = np.nonzero(kinds == 2)
        item = tokens[visit, at] - vocabulary.items_from
        seen = np.zeros((len(tokens), vocabulary.n_items), dtype=bool)
        bought = seen.copy()
        seen[visit, item] = True
        buys = action[visit, at] == vocabulary.bought
        bought[visit[buys], item[buys]] = True
        return cls(seen, bought, (kinds == 2).sum(axis=1), vocabulary.valid(tokens))


@typed
def covisits(log: Interactions) -> np.ndarray:
    """(n_items, n_items): in how many visits of a log two products stand together; a product that
    is in none is like itself alone."""
    rows = log.frame[["user", "session", "item"]].dropna().drop_duplicates()
    # two shoppers may have a session of one number
    visit = rows.groupby(["user", "session"]).ngroup()
    held = np.zeros((visit.max() + 1 if len(rows) else 0, log.n_items))
    held[visit, rows["item"]] = 1.0
    return np.maximum(held.T @ held, np.eye(log.n_items))


def distance(seen: np.ndarray) -> np.ndarray:
    """How far the visits of one shopper lie apart: mean 1 − Jaccard over pairs of the G sets of each
    of n shoppers, (n, G, n_items) of booleans; 0 all the same, 1 nothing in common.

    >>> distance(np.array([[[True, True, False], [True, False, False]]])).tolist()
    [0.5]
    """
    held = seen.astype(np.float64)
    common = held @ held.transpose(0, 2, 1)
    size = held.sum(axis=2)
    either = size[:, :, None] + size[:, None, :] - common
    one, two = np.triu_indices(seen.shape[1], 1)
    apart = 1.0 - common[:, one, two] / np.maximum(either[:, one, two], 1.0)
    return np.where(either[:, one, two] > 0, apart, 0.0).mean(axis=1)
