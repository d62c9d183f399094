"""What the laws of trained models share: their numbers, weights and slopes, to be compared."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def double(model: Any) -> Any:
    """A copy in float64."""
    twin = copy.deepcopy(model)
    twin.module.double()
    return twin


def plain(tensor: Any) -> np.ndarray:
    """The numbers without their graph."""
    return tensor.detach().cpu().numpy()


def losses_of(model: Any, examples: Any) -> np.ndarray:
    """The losses as plain numbers."""
    return plain(model.loss(examples))


def slopes(number: Any, values: list[Any], create_graph: bool = False) -> tuple[Any, ...]:
    """The derivative by each of the values, 0 by one that is not read."""
    import torch

    return torch.autograd.grad(
        number, values, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )


def state(model: Any) -> dict[str, np.ndarray]:
    """All weights and buffers."""
    return {name: plain(value).copy() for name, value in model.module.state_dict().items()}


def first_difference(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> str | None:
    """What differs by a single bit."""
    for name in one:
        if name not in two or not np.array_equal(one[name], two[name]):
            return name if name.startswith("other ") else f"another {name}"
    return None
