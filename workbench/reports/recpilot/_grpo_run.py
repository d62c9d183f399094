"""A run of GRPO: its settings, which visits a step is about, what is logged of it, and what it depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.reports.recpilot._held import Held, distance
from workbench.reports.recpilot.rewards import Rewards
from workbench.reports.recpilot.visits import Visits
from workbench.settings import Frozen

if TYPE_CHECKING:
    from workbench.reports.recpilot.simulator import Simulator


class GRPOConfig(Frozen):
    """Settings; the paper tells none of them."""

    steps: PositiveInt = 300
    """Optimiser steps."""
    shoppers: PositiveInt = 16
    """Visits with a purchase that a step is about."""
    group: int = Field(default=8, ge=2)
    """G: visits imagined for each."""
    clip: float = Field(default=0.2, gt=0, lt=1)
    """ε: how far the ratio counts."""
    kl: NonNegativeFloat = 0.02
    """β: what a nat away from the supervised model costs."""
    learning_rate: PositiveFloat = 2e-4
    """Of Adam."""
    inner: PositiveInt = 1
    """Steps that are taken on one draw."""
    norm: PositiveFloat = 1.0
    """Largest norm of a gradient."""
    grammar: bool = False
    """Draw, and ask, under the grammar's mask: R_F then is 0 for everybody."""
    dropout: bool = False
    """Dropout in the pass that learns."""
    seed: int = Field(default=1, ge=0)
    """Seed of the order of visits and of draws."""


def asked_at(step: int, n: int, size: int, seed: int) -> np.ndarray:
    """Which of n visits a step is about: each once an epoch, every epoch in an order of its own.

    >>> sorted(asked_at(0, 4, 2, seed=1).tolist() + asked_at(1, 4, 2, seed=1).tolist())
    [0, 1, 2, 3]
    """
    epoch, at = np.divmod(step * size + np.arange(size), n)
    orders = {e: np.random.default_rng([seed, e]).permutation(n) for e in np.unique(epoch)}
    return np.array([orders[e][place] for e, place in zip(epoch, at, strict=True)])


def logged(terms: dict[str, np.ndarray], rewards: Rewards, tokens: np.ndarray) -> dict[str, float]:
    """Every term and the totals of (n, G) visits: the mean, and the variance within a group."""
    totals = {"total": rewards.total(terms)}
    totals["total_without_format"] = rewards.total(terms, without=("format",))
    line = {}
    for name, values in (totals | terms).items():
        line[name] = float(values.mean())
        line[f"{name}_variance"] = float(values.var(axis=1).mean())
    held = Held.of(tokens.reshape(-1, tokens.shape[2]), rewards.vocabulary)
    line["distance"] = float(distance(held.seen.reshape(*tokens.shape[:2], -1)).mean())
    return line


def identity_of(simulator: Simulator, visits: Visits, rewards: Rewards, config: GRPOConfig) -> str:
    """What a run depends on, as one text: settings and first weights of its simulator, every row of its
    visits, all that its reward knows, and its own settings. Another of any is another run."""
    parts = {"weights": simulator.module.state_dict()}
    told = {"before": visits.histories, "visit": visits.trajectories, "reward": rewards}
    for name, part in told.items():
        parts[name] = {one.name: getattr(part, one.name) for one in fields(part)}
    digest = hashlib.sha256()
    for name, held in parts.items():
        for own, value in held.items():
            plain = np.asarray(value) if isinstance(value, torch.Tensor) else value
            digest.update(f"{name} {own} ".encode())
            if isinstance(plain, np.ndarray):
                digest.update(f"{plain.dtype.str} {plain.shape} ".encode() + plain.tobytes())
            else:
                digest.update(repr(plain).encode())
    return json.dumps([digest.hexdigest(), simulator.config.model_dump(), config.model_dump()])
