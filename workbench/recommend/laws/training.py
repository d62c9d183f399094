"""Laws of models fitted by gradient descent. torch is imported only when one is asked."""

from __future__ import annotations

import copy

import numpy as np

from workbench.laws import Law
from workbench.recommend.laws.bench import Bench
from workbench.recommend.laws.weights import double, first_difference, losses_of, slopes, state


def _per_example(b: Bench) -> str | None:
    users = b.histories.user
    some = (users, users[::2], users[1::2], users)
    parts = [losses_of(b.model, b.model.examples(b.log, each)) for each in some]
    if any(part.ndim != 1 for part in parts):
        return f"losses of shape {parts[0].shape}"
    n, even, odd, _ = map(len, parts)
    if n != even + odd:
        return f"{n} losses for all users, {even} and {odd} for the two halves of them"
    if not all(np.isfinite(part).all() for part in parts):
        return "losses that are no numbers"
    return None if np.array_equal(parts[0], parts[3]) else "other losses when asked again"


def _twice_differentiable(b: Bench) -> str | None:
    """H·v by differentiating twice, against (g(θ + εv) − g(θ − εv)) / 2ε in float64.

    H leaves out the kinks of a piecewise function such as ReLU, and a difference that steps over
    one does not. So three directions are tried, with ever smaller steps, and one that agrees will
    do: a wrong derivative is off in all.
    """
    steps = (1e-4, 1e-5, 1e-6)
    off = [_hessian_off(b, b.seed + number, step) for number, step in enumerate(steps)]
    return None if min(off) <= 1e-3 else f"H·v off by {off[-1]:.2g} of its length"


def _hessian_off(b: Bench, seed: int, step: float) -> float:
    """How far H·v is from the difference of gradients, in lengths of the latter, for a random v."""
    import torch
    from torch.nn.utils import parameters_to_vector, vector_to_parameters

    model = double(b.model)
    values = list(model.module.parameters())
    examples = model.examples(b.log, b.histories.user[:4])
    here = parameters_to_vector(values).detach()
    v = torch.randn(here.shape, generator=torch.Generator().manual_seed(seed), dtype=here.dtype)

    def gradient(weights: torch.Tensor, create_graph: bool = False) -> torch.Tensor:
        vector_to_parameters(weights, values)
        return flat(slopes(model.loss(examples).mean(), values, create_graph))

    def flat(parts: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return torch.cat([part.reshape(-1) for part in parts])

    # a loss that is linear in its weights has no graph left: 0 · θ stands in
    along = gradient(here, create_graph=True) @ v + 0 * parameters_to_vector(values).sum()
    exact = flat(slopes(along, values))
    difference = (gradient(here + step * v) - gradient(here - step * v)) / (2 * step)
    return float((exact - difference).norm() / difference.norm().clamp(min=1e-4))


def _groups(b: Bench) -> str | None:
    groups = b.model.parameter_groups()
    if set(groups) != {"users", "items", "shared"}:
        return f"groups {', '.join(groups)}"
    listed = sorted(id(value) for values in groups.values() for value in values)
    own = sorted(map(id, b.model.module.parameters()))
    same = listed == own
    return None if same else f"{len(listed)} parameters listed, {len(own)} in the module"


def _rebuild(b: Bench) -> str | None:
    model = copy.deepcopy(b.model)
    if model.rebuild(b.log) is not model:
        return "something else than the model returned"
    return first_difference(state(model), state(b.model)) or b.differs(model)


def _same_weights(b: Bench) -> str | None:
    b.lean(fits=True)
    return first_difference(state(b.fitted(b.log)), state(b.model))


def _represent(b: Bench) -> str | None:
    shape = tuple(b.model.represent(b.histories).shape)
    return None if len(shape) == 2 and shape[0] == len(b.histories) else f"shape {shape}"


def _evaluation_mode(b: Bench) -> str | None:
    return "training mode after fit" if b.model.module.training else None


TRAINED = ("module", "examples", "loss")
TRAINING: dict[str, Law] = {
    "loss": Law(
        "one finite loss per example, the same again; users' examples apart", _per_example, TRAINED
    ),
    "second derivative": Law(
        "H·v equal to differences of gradients", _twice_differentiable, TRAINED
    ),
    "parameter groups": Law(
        "every parameter once, in users, items, shared", _groups, ("module", "parameter_groups")
    ),
    "rebuild": Law("weights and scores unchanged on the same log", _rebuild, ("module", "rebuild")),
    "same weights": Law("equal weights from two fits on one log", _same_weights, ("module",)),
    "represent": Law("user representations (histories, d)", _represent, ("module", "represent")),
    "evaluation mode": Law(
        "a module in evaluation mode outside training", _evaluation_mode, ("module",)
    ),
}
