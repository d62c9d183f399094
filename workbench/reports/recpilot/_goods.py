"""A catalogue as plain arrays: what the rules of this folder ask of it thousands of times."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from workbench.data import Catalogue
from workbench.reports.sentences import shorten

WORDS = 8
"""Words of a title, at most."""


class Goods:
    """What a catalogue says of its products, by item code; made once."""

    def __init__(self, catalogue: Catalogue) -> None:
        frame = catalogue.frame
        self.catalogue = catalogue
        self.title = frame["title"].astype(str).tolist()
        self.category = frame["category"].astype(str).tolist()
        self.brand = frame["brand"].astype(str).tolist()
        self.price = frame["price"].to_numpy(dtype=float)
        self.rating = catalogue.rating
        self.kind = catalogue.kind.tolist()
        self._quoted: dict[int, str] = {}

    @cached_property
    def alike(self) -> dict[str, np.ndarray]:
        """The products of each kind, ascending."""
        found: dict[str, list[int]] = {}
        for item, kind in enumerate(self.kind):
            found.setdefault(kind, []).append(item)
        return {kind: np.array(items) for kind, items in found.items()}

    def quoted(self, item: int) -> str:
        """A title in quotation marks, in which nothing hides."""
        if item not in self._quoted:
            self._quoted[item] = f"“{shorten(self.title[item], WORDS)}”"
        return self._quoted[item]
