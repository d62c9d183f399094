"""Aspects (RecPilot, arXiv 2603.07605, equation 11): one ranking a set of attributes, all at once.

    s_i^(D) = 1/|D| Σ_{a∈D} (w_a + δ) · s_i^(a)        score of product i under aspect D
    L_0     = Σ_D s^(D)                                the overall ranking: their plain sum

The paper lets a language model choose the sets D and score each product on each attribute. Here
D are all sets of one or two attributes, and s are what a shopper sees, see `_visible`. Over all D
every attribute weighs alike, so that L_0 orders products as Σ_a (w_a + δ) · s^(a) does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from workbench.data import Catalogue
from workbench.errors import ConfigError, DataError, UnknownItem, check_number, typed
from workbench.reports.offers import roles

ATTRIBUTES = ("price", "rating", "brand", "popularity")
DELTA = 0.25
"""δ, what an aspect adds to the weights of its attributes; the paper does not say (ours)."""


@cache
def aspects_of(largest: int = 2, attributes: int = len(ATTRIBUTES)) -> np.ndarray:
    """Which attributes each aspect holds, bool (n_aspects, n_attributes): the single ones first.

    >>> aspects_of(2, 3).astype(int).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]]
    """
    check_number(1, attributes, largest=largest)
    sizes = range(1, largest + 1)
    sets = [held for size in sizes for held in combinations(range(attributes), size)]
    return np.array([np.isin(np.arange(attributes), held) for held in sets])


def name_of(aspect: np.ndarray) -> str:
    """What an aspect is called: its attributes, joined.

    >>> name_of(np.array([True, True, False, False]))
    'price+rating'
    """
    return "+".join(name for name, held in zip(ATTRIBUTES, aspect, strict=True) if held)


def aspect_scores(
    weights: np.ndarray, scores: np.ndarray, aspects: np.ndarray, delta: float = DELTA
) -> np.ndarray:
    """Equation 11 for all aspects in one product, (n_aspects, n_items).

    weights: (n_attributes,); scores: (n_items, n_attributes); aspects: bool (n_aspects,
    n_attributes).
    """
    boosted = aspects * (weights + delta) / aspects.sum(axis=1, keepdims=True)
    return boosted @ scores.T


def gains(scores: np.ndarray, chosen: int) -> np.ndarray:
    """NDCG of rankings (n_rankings, n_items) with one right answer, 1 / log2(1 + its place).

    Products of one score share their places: the mean over all their orders, so that an attribute
    with few values wins nothing by chance.
    """
    # equal up to rounding, as the same sum in another order is
    apart = scores - scores[:, [chosen]]
    equal = np.abs(apart) <= 1e-12 * np.abs(scores).max(initial=1.0)
    before = ((apart > 0) & ~equal).sum(axis=1)
    discounts = 1.0 / np.log2(np.arange(scores.shape[1]) + 2.0)
    sums = np.concatenate([[0.0], np.cumsum(discounts)])
    ties = equal.sum(axis=1)
    return (sums[before + ties] - sums[before]) / ties


def chance(n: int) -> float:
    """What `gains` is on average for a product drawn among n."""
    return float(np.mean(1.0 / np.log2(np.arange(n) + 2.0)))


@dataclass(frozen=True)
class Aspects:
    """Products ranked under every aspect.

    items: (n_items,) codes; scores: (n_aspects, n_items); aspects: bool (n_aspects, n_attributes).
    """

    items: np.ndarray
    scores: np.ndarray
    aspects: np.ndarray

    @property
    def names(self) -> list[str]:
        """What the aspects are called."""
        return [name_of(aspect) for aspect in self.aspects]

    def best(self, aspect: str | None = None) -> np.ndarray:
        """Item codes, best first, under an aspect, overall (L_0) unless told; `ConfigError` for no
        aspect."""
        if aspect not in (None, *self.names):
            raise ConfigError(f"no aspect {aspect!r}", "aspect", f"one of {', '.join(self.names)}")
        own = self.scores if aspect is None else self.scores[[self.names.index(aspect)]]
        # what is equal but for rounding keeps the order of the codes
        return self.items[np.argsort(-own.sum(axis=0).round(12), kind="stable")]

    def places(self, item: int) -> dict[str, int]:
        """The place of an item under every aspect, 1 the best, shared by equal ones; `UnknownItem`
        for an item that was not ranked."""
        at = np.flatnonzero(self.items == item)[:1]
        if not len(at):
            raise UnknownItem(f"item {item} was not ranked", "item", "one of items")
        own = self.scores[:, at]
        better = (self.scores > own + 1e-12).sum(axis=1)
        return dict(zip(self.names, (1 + better).tolist(), strict=True))

    def lists(self, k: int = 3) -> dict[str, list[int]]:
        """The first k item codes overall and under every aspect."""
        return {name or "overall": self.best(name)[:k].tolist() for name in (None, *self.names)}

    def offers(self, catalogue: Catalogue) -> dict[str, int]:
        """Who plays which part on a page, role → item code: the first of L_0 is the pick, and
        substitutes are of its kind; see `roles`."""
        return roles(self.best(), catalogue)


@typed
def rank_aspects(
    items: np.ndarray,
    weights: np.ndarray,
    scores: np.ndarray,
    largest: int = 2,
    delta: float = DELTA,
) -> Aspects:
    """Rank products (n_items,) by what a shopper sees of them, (n_items, n_attributes).

    >>> table = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    >>> rank_aspects(np.array([7, 9]), np.array([0.4, 0.2, 0.2, 0.2]), table).lists(1)["overall"]
    [7]
    """
    if scores.shape != (*items.shape, len(ATTRIBUTES)) or weights.shape != (len(ATTRIBUTES),):
        what = f"{scores.shape} scores of {items.shape} products, {weights.shape} weights"
        raise DataError(what, "scores", f"{len(ATTRIBUTES)} a product: {', '.join(ATTRIBUTES)}")
    aspects = aspects_of(largest)
    order = np.argsort(items)  # ties go to the lower code
    scores = scores[order]
    return Aspects(items[order], aspect_scores(weights, scores, aspects, delta), aspects)
