"""The leak probe, re-learning and the forecast by gradients on planted cases."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, spearmanr

from workbench.data import load_world
from workbench.errors import ConfigError, DataError
from workbench.recommend import EASE
from workbench.recommend.tasks import session_task
from workbench.statistics import auc
from workbench.unlearning import never_had, sensitive
from workbench.unlearning.audit import (
    alignment_forecast,
    leak_probe,
    relearning,
)
from workbench.unlearning.audit.alignment import gradient, spearman
from workbench.unlearning.audit.leak import people_of, probe
from workbench.unlearning.audit.relearn import kept_and_given

# --- leak


def test_the_probe_finds_a_planted_leak_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    features, label = rng.normal(size=(300, 10)), np.arange(300) < 100
    noise = auc(probe(features, label), label)
    planted = auc(probe(features + 2.0 * label[:, None] * np.eye(10)[0], label), label)
    # the best rule of all has Φ(2 / √2)
    assert abs(noise - 0.5) < 0.1
    assert planted == pytest.approx(norm.cdf(2 / 2**0.5), abs=0.04)


def test_strangers_never_had_the_topic(shop):
    users, deleter = people_of(shop.scenario, shop.done)
    held = shop.scenario.known(0).matrix()[users][:, shop.scenario.items].sum(axis=1)
    assert (held[~deleter] == 0).all() and (held[deleter] > 0).all()
    assert len(set(users)) == len(users)


@pytest.mark.parametrize("of", ["vectors", "scores"])
def test_a_leak_is_found_in_doing_nothing_and_where_it_was_planted(shop, of):
    found = leak_probe(shop.models, shop.retrained, shop.scenario, shop.done, of=of)
    assert found.line("no-op")["fires"] and found.line("planted leak")["fires"]
    assert not found.line("held out")["fires"]
    shuffled = found.line("shuffled labels")
    assert shuffled["low"] < 0.5 < shuffled["high"]


def test_a_model_without_vectors_is_refused(shop):
    model = EASE().fit(shop.scenario.task.train)
    with pytest.raises(ConfigError, match="represent"):
        leak_probe({"EASE": [model]}, [model] * 3, shop.scenario, shop.done)


def test_too_few_people_are_refused(shop):
    with pytest.raises(DataError, match="deleters"):
        leak_probe(shop.models, shop.retrained, shop.scenario, 2)


class Told:
    """Scores that are noise, but for some items of deleters; it keeps what it was asked."""

    def __init__(self, deleters, items, seed):
        self.deleters, self.items, self.seed, self.asked = deleters, items, seed, []

    def score(self, histories):
        self.asked.append(histories)
        noise = np.random.default_rng(self.seed).normal(size=(len(histories), histories.n_items))
        noise[np.ix_(np.isin(histories.user, self.deleters), self.items)] += 3
        return noise


@pytest.mark.parametrize("where", ["topic", "elsewhere"])
def test_scores_of_the_topic_are_not_read(shop, where):
    """The topic's own scores are what *deleted* measures; a leak is what is left beside them."""
    users, deleter = people_of(shop.scenario, shop.done)
    rest = np.setdiff1d(np.arange(shop.scenario.task.train.n_items), shop.scenario.items)
    items = shop.scenario.items if where == "topic" else rest[:5]
    mine = [Told(users[deleter], items, seed) for seed in (1, 2)]
    again = [Told([], items, seed) for seed in range(3, 9)]
    found = leak_probe({"mine": mine}, again, shop.scenario, shop.done, of="scores")
    assert bool(found.line("mine")["fires"]) == (where == "elsewhere")
    # nobody is asked with what they deleted
    known = set(shop.scenario.known(shop.done).frame["interaction"])
    assert set(mine[0].asked[0].interaction) <= known
    # the null is where single retrains lie
    single = found.each.loc[found.each["row"] == "retrain", "value"]
    want = np.quantile(single, (0.025, 0.975))
    assert found.line("mine")[["null_low", "null_high"]].tolist() == pytest.approx(want.tolist())


def test_strangers_are_matched_on_what_is_left(shop):
    users, deleter = people_of(shop.scenario, shop.done)
    left, before = shop.scenario.known(shop.done), shop.scenario.known(0)
    sizes = left.matrix()[users[deleter]].count_nonzero(axis=1)
    want = never_had(before, shop.scenario.items, sizes, 3)
    assert set(users[~deleter]) == set(want[want >= 0].tolist())
    # which is not whom they would match by what they had
    full = before.matrix()[users[deleter]].count_nonzero(axis=1)
    other = never_had(before, shop.scenario.items, full, 3)
    assert set(other[other >= 0].tolist()) != set(users[~deleter])


# --- re-learning


def test_what_is_given_back_is_not_asked(shop):
    asked, rows = kept_and_given(shop.scenario, shop.done, seed=0)
    items = shop.scenario.task.train.frame.set_index("interaction")["item"]
    for user, part in rows.groupby("user"):
        given = items.reindex(part["interaction"]).dropna()
        assert not set(asked[[user]].indices) & set(given)
        assert part["place"].tolist() == list(range(len(part)))
    gone = shop.scenario.deleted(shop.done)
    assert (asked - asked.multiply(gone)).nnz == 0


