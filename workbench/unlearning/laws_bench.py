"""What the laws of algorithms share: a small log, a convex model that knows its refit, and requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.data import Interactions
from workbench.laws import NotOffered
from workbench.recommend.collaborative._pairs import Pairs
from workbench.recommend.collaborative.bpr import BPR, BPRConfig, BPRNetwork
from workbench.recommend.training import Training
from workbench.unlearning.algorithms.resolve_user import solve
from workbench.unlearning.outcome import FAILED, Outcome, unlearn
from workbench.unlearning.requests import Request

HELD, FREE = 12, 6


def apart(log: Interactions) -> Interactions:
    """A log of its own: what an algorithm writes into it reaches nobody else. (The laws of
    recommenders have the same; whoever asks an algorithm need not load them.)"""
    return replace(log, frame=log.frame.copy())


def people_log(seed: int = 0, users: int = 10, rows: int = 7) -> Interactions:
    """People with distinct items each, in sessions and baskets; the last six items are nobody's."""
    rng = np.random.default_rng(seed)
    item = np.concatenate([rng.permutation(HELD)[:rows] for _ in range(users)])
    frame = pd.DataFrame({"user": np.repeat(np.arange(users), rows), "item": item})
    at = np.tile(np.arange(rows), users)
    frame["basket"] = frame["session"] = frame["user"] * 100 + at // 2
    frame["time"] = 1_700_000_000 + at * 3_600 + frame["user"]
    names = {"timestamp": "time", "session": "session", "basket": "basket"}
    index = {"users": pd.Index(range(users)), "items": pd.Index(range(HELD + FREE))}
    return Interactions.from_table(frame, **names, **index)


class _Still(BPRNetwork):
    """User vectors that learn beside item vectors that do not; float64."""

    def __init__(self, config: BPRConfig, n_users: int, n_items: int) -> None:
        super().__init__(config, n_users, n_items)
        table = torch.as_tensor(np.random.default_rng(1).normal(size=(n_items, config.embedding)))
        del self.item.weight
        self.item.register_buffer("weight", table)
        self.double()


class Convex(BPR):
    """BPR whose items stand still, each row against all items that nobody holds: convex, nothing
    drawn, and `fit` finds the only solution."""

    Network = _Still

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Convex:
        """Solve for all users."""
        self.start(log)
        everybody, rows = self.examples(log), self.rows(users=np.arange(log.n_users))
        solve(self, rows, lambda: self.loss(everybody).sum(), 1_000)
        return self

    def examples(
        self,
        log: Interactions,
        users: np.ndarray | None = None,
        epoch: int = 0,
        like: Pairs | None = None,
    ) -> Pairs:
        """Every row against every item that nobody holds."""
        made = super().examples(log, users, epoch)
        against = np.arange(HELD, HELD + FREE)
        parts = [np.repeat(part, FREE) for part in (made.user, made.positive, made.interaction)]
        negative = np.tile(against, len(made))
        return Pairs(parts[0], parts[1], negative, parts[2], bound=log.index_fingerprint)


CONVEX = BPRConfig(
    embedding=3, l2=0.05, training=Training(epochs=400, batch=4096, learning_rate=0.02)
)


@dataclass(frozen=True)
class AlgorithmBench:
    """An algorithm, its settings, and what it is asked on."""

    mine: Callable[..., Any]
    config: Any
    seed: int
    fitted: Any
    log: Interactions

    @cached_property
    def request(self) -> Request:
        """Some rows of one person, not all."""
        return self.of(np.unique(self.log.frame["user"])[0])

    def of(
        self,
        user: int,
        number: int = 0,
        first: int = 0,
        rows: int = 2,
        log: Interactions | None = None,
    ) -> Request:
        """A request for some rows of a person, of the log or another one."""
        own = (self.log if log is None else log).frame
        ids = own.loc[own["user"] == user, "interaction"].to_numpy()
        return Request(number, ids[first : first + rows])

    def serve(self, model: Any, before: Interactions, request: Request) -> Outcome:
        """Through `unlearn`. Raises `NotOffered` where the algorithm says that it does not fit."""
        found = unlearn(self.mine, model, before, request, self.config, self.seed)
        error = found.notes.get("error", "")
        if found.status == FAILED and error.startswith("ConfigError"):
            raise NotOffered(f"a method for {type(model).__name__}")
        if found.status == FAILED:
            raise RuntimeError(error)
        return found

    @cached_property
    def convex(self) -> tuple[Any, Interactions]:
        """The convex model, solved, and its log."""
        model, log = _solved(self.seed)
        return model.copy(), apart(log)


@cache
def _solved(seed: int) -> tuple[Convex, Interactions]:
    log = people_log(seed, users=40)
    return Convex(CONVEX).fit(log), log


def state(model: Any, log: Interactions) -> dict[str, np.ndarray]:
    """Everything that a model keeps, to be compared bit by bit: weights, buffers and caches; of one
    without weights its scores."""
    module = getattr(model, "module", None)
    if module is None:
        return {"scores": np.array(model.score(log.histories()))}
    kept = {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}
    return {name: value.copy() for name, value in (kept | model.keep()).items()}


def caches(model: Any, log: Interactions) -> dict[str, np.ndarray]:
    """What is made of a log beside the weights."""
    weights = dict(model.module.named_parameters())
    return {name: value for name, value in state(model, log).items() if name not in weights}


def differs(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> str | None:
    """What is not the same to the bit."""
    for name in sorted(one.keys() | two.keys()):
        if name not in one or name not in two:
            return name
        if one[name].tobytes() != two[name].tobytes():
            return name
    return None
