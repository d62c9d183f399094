"""Influence methods: sign, refits, caches, what stays and what is said."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, strategies
from scipy.integrate import quad
from scipy.stats import norm

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
from workbench.recommend.tasks import collaborative_task
from workbench.recommend.training import Training
from workbench.unlearning import Method, Request, Scenario, stream, unlearn
from workbench.unlearning.algorithms import (
    CEUConfig,
    GIFConfig,
    IDEAConfig,
    SCIFConfig,
    _influence,
    _noise,
    ceu,
    gif,
    idea,
    scif,
)
from workbench.unlearning.algorithms._change import change, losses
from workbench.unlearning.algorithms._influence import Influence, curvature_after
from workbench.unlearning.algorithms._noise import classical_sigma, implied_epsilon
from workbench.unlearning.algorithms.gif import neumann
from workbench.unlearning.curvature import (
    NEGATIVE,
    Coordinates,
    Curvature,
    Solution,
    gradient,
    solve,
)
from workbench.unlearning.laws_bench import differs, people_log, state
from workbench.unlearning.outcome import weights

TRAINING = Training(epochs=3, learning_rate=0.02)
DECAYED = Training(epochs=3, learning_rate=0.02, weight_decay=0.01)
SHORT = {"embedding": 4, "training": TRAINING}
MODELS = {
    "BPR": BPR(BPRConfig(l2=0.05, **SHORT)),
    "LightGCN": LightGCN(LightGCNConfig(**SHORT)),
    "SGL": SGL(SGLConfig(layers=1, **SHORT)),
    "GRU4Rec": GRU4Rec(GRU4RecConfig(hidden=4, **SHORT)),
    "NARM": NARM(NARMConfig(hidden=4, **SHORT)),
    "SASRec": SASRec(SASRecConfig(hidden=4, inner=4, layers=1, max_length=8, training=TRAINING)),
    "SR-GNN": SRGNN(SRGNNConfig(hidden=4, training=DECAYED)),
    "DNNTSP": DNNTSP(DNNTSPConfig(embedding=4, targets="all", training=TRAINING)),
    "Sets2Sets": Sets2Sets(Sets2SetsConfig(hidden=4, training=TRAINING)),
}
SEVEN = {"scif": SCIFConfig, "gif": GIFConfig, "ceu": CEUConfig, "idea": IDEAConfig}
ALGORITHMS = {"scif": scif, "gif": gif, "ceu": ceu, "idea": idea}
LOG = small_log(1, users=10, items=8, rows=40)
OWN = LOG.frame["interaction"][LOG.frame["user"] == 3].to_numpy()
SOME, ALL = Request(0, OWN[1:4]), Request(0, OWN)


@pytest.fixture(scope="module", params=list(MODELS))
def fitted(request):
    return MODELS[request.param].copy().fit(LOG)


def settings(name, **more):
    """A config of few products that adds and repairs nothing unless told."""
    plain = {"ceu": {"sigma": 0.0}, "idea": {"sigma": 0.0, "finetune": 0}}.get(name, {})
    return SEVEN[name](**{"steps": 5, **plain, **more})


# --- the change of the gradient


def test_with_all_others_it_is_the_change_of_the_whole_gradient(fitted):
    """Graphs and item weights included: what it leaves out is seen here."""
    model = double(fitted)
    at, remaining = Coordinates(model), SOME.remaining(LOG)
    users = np.unique(LOG.frame["user"])
    old = model.examples(LOG, users)
    want = -gradient(model, old, at)
    rebuilt = model.copy().rebuild(remaining)
    whole = rebuilt.examples(remaining, users, like=old)
    want = want + gradient(rebuilt, whole, Coordinates(rebuilt))
    # weight decay is told once a loss
    fewer = losses(whole) - losses(old)
    want = want + fewer * model.config.training.weight_decay * at.read()
    found = change(model, LOG, SOME, others=10_000)
    # less what is left out of the examples of others, whose draws are their own
    np.testing.assert_allclose(found.v, want, atol=1e-10 * float(want.norm()) + 1e-12)


def test_weights_stand_for_all_others(fitted):
    model = double(fitted)
    changed = change(model, LOG, SOME)
    whole = curvature_after(model, changed, Influence(batch=10_000), 0)
    examples = model.examples(SOME.remaining(LOG))
    ridge = model.config.training.weight_decay * losses(examples)
    want = Curvature(model, [(examples, 1.0)], "gauss_newton", changed.at, ridge)
    v = torch.from_numpy(np.random.default_rng(0).standard_normal(len(want)))
    if isinstance(model, BPR | LightGCN | SGL):
        # C keeps the negatives of F, so that here only the order of size can be asked for
        assert float(whole(v).norm()) == pytest.approx(float(want(v).norm()), rel=0.2)
    else:
        np.testing.assert_allclose(whole(v), want(v), atol=1e-9 * float(want(v).norm()))


def test_a_sample_is_scaled_and_the_users_own_are_not():
    """Of quadratic forms, the mean over samples is that of the whole."""
    model = double(MODELS["GRU4Rec"].copy().fit(LOG))
    changed = change(model, LOG, SOME)
    v = torch.from_numpy(np.random.default_rng(0).standard_normal(len(changed.v)))

    def form(rows, seed):
        curvature = curvature_after(model, changed, Influence(batch=rows), seed)
        return float(v @ curvature(v))

    assert np.mean([form(20, seed) for seed in range(30)]) == pytest.approx(
        form(10_000, 0), rel=0.1
    )


def test_a_sample_for_itself_alone_makes_a_longer_step():
    """By the rows it would stand for, where damping follows the largest eigenvalue."""
    model = double(MODELS["GRU4Rec"].copy().fit(LOG))
    changed = change(model, LOG, SOME)
    v = torch.from_numpy(np.random.default_rng(0).standard_normal(len(changed.v)))
    told = Influence(batch=10), Influence(batch=10, scaled=False)
    all_of_them, itself = (curvature_after(model, changed, one, 0) for one in told)
    assert itself.norm < 0.7 * all_of_them.norm
    x, longer = (solve(one.damped(0.1), v).x for one in (all_of_them, itself))
    assert float(longer.norm()) > 1.5 * float(x.norm())


# --- sign and refit


@pytest.mark.parametrize("kind", ["gauss_newton", "hessian"])
def test_a_step_from_a_solved_user_lands_near_the_solution_without_the_rows(kind):
    model = double(BPR(BPRConfig(embedding=4, l2=0.5, training=TRAINING)).fit(LOG))
    users = np.array([3])
    old = model.examples(LOG, users)
    solved(model, old)
    remaining = SOME.remaining(LOG)
    target = model.copy()
    solved(target, target.examples(remaining, users, like=old))
    config = SCIFConfig(damping=0.0, curvature=kind, tolerance=1e-10, cap=None)
    outcome = unlearn(scif, model, LOG, SOME, config)
    want = vector(target)
    assert np.linalg.norm(vector(outcome.model) - want) < 0.1 * np.linalg.norm(vector(model) - want)


def vector(model):
    return weights(model)["user.weight"][3]


def solved(model, examples):
    """The user's vector where the gradient of the examples is nought."""
    at = Coordinates(model, model.rows(users=[3]))
    for _ in range(30):
        curvature = Curvature(model, [(examples, 1.0)], "gauss_newton", at)
        at.move(-solve(curvature, gradient(model, examples, at), 1e-12).x)
    assert float(gradient(model, examples, at).norm()) < 1e-8


