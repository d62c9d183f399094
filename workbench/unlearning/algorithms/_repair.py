"""Steps and passes of training with what `tune` has not: weighed losses, and shares of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from workbench.recommend.training import OPTIMISERS
from workbench.unlearning.algorithms._samples import Shares, drawing


def step(
    model: Any,
    optimiser: torch.optim.Optimizer,
    loss: torch.Tensor,
    gain: Shares | None = None,
    share: Shares | None = None,
) -> None:
    """One step down a loss. gain: what each gradient is multiplied with; share: how much of its step
    each entry takes, which also counts where the optimiser levels gradients."""
    named = dict(model.module.named_parameters())
    optimiser.zero_grad()
    loss.backward()
    if model.config.training.clip:
        torch.nn.utils.clip_grad_norm_(named.values(), model.config.training.clip)
    for name, factor in (gain or {}).items():
        if named[name].grad is not None:
            named[name].grad.mul_(factor)
    old = {name: named[name].detach().clone() for name in share or {}}
    optimiser.step()
    with torch.no_grad():
        for name, value in old.items():
            named[name].copy_(torch.lerp(value, named[name], share[name].to(value.dtype)))


def repair(
    model: Any,
    examples: Any,
    epochs: int,
    rate: float,
    seed: int,
    optimiser: str = "adam",
    weigh: Callable[[torch.Tensor, Any], torch.Tensor] = lambda losses, batch: losses,
    first: Callable[[int], None] = lambda epoch: None,
    **shares: Shares | None,
) -> None:
    """Passes over examples as training makes them, with what `tune` has not: weighed losses, shares
    of steps (`step`), and something done first in each epoch."""
    steps = OPTIMISERS[optimiser](model.module.parameters(), lr=rate)
    config = model.config.training.told(seed=seed)
    with drawing(model, seed, training=True):
        for epoch in range(epochs):
            first(epoch)
            model.begin((seed, epoch))
            for batch in examples.batches(config.batch, (seed, epoch)):
                losses = model.loss(batch)
                if len(losses):
                    step(model, steps, weigh(losses, batch).mean(), **shares)
