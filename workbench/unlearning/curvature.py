"""Second derivatives of a frozen batch, and what is solved with them.

    Hessian         H = Σ ∇²ℓ                              indefinite for networks, and for p·q
    Gauss-Newton    G = Σ Jᵀ (∇²_f ℓ) J,  J = ∂f/∂θ        softmax: diag(p) − ppᵀ;  pairs: σ(1 − σ)
    Fisher          F = Σ ∇ℓ ∇ℓᵀ                           empirical: of the losses as they are
    step            x = (H + λI)⁻¹ v,   λ = damping · ‖H‖

Schraudolph, Fast Curvature Matrix-Vector Products, Neural Computation 2002: f is what a loss is
convex in (`convex_parts` of a model), so that G is never negative; it equals H where f is linear in
θ. Kunstner, Hennig & Balles, NeurIPS 2019: the empirical Fisher is no approximation of H at a
fitted model, as well-fitted rows vanish from it. A batch is run once; its graph serves all
products, so that one solve sees one matrix. J v is the derivative of Jᵀu by u, along v.
Batches stand for others with a weight: rows that they stand for, over rows in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh

from workbench.errors import ConfigError
from workbench.recommend.protocol import fitted, must_offer
from workbench.recommend.trained import ConvexParts

Kind = Literal["gauss_newton", "fisher", "hessian"]
Product = Callable[[torch.Tensor], torch.Tensor]
CONVERGED, LIMIT, NEGATIVE, FLAT = ("converged", "limit", "negative curvature", "flat")


class Coordinates:
    """Numbers of a model that are looked at or moved, as one float64 vector.

    rows: {parameter: index}, as `model.rows` gives them; None takes all parameters whole.

    >>> Coordinates(model, model.rows(users=[3]))  # doctest: +SKIP
    Coordinates(64 of user.weight)
    """

    def __init__(self, model: Any, rows: Mapping[str, Any] | None = None) -> None:
        named = dict(fitted(model.module, model).named_parameters())
        rows = dict.fromkeys(named, ...) if rows is None else rows
        unknown = [name for name in rows if name not in named]
        if unknown:
            raise ConfigError(f"no parameter {unknown[0]}", "rows", " or ".join(named))
        self.names = tuple(rows)
        self.values = [named[name] for name in rows]
        self.index = [_tensors(index) for index in rows.values()]
        self.sizes = [
            value.detach()[at].numel() for value, at in zip(self.values, self.index, strict=True)
        ]

    def __len__(self) -> int:
        return sum(self.sizes)

    def __repr__(self) -> str:
        return f"Coordinates({len(self):,} of {', '.join(self.names)})"

    def read(self, tensors: Iterable[torch.Tensor] | None = None) -> torch.Tensor:
        """What stands at them in tensors shaped as the parameters, or in the weights; (n,)."""
        tensors = self.values if tensors is None else tensors
        parts = [part.detach()[at] for part, at in zip(tensors, self.index, strict=True)]
        if not parts:
            return torch.zeros(0, dtype=torch.float64)
        return torch.cat([part.reshape(-1) for part in parts]).double()

    def spread(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """The vector at its places in tensors shaped as the parameters, 0 elsewhere."""
        made = [torch.zeros_like(value) for value in self.values]
        for part, at, some in zip(made, self.index, vector.split(self.sizes), strict=True):
            part[at] = some.to(part.dtype).view(part[at].shape)
        return made

    def move(self, step: torch.Tensor) -> None:
        """Add a step to the weights, in place."""
        with torch.no_grad():
            for value, part in zip(self.values, self.spread(step), strict=True):
                value.add_(part)


def gradient(model: Any, examples: Any, at: Coordinates) -> torch.Tensor:
    """Σ ∇ℓ of examples at some coordinates; float64 (n,), zeros of no examples."""
    if not len(examples) or not len(at):
        return torch.zeros(len(at), dtype=torch.float64)
    return at.read(_slopes(model.loss(examples).sum(), at.values))


class Curvature:
    """A symmetric matrix over some coordinates of a model, as products with vectors.

    batches: (examples, weight) each; those without examples count nothing. The module is put into
    evaluation mode, or with `training` into the other, where each batch keeps the dropout that it was
    run with. ridge: added to the
    diagonal. Products are in the precision of the weights; vectors are float64.

    >>> curvature = Curvature(model, [(model.examples(log), 1.0)])  # doctest: +SKIP
    >>> solve(curvature.damped(0.01), v).end  # doctest: +SKIP
    'converged'
    """

    def __init__(
        self,
        model: Any,
        batches: Iterable[tuple[Any, float]],
        kind: Kind = "gauss_newton",
        at: Coordinates | None = None,
        ridge: float = 0.0,
        training: bool = False,
    ) -> None:
        if kind not in get_args(Kind):
            raise ConfigError(f"curvature {kind!r}", "curvature", " or ".join(get_args(Kind)))
        must_offer(model, "loss", "convex_parts", where="curvature")
        fitted(model.module, model).train(training)
        self.at, self.kind, self.ridge = at or Coordinates(model), kind, ridge
        self._terms: list[tuple[float, Callable[..., Any]]] = []
        for examples, weight in batches:
            if len(examples) and len(self.at):
                made = _TERMS[kind](model, examples, self.at.values)
                self._terms += [(weight, term) for term in made]

    def __len__(self) -> int:
        return len(self.at)

    def __call__(self, vector: torch.Tensor) -> torch.Tensor:
        """The product with a vector; (n,)."""
        spread = self.at.spread(vector)
        found = self.ridge * vector
        for weight, term in self._terms:
            found = found + weight * self.at.read(term(spread))
        return found

    @cached_property
    def norm(self) -> float:
        """The largest |eigenvalue|, to about a hundredth."""
        return largest(self, len(self))

    def damped(self, damping: float) -> Product:
        """The product with H + λI, λ = damping · ‖H‖."""
        shift = damping * self.norm if damping else 0.0
        return lambda vector: self(vector) + shift * vector


def largest(product: Product, n: int, seed: int = 0) -> float:
    """The largest |eigenvalue| of a symmetric matrix, by Lanczos from a drawn start (ARPACK, to a
    hundredth); 0 of none."""
    start = np.random.default_rng(seed).standard_normal(n)
    first = product(torch.from_numpy(start)).numpy()
    if not first.any():
        return 0.0
    if n == 1:
        return float(abs(first / start)[0])

    def times(vector: np.ndarray) -> np.ndarray:
        return product(torch.from_numpy(vector.ravel().copy())).numpy()

    matrix = LinearOperator((n, n), times, dtype=np.float64)
    options = {"ncv": min(n, 12), "tol": 1e-2, "v0": start}
    return float(abs(eigsh(matrix, 1, which="LM", return_eigenvectors=False, **options)[0]))


@dataclass(frozen=True)
class Solution:
    """What a solver found: x (n,); steps, products it took; residual ‖v − Hx‖ / ‖v‖ as one more
    product finds it; end: converged; limit, of products; or negative curvature, where x is what was
    found before (*flat* where the matrix has none, and rounding made it look so)."""

    x: torch.Tensor
    steps: int
    residual: float
    end: str


def solve(product: Product, v: torch.Tensor, tolerance: float = 1e-2, most: int = 100) -> Solution:
    """Conjugate gradients for H x = v, from 0 on, to a residual of `tolerance` · ‖v‖.

    It ends at a direction along which H does not curve upwards: there is then no minimum to go to.
    Hestenes & Stiefel 1952; Nocedal & Wright, Numerical Optimization, algorithm 7.1.
    """
    x, left = torch.zeros_like(v), v.clone()
    direction, size = v.clone(), float(v @ v)
    goal, steps, end = tolerance**2 * size, 0, CONVERGED
    while size > goal:
        if steps == most:
            end = LIMIT
            break
        along = product(direction)
        bend = float(direction @ along)
        steps += 1
        if bend <= 0:
            end = NEGATIVE
            break
        length = size / bend
        x, left = x + length * direction, left - length * along
        before, size = size, float(left @ left)
        direction = left + size / before * direction
    return Solution(x, steps, residual(product, x, v), end)


def residual(product: Product, x: torch.Tensor, v: torch.Tensor) -> float:
    """‖v − Hx‖ / ‖v‖; 0 where v is."""
    size = float(v.norm())
    return float((v - product(x)).norm()) / size if size else 0.0


# --- terms: a batch that has been run, to be multiplied with


def _newton(model: Any, examples: Any, values: list[torch.Tensor]) -> list[Callable[..., Any]]:
    """∇²Σℓ, by differentiating the gradient along a vector."""
    slopes = _slopes(model.loss(examples).sum(), values, create_graph=True)

    return [lambda vectors: _pushed(slopes, values, vectors)]


def _gauss_newton(
    model: Any, examples: Any, values: list[torch.Tensor]
) -> list[Callable[..., Any]]:
    """Jᵀ B J of every convex part, B = ∇² of its losses by its outputs."""
    parts: ConvexParts = model.convex_parts(examples)
    return [_squared(outputs, values, losses) for outputs, losses in parts]


def _fisher(model: Any, examples: Any, values: list[torch.Tensor]) -> list[Callable[..., Any]]:
    """JᵀJ of the losses themselves."""
    return [_squared(model.loss(examples), values)]


def _squared(
    outputs: torch.Tensor,
    values: list[torch.Tensor],
    losses: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Callable[..., Any]:
    """The product with Jᵀ B J, B = I without losses."""
    if not outputs.requires_grad:
        return lambda vectors: tuple(map(torch.zeros_like, values))
    # Jᵀu, linear in u: its derivative by u along v is J v
    probe = torch.zeros_like(outputs, requires_grad=True)
    back = _slopes(outputs, values, probe, create_graph=True)
    # the slope of the losses by the outputs, to be differentiated once more
    inner = outputs.detach().requires_grad_()
    slope = None
    if losses is not None:
        (slope,) = _slopes(losses(inner).sum(), [inner], create_graph=True)

    def product(vectors: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        (moved,) = _pushed(back, [probe], vectors)
        if slope is not None:
            (moved,) = _slopes(slope, [inner], moved, retain_graph=True)
        return _slopes(outputs, values, moved, retain_graph=True)

    return product


_TERMS = {"gauss_newton": _gauss_newton, "fisher": _fisher, "hessian": _newton}


def _pushed(
    outputs: tuple[torch.Tensor, ...], values: list[torch.Tensor], along: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Slopes of the outputs along vectors; zeros where none of them depends on anything."""
    pairs = [pair for pair in zip(outputs, along, strict=True) if pair[0].requires_grad]
    if not pairs:
        return tuple(map(torch.zeros_like, values))
    some, by = zip(*pairs, strict=True)
    return _slopes(some, values, by, retain_graph=True)


def _slopes(outputs: Any, values: Any, along: Any = None, **options: bool) -> tuple[Any, ...]:
    """The derivative, 0 by what is not read."""
    return torch.autograd.grad(
        outputs, values, along, allow_unused=True, materialize_grads=True, **options
    )


def _tensors(index: Any) -> Any:
    """An index of NumPy arrays as one of tensors."""
    if isinstance(index, tuple):
        return tuple(map(_tensors, index))
    return torch.from_numpy(index) if isinstance(index, np.ndarray) else index
