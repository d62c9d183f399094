"""Shapley values of memory items: each item's part of PIR, so divided that the parts add up to PIR.

Shapley (1953), over the game v_i(S) = log p(y_i | S, x, y_<i) of memory items S, with N the whole
persona, |N| = K:

    φ_k(i) = Σ_{S ⊆ N∖k}  |S|! (K − |S| − 1)! / K!  ·  (v_i(S ∪ k) − v_i(S)),      Σ_k φ_k(i) = v_i(N) − v_i(∅) = PIR(i)

The sum is PIR because the empty coalition drops the persona's heading too; what the heading does by
itself is thereby divided among the items. Up to `exact` items all 2^K coalitions are scored. With
more, the mean over random orders of the items is taken (Captum's ShapleyValueSampling): each order
adds up to PIR, each φ_k has a standard error.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.tokens.coalitions import checked, score_coalitions, tidy


def shapley_values(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: str | Path | None = None,
    exact: int = 8,
    orders: int = 25,
    seed: int = 0,
    batch_size: int = 64,
) -> pd.DataFrame:
    """φ_k of every token and memory item, in nats: [text, position, memory, value, whole,
    standard_error].

    `whole` is PIR; `standard_error` is 0 where all coalitions were scored. `orders` random orders
    are drawn with `seed` for a text with more than `exact` items, at most K · `orders` + 1 passes.
    """
    tables = []
    for row in checked(examples, tokenizer, template):
        known: dict[tuple[bool, ...], np.ndarray] = {}

        def value(coalitions: np.ndarray, row: Any = row, known: dict = known) -> np.ndarray:
            new = [
                key for key in dict.fromkeys(map(tuple, coalitions.tolist())) if key not in known
            ]
            if new:
                scores = score_coalitions(model, tokenizer, row, new, template, batch_size)
                known.update(zip(new, scores, strict=True))
            return np.stack([known[key] for key in map(tuple, coalitions.tolist())])

        items = len(row.memories)
        part, error = _all(value, items) if items <= exact else _sampled(value, items, orders, seed)
        none, everything = value(np.array([[False] * items, [True] * items]))
        tables.append(tidy(row.text, part, everything - none, standard_error=error))
    return pd.concat(tables, ignore_index=True)


def _all(value: Any, items: int) -> tuple[np.ndarray, float]:
    """The sum above, term by term; bit k of a coalition's number says whether item k is in it."""
    coalitions = (np.arange(2**items)[:, None] >> np.arange(items)) & 1 == 1
    scores, sizes = value(coalitions), coalitions.sum(axis=1)
    weight = np.array(
        [math.factorial(n) * math.factorial(items - n - 1) for n in range(items)]
    ) / math.factorial(items)
    part = []
    for item in range(items):
        without = np.flatnonzero(~coalitions[:, item])
        gain = scores[without + 2**item] - scores[without]
        part.append(weight[sizes[without]] @ gain)
    return np.stack(part), 0.0


def _sampled(value: Any, items: int, orders: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean over random orders, one call of Captum an order, so that their spread is known."""
    from captum.attr import ShapleyValueSampling

    sampler = ShapleyValueSampling(lambda kept: torch.from_numpy(value(kept.numpy() > 0)))
    drawn = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # Captum draws its orders from torch's own generator
        for _ in range(orders):
            found = sampler.attribute(
                torch.ones(1, items), n_samples=1, perturbations_per_eval=items
            )
            drawn.append(found[0].double().numpy().T)  # tokens × items, turned
    gain = np.stack(drawn)
    return gain.mean(axis=0), gain.std(axis=0, ddof=1) / math.sqrt(orders)
