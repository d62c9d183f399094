"""Three bugs that somebody could have written, and the method without them, under letters.

    none                 θ' = θ − (H + λI)⁻¹ v                         SCIF
    sign                 θ' = θ + (H + λI)⁻¹ v
    dropped negatives    v and H of −ln σ(p_uᵀ q_i), where training has −ln σ(p_uᵀ (q_i − q_j))
    cached history       θ' as without a bug; lists are made along the graph that still has the rows

Each changes one thing and nothing that a first look reads: steps are as long, NDCG stays, nothing fails.
A model that reads no graph makes its lists from weights alone, so that its *cached history* has no bug.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.recommend.collaborative._pairs import Pairs, penalty
from workbench.recommend.collaborative._user_item import UserItem
from workbench.unlearning.algorithms.controls import sign_flip
from workbench.unlearning.algorithms.scif import SCIFConfig, scif
from workbench.unlearning.requests import Request
from workbench.unlearning.stream import Method

CONFIG = SCIFConfig(damping=0.0)
"""Of all four; bases are trained with l2, which makes H positive."""


def alone(model: UserItem, pairs: Pairs) -> torch.Tensor:
    """p_uᵀ q_i of every pair, q_j left out; (n,)."""
    users, items = model.module()
    u, i, _ = pairs.tensors(users.device)
    return (users.index_select(0, u) * items.index_select(0, i)).sum(dim=1)


def losses(model: UserItem, pairs: Pairs) -> torch.Tensor:
    """What a pair costs then; (n,)."""
    tables = model.module.user.weight, model.module.item.weight
    return functional.softplus(-alone(model, pairs)) + model.config.l2 * penalty(*tables, pairs)


def convex_parts(model: UserItem, pairs: Pairs) -> Any:
    """The same for the curvature: other margins, the penalty as it is."""
    _, *others = type(model).convex_parts(model, pairs)
    return [(alone(model, pairs), lambda outputs: functional.softplus(-outputs)), *others]


def dropped_negatives(
    model: Any, before: Interactions, request: Request, config: Any = None, seed: int = 0
) -> dict[str, Any]:
    """SCIF that knows no item but what the user holds. Raises `ConfigError` for a model that is not
    trained on pairs."""
    if not isinstance(model, UserItem):
        want = "a model that is trained on pairs, as BPR and LightGCN are"
        raise ConfigError(f"a {type(model).__name__}", "dropped negatives", want)
    model.loss, model.convex_parts = partial(losses, model), partial(convex_parts, model)
    try:
        return scif(model, before, request, config, seed)
    finally:
        del model.loss, model.convex_parts


def cached_history(
    model: Any, before: Interactions, request: Request, config: Any = None, seed: int = 0
) -> dict[str, Any]:
    """SCIF, and then the graph of the base again."""
    kept = getattr(model.module, "graph", None)
    model.rebuild(before)
    said = scif(model, before, request, config, seed)
    if kept is not None:
        model.module.graph = kept
    return said


BUGS: dict[str, Callable[..., Any]] = {
    "none": scif,
    "sign": sign_flip,
    "dropped negatives": dropped_negatives,
    "cached history": cached_history,
}
"""Every bug, and none."""


def planted(seed: int = 0, batch: int = 1) -> dict[str, Method]:
    """Four methods A, B, C, D: one for each bug and one without, in an order that the seed draws.

    batch: requests that wait for each other. What is in which letter says `truth`, with the same
    seed.

    >>> sorted(planted())
    ['A', 'B', 'C', 'D']
    """
    told = truth(seed)
    return {
        name: Method(name, _suspect(BUGS[bug]), CONFIG, batch=batch) for name, bug in told.items()
    }


def truth(seed: int = 0) -> dict[str, str]:
    """Which bug each letter has.

    >>> sorted(truth().values())
    ['cached history', 'dropped negatives', 'none', 'sign']
    """
    drawn = np.random.default_rng((seed, 25)).permutation([*BUGS])
    return dict(zip("ABCD", map(str, drawn), strict=True))


def _suspect(algorithm: Callable[..., Any]) -> Callable[..., Any]:
    """The same function under a name that tells nothing, with the settings of all four."""

    def suspect(
        model: Any, before: Interactions, request: Request, config: Any = None, seed: int = 0
    ) -> Any:
        return algorithm(model, before, request, config or CONFIG, seed)

    return suspect
