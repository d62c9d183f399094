"""The laws of algorithms: right ones keep them, and each planted wrong one breaks its own."""

import random

import numpy as np
import pytest
import torch
from torch.nn import functional

from workbench.errors import ConfigError, ModelError
from workbench.recommend import EASE, GRU4Rec, GRU4RecConfig, Sets2Sets, Sets2SetsConfig, Training
from workbench.unlearning import Request
from workbench.unlearning import algorithms as ways
from workbench.unlearning.algorithms import ResolveUserConfig, flipped, resolve_user
from workbench.unlearning.algorithms.resolve_user import solve
from workbench.unlearning.laws import LAWS, check_algorithm
from workbench.unlearning.laws_bench import CONVEX, Convex, people_log
from workbench.unlearning.outcome import step_length, weights

LEAN = ResolveUserConfig(draws=1)
ONCE = Training(epochs=2, batch=64, learning_rate=0.01)


def right(model, before, request, config, seed):
    """The user anew, q fixed."""
    return resolve_user(model, before, request, LEAN, seed)


@pytest.mark.parametrize("name", ["retrain", "scif", "gif", "ceu"])
def test_right_ones_keep_all_laws(name):
    found = check_algorithm(getattr(ways, name))
    assert found.broken == [] and found.frame["ok"].all(), str(found)


def test_what_is_asked_of_a_counted_model():
    found = check_algorithm(ways.exact, model=EASE())
    left_out = list(found.frame.loc[found.frame["ok"].isna(), "law"])
    assert found.ok and left_out == ["refit", "one after another", "caches"]


@pytest.mark.parametrize(
    "model",
    [
        GRU4Rec(GRU4RecConfig(embedding=4, hidden=5, training=ONCE)),
        Sets2Sets(Sets2SetsConfig(hidden=5, training=ONCE)),
    ],
    ids=["session", "basket"],
)
def test_models_of_all_tasks(model):
    assert check_algorithm(ways.retrain, model=model).ok
    found = check_algorithm(right, model=model)
    assert found.broken == [] or found.broken == ["serves"]


def test_controls_are_no_forgetting():
    assert check_algorithm(ways.no_op).broken == ["refit", "one after another", "caches"]
    assert check_algorithm(ways.half_way).broken == ["refit", "one after another"]
    assert "refit" in check_algorithm(ways.fine_tune).broken


# --- planted


wrong_sign = flipped(right)


def dropped_negatives(model, before, request, config, seed):
    """Positives alone."""
    left, users = request.remaining(before), request.users(before)
    pairs = model.examples(left, users)
    model.rebuild(left)

    def objective():
        own, items = model.module()
        mine, theirs = own[pairs.user], items[pairs.positive]
        penalty = 0.025 * mine.square().sum()
        return functional.softplus(-(mine * theirs).sum(1)).sum() + penalty

    solve(model, model.rows(users=users), objective, 100)


class Cached:
    """The log it was handed first, for every request since."""

    def __init__(self):
        self.logs = {}
        self.__name__ = "cached"

    def __call__(self, model, before, request, config, seed):
        log = self.logs.setdefault(before.index_fingerprint, before)
        # of everybody else the present rows: only the leaver's are old
        users = request.users(before)
        old = log.select(log.frame["user"].isin(users).to_numpy())
        rest = before.select(~before.frame["user"].isin(users).to_numpy())
        ids = np.concatenate([part.frame["interaction"].to_numpy() for part in (old, rest)])
        right(model, log.only(ids), request, config, seed)
        model.rebuild(request.remaining(before))


def no_rebuild(model, before, request, config, seed):
    graph = getattr(model.module, "graph", None)
    right(model, before, request, config, seed)
    if graph is not None:
        model.module.graph = graph


class Clings:
    """Keeps what it was handed, and goes on writing there."""

    __name__ = "clings"

    def __init__(self):
        self.held = []

    def __call__(self, model, before, request, config, seed):
        right(model, before, request, config, seed)
        with torch.no_grad():
            for old in self.held:
                next(old.module.parameters()).add_(1)
        self.held.append(model)