@pytest.mark.parametrize("name", ALGORITHMS)
def test_corrected_steps_go_down_the_new_sum_of_losses(name, fitted):
    if name == "scif" and not fitted.per_user:
        pytest.skip("a few rows of items are shared by many")
    config = settings(name, damping=1.0, cap=0.01)
    outcome = unlearn(ALGORITHMS[name], fitted, LOG, SOME, config)
    changed = change(fitted.copy(), LOG, SOME)
    at = Coordinates(fitted)
    moved = Coordinates(outcome.model).read() - at.read()
    # downhill of the new sum of losses, as far as v tells it
    assert float(moved @ changed.v) < 0


# --- one formula


def test_without_noise_and_repair_three_are_one(fitted):
    found = [
        weights(unlearn(ALGORITHMS[name], fitted, LOG, SOME, settings(name)).model)
        for name in ("gif", "ceu", "idea")
    ]
    for other in found[1:]:
        for key, value in found[0].items():
            np.testing.assert_array_equal(other[key], value)


@pytest.mark.parametrize("name", ["BPR", "GRU4Rec"])
def test_the_series_ends_where_conjugate_gradients_do(name):
    model = double(MODELS[name].copy().fit(LOG))
    changed = change(model, LOG, SOME)
    curvature = Curvature(model, [(changed.clean, 1.0)], "gauss_newton", changed.at)
    config = GIFConfig(damping=0.1, tolerance=1e-9, steps=2_000)
    series = neumann(curvature, changed.v, config)
    straight = solve(curvature.damped(0.1), changed.v, 1e-9, 2_000)
    assert series.end == straight.end == "converged" and series.steps > straight.steps
    np.testing.assert_allclose(series.x, straight.x, atol=1e-7 * float(straight.x.norm()))


