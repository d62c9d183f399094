"""An agent that asks attribute by attribute, with a tool that can only return real products.

    s_a(v) = (Σ_{i ∈ C, a(i) = v} w_i + α c_a(v)) / (Σ_{i ∈ C} w_i + α)     what the shopper would answer
    gain_a = Σ_v s_a(v) log2 (s_a(v) / c_a(v))                              how much the answer tells, bits

C: the products that are left after the answers so far; w: what the shopper did with each product; c:
what everybody did. The attribute with the largest gain is asked next, its values share out the
places of the pool, and each goes on by itself; where no attribute is left, or none tells more than
`least`, the tool returns the best of C by another recommender's scores. After ToolRec (Let Me Do It For
You, arXiv 2405.15114), where a language model plays the shopper, chooses the attribute and says when
to stop; here the shopper's own rows answer, and counting chooses (ours). What is returned is always in
the catalogue: nothing can be invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import entropy

from workbench.data import Catalogue
from workbench.errors import DataError, check_number, typed
from workbench.recommend import top_k

BANDS = 4
"""Into how many bands the prices are cut, with as many products each."""


@dataclass(frozen=True)
class Asking:
    """What an agent asked for one shopper, and what its tool returned."""

    calls: pd.DataFrame
    """[path, gain, share, left, items]: a call of the tool a row: the answers that led to it, what the
    last question told (bits), the share of the pool it was given, the products left after the
    answers, and the codes that were returned."""
    pool: np.ndarray
    """Codes of all that was returned, the likeliest first."""
    scores: np.ndarray
    """(n_items,): share of a product's answers, shared out by the other recommender's scores; 0 for what
    was not returned."""


@typed
def attributes_of(catalogue: Catalogue) -> pd.DataFrame:
    """What can be asked, a column an attribute, a row a product: category, kind, brand, price band.

    What a catalogue does not have, or has one value of, is not asked.
    """
    names = ["category", "kind", "brand"]
    found = catalogue.frame[[name for name in names if name in catalogue.frame]]
    found = found.astype(str).fillna("unknown")
    price = catalogue.frame["price"]
    if price.notna().any():
        bands = pd.qcut(price.rank(method="first"), BANDS, labels=False)
        found = found.assign(price=bands.map("price band {:.0f}".format, na_action="ignore"))
        found["price"] = found["price"].fillna("no price")
    return found.loc[:, found.nunique() > 1].astype("category")


@typed
def ask(
    weights: np.ndarray,
    everybody: np.ndarray,
    scores: np.ndarray,
    catalogue: Catalogue,
    pool: int = 50,
    alpha: float = 4.0,
    least: float = 0.05,
) -> Asking:
    """Ask for one shopper, attribute by attribute, until the pool is full.

    weights: (n_items,), from 0 on, what the shopper did with each product; everybody: the same of
    all shoppers; scores: (n_items,) of any recommender, which order what the tool returns. pool: how
    many products are wanted. alpha: weight, above 0, of everybody's answer beside the shopper's.
    least: bits below which nothing is asked. Raises `DataError`, `ConfigError`.

    >>> ask(own[0], own.sum(axis=0), ease[0], catalogue, pool=20).calls  # doctest: +SKIP
    """
    given = {"weights": weights, "everybody": everybody, "scores": scores}
    for name, one in given.items():
        numbers = one.dtype.kind in "biuf" and one.shape == (len(catalogue),)
        fits = numbers and np.isfinite(one).all()
        if not fits or (name != "scores" and one.min() < 0):
            expected = f"{len(catalogue)} finite numbers, one a product, no weight below 0"
            raise DataError(f"{name}: {one.dtype} of shape {one.shape}", name, expected)
    check_number(1, pool=pool)
    check_number(1e-6, alpha=alpha)
    check_number(0.0, least=least)
    # what nobody did has a share all the same, so that no logarithm is of nothing
    told = _Told(attributes_of(catalogue), weights, everybody + 1e-9, scores, alpha, least)
    told.go_on(np.arange(len(catalogue)), min(pool, len(catalogue)), [], 1.0, 0.0)
    calls = pd.DataFrame(told.calls, columns=["path", "gain", "share", "left", "items"])
    returned = np.concatenate(calls["items"].to_list())
    order = np.lexsort((-scores[returned], -told.found[returned]))
    return Asking(calls, returned[order], told.found)


@dataclass
class _Told:
    """The questions of one shopper, answered from the rows."""

    attributes: pd.DataFrame
    weights: np.ndarray
    everybody: np.ndarray
    scores: np.ndarray
    alpha: float
    least: float
    calls: list[tuple] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.found = np.zeros(len(self.weights))

    def go_on(self, left: np.ndarray, places: int, path: list, share: float, gain: float) -> None:
        """Ask the next question about the products that are left, or call the tool."""
        asked = [one.partition("=")[0] for one in path]
        open_ = [name for name in self.attributes if name not in asked]
        answers = {name: self.answer(name, left) for name in open_}
        gains = {name: entropy(s, c, base=2) for name, (s, c) in answers.items()}
        best = max(gains, key=gains.__getitem__, default=None)
        if best is None or gains[best] <= self.least or places >= len(left):
            self.retrieve(left, places, path, share, gain)
            return
        # every value gets places by its share of the answers; no more than it has products
        parts, codes = answers[best][0], self.attributes[best].cat.codes.to_numpy()[left]
        given = _shared_out(places, parts, np.bincount(codes, minlength=len(parts)))
        for code in np.flatnonzero(given):
            told = [*path, f"{best}={self.attributes[best].cat.categories[code]}"]
            place = (left[codes == code], int(given[code]))
            self.go_on(*place, told, share * float(parts[code]), gains[best])

    def answer(self, attribute: str, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """s and c of every value: the shopper's answer and everybody's, among the products left."""
        codes = self.attributes[attribute].cat.codes.to_numpy()[left]
        values = len(self.attributes[attribute].cat.categories)
        own, all_ = (np.bincount(codes, w[left], values) for w in (self.weights, self.everybody))
        common = all_ / all_.sum()
        return (own + self.alpha * common) / (own.sum() + self.alpha), common

    def retrieve(
        self, left: np.ndarray, places: int, path: list, share: float, gain: float
    ) -> None:
        """The tool: the best of what is left, by the other recommender."""
        items = left[top_k(self.scores[left][None], places, alike=True)[0]]
        ranks = 1.0 / np.arange(1, len(items) + 1)
        self.found[items] = share * ranks / ranks.sum()
        self.calls.append((", ".join(path) or "anything", gain, share, len(left), items))


def _shared_out(places: int, shares: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Whole places by shares (d'Hondt): one after another to whoever has most a place, until full."""
    given = np.zeros(len(shares), dtype=int)
    for _ in range(places):
        ratio = np.where(given < most, shares / (given + 1), -1.0)
        given[ratio.argmax()] += 1
    return given