class Reaches:
    """Writes into the model that stands behind all copies."""

    __name__ = "reaches"

    def __init__(self, base):
        self.base = base

    def __call__(self, model, before, request, config, seed):
        right(model, before, request, config, seed)
        # a copy that shares its tables, as a careless `copy` makes it
        with torch.no_grad():
            next(self.base.module.parameters()).add_(1)


def shaken(draw):
    def shake(model, before, request, config, seed):
        right(model, before, request, config, seed)
        with torch.no_grad():
            next(model.module.parameters())[request.users(before)] += 1e-4 * draw()

    return shake


def eats_the_log(model, before, request, config, seed):
    right(model, before, request, config, seed)
    before.frame.loc[before.frame.index[-1], "value"] = 1.0


def shakes_anyway(model, before, request, config, seed):
    with torch.no_grad():
        next(model.module.parameters()).add_(1e-4)
    right(model, before, request, config, seed)


def needs_what_is_left(model, before, request, config, seed):
    left = request.remaining(before).frame
    if not left["user"].isin(request.users(before)).any():
        raise ModelError("nothing is left")
    right(model, before, request, config, seed)


def nan(model, before, request, config, seed):
    right(model, before, request, config, seed)
    with torch.no_grad():
        next(model.module.parameters())[0] = torch.nan


PLANTED = {
    "sign": (lambda: wrong_sign, {"sign", "refit", "one after another"}),
    "dropped negatives": (lambda: dropped_negatives, {"refit", "one after another"}),
    "cached history": (Cached, {"one after another"}),
    "forgets rebuild": (lambda: no_rebuild, {"caches"}),
    "clings to a model": (Clings, {"caller's model"}),
    "draws from torch": (lambda: shaken(lambda: torch.randn(1)), {"same again"}),
    "draws from numpy": (lambda: shaken(np.random.rand), {"same again"}),
    "draws from random": (lambda: shaken(random.random), {"same again"}),
    "eats the log": (lambda: eats_the_log, {"caller's log"}),
    "shakes anyway": (lambda: shakes_anyway, {"empty request"}),
    "needs what is left": (lambda: needs_what_is_left, {"a whole person"}),
    "nan": (lambda: nan, {"serves"}),
}


def test_the_one_they_are_made_of_is_right():
    assert check_algorithm(right).broken == []


@pytest.mark.parametrize("how", PLANTED)
def test_a_planted_fault_breaks_its_own_law(how):
    make, laws = PLANTED[how]
    found = check_algorithm(make())
    assert set(found.broken) == laws, str(found)


def test_a_fault_is_told_in_words():
    found = check_algorithm(wrong_sign)
    detail = found.frame.set_index("law")["detail"]
    assert (
        "expected: removed rows no better known than before; found: a mean loss" in detail["sign"]
    )
    assert "of the way to the refit left" in detail["refit"]


# --- the bench itself


def test_the_convex_problem_has_one_solution():
    """From other first weights the same; and its gradient is 0."""
    log = people_log()
    one = Convex(CONVEX).fit(log)
    told = CONVEX.training.model_copy(update={"seed": 9})
    two = Convex(CONVEX.model_copy(update={"training": told})).fit(log)
    assert step_length(one, two) < 1e-6
    one.loss(one.examples(log)).sum().backward()
    assert one.module.user.weight.grad.abs().max() < 1e-6


def test_the_convex_problem_moves_for_the_leaver_alone():
    log = people_log()
    request = Request(0, log.rows_of(0)["interaction"].to_numpy()[:2])
    one, two = (Convex(CONVEX).fit(part) for part in (log, request.remaining(log)))
    apart = np.abs(weights(one)["user.weight"] - weights(two)["user.weight"]).max(axis=1)
    assert apart[0] > 0.01 and apart[1:].max() < 1e-6


def test_what_is_no_algorithm():
    for wrong in (None, "scif", Request):
        with pytest.raises(ConfigError):
            check_algorithm(wrong)
    with pytest.raises(ConfigError):
        check_algorithm(right, log=people_log().frame)
    with pytest.raises(ConfigError, match="has no fit"):
        check_algorithm(right, model="BPR")
    assert len(LAWS) == 11
