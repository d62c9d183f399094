"""What a shopper sees of a product beside others: how little it costs, how it is rated, how often one
bought its brand, how often others bought it.

Every number is a standard score within the group that a product is held against (its category, or
its kind): 0 is the middle of the group. What is not known, and what does not differ, is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from workbench.data import Catalogue

Candidates = Literal["category", "kind"]


@dataclass(frozen=True)
class Visible:
    """Products by group, and what does not change with purchases.

    group: (n_items,) codes, −1 where the catalogue does not say; fixed: (n_items, 2) standard scores
    of price (low is high) and rating; brand: (n_items,) codes, −1 for none.
    """

    group: np.ndarray
    fixed: np.ndarray
    brand: np.ndarray

    @classmethod
    def of(
        cls, catalogue: Catalogue, candidates: Candidates = "category", most: int = 500
    ) -> Visible:
        """Read a catalogue; groups of more than `most` products are none."""
        frame = catalogue.frame
        named = catalogue.kind if candidates == "kind" else frame["category"].to_numpy(dtype=object)
        known = ~np.isin(named, ("", "unknown"))
        group = pd.factorize(np.where(known, named, None))[0]
        sizes = np.bincount(group + 1)
        group = np.where(sizes[group + 1] <= most, group, -1)
        price = frame["price"].to_numpy(dtype=np.float64)
        cheap = -np.log(np.where(price > 0, price, np.nan))
        fixed = np.column_stack([standard(cheap, group), standard(catalogue.rating, group)])
        brand = pd.factorize(frame["brand"].replace("", None))[0]
        return cls(group, fixed, brand)

    def candidates(self, item: int) -> np.ndarray:
        """Codes of the products that one is held against, itself among them, ascending; none where
        its group is not known. A catalogue has no dates: all are taken to be on offer."""
        own = self.group[item]
        return np.flatnonzero(self.group == own) if own >= 0 else np.zeros(0, dtype=np.int64)

    def scores(self, items: np.ndarray, sold: np.ndarray, owned: np.ndarray) -> np.ndarray:
        """What is seen of items (m,), each among those of its group here: (m, 4) in the order of
        `ATTRIBUTES`.

        sold: (m,) purchases by others; owned: brand codes of what the shopper bought.
        """
        own = np.bincount(owned[owned >= 0], minlength=self.brand.max(initial=-1) + 2)
        counts = np.log1p(np.column_stack([own[self.brand[items]], sold]))
        group = self.group[items]
        bought = [standard(column, group) for column in counts.T]
        return np.column_stack([self.fixed[items], *bought])


def standard(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Standard scores within groups; 0 for NaN, for group −1, and where a group does not vary.

    >>> standard(np.array([1.0, 3.0, np.nan, 5.0]), np.array([0, 0, 0, 1])).tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """
    known = np.isfinite(values) & (group >= 0)
    at, value = group[known], values[known]
    n = np.maximum(np.bincount(at), 1)
    middle = np.bincount(at, value) / n
    apart = value - middle[at]
    spread = np.sqrt(np.bincount(at, apart**2) / n)[at]
    found = np.zeros(len(values))
    # what is equal up to rounding does not vary
    varies = spread > 1e-9
    found[known] = np.where(varies, apart / np.where(varies, spread, 1.0), 0.0)
    return found
