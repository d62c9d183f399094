"""Products with curvatures against dense matrices that no derivative of torch had part in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies

from workbench.errors import ConfigError
from workbench.recommend import (
    BPR,
    DNNTSP,
    NARM,
    SGL,
    SRGNN,
    BPRConfig,
    DNNTSPConfig,
    GRU4Rec,
    GRU4RecConfig,
    LightGCN,
    LightGCNConfig,
    NARMConfig,
    SASRec,
    SASRecConfig,
    Sets2Sets,
    Sets2SetsConfig,
    SGLConfig,
    SRGNNConfig,
)
from workbench.recommend.laws.bench import small_log
from workbench.recommend.laws.weights import double
from workbench.recommend.training import Training
from workbench.unlearning.curvature import (
    Coordinates,
    Curvature,
    gradient,
    largest,
    solve,
)

TRAINING = Training(epochs=2, learning_rate=0.02)
SHORT = {"embedding": 2, "training": TRAINING}
MODELS = {
    "BPR": BPR(BPRConfig(l2=0.01, **SHORT)),
    "LightGCN": LightGCN(LightGCNConfig(**SHORT)),
    "SGL": SGL(SGLConfig(layers=1, **SHORT)),
    "GRU4Rec": GRU4Rec(GRU4RecConfig(hidden=3, **SHORT)),
    "NARM": NARM(NARMConfig(hidden=2, **SHORT)),
    "SASRec": SASRec(SASRecConfig(hidden=4, inner=3, layers=1, max_length=6, training=TRAINING)),
    "SR-GNN": SRGNN(SRGNNConfig(hidden=2, training=TRAINING)),
    "DNNTSP": DNNTSP(DNNTSPConfig(embedding=3, targets="all", training=TRAINING)),
    "Sets2Sets": Sets2Sets(Sets2SetsConfig(hidden=2, training=TRAINING)),
}
LOG = small_log(3, users=5, items=6, rows=10)


def exact(found, want):
    """To 1e-8, of the largest entry where that is above 1."""
    atol = 1e-8 * max(1.0, np.abs(want).max(initial=0))
    np.testing.assert_allclose(found, want, rtol=0, atol=atol)


@pytest.fixture(scope="module", params=list(MODELS))
def fitted(request):
    """A fitted model in float64, its coordinates, and all of its examples."""
    model = double(MODELS[request.param].copy().fit(LOG))
    return model, Coordinates(model), model.examples(LOG)


def dense(product, n):
    """A matrix of its products with the unit vectors."""
    columns = [product(unit).numpy() for unit in torch.eye(n, dtype=torch.float64)]
    return np.stack(columns, 1)


def differences(of, at, h=1e-4):
    """The derivative of a vector by every coordinate, (m, n), from four values each: no derivative
    of torch has part in it (error h⁴)."""
    columns = []
    for unit in torch.eye(len(at), dtype=torch.float64):
        found = 0
        for step, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            at.move(step * h * unit)
            found = found + weight * of().detach().double().reshape(-1).numpy()
            at.move(-step * h * unit)
        columns.append(found / (12 * h))
    return np.stack(columns, 1)


def test_hessian_is_the_slope_of_the_gradient(fitted):
    model, at, examples = fitted
    want = differences(lambda: gradient(model, examples, at), at)
    found = dense(Curvature(model, [(examples, 1.0)], "hessian", at), len(at))
    exact(found, want)


def test_fisher_is_the_sum_of_squared_slopes(fitted):
    model, at, examples = fitted
    slopes = differences(lambda: model.loss(examples), at)
    found = dense(Curvature(model, [(examples, 1.0)], "fisher", at), len(at))
    exact(found, slopes.T @ slopes)


def bends(model, outputs, losses):
    """∇² of the losses by the outputs, written out: (n, k, k)."""
    z = outputs.detach().numpy()
    z = z.reshape(len(z), -1)
    if isinstance(model, Sets2Sets):
        return second_differences(losses, outputs)
    if isinstance(model, DNNTSP):
        sigma = 1 / (1 + np.exp(-z))
        return np.eye(z.shape[1]) * (sigma * (1 - sigma) / z.shape[1])[:, None]
    p = np.exp(z - z.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    return np.eye(z.shape[1]) * p[:, None] - p[:, :, None] * p[:, None]


def second_differences(losses, outputs, h=1e-3):
    """The same from values of the losses, four to the second power a pair of outputs."""
    outputs = outputs.detach()
    n, k = outputs.shape
    found = np.zeros((n, k, k))
    steps = ((-2, 1), (-1, -8), (1, 8), (2, -1))
    for i in range(k):
        for j in range(k):
            for one, first in steps:
                for two, second in steps:
                    moved = outputs.clone()
                    moved[:, i] += one * h
                    moved[:, j] += two * h
                    found[:, i, j] += first * second * losses(moved).numpy()
    return found / (12 * h) ** 2


def test_gauss_newton_is_what_its_equation_says(fitted):
    model, at, examples = fitted
    (outputs, losses), *beside = model.convex_parts(examples)
    n = len(outputs)

    def first():
        return model.convex_parts(examples)[0][0]

    slopes = differences(first, at).reshape(n, -1, len(at))
    if outputs.ndim == 1:
        sigma = 1 / (1 + np.exp(-outputs.detach().numpy()))
        bend = (sigma * (1 - sigma))[:, None, None]
    else:
        bend = bends(model, outputs, losses)
    want = np.einsum("nka,nkl,nlb->ab", slopes, bend, slopes)
    if beside:
        # the penalty is a square already: its curvature is how often a vector is in a pair
        u, i, j = examples.tensors()
        d, named = model.config.embedding, dict(zip(at.names, at.values, strict=True))
        users = np.bincount(u, minlength=len(named["user.weight"]))
        items = np.bincount(np.r_[i, j], minlength=len(named["item.weight"]))
        want += model.config.l2 * np.diag(np.r_[users, items].repeat(d))
    for k, _ in enumerate(beside[1:], 1):
        # the contrast: a softmax of its own, once for each pair of a node
        many = model.convex_parts(examples)[1:][k][0]
        slopes = differences(lambda k=k: model.convex_parts(examples)[1:][k][0], at)
        slopes = slopes.reshape(*many.shape, len(at))
        node = examples.tensors()[k - 1]
        count = torch.unique(node, return_counts=True)[1].numpy()
        bend = model.config.ssl * count[:, None, None] * bends(None, many, None)
        want += np.einsum("nka,nkl,nlb->ab", slopes, bend, slopes)
    found = dense(Curvature(model, [(examples, 1.0)], "gauss_newton", at), len(at))
    exact(found, want)


def test_convex_parts_add_up_to_the_losses(fitted):
    model, _, examples = fitted
    parts = sum(losses(outputs).sum() for outputs, losses in model.convex_parts(examples))
    np.testing.assert_allclose(parts.item(), model.loss(examples).sum().item(), rtol=1e-12)


@pytest.mark.parametrize("kind", ["gauss_newton", "fisher"])
def test_never_negative(fitted, kind):
    model, at, examples = fitted
    found = dense(Curvature(model, [(examples, 1.0)], kind, at), len(at))
    values = np.linalg.eigvalsh((found + found.T) / 2)
    assert values[0] > -1e-9 * values[-1]
    assert values[-1] == pytest.approx(Curvature(model, [(examples, 1.0)], kind, at).norm, rel=0.02)


def test_weights_rows_and_ridge(fitted):
    model, at, examples = fitted
    some = model.rows(users=[1] if "n_users" in model.shape else [], items=[0, 2])
    part = Coordinates(model, some)
    whole = dense(Curvature(model, [(examples, 1.0)], at=at), len(at))
    chosen = part_of(at, part)
    twice = [(examples, 0.5), (examples, 2.5)]
    found = dense(Curvature(model, twice, at=part, ridge=0.25), len(part))
    want = 3 * whole[np.ix_(chosen, chosen)] + 0.25 * np.eye(len(part))
    exact(found, want)


def part_of(at, part):
    """Where the coordinates of one stand among those of the other."""
    number = torch.arange(len(at), dtype=torch.float64)
    tensors = dict(zip(at.names, at.spread(number), strict=True))
    return part.read([tensors[name] for name in part.names]).numpy().astype(int)


def test_in_evaluation_mode_products_are_the_same_twice():
    model = MODELS["SASRec"].copy().fit(LOG)
    model.module.train()
    curvature = Curvature(model, [(model.examples(LOG), 1.0)])
    v = torch.ones(len(curvature), dtype=torch.float64)
    assert torch.equal(curvature(v), curvature(v))


def test_no_examples_no_curvature(fitted):
    model, at, examples = fitted
    none = examples.select(np.zeros(0, int))
    for kind in ("gauss_newton", "fisher", "hessian"):
        curvature = Curvature(model, [(none, 3.0)], kind, at)
        assert curvature.norm == 0.0
    assert not gradient(model, none, at).any()


def test_unknown_words_are_refused():
    model = MODELS["BPR"].copy().fit(LOG)
    with pytest.raises(ConfigError, match="curvature"):
        Curvature(model, [], "newton")
    with pytest.raises(ConfigError, match="no parameter"):
        Coordinates(model, {"other.weight": ...})


# --- solving


@settings(max_examples=40, deadline=None)
@given(strategies.integers(0, 2**31), strategies.integers(1, 12))
def test_conjugate_gradients_solve(seed, n):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n))
    matrix = torch.from_numpy(root @ root.T + np.eye(n))
    v = torch.from_numpy(rng.standard_normal(n))
    found = solve(lambda x: matrix @ x, v, 1e-10, 10 * n)
    np.testing.assert_allclose(found.x, np.linalg.solve(matrix, v), atol=1e-7)
    assert found.end == "converged" and found.residual <= 1e-9
    top = np.linalg.eigvalsh(matrix)[-1]
    assert largest(lambda x: matrix @ x, n) == pytest.approx(top, rel=0.02)


def test_ends_are_told():
    one = torch.ones(3, dtype=torch.float64)
    curved = torch.tensor([1.0, 10.0, -1.0], dtype=torch.float64)
    assert solve(lambda x: curved * x, one, 1e-9).end == "negative curvature"
    short = solve(lambda x: curved.abs() ** 3 * x, one, 1e-9, most=1)
    assert (short.end, short.steps) == ("limit", 1) and short.residual > 0
    none = solve(lambda x: x, 0 * one)
    assert (none.end, none.steps, none.residual) == ("converged", 0, 0.0)


@pytest.mark.parametrize("kind", ["gauss_newton", "hessian"])
def test_a_newton_step_solves_a_quadratic(kind):
    """One vector against fixed others under l2 is nearly a quadratic: from it a step lands where
    the gradient is nought, and not where it is doubled."""
    model = double(BPR(BPRConfig(embedding=2, l2=5.0, training=TRAINING)).fit(LOG))
    at = Coordinates(model, model.rows(users=[1]))
    examples = model.examples(LOG, [1])
    for _ in range(4):
        v = gradient(model, examples, at)
        curvature = Curvature(model, [(examples, 1.0)], kind, at)
        step = solve(curvature.damped(0.0), v, 1e-12).x
        at.move(-step)
    assert float(gradient(model, examples, at).norm()) < 1e-8


def test_against_an_outside_library():
    outside = pytest.importorskip("curvlinops")
    model = double(MODELS["GRU4Rec"].copy().fit(LOG))
    at, examples = Coordinates(model), model.examples(LOG)

    class Scores(torch.nn.Module):
        """The scores before the targets of some numbers, as a module of their own."""

        def __init__(self):
            super().__init__()
            self.inner = model.module

        def forward(self, numbers):
            return model.logits(examples)[numbers]

    targets = examples.tensors()[3]
    data = [(torch.arange(len(targets)), targets)]
    loss = torch.nn.CrossEntropyLoss(reduction="sum")
    v = torch.from_numpy(np.random.default_rng(0).standard_normal(len(at)))
    kinds = {"gauss_newton": "GGNLinearOperator", "hessian": "HessianLinearOperator"}
    for kind, name in kinds.items():
        theirs = getattr(outside, name)(Scores(), loss, at.values, data)
        ours = Curvature(model, [(examples, 1.0)], kind, at)(v)
        exact(ours.numpy(), (theirs @ v).detach().numpy())