# --- what is left alone, and what is empty


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("asked", [SOME, ALL], ids=["some", "all"])
@pytest.mark.parametrize("mode", ["corrected", "as_in_fork"])
def test_every_model_is_served(name, asked, mode, fitted):
    config = SEVEN[name](mode=mode, steps=3)
    outcome = unlearn(ALGORITHMS[name], fitted, LOG, asked, config)
    assert outcome.status in ("done", "no-op"), outcome.notes
    said = {"curvature", "steps", "residual", "end", "damping", "gradient", "guarantee"}
    assert said <= outcome.notes.keys() and outcome.notes["guarantee"] == "none"
    assert not outcome.model.module.training
    if asked is ALL:  # one repetition a model, algorithm and mode will do
        return
    again = unlearn(ALGORITHMS[name], fitted, LOG, asked, config)
    for key, value in weights(outcome.model).items():
        np.testing.assert_array_equal(weights(again.model)[key], value)


def test_only_rows_of_the_user_are_moved():
    model = MODELS["BPR"].copy().fit(LOG)
    outcome = unlearn(scif, model, LOG, SOME)
    before, after = weights(model), weights(outcome.model)
    moved = {name: np.flatnonzero((after[name] != before[name]).any(axis=1)) for name in before}
    assert moved["user.weight"].tolist() == [3] and not len(moved["item.weight"])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_user_without_rows_is_as_in_a_fresh_fit(name):
    model = MODELS["BPR"].copy().fit(LOG)
    outcome = unlearn(ALGORITHMS[name], model, LOG, ALL, settings(name))
    refitted = model.copy().fit(ALL.remaining(LOG))
    np.testing.assert_array_equal(vector(outcome.model), vector(refitted))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_session_of_one_row_asks_nothing(name):
    frame = LOG.frame.drop_duplicates("user")
    one = frame["interaction"].iloc[0]
    rest = LOG.frame["interaction"][LOG.frame["user"] != frame["user"].iloc[0]]
    log = LOG.only([one, *rest])
    model = MODELS["SASRec"].copy().fit(log)
    outcome = unlearn(ALGORITHMS[name], model, log, Request(0, [one]), settings(name))
    assert (outcome.status, outcome.notes["end"]) == ("no-op", "no examples")


def test_a_long_step_is_cut_and_says_so():
    model = MODELS["GRU4Rec"].copy().fit(LOG)
    for steps, end in ((100, "converged + cap"), (2, "limit + cap")):
        outcome = unlearn(gif, model, LOG, SOME, GIFConfig(cap=1e-3, steps=steps))
        assert outcome.notes["end"] == end and outcome.step == pytest.approx(1e-3, rel=1e-3)
        assert outcome.notes["residual"] > 0.5


# --- a matrix that bends down


SOLVERS = {"scif": [{}], "gif": [{}, {"solver": "neumann"}], "ceu": [{}], "idea": [{}]}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_where_h_bends_down_the_request_has_failed_and_is_taken_back(name, fitted):
    """The whole Hessian of each of the nine is indefinite; so are those of rows, of BPR's users not."""
    kept = state(fitted, LOG)
    for told in SOLVERS[name]:
        config = settings(name, curvature="hessian", cap=None, steps=100, **told)
        found = unlearn(ALGORITHMS[name], fitted, LOG, SOME, config)
        if name == "scif" and isinstance(fitted, BPR):
            # one person's vector under l2: convex
            assert (found.status, found.notes["end"]) == ("done", "converged")
            continue
        assert found.status == "failed" and "negative curvature" in found.notes["error"]
        assert differs(state(found.model, LOG), kept) is None
        assert differs(state(fitted, LOG), kept) is None
        # what is known of it stays
        assert (found.notes["end"], found.notes["curvature"]) == ("negative curvature", "hessian")
        assert found.notes["steps"] >= 1 and found.notes["residual"] > 0
        assert found.notes["gradient"] > 0 and "left" not in found.notes


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_truncated_step_is_taken_where_it_is_asked_for_and_says_so(name):
    model = MODELS["GRU4Rec"].copy().fit(LOG)
    for told in SOLVERS[name]:
        config = settings(name, curvature="hessian", cap=None, truncated=True, steps=100, **told)
        found = unlearn(ALGORITHMS[name], model, LOG, SOME, config)
        assert (found.status, found.notes["end"]) == ("done", "negative curvature")
        cut = unlearn(ALGORITHMS[name], model, LOG, SOME, config.model_copy(update={"cap": 1e-4}))
        assert cut.notes["end"] == "negative curvature + cap" and cut.step < found.step


