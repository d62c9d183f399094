"""The smallest set of rows that carries a recommendation or a claim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from workbench import html
from workbench.data import Histories
from workbench.errors import DataError, typed
from workbench.recommend import Counted, top_k
from workbench.recommend.protocol import must_offer
from workbench.reports.deeds import Deeds, intents
from workbench.reports.evidence import SHARE, Evidence
from workbench.reports.statements import Statement, is_item

MOST_COMBINATIONS = 3_000  # sets tried at once when proving that no smaller one does it
Holds = Callable[[Histories], np.ndarray]


@dataclass(frozen=True)
class SmallestSet:
    """Rows whose removal from the history ends what was asked about.

    items: their items, strongest first (all rows of an item go together). found: False where
    none was found, and then the set is empty. proven: no set of fewer items does it (where none was
    found: no set at all), each was tried. random: items that have to go when they are taken in
    random order (median over orders; NaN where not asked for). ends: what the set ends: for an item
    that it stands in the list, for a claim that it is made.
    """

    interactions: tuple[int, ...]
    items: tuple[int, ...]
    found: bool
    proven: bool
    random: float
    ends: str = ""

    def __repr__(self) -> str:
        return f"SmallestSet({self.ends}: {self._told})"

    @property
    def _told(self) -> str:
        if not self.found:
            few = "nothing in this history does it"
            return few if self.proven else "no set found, not all were tried"
        word = "smallest, all smaller ones tried" if self.proven else "smallest found"
        size = f"{len(self.items)} items, {len(self.interactions)} rows"
        return f"{size}, {word}; random {self.random:g}"

    def to_frame(self) -> pd.DataFrame:
        """[interaction]: the rows."""
        return pd.DataFrame({"interaction": np.array(self.interactions, dtype=np.int64)})

    def _repr_html_(self) -> str:
        return html.table([{"ends": self.ends, "set": self._told}])


@typed
def smallest_set(
    model: Any,
    history: Histories,
    item: int | None = None,
    *,
    support: pd.DataFrame | None = None,
    holds: Holds | None = None,
    k: int = 10,
    prove: int = 2,
    orders: int = 0,
    seed: int = 0,
) -> SmallestSet:
    """Find few rows whose removal ends a recommendation, or a claim, for the one user of `history`.

    Either `item`: it stands in the user's top k, and the set makes it leave. What the user had
    stays masked while rows go (as with a tombstone), so the item leaves for its score, not for
    films coming back above it; of an item that they had nothing is masked, as where people have
    things again. Or `support` [interaction, weight] of a claim, with
    `holds(histories) -> bool (B,)` telling whether the claim still stands.

    Greedy by contribution, one item after another, each step verified by scoring again; then every
    item that turns out not to be needed is put back. `prove`: sets of up to so many items are tried
    outright where there are at most 3,000 of them, so that a result of at most prove + 1 items is
    the smallest there is. `orders`: random orders to compare with. The model is read, never
    changed: the rows are taken from the input, not from the weights.

    >>> smallest_set(model, log.histories([3]), item=17, orders=20)  # doctest: +SKIP
    SmallestSet(item 17 in the top 10: 4 items, 5 rows, smallest found; random 26)
    """
    if len(history) != 1 or (item is None) == (holds is None):
        do = "log.histories([user])"
        raise DataError("one history, and either item or support", "smallest_set", do)
    if holds is None:
        must_offer(model, "contributions", "score")
        support = model.contributions(history, np.array([item]))
        holds = _in_top(model, history, item, k)
    ended = _ends(history, holds)
    if ended([()])[0]:
        what, do = "the claim does not stand as it is", ""
        if item is not None:
            ranked = top_k(model.score(history), history.n_items, _masked(history, item))[0]
            place = int(np.argmax(ranked == item)) + 1
            what = f"item {item} stands at place {place}, not among the first {k}"
            do = f"ask with k={place} or more"
        raise DataError(what, "smallest_set", do)
    # strongest first, until it ends
    order = _by_product(history, support).index.to_numpy()
    prefixes = ended([order[:n] for n in range(1, len(order) + 1)])
    chosen = order[: int(np.argmax(prefixes)) + 1].tolist() if prefixes.any() else []
    # put back what turns out not to be needed
    for one in list(chosen):
        if len(chosen) > 1 and ended([[i for i in chosen if i != one]])[0]:
            chosen.remove(one)
    # try all sets that are smaller still; where the strongest end nothing, of any products
    smaller, proven = _try_smaller(len(chosen) or len(order), order, ended, prove)
    chosen = smaller or chosen
    rows = history.interaction[np.isin(history.item, chosen)].tolist()
    random = _random_orders(order, ended, orders, seed)
    ends = "the claim is made" if item is None else f"item {item} in the top {k}"
    return SmallestSet(tuple(rows), tuple(chosen), bool(chosen), proven, random, ends)


def _by_product(history: Histories, support: pd.DataFrame) -> pd.Series:
    """What the rows of each product carry together, heaviest first, ties by code; index: item."""
    weight = support.set_index("interaction")["weight"]
    sums = weight.reindex(history.interaction, fill_value=0.0).groupby(history.item).sum()
    return sums.sort_values(ascending=False, kind="stable")


Ended = Callable[[Sequence[Sequence[int]]], np.ndarray]


def _ends(history: Histories, holds: Holds) -> Ended:
    """Whether it no longer holds for the history without each set of items."""

    def ended(sets: Sequence[Sequence[int]]) -> np.ndarray:
        gone = np.zeros((len(sets), history.n_items), dtype=bool)
        for row, items in enumerate(sets):
            gone[row, list(items)] = True
        return ~np.asarray(holds(history.parts(~gone[:, history.item])), dtype=bool)

    return ended


def _in_top(model: Counted, history: Histories, item: int, k: int) -> Holds:
    seen = _masked(history, item)

    def holds(histories: Histories) -> np.ndarray:
        out = np.repeat(seen, len(histories), axis=0)
        return (top_k(model.score(histories), k, out) == item).any(axis=1)

    return holds


def _masked(history: Histories, item: int) -> np.ndarray:
    """Mask (1, n_items) of what is not offered beside an item: what the user had, unless they had
    that item."""
    seen = history.matrix().toarray()
    return seen * (seen[:, [item]] == 0)


def _try_smaller(most: int, order: np.ndarray, ended: Ended, prove: int) -> tuple[list[int], bool]:
    """A set of fewer than so many items where one does it, and whether all smaller ones were
    tried."""
    for size in range(1, most):
        if size > prove or comb(len(order), size) > MOST_COMBINATIONS:
            return [], False
        sets = list(combinations(order.tolist(), size))
        hits = np.flatnonzero(ended(sets))
        if len(hits):
            return list(sets[hits[0]]), True
    return [], True


def _random_orders(order: np.ndarray, ended: Ended, orders: int, seed: int) -> float:
    """Items that have to go in random order, median over orders; NaN without orders."""
    rng = np.random.default_rng(seed)
    needed = []
    for _ in range(orders):
        shuffled = rng.permutation(order)
        hits = ended([shuffled[:n] for n in range(1, len(shuffled) + 1)])
        needed.append(int(np.argmax(hits)) + 1 if hits.any() else len(shuffled) + 1)
    return float(np.median(needed)) if needed else float("nan")


# --- the fewest rows under each kind of claim: ids; `support` [interaction, weight], heaviest first


def scored_again(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """Rows without which the pick, or an interest of the list, is no longer said: verified by
    scoring what is left."""
    kind, _, role, object = statement

    def holds(histories: Histories) -> np.ndarray:
        best = evidence.lists(evidence.rescored(histories))
        if kind == "pick":
            return best[:, 0] == evidence.offers[role]
        return evidence.within(object, best).mean(axis=1) >= SHARE

    parts = {"support": support, "holds": holds, "prove": 1}
    try:
        return list(smallest_set(evidence.model, evidence.history, **parts).interactions)
    except DataError:
        # a stale vector: what is left of the log would not say it as it is
        return heaviest_products(evidence, statement, support)


def heaviest_products(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """Rows of the heaviest products that carry half of it: one row of a product left keeps all it
    says."""
    history = evidence.history
    carried = _by_product(history, support).cumsum()
    heaviest = carried.index[: int(np.searchsorted(carried, 0.5 - 1e-12)) + 1]
    rows = history.interaction[np.isin(history.item, heaviest)]
    return support.loc[support["interaction"].isin(rows), "interaction"].tolist()


def named_product(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """All rows of the product that a reason names; of a reason that names none, the heaviest."""
    if is_item(statement[3]):
        return support["interaction"].tolist()
    return heaviest_products(evidence, statement, support)


def other_intent(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """The heaviest rows, until by what is left they are after something else."""
    ids = support["interaction"].tolist()
    own = evidence.log.of_rows(evidence.log.rows_of(evidence.user))
    offered = set(evidence.catalogue.kind[evidence.offerable].tolist())
    for n in range(1, len(ids)):
        left = Deeds.of(own.without(ids[:n]), evidence.user)
        found = intents(left, evidence.catalogue, evidence.silent, evidence.refills)
        names = [one.name for one in found]
        if statement[2] == "or":
            names = [name for name in names[1:] if name in offered]
        if names[:1] != [statement[3]]:
            return ids[:n]
    return ids


def all_rows(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """Every row: one that is left says it still."""
    return support["interaction"].tolist()


def heaviest(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """The heaviest rows that carry half of it."""
    carried = support["weight"].cumsum().to_numpy()
    return support["interaction"].iloc[: int(np.searchsorted(carried, 0.5 - 1e-12)) + 1].tolist()


def heaviest_notes(evidence: Evidence, statement: Statement, support: pd.DataFrame) -> list[int]:
    """The heaviest notes of a store, until the topic's share falls below what makes an interest."""
    _, _, store, topic = statement
    notes = evidence.notes[store]
    own = notes.topic == topic
    ids = support["interaction"].tolist()
    for n in range(1, len(ids) + 1):
        left = ~np.isin(notes.interaction, ids[:n])
        if notes.weight[left & own].sum() < SHARE * max(notes.weight[left].sum(), 1e-300):
            return ids[:n]
    return ids
