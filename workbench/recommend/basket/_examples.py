"""Training examples of next-basket models: questions about baskets, and the batch a network reads.

Question e: baskets `first[e]` to `end[e] − 1` of one history → basket `target[e]`. Quick because
the baskets are grouped once, a batch is a handful of index arrays into them (no multi-hot vectors,
no item × item table), and histories of like length share a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from workbench.data import Histories
from workbench.data.histories import places, spans
from workbench.recommend.basket._baskets import Baskets
from workbench.recommend.protocol import check_filled

POOL = 16  # batches among which histories of like length are brought together


@dataclass(frozen=True)
class BasketExamples:
    """E questions about shared baskets; `first`, `end` and `target` (E,) number baskets, target −1
    where none is known.

    `interaction` (N,) are the rows the baskets were made of; `targets` tells which of them each
    question asks for.
    """

    baskets: Baskets
    interaction: np.ndarray
    first: np.ndarray
    end: np.ndarray
    target: np.ndarray
    bound: str | None = None

    @classmethod
    def of(
        cls,
        histories: Histories,
        longest: int,
        targets: Literal["last", "all", "none"],
        bound: str | None = None,
    ) -> BasketExamples:
        """Ask for the last basket of every history, for all that have one before them, or for the
        one to come.

        longest: baskets a question reads at most, the last ones. Raises `DataError` for rows
        without a basket and, with "none", for an empty history.
        """
        baskets = Baskets.of(histories)
        begin, after = baskets.offsets[:-1], baskets.offsets[1:]
        if targets == "none":
            check_filled(histories, "TopFreq")
            end, row, target = after, np.arange(len(begin)), np.full(len(begin), -1)
        else:
            number = np.arange(len(baskets.row))
            asked = (number > begin[baskets.row]) & ((baskets.age == 0) | (targets == "all"))
            end = target = np.flatnonzero(asked)
            row = baskets.row[end]
        first = np.maximum(begin[row], end - longest)
        return cls(baskets, histories.interaction, first, end, target, bound)

    def __len__(self) -> int:
        return len(self.end)

    def __repr__(self) -> str:
        return (
            f"BasketExamples({len(self):,}, {int((self.end - self.first).sum()):,} baskets to read)"
        )

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows each loss is about: (loss, interaction id), int64; loss e is that of question
        e, and stands there once for every row of its basket."""
        basket = self._basket
        order = np.argsort(basket, kind="stable")
        starts = np.searchsorted(basket[order], np.append(self.target, self.target + 1)).reshape(
            2, -1
        )
        question, at = spans(*np.where(self.target < 0, 0, starts))
        return question, self.interaction[order[at]]

    def aligned(self, like: BasketExamples) -> BasketExamples:
        """The same questions, each read from the basket on with which `like` began to read it, or
        the next that is left.

        So no older basket comes in where one is gone. Questions that `like` does not ask stay.
        """
        at = places(like.interaction, self.interaction)
        # where each old basket is now, −1 if gone
        now = np.full(len(like.baskets.row), -1)
        now[like._basket[at >= 0]] = self._basket[at[at >= 0]]
        there = np.flatnonzero(now >= 0)
        place = np.searchsorted(there, like.first)
        left = (now[like.target] >= 0) & (like.target >= 0)
        first = np.zeros(len(self.baskets.row), np.int64)
        first[now[like.target[left]]] = now[there[place[left]]]
        # of a question that is asked no more, or anew, the larger is its own first basket
        begun = np.where(first[self.target] < self.end, first[self.target], 0)
        return replace(self, first=np.maximum(self.first, begun))

    @cached_property
    def _basket(self) -> np.ndarray:
        """The basket of each row; (N,)."""
        return self.baskets.basket[self.baskets.cell]

    def select(self, rows: np.ndarray) -> BasketExamples:
        """Some of the questions."""
        return replace(self, first=self.first[rows], end=self.end[rows], target=self.target[rows])

    def batches(self, size: int, seed: tuple[int, int]) -> Iterator[BasketExamples]:
        """All questions once, `size` at a time, those that read a like number of baskets
        together."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self))
        order = order[
            np.lexsort(((self.end - self.first)[order], np.arange(len(order)) // (POOL * size)))
        ]
        parts = np.split(order, np.arange(size, len(order), size))
        for number in rng.permutation(len(parts)) if len(order) else []:
            yield self.select(parts[number])

    @cached_property
    def batch(self) -> BasketBatch:
        """What a network reads of these questions; made once."""
        baskets, n_items = self.baskets, self.baskets.n_items
        row, basket = spans(self.first, self.end)
        owner, cell = spans(baskets.starts[basket], baskets.starts[basket + 1])
        key, node, count = np.unique(
            row[owner] * n_items + baskets.item[cell], return_inverse=True, return_counts=True
        )
        known = np.flatnonzero(self.target >= 0)
        target = self.target[known]
        target_row, at = spans(baskets.starts[target], baskets.starts[target + 1])
        target_row, target_item = known[target_row], baskets.item[at]
        node_row, node_item = np.divmod(key, max(n_items, 1))
        return BasketBatch(
            node=node,
            time=(basket - self.first[row])[owner],
            size=(baskets.starts[basket + 1] - baskets.starts[basket])[owner],
            basket=owner,
            row=node_row,
            item=node_item,
            count=count,
            wanted=np.isin(key, target_row * n_items + target_item),
            target_row=target_row,
            target_item=target_item,
            length=self.end - self.first,
            n_items=n_items,
        )


@dataclass(frozen=True)
class BasketBatch:
    """Index arrays of E questions. A cell is an item in a basket that is read; a node an item a
    question reads at all.

    node, time, size, basket (C,): the cell's node, its basket's place from 0, size and number,
    baskets in order. row, item, count, wanted (V,): the node's question, item, baskets it stands
    in, and whether it is asked for. target_row, target_item (K,): the items asked for. length (E,):
    baskets read.
    """

    node: np.ndarray
    time: np.ndarray
    size: np.ndarray
    basket: np.ndarray
    row: np.ndarray
    item: np.ndarray
    count: np.ndarray
    wanted: np.ndarray
    target_row: np.ndarray
    target_item: np.ndarray
    length: np.ndarray
    n_items: int

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ordered pairs of two cells of one basket, Σ |basket|·(|basket| − 1) of them: (to, from,
        together).

        together: in how many of the question's baskets the two items stand together, as a share of
        the largest such number of the question; counted by sorting the pairs, so that only those
        that occur are held.
        """
        begin = np.searchsorted(self.basket, self.basket)
        to, of = spans(begin, begin + self.size)
        to, of = to[to != of], of[to != of]
        _, pair, together = np.unique(
            self.node[to] * len(self.row) + self.node[of], return_inverse=True, return_counts=True
        )
        most, row = np.ones(len(self.length)), self.row[self.node[to]]
        np.maximum.at(most, row, together[pair])
        return to, of, together[pair] / most[row]

    @cached_property
    def looks(self) -> tuple[np.ndarray, ...]:
        """Who attends to whom over time: (asks, keys) (P,), (pair, at, key, times) (L,); a state is a
        cell, or C + node where absent.

        Look l is of a node and time number `at` (nodes in order, their times in order) at the state
        `key`, `times` often; its score is that of the pair `pair` of states. Only states up to that
        time are looked at.
        """
        cells, span = len(self.node), self.length[self.row]
        begin = np.cumsum(span) - span
        node, _ = spans(np.zeros_like(span), span)
        state = cells + node
        state[begin[self.node] + self.time] = np.arange(cells)
        absent = np.cumsum(state >= cells)
        # times up to this one that lack the item
        absent -= (absent[begin] - (state[begin] >= cells))[node]
        some = np.flatnonzero(absent)
        key, at = spans(begin[self.node] + self.time, (begin + span)[self.node])
        times = np.append(np.ones_like(key), absent[some])
        key, at = np.append(key, cells + node[some]), np.append(at, some)
        pairs, pair = np.unique(state[at] * (cells + len(span)) + key, return_inverse=True)
        return *np.divmod(pairs, cells + len(span)), pair, at, key, times
