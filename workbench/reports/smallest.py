"""The smallest set of rows that carries a recommendation or a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from workbench import html
from workbench.data import Histories
from workbench.errors import DataError
from workbench.recommend import Counted, ranks

MOST_COMBINATIONS = 3_000  # sets tried at once when proving that no smaller one does it


@dataclass(frozen=True)
class SmallestSet:
    """Rows whose removal from the history ends what was asked about.

    items: their items, strongest first (all rows of an item go together). found: False where
    nothing does it, and then the set is empty. proven: no set of fewer items does it, each was
    tried. random: items that have to go when they are taken in random order (median over orders;
    NaN where not asked for).
    """

    interactions: tuple[int, ...]
    items: tuple[int, ...]
    found: bool
    proven: bool
    random: float

    def __repr__(self) -> str:
        if not self.found:
            return "SmallestSet(nothing in this history carries it)"
        word = "smallest, all smaller ones tried" if self.proven else "smallest found"
        return (
            f"SmallestSet({len(self.items)} items, {len(self.interactions)} rows: "
            f"{word}; random {self.random:g})"
        )

    def to_frame(self) -> pd.DataFrame:
        """[interaction]: the rows."""
        return pd.DataFrame({"interaction": np.array(self.interactions, dtype=np.int64)})

    def _repr_html_(self) -> str:
        kind = "smallest (all smaller sets tried)" if self.proven else "smallest found"
        row = {"kind": kind if self.found else "none found", "items": len(self.items)}
        return html.table(
            [row | {"rows": len(self.interactions), "items in random order": self.random}]
        )


def smallest_set(
    model: Counted,
    history: Histories,
    item: int | None = None,
    *,
    support: pd.DataFrame | None = None,
    holds: Callable[[Histories], np.ndarray] | None = None,
    k: int = 10,
    prove: int = 2,
    orders: int = 0,
    seed: int = 0,
) -> SmallestSet:
    """Find few rows whose removal ends a recommendation, or a claim, for the one user of `history`.

    Either `item`: it stands in the user's top k, and the set makes it leave. What the user had
    stays masked while rows go (as with a tombstone), so the item leaves for its score, not for
    films coming back above it. Or `support` [interaction, weight] of a claim, with
    `holds(histories) -> bool (B,)` telling whether the claim still stands; without `holds` it falls
    once half of its weight is gone.

    Greedy by contribution, one item after another, each step verified by scoring again; then every
    item that turns out not to be needed is put back. `prove`: sets of up to so many items are tried
    outright where there are at most 3,000 of them, so that a result of at most prove + 1 items is
    the smallest there is. `orders`: random orders to compare with. The model is read, never
    changed: the rows are taken from the input, not from the weights.

    >>> smallest_set(model, log.histories([3]), item=17, orders=20)  # doctest: +SKIP
    SmallestSet(4 items, 5 rows: smallest found; random 26)
    """
    if len(history) != 1 or (item is None) == (support is None):
        raise DataError(
            "one history, and either item or support", "smallest_set", "log.histories([user])"
        )
    if support is None:
        support, holds = (
            model.contributions(history, np.array([item])),
            _in_top(model, history, item, k),
        )
    weight = dict(zip(support["interaction"].tolist(), support["weight"].tolist(), strict=True))
    owned = np.array([weight.get(row, 0.0) for row in history.interaction.tolist()])
    sums = pd.Series(owned).groupby(history.item).sum().sort_index()
    order = sums.sort_values(ascending=False, kind="stable").index.to_numpy()
    total = owned[owned > 0].sum()

    def ended(sets: Sequence[Sequence[int]]) -> np.ndarray:
        if holds is None:
            return np.array(
                [sums.loc[list(s)].clip(lower=0).sum() >= 0.5 * total > 0 for s in sets], dtype=bool
            )
        return ~np.asarray(holds(_without_items(history, sets)), dtype=bool)

    if ended([()])[0]:
        raise DataError(
            f"{'the claim' if item is None else f'item {item}'} does not stand as it is",
            "smallest_set",
        )
    prefixes = ended([order[:n] for n in range(1, len(order) + 1)])
    if not prefixes.any():
        return SmallestSet((), (), False, False, float("nan"))
    chosen = [int(i) for i in order[: int(np.argmax(prefixes)) + 1]]
    for one in list(chosen):
        if len(chosen) > 1 and ended([[i for i in chosen if i != one]])[0]:
            chosen.remove(one)
    chosen, proven = _try_smaller(chosen, order, ended, prove)
    rows = tuple(int(row) for row in history.interaction[np.isin(history.item, chosen)])
    return SmallestSet(
        rows, tuple(chosen), True, proven, _random_orders(order, ended, orders, seed)
    )


def _in_top(
    model: Counted, history: Histories, item: int, k: int
) -> Callable[[Histories], np.ndarray]:
    seen = np.zeros((1, history.n_items), dtype=bool)
    seen[0, history.item] = True

    def holds(histories: Histories) -> np.ndarray:
        out = np.repeat(seen, len(histories), axis=0)
        rank = ranks(model.score(histories), np.full(len(histories), item), out)
        return (rank > 0) & (rank <= k)

    return holds


def _without_items(history: Histories, sets: Sequence[Sequence[int]]) -> Histories:
    """The one history once per set, without the rows on the items of the set."""
    many = history.select(np.zeros(len(sets), dtype=np.int64))
    gone = np.zeros((len(sets), history.n_items), dtype=bool)
    for row, items in enumerate(sets):
        gone[row, list(items)] = True
    return many.keep(~gone[many.rows, many.item])


def _try_smaller(
    chosen: list[int], order: np.ndarray, ended: Callable[..., np.ndarray], prove: int
) -> tuple[list[int], bool]:
    for size in range(1, len(chosen)):
        n_sets = 1
        for step in range(size):
            n_sets = n_sets * (len(order) - step) // (step + 1)
        if size > prove or n_sets > MOST_COMBINATIONS:
            return chosen, False
        sets = list(combinations(order.tolist(), size))
        hits = np.flatnonzero(ended(sets))
        if len(hits):
            return [int(i) for i in sets[hits[0]]], True
    return chosen, True


def _random_orders(
    order: np.ndarray, ended: Callable[..., np.ndarray], orders: int, seed: int
) -> float:
    rng = np.random.default_rng(seed)
    needed = []
    for _ in range(orders):
        shuffled = rng.permutation(order)
        hits = ended([shuffled[:n] for n in range(1, len(shuffled) + 1)])
        needed.append(int(np.argmax(hits)) + 1 if hits.any() else len(shuffled) + 1)
    return float(np.median(needed)) if needed else float("nan")
