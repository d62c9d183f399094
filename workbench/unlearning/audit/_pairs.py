"""Statistics of pairs of models, each pair looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np


def of_pairs(
    values: Mapping[str, np.ndarray], retrained: np.ndarray, alike: Callable
) -> tuple[dict[str, np.ndarray], np.ndarray, Callable]:
    """What `against` takes, where the statistic is the mean over pairs of a model and a retrain of
    `alike(one, other)` (units,): each pair is looked at once, and then stands for its numbers."""
    models = [*retrained, *(one for found in values.values() for one in found)]
    table = np.stack([[alike(one, other) for other in retrained] for one in models])

    def numbers(first: int, n: int) -> np.ndarray:
        return np.broadcast_to(np.arange(first, first + n)[:, None], (n, table.shape[2]))

    def statistic(some: np.ndarray, others: np.ndarray) -> np.ndarray:
        return table[np.ix_(some[:, 0], others[:, 0])].mean(axis=(0, 1))

    coded, first = {}, len(retrained)
    for name, found in values.items():
        coded[name] = numbers(first, len(found))
        first += len(found)
    return coded, numbers(0, len(retrained)), statistic
