"""Laws of models fitted by gradient descent. torch is imported only when one is asked."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from workbench.laws import Law
from workbench.recommend.laws.bench import Bench


def _per_example(b: Bench) -> str | None:
    users = b.histories.user
    parts = [
        _losses(b.model, b.model.examples(b.log, some)) for some in (users, users[::2], users[1::2])
    ]
    shapes = [tuple(part.shape) for part in parts]
    if any(len(shape) != 1 for shape in shapes):
        return f"losses of shape {shapes[0]}"
    if shapes[0][0] != shapes[1][0] + shapes[2][0]:
        return (
            f"{shapes[0][0]} losses for all users, {shapes[1][0]} and {shapes[2][0]} "
            f"for the two halves of them"
        )
    if not all(np.isfinite(part.numpy()).all() for part in parts):
        return "losses that are no numbers"
    again = _losses(b.model, b.model.examples(b.log, users))
    return None if np.array_equal(again, parts[0]) else "other losses when asked again"


def _losses(model: Any, examples: Any) -> Any:
    return model.loss(examples).detach().cpu()


def _twice_differentiable(b: Bench) -> str | None:
    """H·v by differentiating twice, against (g(θ + εv) − g(θ − εv)) / 2ε in float64.

    H leaves out the kinks of a piecewise function such as ReLU, and a difference that steps over
    one does not. So three directions are tried, with ever smaller steps, and one that agrees will
    do: a wrong derivative is off in all.
    """
    found = [
        _hessian_off(b, b.seed + number, step) for number, step in enumerate((1e-4, 1e-5, 1e-6))
    ]
    return (
        None if any(off <= 1e-3 for off in found) else f"H·v off by {found[-1]:.2g} of its length"
    )


def _hessian_off(b: Bench, seed: int, step: float) -> float:
    """How far H·v is from the difference of gradients, in lengths of the latter, for a random v."""
    import torch

    module = copy.deepcopy(b.model)
    module.module.double()
    values = list(module.module.parameters())
    examples = module.examples(b.log, b.histories.user[:4])
    generator = torch.Generator().manual_seed(seed)
    direction = [
        torch.randn(value.shape, generator=generator, dtype=torch.float64) for value in values
    ]

    def gradient(create: bool) -> list[Any]:
        found = torch.autograd.grad(
            module.loss(examples).mean(), values, create_graph=create, allow_unused=True
        )
        return [torch.zeros_like(v) if g is None else g for g, v in zip(found, values, strict=True)]

    along = sum((g * d).sum() for g, d in zip(gradient(True), direction, strict=True))
    exact = (
        torch.autograd.grad(along, values, allow_unused=True)
        if along.requires_grad
        else [None] * len(values)
    )
    exact = [torch.zeros_like(v) if h is None else h for h, v in zip(exact, values, strict=True)]
    ends = []
    for sign in (1, -2):
        with torch.no_grad():
            for value, d in zip(values, direction, strict=True):
                value.add_(d, alpha=sign * step)
        ends.append(gradient(False))
    differences = [(one - two) / (2 * step) for one, two in zip(*ends, strict=True)]
    off = sum(float((h - d).square().sum()) for h, d in zip(exact, differences, strict=True)) ** 0.5
    size = sum(float(d.square().sum()) for d in differences) ** 0.5
    return off / max(size, 1e-4)


def _groups(b: Bench) -> str | None:
    groups = b.model.parameter_groups()
    if set(groups) != {"users", "items", "shared"}:
        return f"groups {', '.join(groups)}"
    listed = [id(value) for values in groups.values() for value in values]
    own = {id(value): name for name, value in b.model.module.named_parameters()}
    absent = [name for key, name in own.items() if key not in listed]
    if absent or len(listed) != len(own):
        return (
            f"{len(listed)} parameters listed, {len(own)} in the module"
            + f", without {absent[0]}" * bool(absent)
        )
    return None


def _rebuild(b: Bench) -> str | None:
    model = copy.deepcopy(b.model)
    if model.rebuild(b.log) is not model:
        return "something else than the model returned"
    return _weights_differ(model, b.model) or b.differs(model)


def _weights_differ(one: Any, two: Any) -> str | None:
    a, b = dict(one.module.named_parameters()), dict(two.module.named_parameters())
    changed = [name for name in a if name not in b or not bool((a[name] == b[name]).all())]
    return f"another weight {changed[0]}" if changed else None


def _same_weights(b: Bench) -> str | None:
    return _weights_differ(b.fitted(b.log), b.model)


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
