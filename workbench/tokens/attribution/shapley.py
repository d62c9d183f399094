"""Shapley values of memory items: each item's part of PIR, so divided that the parts add up to PIR.

Shapley (1953), over the game v_i(S) = log p(y_i | S, x, y_<i) of memory items S, with N the whole
persona, |N| = K:

    φ_k(i) = Σ_{S ⊆ N∖k}  |S|! (K − |S| − 1)! / K!  ·  (v_i(S ∪ k) − v_i(S)),      Σ_k φ_k(i) = v_i(N) − v_i(∅) = PIR(i)

The sum is PIR because the empty coalition drops the persona's heading too; what the heading does by
itself is thereby divided among the items. Up to `exact` items all 2^K coalitions are scored. With
more, the mean over random orders of the items is taken, in each of which an item gains what it adds
to those before it: each order adds up to PIR, each φ_k has a standard error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import check_number
from workbench.tokens.coalitions import checked, score_coalitions, tidy
from workbench.tokens.rendering import Template


def shapley_values(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: Template = None,
    exact: int = 8,
    orders: int = 25,
    seed: int = 0,
    batch_size: int = 64,
) -> pd.DataFrame:
    """φ_k of every token and memory item, in nats: [text, position, memory, value, whole,
    standard_error].

    `whole` is PIR; `standard_error` is 0 where all coalitions were scored. `orders` random orders
    are drawn with `seed` for a text with more than `exact` items, at most K · `orders` + 3 passes.
    """
    check_number(0, exact=exact, seed=seed)
    check_number(2, orders=orders)  # of one there is no error
    tables = []
    for row in checked(examples, tokenizer, template):

        def value(coalitions, row=row):
            return score_coalitions(model, tokenizer, row, coalitions, template, batch_size)

        items = len(row.memories)
        part, error = _all(value, items) if items <= exact else _sampled(value, items, orders, seed)
        none, everything = value(np.array([[False] * items, [True] * items]))
        tables.append(tidy(row.text, part, everything - none, standard_error=error))
    return pd.concat(tables, ignore_index=True)


def _all(value, items):
    """The sum above, term by term; bit k of a coalition's number says whether item k is in it."""
    coalitions = (np.arange(2**items)[:, None] >> np.arange(items)) & 1 == 1
    scores, sizes = value(coalitions), coalitions.sum(axis=1)
    orders = [math.factorial(n) * math.factorial(items - n - 1) for n in range(items)]
    weight = np.array(orders) / math.factorial(items)
    part = []
    for item in range(items):
        without = np.flatnonzero(~coalitions[:, item])
        gain = scores[without + 2**item] - scores[without]
        part.append(weight[sizes[without]] @ gain)
    return np.stack(part), 0.0


def _sampled(value, items, orders, seed):
    """Mean over random orders, and its standard error."""
    dice = torch.Generator().manual_seed(seed)
    drawn = torch.stack([torch.randperm(items, generator=dice) for _ in range(orders)])
    # the place of each item in each order, and who has come after none, one, ... all
    place = drawn.argsort(dim=1).numpy()
    come = place[:, None] < np.arange(items + 1)[:, None]
    scores = value(come.reshape(-1, items)).reshape(orders, items + 1, -1)
    gain = np.take_along_axis(np.diff(scores, axis=1), place[..., None], axis=1)
    return gain.mean(axis=0), gain.std(axis=0, ddof=1) / math.sqrt(orders)
