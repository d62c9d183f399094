"""What the trained next-basket recommenders share: the questions, how a network reads them, and all
but the network.

Question e: baskets `first[e]` to `end[e] − 1` of one history → basket `target[e]`. Quick because
the baskets are grouped once, a batch is a handful of index arrays into them (no multi-hot vectors,
no item × item table), and histories of like length share a batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel

from workbench.data import Histories, Interactions
from workbench.errors import DataError
from workbench.recommend.basket._baskets import Baskets
from workbench.recommend.evaluation import joined_logs
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.training import (
    Training,
    load_trained,
    no_losses,
    reproducible,
    save_trained,
    train,
    validation,
)
from workbench.settings import settings

POOL = 16  # batches among which histories of like length are brought together
SCORED = 64  # histories scored at a time


@dataclass(frozen=True)
class Questions:
    """E questions about shared baskets; `first`, `end` and `target` (E,) number baskets, target −1
    where none is known.

    `interaction` (N,) are the rows the baskets were made of; `target_rows` tells which of them each
    target is.
    """

    baskets: Baskets
    interaction: np.ndarray
    first: np.ndarray
    end: np.ndarray
    target: np.ndarray

    @classmethod
    def of(
        cls, histories: Histories, longest: int, targets: Literal["last", "all", "none"]
    ) -> Questions:
        """Ask for the last basket of every history, for all that have one before them, or for the
        one to come.

        longest: baskets a question reads at most, the last ones. Raises `DataError` for rows
        without a basket and, with "none", for an empty history.
        """
        baskets = Baskets.of(histories)
        begin, after = baskets.offsets[:-1], baskets.offsets[1:]
        if targets == "none":
            if (begin == after).any():
                row = int(np.flatnonzero(begin == after)[0])
                do = "leave it out, or score it with a counted model such as TopFreq"
                raise DataError(
                    "an empty history", f"histories, row {row}", "at least one basket to read", do
                )
            end, row, target = after, np.arange(len(begin)), np.full(len(begin), -1)
        else:
            number = np.arange(len(baskets.row))
            asked = (number > begin[baskets.row]) & ((baskets.age == 0) | (targets == "all"))
            end = target = np.flatnonzero(asked)
            row = baskets.row[end]
        return cls(
            baskets, histories.interaction, np.maximum(begin[row], end - longest), end, target
        )

    def __len__(self) -> int:
        return len(self.end)

    def __repr__(self) -> str:
        return f"Questions({len(self):,}, {int((self.end - self.first).sum()):,} baskets to read)"

    @property
    def target_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows are asked for: (question, interaction id), int64, in the order of the
        losses."""
        basket = self.baskets.basket[self.baskets.cell]
        order = np.argsort(basket, kind="stable")
        starts = np.searchsorted(basket[order], np.append(self.target, self.target + 1)).reshape(
            2, -1
        )
        question, at = spans(*np.where(self.target < 0, 0, starts))
        return question, self.interaction[order[at]]

    def select(self, rows: np.ndarray) -> Questions:
        """Some of the questions."""
        return replace(self, first=self.first[rows], end=self.end[rows], target=self.target[rows])

    def batches(self, size: int, seed: tuple[int, int]) -> Iterator[Questions]:
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
    def read(self) -> Reading:
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
        return Reading(
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
class Reading:
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


def spans(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of the spans `start[s]` to `end[s] − 1`, span by span: (span, number)."""
    n = end - start
    span = np.repeat(np.arange(len(n)), n)
    return span, np.arange(n.sum()) + np.repeat(start - (np.cumsum(n) - n), n)


class NextBasket:
    """A trained next-basket recommender around a network; a method names its `Config` and its
    `Network`.

    `Network(config, n_items)` is a module with `n_items`, `per_item` (names of its parts that have
    a row per item), `represent(reading) -> (E, d)`, `scores(reading) -> (E, n_items)` and
    `losses(reading) -> (E,)`. `Config` has `training` (a batch counts questions), `max_baskets` and
    `targets`.
    """

    Config: type[BaseModel]
    Network: Callable[..., torch.nn.Module]

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config or self.Config()
        self.module: Any = None
        self.record: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Train on the next baskets of `log`; with `valid` stop early on the last basket of each of
        its users.

        That basket is asked for from all baskets of the user before it, in `log` and `valid`
        together: the users of `valid` may be those of `log`, with their next baskets, or others
        with all of theirs. `record` tells the epochs.
        """
        config: Training = self.config.training
        examples = self.examples(log)
        with reproducible(config):
            self._start(log.n_items)
            self.rebuild(log)
            self.record = train(
                self.module,
                self.loss,
                lambda epoch: examples.batches(config.batch, (config.seed, epoch)),
                config,
                None if valid is None else self._validation(log, valid),
            )
        return self

    def examples(self, log: Interactions, users: np.ndarray | None = None) -> Questions:
        """The questions of these users: their last basket, or every one with a basket before it, as
        `targets` says."""
        return Questions.of(log.histories(users), self.config.max_baskets, self.config.targets)

    def loss(self, examples: Questions) -> torch.Tensor:
        """One loss a question; (E,), perhaps none."""
        module = fitted(self.module, self)
        if not len(examples):
            return no_losses(module)
        return module.losses(examples.read)

    def represent(self, histories: Histories) -> torch.Tensor:
        """What the network makes of whole histories; (B, d), float32, with its graph."""
        check_items(histories, fitted(self.module, self).n_items)
        return self.module.represent(Questions.of(histories, self.config.max_baskets, "none").read)

    def score(self, histories: Histories) -> np.ndarray:
        """Scores of all items, float32 (B, n_items). Raises `DataError` for an empty history or
        rows without basket."""
        check_items(histories, fitted(self.module, self).n_items)
        asked = Questions.of(histories, self.config.max_baskets, "none")
        scores = np.empty((len(asked), histories.n_items), dtype=np.float32)
        order = np.argsort(asked.end - asked.first, kind="stable")
        with torch.no_grad():
            for rows in (
                np.split(order, np.arange(SCORED, len(order), SCORED)) if len(order) else []
            ):
                scores[rows] = self.module.scores(asked.select(rows).read).cpu().numpy()
        return scores

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """items: all that has a row per item; shared: all else. There are no user vectors."""
        named = list(fitted(self.module, self).named_parameters())
        own = [name.split(".")[0] in self.module.per_item for name, _ in named]
        groups = {"items": [p for (_, p), mine in zip(named, own, strict=True) if mine]}
        return {
            "users": [],
            **groups,
            "shared": [p for (_, p), mine in zip(named, own, strict=True) if not mine],
        }

    def rebuild(self, log: Interactions) -> Self:
        """Nothing to do but to check the log, unless the method says more: the network keeps its
        weights alone."""
        check_items(log, fitted(self.module, self).n_items)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        n_items = np.array(fitted(self.module, self).n_items)
        save_trained(folder, type(self).__name__, self.config, self.module, n_items=n_items)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, arrays, fill = load_trained(folder, cls.__name__, cls.Config, ("n_items",))
        model = cls(config)
        # the first weights are overwritten: their draws shall not reach the caller
        with torch.random.fork_rng():
            model._start(arrays["n_items"].item())
        fill(model.module)
        return model

    def _start(self, n_items: int) -> None:
        self.module = type(self).Network(self.config, n_items).to(settings().device).eval()

    def _validation(self, log: Interactions, valid: Interactions) -> Callable[[], float]:
        config: Training = self.config.training
        users = np.unique(valid.frame["user"])
        histories = joined_logs(log.select(np.isin(log.frame["user"], users)), valid).histories(
            users
        )
        baskets = Baskets.of(histories)
        last = baskets.offsets[1:] - 1
        rows = np.flatnonzero(np.diff(baskets.offsets) > 1)[: config.validation_users]
        if not len(rows):
            raise DataError(
                "no user has two baskets", "valid", "a basket to ask for and one before it"
            )
        before = histories.keep(baskets.age[baskets.basket[baskets.cell]] > 0).select(rows)
        targets = baskets.matrix()[last[rows]]
        return validation(self, config, before, targets)
