"""Whose is what in a trained model: the entries of each parameter that belong to users or items."""

from __future__ import annotations

from typing import Any

import numpy as np

Axes = dict[str, tuple[int, ...]]
"""Parameters by name, and the axes along which each counts users, or items."""
Index = np.ndarray | tuple[slice, np.ndarray]


def entries(named: dict[str, Any], table: Axes, codes: np.ndarray) -> dict[str, Index]:
    """What of each parameter stands at these codes, as an index into it.

    (k,) codes for a parameter that counts along its first axis, (:, codes) along its second, and a
    mask of its shape where both count: an entry that stands at a code in either is in.

    >>> entries({"gate": np.zeros((2, 5))}, {"gate": (1,)}, np.array([3]))
    {'gate': (slice(None, None, None), array([3]))}
    """
    present = [name for name in table if name in named and len(codes)]
    return {name: _index(tuple(named[name].shape), table[name], codes) for name in present}


def _index(shape: tuple[int, ...], axes: tuple[int, ...], codes: np.ndarray) -> Index:
    if axes == (0,):
        return codes
    if axes == (1,):
        return slice(None), codes
    mask = np.zeros(shape, bool)
    for axis in axes:
        np.moveaxis(mask, axis, 0)[codes] = True
    return mask