def test_the_truncated_step_is_what_conjugate_gradients_had_found():
    """Written out here a second time, on the dense matrix."""
    model = double(MODELS["GRU4Rec"].copy().fit(LOG))
    config = GIFConfig(curvature="hessian", cap=None, truncated=True)
    found = unlearn(gif, model, LOG, SOME, config)
    changed = change(model.copy(), LOG, SOME)
    other = model.copy().rebuild(SOME.remaining(LOG))
    changed = change(other, LOG, SOME)
    curvature = curvature_after(other, changed, config, 0)
    units = torch.eye(len(changed.v), dtype=torch.float64)
    matrix = np.stack([curvature(unit).numpy() for unit in units], 1)
    matrix += config.damping * curvature.norm * np.eye(len(matrix))
    assert np.linalg.eigvalsh((matrix + matrix.T) / 2)[0] < 0
    v, x = changed.v.numpy(), np.zeros(len(changed.v))
    left, way = v.copy(), v.copy()
    for _ in range(found.notes["steps"] - 1):
        length = left @ left / (way @ matrix @ way)
        assert length > 0
        x, old = x + length * way, left
        left = left - length * matrix @ way
        way = left + (left @ left) / (old @ old) * way
    assert way @ matrix @ way <= 0
    moved = Coordinates(found.model).read() - Coordinates(model).read()
    np.testing.assert_allclose(-moved, x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", ["gauss_newton", "fisher"])
@pytest.mark.parametrize("name", ["scif", "gif"])
def test_curvatures_that_are_never_negative_never_fail_so(name, kind, fitted):
    """Undamped, and to a residual that single precision cannot reach."""
    for told in SOLVERS[name]:
        config = settings(name, curvature=kind, tolerance=1e-9, steps=40, damping=0.0, **told)
        found = unlearn(ALGORITHMS[name], fitted, LOG, SOME, config)
        assert found.status in ("done", "no-op"), found.notes
        assert "negative" not in found.notes["end"]


def test_rounding_of_a_matrix_that_is_never_negative_is_flat_and_not_negative(monkeypatch):
    model = MODELS["GRU4Rec"].copy().fit(LOG)
    ended = Solution(torch.zeros(len(Coordinates(model)), dtype=torch.float64), 3, 1.0, NEGATIVE)
    monkeypatch.setattr(_influence, "solve", lambda *told: ended)
    found = unlearn(gif, model, LOG, SOME, GIFConfig())
    assert (found.status, found.notes["end"]) == ("no-op", "flat")
    assert unlearn(gif, model, LOG, SOME, GIFConfig(curvature="hessian")).status == "failed"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_as_in_the_fork_nothing_fails_so(name, fitted):
    """Its solver stops there and the request counts as done, whatever `truncated` says."""
    config = SEVEN[name](mode="as_in_fork", curvature="hessian", steps=30)
    found = unlearn(ALGORITHMS[name], fitted, LOG, SOME, config)
    assert found.status in ("done", "no-op"), found.notes


def test_a_stream_goes_on_and_counts_how_its_requests_ended():
    task = collaborative_task(people_log())
    ids = task.train.frame.groupby("user")["interaction"].first().to_numpy()
    requests = [Request(k, ids[k : k + 1]) for k in range(3)]
    asked = Scenario.of("three", task, requests, np.arange(3))
    base = MODELS["LightGCN"].copy().fit(task.train)
    made = stream(Method("Hessian", gif, GIFConfig(curvature="hessian")), base, asked)
    assert made.outcomes["status"].tolist() == ["failed"] * 3
    assert made.outcomes["end"].tolist() == ["negative curvature"] * 3
    assert "3 failed" in repr(made) and "3 negative curvature" in repr(made)
    done = stream(Method("Gauss-Newton", gif, GIFConfig(cap=None)), base, asked)
    assert "3 done" in repr(done) and "3 converged" in repr(done)


# --- as in the fork


def test_the_forks_series_is_a_hundred_and_one_times_the_gradient():
    model = MODELS["GRU4Rec"].copy().fit(LOG)
    outcome = unlearn(gif, model, LOG, SOME, GIFConfig(mode="as_in_fork", finetune=0))
    moved = Coordinates(outcome.model).read() - Coordinates(model).read()
    assert float(moved.norm()) / outcome.notes["gradient"] == pytest.approx(101, rel=1e-4)


def test_the_forks_edges_go_towards_what_is_removed():
    """IDEA and CEU as in the fork step along v: corrected, the same product is negative."""
    model = MODELS["BPR"].copy().fit(LOG)
    changed = change(model.copy(), LOG, SOME)
    told = {"mode": "as_in_fork", "fork_sigma": 0.0}
    for name, more in {"idea": {"finetune": 0}, "ceu": {}}.items():
        found = unlearn(ALGORITHMS[name], model, LOG, SOME, SEVEN[name](**told, **more)).model
        moved = Coordinates(found).read() - Coordinates(model).read()
        assert float(moved @ changed.v) > 0
    # with its noise, which averages away
    config = IDEAConfig(mode="as_in_fork", finetune=0)
    moved = [
        Coordinates(unlearn(idea, model, LOG, SOME, config, seed).model).read()
        - Coordinates(model).read()
        for seed in range(20)
    ]
    assert float(torch.stack(moved).mean(0) @ changed.v) > 0


# --- noise


@given(
    strategies.floats(0.01, 10), strategies.floats(0.05, 50), strategies.sampled_from([0.1, 1e-3])
)
def test_epsilon_solves_its_equation(distance, sigma, delta):
    epsilon, scale = implied_epsilon(distance, sigma, delta), distance / sigma
    if epsilon:
        second = np.exp(epsilon + norm.logcdf(-scale / 2 - epsilon / scale))
        assert norm.cdf(scale / 2 - epsilon / scale) - second == pytest.approx(delta, rel=1e-6)
    else:
        assert 2 * norm.cdf(scale / 2) - 1 <= delta


def test_the_classical_noise_is_enough():
    for epsilon in (0.1, 0.5, 1.0):
        assert implied_epsilon(2.0, classical_sigma(2.0, epsilon, 0.01), 0.01) <= epsilon
    assert implied_epsilon(0.0, 1.0, 0.01) == 0.0 and implied_epsilon(1.0, 0.0, 0.01) == np.inf
    with pytest.raises(ConfigError, match="damping"):
        idea(MODELS["BPR"], LOG, SOME, IDEAConfig(sigma=None, damping=0.0))


@pytest.mark.parametrize("distance, sigma, delta", [(1.0, 4.0, 0.01), (2.0, 1.0, 0.05)])
def test_the_implied_epsilon_is_on_the_exact_curve(distance, sigma, delta):
    """Against the integral of what one normal has above e^ε times the other, and the example."""
    epsilon = implied_epsilon(distance, sigma, delta)
    one, other = norm(distance, sigma), norm(0, sigma)

    def above(x):
        return max(one.pdf(x) - np.exp(epsilon) * other.pdf(x), 0.0)

    edge = distance / 2 + epsilon * sigma**2 / distance
    assert quad(above, edge, distance + 12 * sigma)[0] == pytest.approx(delta, rel=1e-6)
    assert doctest.testmod(_noise).failed == 0


@pytest.mark.parametrize("mode", ["corrected", "as_in_fork"])
def test_idea_without_damping_says_that_noise_hides_nothing_known(mode):
    model = MODELS["BPR"].copy().fit(LOG)
    found = unlearn(idea, model, LOG, SOME, settings("idea", sigma=0.001, damping=0.0, mode=mode))
    assert found.status == "done", found.notes
    assert mode == "as_in_fork" or found.notes["epsilon"] == np.inf
