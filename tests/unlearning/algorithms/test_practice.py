"""What a practitioner would do, against refits and solutions found by other means."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import root

from workbench import ledger, recommend
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, ModelError
from workbench.recommend import BPR, EASE, BPRConfig, GRU4Rec, GRU4RecConfig, Training
from workbench.recommend.laws import small_log
from workbench.unlearning import Request, unlearn
from workbench.unlearning.algorithms import (
    ResolveUserConfig,
    RetrainConfig,
    Sisa,
    SisaConfig,
    Tombstone,
    WarmStartConfig,
    exact,
    resolve_user,
    retrain,
    sharded,
    tombstone,
    warm_start,
)
from workbench.unlearning.algorithms.tombstone import buried
from workbench.unlearning.laws_bench import CONVEX, Convex, people_log
from workbench.unlearning.outcome import weights

LOG = small_log(2, rows=60)
ONCE = Training(epochs=2, batch=32, learning_rate=0.01, seed=3)
COUNTED = ("EASE", "ItemKNN", "Popularity", "SKNN", "TopFreq", "TIFUKNN", "UPCF")
SHORT = BPR(BPRConfig(embedding=4, l2=0.01, training=ONCE))
LIGHTGCN = recommend.LightGCN(recommend.LightGCNConfig(embedding=4, training=ONCE))
GRU = GRU4Rec(GRU4RecConfig(embedding=4, hidden=5, training=ONCE))


def asked(user=3, rows=3, number=0, log=LOG):
    ids = log.frame.loc[log.frame["user"] == user, "interaction"].to_numpy()
    return Request(number, ids[:rows])


def same(one, two):
    one, two = weights(one), weights(two)
    return all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("name", COUNTED)
def test_exact_is_a_refit(name):
    model, request = getattr(recommend, name)(), asked()
    found = unlearn(exact, model.fit(LOG), LOG, request)
    left = request.remaining(LOG)
    histories = left.histories(np.unique(left.frame["user"]))
    want = getattr(recommend, name)().fit(left).score(histories)
    assert found.status == "done" and np.allclose(found.model.score(histories), want, atol=1e-9)


def test_exact_needs_a_model_that_forgets():
    found = unlearn(exact, SHORT.copy().fit(LOG), LOG, asked())
    assert found.status == "failed" and "no forget" in found.notes["error"]


@pytest.mark.parametrize("model", [SHORT, LIGHTGCN, GRU, EASE()], ids=["bpr", "gcn", "gru", "ease"])
def test_retrain_is_fit(model):
    request = asked()
    want = model.copy().fit(request.remaining(LOG))
    base = model.copy().fit(LOG)
    found = unlearn(retrain, base, LOG, request)
    histories = request.remaining(LOG).histories([1, 2, 3])
    assert np.array_equal(found.model.score(histories), want.score(histories))
    if model is SHORT:
        other = unlearn(retrain, base, LOG, request, RetrainConfig(reseed=True)).model
        assert same(found.model, want) and not same(other, want)
        assert base.config.training.seed == 3


@pytest.mark.parametrize("items", [False, True], ids=["users", "items"])
def test_warm_start_resets_what_it_says_and_no_more(items):
    base, request = SHORT.copy().fit(LOG), asked()
    config = WarmStartConfig(epochs=1, learning_rate=1e-12, items=items)
    found = unlearn(warm_start, base, LOG, request, config)
    rows = base.rows(request.users(LOG), request.items(LOG) if items else ())
    old, new = weights(base), weights(found.model)
    for name in old:
        still = np.ones(len(old[name]), bool)
        still[rows.get(name, [])] = False
        assert np.allclose(old[name][still], new[name][still], atol=1e-9)
        assert (old[name][~still] != new[name][~still]).all()
    assert found.notes["reset"] == 4 * sum(map(len, rows.values()))


def test_warm_start_trains_on_with_what_remains():
    base, request = GRU.copy().fit(LOG), asked()
    found = unlearn(warm_start, base, LOG, request, WarmStartConfig(epochs=3))
    left = request.remaining(LOG)
    losses = [float(each.loss(each.examples(left)).mean().detach()) for each in (base, found.model)]
    assert losses[1] < losses[0]


# --- re-solving


def test_a_user_is_the_root_of_the_gradient():
    """Against scipy's root of a gradient written by hand."""
    log = people_log()
    model, request = Convex(CONVEX).fit(log), asked(log=log)
    found = unlearn(resolve_user, model, log, request).model
    items = weights(model).get("item.weight", model.module.item.weight.numpy())
    pairs = model.examples(request.remaining(log), [3])
    gap = items[pairs.positive] - items[pairs.negative]

    def slope(p):
        return -(1 / (1 + np.exp(gap @ p))) @ gap + CONVEX.l2 * len(gap) * p

    want = root(slope, np.zeros(gap.shape[1]), tol=1e-12).x
    assert np.allclose(weights(found)["user.weight"][3], want, atol=1e-5)
    others = np.arange(log.n_users) != 3
    old, new = weights(model)["user.weight"][others], weights(found)["user.weight"][others]
    assert np.array_equal(old, new)


