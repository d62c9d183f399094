"""Steps of the supervised stage that a stopped run does not do again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.errors import ConfigError, ModelError
from workbench.reports.recpilot.visits import Visits
from workbench.whole import whole_file


def batches(
    visits: Visits, size: int, seed: int, steps: int, done: int
) -> Iterator[tuple[int, Visits]]:
    """(step, visits), those of like length of history together; the first `done` are left out."""
    length = np.diff(visits.histories.offsets)
    step, epoch = 0, 0
    while step < steps:
        rng = np.random.default_rng([seed, epoch])
        order = np.lexsort((rng.random(len(length)), length + rng.normal(0, 20, len(length))))
        parts = np.array_split(order, max(1, len(order) // size))
        for part in rng.permutation(len(parts)):
            if done <= step < steps:
                yield step, visits.select(np.sort(parts[part]))
            step += 1
        epoch += 1


def keep(
    work: Path | None,
    identity: str,
    state: dict[str, Any],
    module: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint into `work`, if there is one."""
    if work is None:
        return
    work.mkdir(parents=True, exist_ok=True)
    with whole_file(work / "checkpoint.pt") as new:
        held = {"module": module.state_dict(), "optimiser": optimiser.state_dict()}
        torch.save(state | held | {"identity": identity}, new)


def resume(
    work: Path | None,
    identity: str,
    module: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> dict[str, Any]:
    """The state that `keep` wrote, its weights put in place; nothing where there is none. Raises
    `ConfigError` for the checkpoint of another run, `ModelError` for a damaged one."""
    path = None if work is None else work / "checkpoint.pt"
    if path is None or not path.exists():
        return {}
    do = "remove it to train anew"
    try:
        held = torch.load(path, weights_only=True)
        whose = held.pop("identity")
    except Exception as error:  # a cut or foreign file fails in many ways
        what = f"no checkpoint of a training ({type(error).__name__})"
        raise ModelError(what, str(path), do=do) from error
    if whose != identity:
        raise ConfigError("the checkpoint is of another config or log", str(path), do=do)
    module.load_state_dict(held.pop("module"))
    optimiser.load_state_dict(held.pop("optimiser"))
    return held
