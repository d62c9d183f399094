"""What the methods of the unlearning challenge share: the sides of a request, and whom they retain.
Their repair: `_repair.py`.

    F: losses of the leavers before,  C: after,  K: of others, drawn whole;  |K| ≥ max(8 |F|, 32) rows, at most a tenth

As the study hands them out: F are *all* rows of a leaver, not those of the request alone, and K are
whole histories. Not as there: people who left earlier may be in K, with what is left of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from workbench.data import Interactions
from workbench.errors import DataError
from workbench.recommend.training import reproducible
from workbench.unlearning.requests import Request

Shares = dict[str, torch.Tensor]
"""A number an entry, by the name of its parameter."""


class Sides(NamedTuple):
    """Examples of the leavers before and after, and how many rows they had."""

    forget: Any
    clean: Any
    rows: int


def sides(model: Any, before: Interactions, request: Request) -> Sides:
    """F and C; take them before `rebuild`, losses of C after it."""
    users = request.users(before)
    forget = model.examples(before, users)
    clean = model.examples(request.remaining(before), users, like=forget)
    rows = int(np.isin(before.frame["user"], users).sum())
    return Sides(forget, clean, rows)


def others(
    before: Interactions, request: Request, rows: int, seed: int, least: int = 32, most: float = 0.1
) -> np.ndarray:
    """People who did not ask, drawn until together they hold so many rows; user codes, ascending.

    At least `least` rows, at most the share `most` of the log, but always one person. Raises
    `DataError` where nobody else is left.
    """
    owned = np.bincount(before.frame["user"], minlength=before.n_users)
    people = np.setdiff1d(np.flatnonzero(owned), request.users(before))
    if not len(people):
        raise DataError("nobody else is in the log", "retained", "people who did not ask")
    drawn = np.random.default_rng((seed, request.request, 1)).permutation(people)
    wanted = min(max(rows, least), most * len(before))
    last = np.searchsorted(np.cumsum(owned[drawn]), wanted)
    return np.sort(drawn[: last + 1])


def seed_of(seed: int, request: Request, what: int) -> int:
    """A seed for one thing that is drawn for one request."""
    return int(np.random.SeedSequence((seed, request.request, what)).generate_state(1)[0] >> 1)


@contextmanager
def drawing(model: Any, seed: int, training: bool = False) -> Iterator[None]:
    """Within the block torch draws from the seed, and the network is in training mode if asked."""
    with reproducible(model.config.training.told(seed=seed)):
        model.module.train(training)
        model.begin((seed, 0) if training else None)
        try:
            yield
        finally:
            model.module.eval()
            model.begin(None)


def slopes(model: Any, losses: torch.Tensor) -> Shares:
    """The derivative of a number by each parameter, 0 by one that is not read."""
    named = dict(model.module.named_parameters())
    made = torch.autograd.grad(
        losses, list(named.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(named, made, strict=True))


def fresh(model: Any, seed: int) -> Shares:
    """First weights of this shape, drawn from the seed."""
    with drawing(model, seed):
        return {name: value.detach() for name, value in model.network().named_parameters()}


def owned(model: Any, before: Interactions, request: Request, shared: bool = False) -> Shares:
    """1 at the entries of the leavers and of the removed items (and, if asked, at all that belong to
    nobody), else 0."""
    masks = {name: torch.zeros_like(value) for name, value in model.module.named_parameters()}
    rows = model.rows(request.users(before), request.items(before))
    for name, index in rows.items():
        masks[name][index] = 1.0
    if shared:
        nobody = {id(value) for value in model.parameter_groups()["shared"]}
        for name, value in model.module.named_parameters():
            masks[name] += float(id(value) in nobody)
    return masks


def about(examples: Any, ids: np.ndarray) -> np.ndarray:
    """The share of the rows that each loss is about which are among these ids; (n_losses,)."""
    loss, interaction = examples.targets()
    hits = np.bincount(loss, np.isin(interaction, ids))
    return hits / np.maximum(np.bincount(loss), 1)
