"""One loop trains every model: batches in, weights out, the best epoch on validation kept.

    θ ← θ − Adam(∇ (1/n) Σ ℓ(example; θ))        ℓ from the model's own `loss`, one number per example

A model brings a module, a source of batches and a question to validate on; it brings no loop of its
own.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse
from torch import nn
from tqdm import tqdm

from workbench.data import Histories
from workbench.errors import ConfigError, ModelError
from workbench.recommend.evaluation import evaluate_targets
from workbench.recommend.protocol import Recommender
from workbench.settings import Frozen, settings


class Training(Frozen):
    """How a model is trained; every config of a trained model holds one as `training`."""

    epochs: PositiveInt = 100
    """Passes over the examples at most."""
    batch: PositiveInt = 2048
    """Examples (pairs, windows, prefixes or users, as the model says) per step."""
    learning_rate: PositiveFloat = 1e-3
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 0.0
    """L2 added to every gradient, as Adam's `weight_decay` does."""
    decay_every: PositiveInt | None = None
    """Epochs after which the learning rate falls to a tenth, again and again; None never."""
    clip: PositiveFloat | None = None
    """Largest norm of a gradient; None leaves it."""
    patience: PositiveInt = 10
    """Epochs without a better validation value after which training stops (only with a validation
    log)."""
    metric: Literal["recall", "ndcg", "hit_rate", "mrr"] = "ndcg"
    """What validation measures."""
    k: PositiveInt = 10
    """Cut-off of that metric."""
    validation_users: PositiveInt | None = None
    """Validate on the first so many questions only; None takes all."""
    minutes: PositiveFloat | None = None
    """Stop after the first epoch that ends later than this. Not the same on a faster machine; None
    sets no limit."""
    seed: int = Field(default=1, ge=0)
    """Seed of the first weights, of batches, negatives and dropout."""
    threads: PositiveInt | None = None
    """Torch threads, part of what must be equal for equal weights; None takes
    `settings().threads`."""
    progress: bool = False
    """Show a bar."""

    def told(
        self,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
    ) -> Training:
        """The same with what is told in its place; here no epoch at all may be asked for."""
        told = {"epochs": epochs, "learning_rate": learning_rate, "seed": seed}
        told = {name: value for name, value in told.items() if value is not None}
        for name in told.keys() & {"epochs", "seed"}:
            whole = isinstance(told[name], int | np.integer) and not isinstance(told[name], bool)
            if not whole or told[name] < 0:
                raise ConfigError(f"{name} {told[name]!r}", "tune", "a whole number from 0")
        rate = told.get("learning_rate", self.learning_rate)
        if not isinstance(rate, int | float | np.number) or not 0 < rate < np.inf:
            raise ConfigError(f"learning_rate {rate!r}", "tune", "a number above 0")
        return self.model_copy(update=told)


@contextmanager
def reproducible(config: Training) -> Iterator[None]:
    """Within the block torch draws from the config's seed on the config's threads; afterwards all
    is as it was."""
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads or settings().threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            yield
    finally:
        torch.set_num_threads(before)


