"""What the trained models offer to unlearning, against plain loops and torch's own functions."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import make

from workbench import recommend
from workbench.data import Interactions
from workbench.errors import ConfigError, ModelError, UnknownItem, UnknownUser
from workbench.recommend import (
    BPR,
    DNNTSP,
    SGL,
    Examples,
    GRU4Rec,
    LightGCN,
    Sets2Sets,
    Trained,
    Training,
)
from workbench.recommend.basket._examples import BasketExamples
from workbench.recommend.collaborative._pairs import penalty
from workbench.recommend.laws import small_log
from workbench.recommend.session._windows import windows

TINY = {
    "BPR": {"embedding": 4},
    "LightGCN": {"embedding": 4},
    "SGL": {"embedding": 4},
    "GRU4Rec": {"embedding": 4, "hidden": 5},
    "NARM": {"embedding": 4, "hidden": 5},
    "SASRec": {"hidden": 4, "inner": 6},
    "SRGNN": {"hidden": 4},
    "DNNTSP": {"embedding": 4},
    "Sets2Sets": {"hidden": 5},
}
LOG = small_log(2, rows=60)
ONCE = Training(epochs=1, batch=32, learning_rate=0.01, seed=3)
every = pytest.mark.parametrize("name", TINY)


def fitted(name, training=ONCE, **changes):
    kind = getattr(recommend, name)
    return kind(kind.Config(**{**TINY[name], "training": training, **changes})).fit(LOG)


def weights(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def items_of(interaction):
    items = LOG.frame.set_index("interaction").loc[interaction, "item"]
    return torch.tensor(items.to_numpy(np.int64))


# --- logits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BPR", "LightGCN"])
def test_margins_and_penalty_make_the_loss_of_pairs(name):
    model = fitted(name, l2=0.2)
    examples = model.examples(LOG)
    margin = model.logits(examples)
    layer_0 = penalty(model.module.user.weight, model.module.item.weight, examples)
    want = -torch.nn.functional.logsigmoid(margin) + 0.2 * layer_0
    assert torch.allclose(model.loss(examples), want, atol=1e-6)
    users, items = model.tables()
    by_hand = (users[examples.user] * (items[examples.positive] - items[examples.negative])).sum(1)
    assert torch.allclose(margin, by_hand, atol=1e-6)


@pytest.mark.parametrize("name", ["GRU4Rec", "NARM", "SASRec", "SRGNN"])
def test_logits_of_windows_make_the_cross_entropy(name):
    model = fitted(name, max_length=5)
    examples = model.examples(LOG)
    logits, interaction = model.logits(examples), examples.targets()[1]
    want = torch.nn.functional.cross_entropy(logits, items_of(interaction), reduction="none")
    assert torch.allclose(model.loss(examples), want, atol=1e-5)


def test_logits_of_baskets_make_the_published_losses():
    model = fitted("DNNTSP", targets="all")
    examples = model.examples(LOG)
    logits, (question, interaction) = model.logits(examples), examples.targets()
    wanted = torch.zeros_like(logits)
    wanted[question, items_of(interaction)] = 1
    want = torch.nn.functional.multilabel_soft_margin_loss(logits, wanted, reduction="none")
    assert torch.allclose(model.loss(examples), want, atol=1e-6)
    model = fitted("Sets2Sets", set_weight=0.0)
    examples = model.examples(LOG)
    logits, (question, interaction) = model.logits(examples), examples.targets()
    wanted = torch.zeros_like(logits)
    wanted[question, items_of(interaction)] = 1
    want = ((logits.softmax(1) - wanted) ** 2 * model.module.weight).sum(1)
    assert torch.allclose(model.loss(examples), want, atol=1e-5)


@every
def test_logits_refuse_what_is_neither(name):
    with pytest.raises(ModelError, match="histories or examples"):
        fitted(name).logits(LOG)
    with pytest.raises(ModelError, match="not been fitted"):
        getattr(recommend, name)().logits(LOG.histories([0]))


# --- tuning ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["BPR", "LightGCN", "DNNTSP", "Sets2Sets"])
def test_a_step_of_sgd_is_a_step_down_the_gradient(name):
    model = fitted(name, training=ONCE.model_copy(update={"batch": 10_000}))
    before, examples = weights(model), model.examples(LOG, [1, 2, 3])
    (batch,) = examples.batches(10_000, (9, 0))
    slopes = torch.autograd.grad(
        model.loss(batch).mean(), list(model.module.parameters()), allow_unused=True
    )
    record = model.tune(examples, epochs=1, learning_rate=0.25, seed=9, optimiser="sgd")
    assert list(record["examples"]) == [len(model.loss(batch))]
    for (key, value), slope in zip(model.module.named_parameters(), slopes, strict=True):
        want = before[key] if slope is None else before[key] - 0.25 * slope
        assert torch.allclose(value, want, atol=1e-6)


@every
def test_tuning_twice_is_tuning_on(name):
    still = {
        field: 0.0 for field in getattr(recommend, name).Config.model_fields if "drop" in field
    }
    model = fitted(name, **still)
    one, two = model.copy(), model.copy()
    examples = model.examples(LOG)
    one.tune(examples, epochs=2, learning_rate=0.1, seed=4, optimiser="sgd")
    two.tune(examples, epochs=1, learning_rate=0.1, seed=4, optimiser="sgd")
    assert not same(weights(one), weights(two)) and not same(weights(two), weights(model))
    # plain steps remember nothing: an epoch of other batches from there is the second of the two
    config = model.config.training.model_copy(update={"learning_rate": 0.1, "batch": ONCE.batch})
    with recommend.training.reproducible(config):
        two.module.train()
        two.begin((4, 1))
        for batch in examples.batches(config.batch, (4, 1)):
            two.module.zero_grad()
            two.loss(batch).mean().backward()
            with torch.no_grad():
                for value in two.module.parameters():
                    value -= 0.1 * (0 if value.grad is None else value.grad)
        two.begin(None)
    assert all(torch.allclose(a, weights(two)[n], atol=1e-6) for n, a in weights(one).items())


@pytest.mark.parametrize("source", ["batch", "all"])
def test_sgl_tunes_on_the_views_of_its_epochs(source):
    model = fitted("SGL", negatives_from=source)
    seen = []
    views = model.module.views

    def watched():
        seen.append(model.module.time)
        return views()

    model.module.views = watched
    model.tune(model.examples(LOG), epochs=2, learning_rate=1e-3, seed=7)
    assert set(seen) == {(7, 1), (7, 2)} and model.module.time is None
    model.module.views = views
    broken = replace(model.examples(LOG), negative=np.full(len(LOG), 10_000), sampler=None)
    with pytest.raises(IndexError):
        model.tune(broken, epochs=1)
    assert model.module.time is None


@pytest.mark.parametrize(
    "told",
    [
        {"epochs": -1},
        {"epochs": 1.5},
        {"epochs": True},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"seed": -3},
        {"optimiser": "adamw"},
    ],
    ids=str,
)
def test_settings_of_tuning_that_mean_nothing_are_refused(told):
    model = fitted("BPR")
    before = weights(model)
    with pytest.raises(ConfigError, match=next(iter(told))):
        model.tune(model.examples(LOG), **told)
    assert same(weights(model), before)


# --- examples -------------------------------------------------------------------------------------


def test_the_negatives_of_an_epoch_are_those_that_training_draws():
    model = fitted("BPR")
    examples = model.examples(LOG)
    for epoch in (0, 3):
        drawn = model.examples(LOG, epoch=epoch)
        batches = list(examples.batches(32, (3, epoch)))
        for name in ("interaction", "negative"):
            parts = np.concatenate([getattr(batch, name) for batch in batches])
            order = np.argsort(np.concatenate([batch.interaction for batch in batches]))
            assert np.array_equal(parts[order], getattr(drawn, name)[np.argsort(drawn.interaction)])
    frozen = model.examples(LOG, like=model.examples(LOG, epoch=3))
    found = np.concatenate([batch.negative for batch in frozen.batches(32, (3, 0))])
    assert np.array_equal(np.sort(found), np.sort(model.examples(LOG, epoch=3).negative))


@every
def test_models_and_examples_keep_the_protocol(name):
    model = fitted(name)
    examples = model.examples(LOG)
    assert isinstance(model, Trained) and isinstance(examples, Examples)
    assert examples.bound == model.bound == LOG.index_fingerprint
    some = examples.select(np.arange(len(examples)) % 2 == 0)
    assert len(some) == (len(examples) + 1) // 2 and some.bound == examples.bound


def shown(made):
    """By target: the interactions that a window shows before it, by a loop."""
    found = {}
    for start, end, ask in zip(made.start, made.end, made.ask, strict=True):
        for row in range(ask, end):
            found[int(made.interaction[row + 1])] = made.interaction[start : row + 1].tolist()
    return found


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=40)


@given(rows, st.integers(1, 6), st.data())
@settings(max_examples=150)
def test_windows_like_others_show_the_same_less_what_is_gone(table, length, data):
    log = make(table)
    stride = data.draw(st.none() | st.integers(1, length))
    prefixes = data.draw(st.booleans())
    before = windows(log.histories(), length, stride, prefixes)
    gone = data.draw(st.sets(st.sampled_from(sorted(log.frame["interaction"]))))
    left = log.without(gone).histories()
    fresh = windows(left, length, stride, prefixes)
    after = fresh.aligned(left.offsets, before)
    old, new = shown(before), shown(after)
    assert new.keys() == shown(fresh).keys() and after.n_targets == fresh.n_targets
    previous = dict(zip(left.interaction[1:].tolist(), left.interaction[:-1].tolist(), strict=True))
    for target, rows_shown in new.items():
        want = [row for row in old[target] if row not in gone]
        if want == old[target]:  # it did not read what is gone
            assert rows_shown == want
            continue
        # where a window's first target has nothing left to read, the row before it comes in
        assert rows_shown in (want, [previous.get((want or [target])[0]), *want])
        assert rows_shown
    again = windows(log.histories(), length, stride, prefixes).aligned(
        log.histories().offsets, before
    )
    for name in ("start", "end", "ask"):
        assert np.array_equal(getattr(again, name), getattr(before, name))


def test_windows_of_sequences_that_others_lack_are_made_anew():
    log = make([(0, item) for item in range(6)] + [(1, item) for item in (3, 2, 1)])
    histories = log.histories()
    fresh = windows(histories, 3)
    few = windows(log.histories([1]), 3)
    for like in (few, fresh.select(np.arange(len(fresh)) == 0)):
        made = fresh.aligned(histories.offsets, like)
        assert shown(made) == shown(fresh)


def read(examples):
    """By the rows of its target: what a question reads, by a loop."""
    basket = examples.baskets.basket[examples.baskets.cell]
    found = {}
    for first, end, target in zip(examples.first, examples.end, examples.target, strict=True):
        ids = [examples.interaction[basket == m].tolist() for m in range(first, end)]
        found[frozenset(examples.interaction[basket == target].tolist())] = ids
    return found


def baskets(table):
    frame = pd.DataFrame(sorted(table), columns=["user", "basket", "item"])
    return Interactions.from_table(
        frame, basket="basket", users=pd.Index(range(3)), items=pd.Index(range(5))
    )


basket_rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=25
)


@given(basket_rows, st.integers(1, 4), st.sampled_from(["all", "last"]), st.data())
@settings(max_examples=150)
def test_baskets_like_others_read_the_same_less_what_is_gone(table, longest, targets, data):
    log = baskets(table)
    before = BasketExamples.of(log.histories(), longest, targets)
    gone = data.draw(st.sets(st.sampled_from(sorted(log.frame["interaction"]))))
    fresh = BasketExamples.of(log.without(gone).histories(), longest, targets)
    after, fresh_read = read(fresh.aligned(before)), read(fresh)
    assert after.keys() == fresh_read.keys()
    old = {}
    for target, parts in read(before).items():
        kept = [[row for row in part if row not in gone] for part in parts]
        old[target - gone] = [part for part in kept if part]
    for target, parts in after.items():
        want = old.get(target) or fresh_read[target]
        assert sorted(map(sorted, parts)) == sorted(map(sorted, want))
    assert read(before.aligned(before)) == read(before)


# --- rows -----------------------------------------------------------------------------------------


def test_rows_say_where_a_user_and_an_item_stand():
    users, items = [4, 2, 2], np.array([7, 0])
    for name in ("BPR", "LightGCN", "SGL"):
        found = fitted(name).rows(users, items)
        assert found.keys() == {"user.weight", "item.weight"}
        assert found["user.weight"].tolist() == [2, 4] and found["item.weight"].tolist() == [0, 7]
    for name in ("GRU4Rec", "NARM", "SASRec", "SRGNN", "DNNTSP"):
        found = fitted(name, **({"use_actions": True} if name != "DNNTSP" else {})).rows(
            users, items
        )
        assert found.keys() == {"item.weight"} | ({"gate"} if name == "DNNTSP" else set())
        assert all(index.tolist() == [0, 7] for index in found.values())
    for gate, more in (("item", {"own"}), ("published", {"gate.weight", "gate.bias"})):
        model = fitted("Sets2Sets", gate=gate)
        found, named = model.rows(users, items), dict(model.module.named_parameters())
        tables = {"item.weight", "last.weight", "out.weight", "out.bias"}
        assert found.keys() == tables | more and not model.rows(users)
        size = {key: named[key][index].numel() for key, index in found.items()}
        assert size["item.weight"] == size["out.weight"] == 2 * 5 and size["out.bias"] == 2
        if gate == "item":
            assert named["own"][found["own"]].shape == (2, 2)
        else:  # two rows and two columns, which cross four times
            mask = found["gate.weight"]
            assert mask.sum() == 4 * LOG.n_items - 4 and mask[7, 3] and mask[3, 7]
            assert not mask[3, 3] and size["gate.weight"] == mask.sum()


@every
def test_rows_of_nobody_and_wrong_codes(name):
    model = fitted(name)
    assert model.rows() == {} and model.rows([], np.array([], int)) == {}
    with pytest.raises(UnknownItem, match=f"code {LOG.n_items}"):
        model.rows(items=[LOG.n_items])
    with pytest.raises((UnknownUser, ConfigError)):
        model.rows(users=[-1])
    for wrong in ([0.0], np.zeros(LOG.n_items, bool), ["a"]):
        with pytest.raises(ConfigError, match="in place of codes"):
            model.rows(items=wrong)


# --- the way back, and what a model is bound to ---------------------------------------------------


def test_graphs_and_buffers_come_back_with_a_copy():
    gone = LOG.frame.groupby("user")["interaction"].first()
    for name, hidden in (("LightGCN", "graph"), ("SGL", "graph"), ("Sets2Sets", "weight")):
        model = fitted(name)
        kept, histories = model.copy(), LOG.histories(np.unique(LOG.frame["user"]))
        scores, losses = model.score(histories), model.loss(model.examples(LOG))
        model.rebuild(LOG.without(gone))
        changed = getattr(model.module, hidden)
        if hidden == "graph":
            assert changed.cells.nnz < kept.module.graph.cells.nnz
        else:
            assert not torch.equal(changed, kept.module.weight)
        # every loss has moved, also of users and items that had no part in it; weights have not
        assert not torch.equal(model.loss(model.examples(LOG)), losses)
        assert same(dict(model.module.named_parameters()), dict(kept.module.named_parameters()))
        model = kept
        assert np.array_equal(model.score(histories), scores)
        assert torch.equal(model.loss(model.examples(LOG)), losses)


@every
def test_folders_from_before_the_fingerprint_load_unbound_and_work(name, tmp_path):
    model = fitted(name)
    model.save(tmp_path / "new")
    facts = json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))
    assert facts.pop("indexes") == LOG.index_fingerprint == model.bound
    (tmp_path / "new" / "model.json").write_text(json.dumps(facts), encoding="utf-8")
    old = type(model).load(tmp_path / "new")
    histories = LOG.histories(np.unique(LOG.frame["user"]))
    assert old.bound is None and repr(old) == f"{repr(model)[:-1]}, unbound)"
    assert np.array_equal(old.score(histories), model.score(histories))
    other = replace(LOG, items=LOG.items[::-1])
    examples = old.rebuild(other).examples(other)
    old.tune(examples, epochs=1)
    old.save(tmp_path / "again")
    assert type(model).load(tmp_path / "again").bound is None
    with pytest.raises(ModelError, match="other indexes"):
        model.tune(examples, epochs=1)
    for where in ("examples", "rebuild"):
        with pytest.raises(ModelError, match="other indexes"):
            getattr(model, where)(other)
    old.fit(LOG)
    assert old.bound == LOG.index_fingerprint and "unbound" not in repr(old)


@pytest.mark.parametrize("wrong", [7, "abc", ["x"]], ids=str)
def test_a_fingerprint_that_is_none_is_refused(wrong, tmp_path):
    fitted("BPR").save(tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "model.json").read_text(encoding="utf-8"))
    text = json.dumps(facts | {"indexes": wrong})
    (tmp_path / "m" / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match="no fingerprint"):
        BPR.load(tmp_path / "m")


def test_validation_rows_of_other_indexes_are_refused():
    other = replace(LOG, users=LOG.users[::-1])
    for kind in (BPR, LightGCN, SGL, GRU4Rec, DNNTSP, Sets2Sets):
        with pytest.raises(ModelError, match="other indexes"):
            kind(kind.Config(**TINY[kind.__name__], training=ONCE)).fit(LOG, other)