def test_what_was_only_hidden_comes_back_first(shop):
    """A planted tombstone in the weights: the base's vectors of leavers moved a little off."""
    hidden = [one.copy() for one in shop.bases]
    asked, _ = kept_and_given(shop.scenario, shop.done, seed=0)
    for one in hidden:
        table = one.module.user.weight.data
        for user in shop.scenario.leavers(shop.done):
            gone = one.module.item.weight.data[shop.scenario.items].mean(dim=0)
            gone /= gone.norm()
            table[user] -= 1.5 * (table[user] @ gone) * gone
    models = shop.models | {"hidden": hidden}
    asked = (models, shop.retrained, shop.scenario, shop.done)
    found = relearning(*asked, bases=shop.bases, given=(0, 1, 2, 4), epochs=25)
    back = {row: found.line(row, "relearn: rows until back")["estimate"] for row in models}
    assert back["no-op"] == 0
    assert back["held out"] == found.line("retrain", "relearn: rows until back")["estimate"]
    assert not found.table.loc[found.table["row"].isin(["held out", "retrain"]), "fires"].any()
    assert found.line("no-op", "relearn: 4 given")["fires"]
    assert back["hidden"] <= back["held out"]


def test_relearning_leaves_models_as_they_were(shop):
    before = shop.bases[0].module.user.weight.detach().clone()
    asked = ({"no-op": shop.bases}, shop.retrained, shop.scenario, shop.done)
    relearning(*asked, bases=shop.bases, given=(1,), epochs=2)
    assert torch.equal(before, shop.bases[0].module.user.weight)


class Answers:
    """Noise; the topic last for visits, and first for empty visits, or no answer to those."""

    def __init__(self, seed, items, empty):
        self.seed, self.items, self.empty = seed, items, empty

    def score(self, histories):
        empty = np.diff(histories.offsets) == 0
        if empty.any() and not self.empty:
            raise DataError("nothing to read", "histories", "a visit of one item")
        noise = np.random.default_rng(self.seed).normal(size=(len(histories), histories.n_items))
        noise[:, self.items] += np.where(empty, 9, -9)[:, None]
        return noise


def test_back_is_where_the_bases_had_the_rows_that_are_looked_at():
    """Bases answer emptied visits and retrains do not: the aim is that of the visits both answer."""
    world = load_world()
    topic = world.catalogue.items_of("Baby & pregnancy")
    scenario = sensitive(session_task(world.log), topic, n=20)
    bases = [Answers(seed, topic, True) for seed in (1, 2)]
    again = [Answers(seed, topic, False) for seed in range(11, 17)]
    found = relearning({"no-op": bases}, again, scenario, 20, bases=bases, given=(0,))
    assert found.line("no-op", "relearn: rows until back")["estimate"] == 0
    # the other way round: what only the others answer brings nothing back
    high = [Answers(seed, topic, True) for seed in range(21, 27)]
    mute = [Answers(seed, topic, False) for seed in (1, 2)]
    found = relearning({"low": high[:2]}, high, scenario, 20, bases=mute, given=(0,), margin=-0.05)
    assert found.line("low", "relearn: rows until back")["estimate"] == np.inf


# --- alignment


def test_spearman_is_scipys_and_covers_a_planted_relation():
    rng = np.random.default_rng(0)
    one = rng.normal(size=40)
    for noise in (0.0, 1.0):
        other = one + noise * rng.normal(size=40)
        rho, low, high, *null = spearman(one, other)
        assert rho == pytest.approx(spearmanr(one, other).statistic)
        assert low <= rho <= high and rho > null[1]
    rho, low, high, *null = spearman(one, rng.normal(size=40))
    assert null[0] <= rho <= null[1] and low < 0 < high
    # of independent pairs ρ has standard deviation 1 / √(n − 1)
    assert null[1] == pytest.approx(1.96 / 39**0.5, rel=0.15)


def test_the_gradient_is_that_of_the_rows(shop):
    log, base = shop.scenario.task.train, shop.bases[0]
    ids = shop.scenario.requests[0].within(log)
    found = gradient(base, log, ids)
    # a step against it lowers the loss of these rows by its squared length, to first order
    examples = base.examples(log, shop.scenario.requests[0].users(log))
    mask = np.isin(examples.interaction, ids)
    step, own, at = 1e-3, base.copy(), 0
    for value in own.module.parameters():
        part = torch.from_numpy(found[at : at + value.numel()]).reshape(value.shape)
        value.data -= step * part.to(value.dtype)
        at += value.numel()
    with torch.no_grad():
        losses = [one.loss(examples)[mask].double().mean().item() for one in (base, own)]
    assert losses[0] - losses[1] == pytest.approx(step * found @ found, rel=0.05)


def test_nothing_forecasts_how_far_retrains_are_apart(shop):
    asked = (shop.models, shop.retrained, shop.scenario, shop.done)
    found = alignment_forecast(*asked, bases=shop.bases)
    assert not found.table.loc[found.table["row"].isin(["held out", "retrain"]), "fires"].any()
    assert (found.table["n"] == shop.done).all()
    each = found.each[found.each["row"] == "no-op"]
    line = found.line("no-op", "alignment: retained")
    assert line["estimate"] == pytest.approx(spearmanr(each["retained"], each["distance"])[0])
    with pytest.raises(DataError, match="8"):
        alignment_forecast(shop.models, shop.retrained, shop.scenario, 7, bases=shop.bases)