def train(
    module: nn.Module,
    loss: Callable[[Any], torch.Tensor],
    batches: Callable[[int], Iterable[Any]],
    config: Training,
    validate: Callable[[], float] | None = None,
    optimiser: Literal["adam", "sgd"] = "adam",
) -> pd.DataFrame:
    """Train in place; afterwards the module holds the weights of the best validated epoch (the last
    without one).

    loss: from a batch to losses (n,). batches: from the epoch's number to its batches. validate:
    higher is better. optimiser: Adam, or plain steps down the gradient; a new one in every call.
    Call it, and make the module, within `reproducible(config)`. Returns one row
    per epoch: [epoch, loss, examples, seconds, validation, best]. Raises `ModelError` with epoch,
    step and the batch's first bad examples where a loss is no number; the module then holds the
    best weights so far, or the first ones.
    """
    if optimiser not in OPTIMISERS:
        raise ConfigError(f"optimiser {optimiser!r}", "tune", " or ".join(OPTIMISERS))
    steps = OPTIMISERS[optimiser](
        module.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=all(
            value.is_floating_point() and value.device.type in ("cpu", "cuda")
            for value in module.parameters()
        ),
    )
    kept, chosen, begun = _weights(module), -1, time.perf_counter()
    best, since, rows = -np.inf, 0, []
    try:
        for epoch in tqdm(range(config.epochs), disable=not config.progress, desc="epochs"):
            if config.decay_every and epoch and epoch % config.decay_every == 0:
                for group in steps.param_groups:
                    group["lr"] *= 0.1
            module.train()
            start, total, n = time.perf_counter(), 0.0, 0
            for step, batch in enumerate(batches(epoch)):
                losses = loss(batch)
                if not len(losses):  # the mean of nothing is no number either
                    continue
                mean = losses.mean()
                if not torch.isfinite(mean):
                    raise _not_finite(losses, epoch, step)
                steps.zero_grad()
                mean.backward()
                if config.clip:
                    nn.utils.clip_grad_norm_(module.parameters(), config.clip)
                steps.step()
                total, n = total + float(mean.detach()) * len(losses), n + len(losses)
            if not n:
                raise ModelError(
                    "there is nothing to train on",
                    "log",
                    "at least one example",
                    "give a longer log",
                )
            module.eval()
            seconds = time.perf_counter() - start
            if not all(bool(torch.isfinite(weight).all()) for weight in module.parameters()):
                do = "lower the learning rate or set clip"
                raise ModelError(
                    f"weights are no numbers after epoch {epoch}", "training", "finite weights", do
                )
            value = validate() if validate else np.nan
            if validate and np.isnan(value):
                do = "give a validation log with rows that can be asked for, or none"
                raise ModelError(
                    "validation has nothing to ask", "valid", "at least one target", do
                )
            better = validate is None or value > best
            best, since = (value, 0) if better and validate else (best, since + 1)
            rows.append((epoch, total / n, n, seconds, value))
            if better:
                kept, chosen = _weights(module), epoch
            late = config.minutes is not None and time.perf_counter() - begun > 60 * config.minutes
            if late or (validate and since >= config.patience):
                break
    finally:
        module.load_state_dict(kept)
        module.eval()
    record = pd.DataFrame(rows, columns=["epoch", "loss", "examples", "seconds", "validation"])
    return record.assign(best=record["epoch"] == chosen)


def validation(
    model: Recommender,
    config: Training,
    histories: Histories,
    targets: sparse.csr_array | np.ndarray,
    exclude: sparse.csr_array | None = None,
) -> Callable[[], float]:
    """The question that `train` validates on: the config's metric of a model, whatever its weights
    are when asked."""

    def validate() -> float:
        table = evaluate_targets(model, histories, targets, (config.k,), exclude=exclude)
        # a question without an answer is one that was missed
        return float(table.loc[table["metric"] == config.metric, "value"].fillna(0.0).mean())

    return validate


def no_losses(module: nn.Module) -> torch.Tensor:
    """The losses of no examples: a (0,) whose derivatives by every weight, first and second, are
    0."""
    return sum(weight.square().sum() for weight in module.parameters())[None][:0]


def recurrence(cell: nn.GRU, inputs: torch.Tensor) -> torch.Tensor:
    """The states of a GRU, (B, L, d), with all their derivatives."""
    # cuDNN's recurrence is quick, but has no second derivative, and outside of training not even a
    # first one.
    with torch.backends.cudnn.flags(enabled=cell.training, deterministic=True):
        return cell(inputs)[0]


def _weights(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _lean(kind: type[torch.optim.Optimizer]) -> type[torch.optim.Optimizer]:
    """An optimiser without torch's compiler: three methods import it (800 modules, two seconds) only
    to be left out of it."""
    names = ("add_param_group", "zero_grad", "step")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    return type(kind.__name__, (kind,), plain | {"step": torch.no_grad()(plain["step"])})


OPTIMISERS = {"adam": _lean(torch.optim.Adam), "sgd": _lean(torch.optim.SGD)}


def _not_finite(losses: torch.Tensor, epoch: int, step: int) -> ModelError:
    bad = torch.nonzero(~torch.isfinite(losses.detach())).flatten().tolist()
    what, when = "the mean loss overflows", f"in epoch {epoch}, step {step}"
    if bad:
        what = f"the loss is {losses[bad[0]].item()}"
        when += f", examples {', '.join(map(str, bad[:5]))} of the batch"
    do = "lower the learning rate, set clip, or look at those examples"
    return ModelError(f"{what} {when}", "training", "finite losses", do)
