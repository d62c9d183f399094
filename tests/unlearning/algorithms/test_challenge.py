"""Kookmin, Fanchuan, SEIF and what they share: which entries move, by how much, and what is drawn."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.recommend.test_trained import TINY as SIZES
from workbench import recommend
from workbench.errors import DataError
from workbench.recommend import Training
from workbench.recommend.laws import small_log
from workbench.unlearning import Request, unlearn
from workbench.unlearning.algorithms import (
    FanchuanConfig,
    KookminConfig,
    SEIFConfig,
    _repair,
    fanchuan,
    kookmin,
    seif,
)
from workbench.unlearning.algorithms._repair import repair
from workbench.unlearning.algorithms._samples import about, others, sides
from workbench.unlearning.algorithms.fanchuan import _contrast, _uniform
from workbench.unlearning.algorithms.kookmin import _smallest
from workbench.unlearning.outcome import weights

TINY = SIZES | {"BPR": {"embedding": 4, "l2": 0.01}}
LOG = small_log(2, rows=60)
ONCE = Training(epochs=1, batch=32, learning_rate=0.01, seed=3)
THREE = {
    "kookmin": (kookmin, KookminConfig(repair=1)),
    "fanchuan": (fanchuan, FanchuanConfig(rounds=2)),
    "seif": (seif, SEIFConfig(epochs=2)),
}
STILL = 1e-30
"""A rate at which nothing learns."""
every = pytest.mark.parametrize("name", TINY)
each = pytest.mark.parametrize("algorithm", THREE)


def fitted(name, **changes):
    kind = getattr(recommend, name)
    return kind(kind.Config(**{**TINY[name], "training": ONCE, **changes})).fit(LOG)


def asked(user=3, rows=3):
    ids = LOG.frame.loc[LOG.frame["user"] == user, "interaction"].to_numpy()
    return Request(0, ids[:rows])


def moved(model, after):
    """Which entries changed, by parameter."""
    old, new = weights(model), weights(after)
    return {name: old[name] != new[name] for name in old}


def within(changed, rows):
    """Whether nothing outside these rows changed."""
    for name, odd in changed.items():
        odd = odd.copy()
        if name in rows:
            odd[rows[name]] = False
        if odd.any():
            return False
    return True


@every
@each
@pytest.mark.parametrize("mode", ["corrected", "as_in_fork"])
def test_every_model_is_served_and_the_same_again(name, algorithm, mode):
    model, (run, config) = fitted(name), THREE[algorithm]
    config = config.model_copy(update={"mode": mode})
    found = [unlearn(run, model, LOG, asked(), config, seed=4) for _ in range(2)]
    assert found[0].status == "done", found[0].notes
    one, two = (weights(each.model) for each in found)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    other = unlearn(run, model, LOG, asked(), config, seed=5)
    assert any(not np.array_equal(one[name], value) for name, value in weights(other.model).items())
    assert found[0].notes["guarantee"] == "none"


@every
def test_a_session_or_person_that_is_emptied_is_served(name):
    model = fitted(name)
    for run, config in THREE.values():
        found = unlearn(run, model, LOG, asked(rows=100), config)
        assert found.status == "done", found.notes


# --- who moves


@every
def test_kookmin_and_seif_touch_their_own_rows_alone(name):
    model, request = fitted(name), asked()
    rows = model.rows(request.users(LOG), request.items(LOG))
    no_repair = {"learning_rate": STILL, "optimiser": "sgd"}
    config = KookminConfig(init_rate=0.5, shared=False, **no_repair)
    found = unlearn(kookmin, model, LOG, request, config)
    assert within(moved(model, found.model), rows) and found.status == "done"
    found = unlearn(seif, model, LOG, request, SEIFConfig(**no_repair))
    assert within(moved(model, found.model), rows) and found.status == "done"


def test_as_in_the_fork_strangers_are_wiped():
    """Defect 11: nearly all gradients of a table are 0, and ties decide."""
    model, request = fitted("BPR"), asked()
    rows = model.rows(request.users(LOG), request.items(LOG))
    config = KookminConfig(mode="as_in_fork", init_rate=0.2, learning_rate=STILL)
    changed = moved(model, unlearn(kookmin, model, LOG, request, config).model)
    assert not within(changed, rows)
    users = np.flatnonzero(changed["user.weight"].any(axis=1))
    assert len(users) > 1 and 3 not in users


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=40),
    st.floats(0.01, 1),
    st.randoms(use_true_random=False),
)
def test_the_smallest_are_chosen(values, share, random):
    far = torch.tensor(values, dtype=torch.float32)
    able = torch.tensor([random.random() < 0.7 for _ in values])
    slot = _smallest(far, share, able, np.random.default_rng(0))
    n = int(able.sum())
    assert not (slot & ~able).any()
    assert int(slot.sum()) == int(np.ceil(share * n))
    if slot.any() and (able & ~slot).any():
        assert far[slot].max() <= far[able & ~slot].min()


def test_ties_are_broken_at_random_but_in_order_in_the_fork():
    far = torch.zeros(1000)
    assert _smallest(far, 0.1).nonzero().flatten().tolist() == list(range(100))
    drawn = _smallest(far, 0.1, torch.ones(1000, dtype=bool), np.random.default_rng(0))
    assert 400 < drawn.nonzero().float().mean() < 600


# --- noise, weights, pushes


def noise_of(config, number=0):
    model = fitted("BPR", embedding=64)
    request = Request(number, asked().interactions)
    after = unlearn(seif, model, LOG, request, config).model
    old, new = weights(model), weights(after)
    index = model.rows(request.users(LOG), request.items(LOG))
    parts = [((new[n] - old[n])[at] / np.abs(old[n][at])).ravel() for n, at in index.items()]
    return np.concatenate(parts).std()


def test_noise_is_a_share_of_each_weight_and_falls_with_the_requests():
    config = SEIFConfig(noise=0.2, last_noise=0, learning_rate=STILL, optimiser="sgd")
    assert noise_of(config) == pytest.approx(0.2, rel=0.15)
    assert noise_of(config, 8) == pytest.approx(0.2 / 3, rel=0.15)
    assert noise_of(config.model_copy(update={"decay": False}), 8) == pytest.approx(0.2, rel=0.15)


@every
def test_about_counts_rows_of_each_loss(name):
    model = fitted(name)
    examples = model.examples(LOG)
    ids = LOG.frame["interaction"].to_numpy()[::3]
    loss, interaction = examples.targets()
    want = [np.isin(interaction[loss == k], ids).mean() for k in range(len(model.loss(examples)))]
    assert np.allclose(about(examples, ids), want)


@pytest.mark.parametrize("name", ["BPR", "GRU4Rec", "DNNTSP"])
def test_a_push_makes_scores_more_uniform(name):
    model, request = fitted(name, training=ONCE.model_copy(update={"epochs": 20})), asked(rows=9)
    forget = sides(model, LOG, request).forget
    config = FanchuanConfig(mode="as_in_fork", learning_rate=1e-3)
    before = _uniform(model, forget, LOG, request, fork=True).item()
    config = config.model_copy(update={"rounds": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_repair, "repair", lambda *args, **shares: None)
        patch.setattr(sys.modules[fanchuan.__module__], "_contrast", lambda m, *_: _zero(m))
        after = unlearn(fanchuan, model, LOG, request, config).model
    assert before >= 0
    assert _uniform(after, forget, LOG, request, fork=True).item() < before


def _zero(model):
    return sum(0 * value.sum() for value in model.module.parameters())


def test_the_push_of_pairs_reads_what_is_not_held_any_more():
    model, request = fitted("BPR"), asked()
    found = _uniform(model, sides(model, LOG, request).forget, LOG, request, fork=False).item()
    free = request.remaining(LOG).matrix()[[3]].toarray()[0] == 0
    scores = torch.tensor(model.score(LOG.histories([3]))[0][free])
    target = torch.full_like(scores, 1 / len(scores))
    want = torch.nn.functional.kl_div(scores.log_softmax(0), target, reduction="sum")
    assert found == pytest.approx(want.item(), rel=1e-4)


def test_a_contrast_is_least_where_the_leaver_is_like_anybody():
    model, config = fitted("BPR"), FanchuanConfig()
    leaver, people = LOG.histories([3]), LOG.histories([4, 5, 6, 7])
    assert _contrast(model, leaver, people, config, fork=False).item() > np.log(4)
    with torch.no_grad():
        model.module.user.weight[4:8] = model.module.user.weight[4]
    assert _contrast(model, leaver, people, config, False).item() == pytest.approx(np.log(4))


# --- drawing, and one step


@given(st.integers(1, 400), st.integers(0, 5), st.floats(0.05, 1))
def test_others_are_whole_and_never_the_leaver(rows, seed, most):
    request = asked()
    found = others(LOG, request, rows, seed, least=1, most=most)
    owned = np.bincount(LOG.frame["user"])
    wanted = min(rows, most * len(LOG))
    assert 3 not in found and len(found) and owned[found].min() > 0
    enough = owned[found].sum() >= wanted or len(found) == (owned > 0).sum() - 1
    assert enough and owned[found].sum() < wanted + owned.max()
    assert np.array_equal(found, others(LOG, request, rows, seed, least=1, most=most))


def test_nobody_else_is_an_error():
    log = LOG.select(LOG.frame["user"] == 3)
    with pytest.raises(DataError, match="nobody else"):
        others(log, asked(), 8, 0)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["BPR", "SGL", "Sets2Sets"])
def test_repair_without_shares_is_tuning(name, optimiser):
    model = fitted(name)
    one, two = model.copy(), model.copy()
    one.tune(one.examples(LOG), 3, 0.01, 7, optimiser)
    repair(two, two.examples(LOG), 3, 0.01, 7, optimiser)
    for name, value in weights(one).items():
        assert np.allclose(value, weights(two)[name], atol=1e-6)
    assert not two.module.training


def test_adam_levels_a_gain_and_no_share():
    """Defect 12: ten times the gradient is the same step."""
    model = fitted("BPR")
    ones = {name: torch.ones_like(value) for name, value in model.module.named_parameters()}
    tens, tenths = ({n: f * one for n, one in ones.items()} for f in (10.0, 0.1))

    def lengths(optimiser, **shares):
        own = model.copy()
        batch = Training(batch=10**6)
        own.config = own.config.model_copy(update={"training": batch})
        repair(own, own.examples(LOG), 1, 1e-3, 0, optimiser, **shares)
        one, two = weights(model), weights(own)
        return np.sqrt(sum(np.square(one[name] - two[name]).sum() for name in one))

    assert lengths("adam", gain=tens) == pytest.approx(lengths("adam"), rel=1e-2)
    assert lengths("sgd", gain=tens) == pytest.approx(10 * lengths("sgd"), rel=1e-2)
    assert lengths("adam", share=tenths) == pytest.approx(lengths("adam") / 10, rel=1e-2)