@pytest.mark.parametrize("model", [SHORT, LIGHTGCN], ids=["bpr", "gcn"])
def test_items_are_solved_too(model):
    base, request = model.copy().fit(LOG), asked()
    config = ResolveUserConfig(items=True, draws=2, steps=20)
    found = unlearn(resolve_user, base, LOG, request, config)
    old, new = weights(base)["item.weight"], weights(found.model)["item.weight"]
    changed = np.flatnonzero((old != new).any(axis=1))
    assert np.array_equal(changed, request.items(LOG)) and found.notes["residual"] < 1


@pytest.mark.parametrize("model", [GRU, EASE()], ids=["gru", "ease"])
def test_a_model_without_users_is_refused(model):
    with pytest.raises(ConfigError, match="no vectors of users"):
        resolve_user(model.copy().fit(LOG), LOG, asked())


# --- tombstone


def test_a_tombstone_hides_and_changes_nothing():
    base = EASE().fit(LOG)
    request = asked(rows=100)
    model = buried(base, LOG)
    found = unlearn(tombstone, model, LOG, request)
    scores, plain = found.model.score(LOG.histories()), base.score(LOG.histories())
    gone = request.items(LOG)
    assert np.isneginf(scores[3, gone]).all() and np.isneginf(scores).sum() == len(gone)
    assert np.array_equal(scores[scores > -np.inf], plain[scores > -np.inf])
    assert not len(model.hidden) and found.status == "done"


def test_what_is_held_again_is_offered():
    frame = LOG.frame[LOG.frame.duplicated(["user", "item"])]
    row = frame.iloc[0]
    found = unlearn(tombstone, Tombstone(EASE().fit(LOG)), LOG, Request(0, [row["interaction"]]))
    assert not len(found.model.hidden)


def test_rows_outside_the_training_part_get_no_stone():
    """As it says of itself: an id tells no item."""
    own = LOG.frame[LOG.frame["user"] == 3].drop_duplicates("item")
    ids, items = own["interaction"].to_numpy()[:2], own["item"].to_numpy()[:2]
    same = (LOG.frame["user"] == 3) & LOG.frame["item"].isin(items)
    train = LOG.without(LOG.frame["interaction"][same & (LOG.frame["interaction"] != ids[0])])
    found = unlearn(tombstone, buried(EASE().fit(train), train), train, Request(0, np.sort(ids)))
    assert np.flatnonzero(np.isneginf(found.model.score(LOG.histories([3]))[0])).tolist() == [
        items[0]
    ]


def test_a_tombstone_needs_a_filter():
    found = unlearn(tombstone, EASE().fit(LOG), LOG, asked())
    assert found.status == "failed" and "prepare=buried" in found.notes["error"]


# --- shards


@pytest.mark.parametrize("model", [SHORT, GRU], ids=["bpr", "gru"])
def test_shards_forget_exactly(model):
    config = SisaConfig(shards=3, seed=1)
    base = Sisa(model, config).fit(LOG)
    request = asked()
    found = unlearn(exact, base, LOG, request).model
    left = request.remaining(LOG)
    histories = left.histories([1, 2, 3, 4])
    want = Sisa(model, config).fit(left)
    assert np.array_equal(found.score(histories), want.score(histories))
    kept = [one is two for one, two in zip(base.shards, found.shards, strict=True)]
    assert kept.count(False) == 1 and not kept[int(base.shard_of(np.array([3]), LOG.n_users)[0])]
    # and the base is what it was
    assert np.array_equal(base.score(histories), Sisa(model, config).fit(LOG).score(histories))


def test_a_user_is_scored_by_the_shard_that_met_them():
    base = sharded(SHORT, LOG)
    number = int(base.shard_of(np.array([5]), LOG.n_users)[0])
    assert np.array_equal(
        base.score(LOG.histories([5])), base.shards[number].score(LOG.histories([5]))
    )


