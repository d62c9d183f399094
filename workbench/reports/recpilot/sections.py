"""Sections that must earn their place: what each adds to what readers decide.

    v(S)      what readers gain who see the sections S alone: worth of the product they take, less that of the pick
    left out  v(N) − v(N ∖ s)
    Shapley   φ(s) = Σ_{S ⊆ N∖s} |S|! (n − |S| − 1)! / n! · (v(S ∪ s) − v(S)),      Σ_s φ(s) = v(N) − v(∅)

Dropping one section at a time is how skills of an agent are retired (SLIM, 2026). It calls two
sections that say the same both worthless; Shapley (1953) gives each half. All 2ⁿ pages are read, up
to nine sections. What a reader decides is one thing that a section may be for: one that only
builds trust, or says what is not known, earns nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, typed

MOST = 9
"""Sections at most: all 2ⁿ coalitions are asked."""
Value = Callable[[frozenset[str]], np.ndarray]
"""What readers gain from these sections, (readers,)."""


@dataclass(frozen=True)
class Choice:
    """What one reader chooses among; the first product is the pick.

    believed (products, facts): what each fact is worth to the reader, as the page tells it. worth
    (products,): what the products are worth in truth. tells: what each section tells, the facts of
    all products, or a mask (products, facts); a fact that is not told is 0. known: the mask of what
    a reader knows in any case. A product of which nothing is told or known is not before them.
    """

    believed: np.ndarray
    worth: np.ndarray
    tells: Mapping[str, Sequence[int] | np.ndarray]
    known: np.ndarray | None = None

    def taken(self, sections: Iterable[str]) -> int:
        """The product that looks best by what is told; ties go to the one that stands first."""
        told = np.zeros(self.believed.shape, dtype=bool)
        for mask in (self.known, *(self.tells[section] for section in sections)):
            if np.ndim(mask) == 2:
                told |= mask
            elif mask is not None:
                told[:, list(mask)] = True
        looks = np.where(told, self.believed, 0.0).sum(axis=1)
        there = told.any(axis=1)
        there[0] = True
        return int(np.where(there, looks, -np.inf).argmax())

    def gain(self, sections: Iterable[str]) -> float:
        """Worth of what is taken, less that of the pick."""
        return float(self.worth[self.taken(sections)] - self.worth[0])


@typed
def value_of(choices: Sequence[Choice]) -> Value:
    """The game that these readers play."""
    return lambda sections: np.array([choice.gain(sections) for choice in choices])


@typed
def section_values(value: Value, sections: Sequence[str]) -> pd.DataFrame:
    """Both values of every section for every reader: [section, reader, left_out, shapley].

    Raises `ConfigError` for no section, one that is named twice, or more than `MOST`, and
    `DataError` for a value that is not as many numbers for every page.
    """
    n = len(sections)
    if not 0 < n <= MOST or len(set(sections)) < n:
        raise ConfigError(f"{n} sections", "sections", f"1 to {MOST} names, each once")
    # every page once
    pages = [frozenset(page) for size in range(n + 1) for page in combinations(sections, size)]
    found = {page: np.asarray(value(page), dtype=float) for page in pages}
    shapes = {gains.shape for gains in found.values()}
    if len(shapes) > 1 or len(min(shapes)) != 1 or not all(map(_finite, found.values())):
        raise DataError(f"values of shape {sorted(shapes)}", "value", "(readers,) numbers a page")
    whole = frozenset(sections)
    tables = []
    for section in sections:
        share = np.zeros(min(shapes))
        for page in pages:
            if section not in page:
                orders = math.factorial(len(page)) * math.factorial(n - len(page) - 1)
                share += orders / math.factorial(n) * (found[page | {section}] - found[page])
        alone = found[whole] - found[whole - {section}]
        table = {"section": section, "reader": range(len(share))}
        tables.append(pd.DataFrame(table | {"left_out": alone, "shapley": share}))
    return pd.concat(tables, ignore_index=True)


def _finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())