def test_shards_refuse_what_they_never_had():
    with pytest.raises(DataError):
        sharded(SHORT, LOG).forget(small_log(3, rows=500))


def test_torch_is_left_as_it_was():
    torch.manual_seed(1)
    want = torch.random.get_rng_state()
    base = SHORT.copy().fit(LOG)
    for run in (warm_start, retrain, resolve_user):
        unlearn(run, base, LOG, asked())
    assert torch.equal(torch.random.get_rng_state(), want)


# --- in a folder


def test_a_tombstone_comes_back_with_its_stones(tmp_path):
    model = unlearn(tombstone, Tombstone(EASE().fit(LOG)), LOG, asked()).model
    model.save(tmp_path / "model")
    found, histories = Tombstone.load(tmp_path / "model"), LOG.histories()
    assert len(found.hidden) and np.array_equal(found.score(histories), model.score(histories))
    assert found.bound == LOG.index_fingerprint
    # and it is written over, by a longer list too
    found.bury(np.array([1]), np.array([2]), LOG.n_items).save(tmp_path / "model")
    assert len(Tombstone.load(tmp_path / "model").hidden) == len(model.hidden) + 1


@pytest.mark.parametrize("hidden", [[3, 1], [1.0, 2.0], [[1, 2]]], ids=["order", "kind", "shape"])
def test_stones_that_are_none_are_refused(tmp_path, hidden):
    model = Tombstone(EASE().fit(LOG))
    model.hidden = np.array(hidden)
    model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="hidden is"):
        Tombstone.load(tmp_path / "model")


@pytest.mark.parametrize("model", [SHORT, GRU], ids=["bpr", "gru"])
def test_shards_come_back_and_forget_on_the_same(tmp_path, model):
    names = (pd.Index([f"u{k}" for k in LOG.users]), pd.Index([f"i{k}" for k in LOG.items]))
    log = Interactions(LOG.frame, *names)
    base = Sisa(model, SisaConfig(shards=3, seed=1)).fit(log)
    first, second = asked(log=log), asked(user=4, number=1, log=log)
    base.save(tmp_path / "model")
    found = Sisa.load(tmp_path / "model")
    histories = log.histories([1, 2, 3, 4])
    assert np.array_equal(found.score(histories), base.score(histories))
    assert found.bound == log.index_fingerprint == found.copy().bound
    # forgetting goes on from a folder as it would have gone on in memory, again and again
    for request in (first, second):
        base, found = (unlearn(exact, one, log, request).model for one in (base, found))
        found.save(tmp_path / f"after-{request.request}")
        found = Sisa.load(tmp_path / f"after-{request.request}")
        log = request.remaining(log)
    histories = log.histories([1, 2, 3, 4])
    assert np.array_equal(found.score(histories), base.score(histories))
    kept = pd.read_parquet(tmp_path / "after-1" / "rows" / "rows.parquet")
    assert set(kept["interaction"]) == set(log.frame["interaction"])


def test_shards_refuse_the_rows_of_another_log(tmp_path):
    sharded(SHORT, LOG).save(tmp_path / "model")
    other = small_log(3, rows=60)
    for rows in (LOG.only(asked().interactions), other.only(asked(log=other).interactions)):
        model = Sisa.load(tmp_path / "model")
        if rows.index_fingerprint == LOG.index_fingerprint:
            model.forget(rows)
            continue
        with pytest.raises(ModelError):
            model.forget(rows)


@pytest.mark.parametrize("gone", ["rows/rows.parquet", "shard-1/arrays.safetensors", "model.json"])
def test_damaged_shards_are_refused(tmp_path, gone):
    sharded(SHORT, LOG).save(tmp_path / "model")
    (tmp_path / "model" / gone).write_bytes(b"no")
    with pytest.raises(ModelError):
        Sisa.load(tmp_path / "model")


def test_rows_in_the_folder_of_shards_are_found_by_purge(tmp_path):
    sharded(SHORT, LOG).save(tmp_path / "runs" / "model")
    found = ledger.purge("nobody 3", tmp_path / "runs", code=3).set_index("file")
    assert found.loc["model/rows/rows.parquet", "removed"] == (LOG.frame["user"] == 3).sum()
    assert 3 not in set(Sisa.load(tmp_path / "runs" / "model").log.frame["user"])
