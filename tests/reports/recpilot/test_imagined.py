"""Candidates and their visits, "n of N", rows under it; the simulator as a place; the gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from workbench.data import Interactions, load_world
from workbench.errors import ConfigError, DataError, ModelError, WorkbenchError
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SimulatorPlace,
    SupervisedTraining,
    Vocabulary,
    bought_in,
    candidates,
    decide,
    draw,
    imagine,
    last_visits,
    load_simulator,
    may_speak,
    rows_under,
    scores,
    visits_of,
)
from workbench.reports.recpilot._card import Card
from workbench.reports.recpilot.gate import digest, seal
from workbench.reports.stores import Store

SMALL = {"hidden": 16, "inner": 32, "head_size": 8, "history": 40}
QUICK = SupervisedTraining(steps=2, batch=16, every=1, warm_up=1)


@pytest.fixture(scope="module")
def world():
    """The shipped world."""
    return load_world()


@pytest.fixture(scope="module")
def log(world):
    """Thirty shoppers of it."""
    return world.log.select((world.log.frame["user"] < 30).to_numpy())


@pytest.fixture(scope="module")
def simulator(log):
    """A small simulator that weighs own actions strongly, untrained."""
    found = Simulator(SimulatorConfig(**SMALL, training=QUICK))
    found.make(Vocabulary(visits_of(log).trajectories.actions, log.n_items), log.index_fingerprint)
    with torch.no_grad():
        found.module.gate.weight.normal_(std=1.0, generator=torch.Generator().manual_seed(0))
    return found


@pytest.fixture(scope="module")
def drawn(simulator, log):
    """Eight visits of ten shoppers, free: some break the grammar."""
    return draw(simulator, last_visits(log)[1].histories.select(np.arange(10)), 8, grammar=False)


def test_every_rule_by_its_definition(simulator, log):
    histories = last_visits(log)[1].histories.select(np.arange(3))
    drawn = draw(simulator, histories, 4, seed=3)
    words, item = simulator.vocabulary, 17
    for b in range(3):
        whole, steps, lengths = [], [], []
        for tokens in drawn.tokens[b]:
            until = tokens[: np.flatnonzero(tokens == words.bought)[0] + 1]
            ended = np.append(until, words.items_from + item)
            found = simulator.log_probs(histories.select([b]), ended[None]).detach().numpy()[0]
            masked = simulator.log_probs(histories.select([b]), ended[None], grammar=True)
            steps.append(masked[0, -1].item())
            whole.append(masked[0].sum().item())
            lengths.append(len(ended))
            assert np.isfinite(found).all()
        want = {"mixture": logsumexp(steps) - np.log(4), "purchase": max(steps)}
        want |= {"full": max(whole), "per token": (np.array(whole) / lengths).max()}
        for rule, value in want.items():
            assert scores(drawn, rule)[b, item] == pytest.approx(value, abs=1e-3), rule
    with pytest.raises(ConfigError, match="rule 'best'"):
        scores(drawn, "best")


def test_candidates_say_where_they_come_from(drawn):
    bought = bought_in(drawn)
    for rule in ("mixture", "full"):
        table = candidates(drawn, k=5, rule=rule)
        for line in table.itertuples():
            b = np.flatnonzero(drawn.histories.user == line.user)[0]
            assert line.of == bought[b, :, line.item].sum()
        assert (table["out_of"] == 8).all()
        assert table.groupby("user")["score"].apply(lambda s: s.is_monotonic_decreasing).all()
    assert not bought[~drawn.valid].any()
    assert bought[drawn.valid].any(axis=1).all()


def test_n_of_n_counts_visits(simulator, world, log):
    histories = last_visits(log)[1].histories.select(np.arange(4))
    table = imagine(simulator, histories, world.catalogue, n=6, seed=2)
    bought = bought_in(draw(simulator, histories, 6, seed=2))
    for line in table.itertuples():
        b = np.flatnonzero(histories.user == line.user)[0]
        of_kind = np.asarray(world.catalogue.kind) == line.kind
        assert line.of == bought[b][:, of_kind].any(axis=1).sum() <= line.out_of == 6
    assert (table.groupby("user")["of"].sum() >= 6).all()


def test_the_visit_that_names_a_product_carries_it(simulator, log):
    history = last_visits(log)[1].histories.select([4])
    item = history.item[-1]
    with torch.no_grad():  # all that was done with a product speaks for it, as strongly as may be
        strong = simulator.copy()
        strong.module.t5.decoder.final_layer_norm.weight.zero_()
        strong.module.t5.decoder.final_layer_norm.weight[0] = 1.0
        strong.module.gate.weight.zero_()
    plain = rows_under(strong, history, np.array([item]), n=4, draws=2)
    assert not plain.weights.any()  # a simulator that reads nothing has no rows under it
    found = rows_under(simulator, history, np.array([item]), n=8, draws=4)
    again = rows_under(simulator, history, np.array([item]), n=8, draws=4)
    assert np.array_equal(found.weights, again.weights)
    assert found.floor > 0
    touched = np.unique(history.session[history.item == item])
    if found.weights.any():
        assert np.isin(history.session[found.weights.argmax()], touched)


def test_a_place_is_stale_until_it_is_trained_again(world, log):
    place = SimulatorPlace.of(Simulator(SimulatorConfig(**SMALL, training=QUICK)).fit(log), log)
    assert isinstance(place, Store)
    user = int(log.frame["user"].iloc[-1])
    own = log.frame.loc[log.frame["user"] == user, "interaction"].to_numpy()
    gone, some = own[:3], own[2:5]
    stale = place.forget(gone, [user])
    # the weights still know what was to be forgotten, and the first place is as it was
    assert stale.knows(user, some).tolist() == some.tolist()
    assert stale.stale.tolist() == gone.tolist()
    assert not len(place.stale)
    assert "marked stale: 3 rows" in repr(stale)
    assert set(gone) <= set(stale.lineage(user)["interaction"])
    with pytest.raises(DataError, match="still in this log"):
        stale.retrain(log)
    rest = log.without(gone)
    new, warm = stale.retrain(rest), stale.warm(rest, steps=2)
    assert not len(new.stale)
    assert new.knows(user, own).tolist() == own[3:].tolist()
    # a few steps more take no row out of weights that were made of it
    assert warm.stale.tolist() == gone.tolist()
    assert warm.knows(user, own).tolist() == np.sort(own).tolist()
    assert len(warm.read) == len(log.deeds.frame)
    with pytest.raises(DataError, match="still in this log"):
        warm.warm(log)
    # trained anew after it, the place is as if nothing had been
    assert not len(warm.retrain(rest).knows(user, gone))
    assert new.exact
    assert not warm.exact
    # trained anew is a simulator that never had the rows
    never = Simulator(place.simulator.config).fit(rest)
    for name, value in never.module.state_dict().items():
        assert torch.equal(value, new.simulator.module.state_dict()[name])
    assert any(
        not torch.equal(value, place.simulator.module.state_dict()[name])
        for name, value in warm.simulator.module.state_dict().items()
    )
    other = Interactions.from_table(log.frame[["user", "item"]].iloc[:50])
    with pytest.raises(ModelError):
        SimulatorPlace.of(place.simulator, other)
    # rows that it was never trained on leave it up to date
    assert not len(place.forget([10**9]).stale)
    assert "not proven" in repr(warm)


def test_the_gate(simulator, tmp_path):
    rng = np.random.default_rng(0)
    rule = rng.random(200)
    valid = {"simulator": rule, "head": rule, "a": rule, "b": rule - 0.1}
    better, same = rule + 0.1 + 0.01 * rng.random(200), rule + 0.1 * rng.standard_normal(200)

    def opened(simulated: np.ndarray, swap: float = 0.5, head: np.ndarray = rule) -> bool:
        test = {"simulator": simulated, "head": head, "a": rule, "b": rule + 9}
        facts = decide(simulator, valid, test, swap, "2026-12-01")
        assert facts["best_rule"] == "a"  # chosen where the other was worse
        return facts["open"]

    assert opened(better)
    assert not opened(better, swap=0.29)
    assert not opened(better, head=better)
    assert not opened(same)
    told = simulator.copy()
    assert may_speak(told)[0] is False
    assert "not tested" in may_speak(told)[1]
    facts = decide(told, valid, {"simulator": better, "head": rule, "a": rule}, 0.5, "2026-12-01")
    told.card["gate"] = facts
    told.save(tmp_path / "model", half=True)
    again = Simulator.load(tmp_path / "model")
    assert may_speak(again)[0]
    with pytest.raises(DataError, match="was opened"):
        decide(again, valid, {"simulator": same, "head": rule, "a": rule}, 0.5, "2026-12-02")
    # other weights start shut
    with torch.no_grad():
        again.module.head.weight += 1.0
    assert digest(again) != facts["weights"]
    assert not may_speak(again)[0]
    shut = simulator.copy()
    shut.card["gate"] = decide(
        shut, valid, {"simulator": same, "head": rule, "a": rule}, 0.5, "now"
    )
    assert not may_speak(shut)[0]
    assert "imagined visits did not earn the place" in may_speak(shut)[1]


def opened_by(simulator):
    """The facts of a gate that was opened rightly."""
    rng = np.random.default_rng(0)
    rule = 0.3 + 0.2 * rng.random(200)
    better = rule + 0.1 + 0.01 * rng.random(200)
    values = {"simulator": better, "head": rule, "a": rule}
    return decide(simulator, values, values, 0.5, "2026-12-01")


EDITED = [
    {"minus_rule": [0.1, -0.2, 0.3]},
    {"minus_head": [0.1, 0.0, 0.3]},
    {"minus_rule": [0.1]},
    {"minus_rule": [0.1, 0.2, 0.3]},
    {"minus_rule": [0.9, 0.8, 1.0]},
    {"minus_rule": [float("nan")] * 3},
    {"minus_rule": [True, True, True]},
    {"minus_head": "much"},
    {"swap_nats": 0.1},
    {"swap_nats": float("nan")},
    {"swap_nats": None},
    {"simulator_ndcg": 0.99},
    {"simulator_ndcg": 5.0},
    {"spread_rule": 9.0},
    {"spread_rule": None},
    {"spread_head": -1.0},
    {"shoppers": 1},
    {"shoppers": None},
    {"shoppers": 2_000_000},
    {"open": "yes"},
    {"open": False},
    {"open": 1},
    {"best_rule": "the best rule of all"},
    {"date": None},
    {"date": "2027-01-01"},
    {"weights": "0" * 16},
    {"weights": None},
    {"seal": None},
    {"seal": "0" * 64},
]


@pytest.mark.parametrize("parts", EDITED, ids=str)
def test_a_card_that_is_damaged_or_was_edited_opens_nothing(simulator, parts):
    told = simulator.copy()
    good = opened_by(told)
    told.card = {"gate": good}
    assert may_speak(told)[0]
    changed = {name: value for name, value in (good | parts).items() if value is not None}
    for gate in (changed, "open", None, {}):
        told.card = {"gate": gate}
        may, margin = may_speak(told)
        assert may is False
        assert margin.startswith("What else you might be after comes from a rule: ")
    told.card = None
    assert may_speak(told)[0] is False


@pytest.mark.parametrize("word", [True, False])
def test_a_verdict_that_the_numbers_do_not_bear_is_not_believed(simulator, word):
    """Also where the seal was made of it: what the numbers say is asked again."""
    told = simulator.copy()
    facts = opened_by(told)
    if word:
        facts |= {"minus_rule": [0.1, -0.2, 0.3], "open": True}
    else:
        facts |= {"open": False}
    del facts["seal"]
    told.card = {"gate": facts | {"seal": seal(facts)}}
    assert may_speak(told) == (
        False,
        "What else you might be after comes from a rule: the numbers on these weights' card do not "
        "agree.",
    )


def test_the_card_that_is_shipped_is_shut_and_says_by_what():
    may, margin = may_speak(load_simulator())
    assert may is False
    assert "did not earn the place: NDCG@10 -0.081 [-0.113, -0.050]" in margin


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("valid", {"simulator": np.ones(30)}),
        ("valid", {"simulator": np.ones(30), "head": np.ones(30)}),
        ("test", {"simulator": np.ones(30), "head": np.ones(30)}),
        ("test", {"simulator": np.ones(30), "head": np.ones(29), "a": np.ones(30)}),
        ("test", {"simulator": np.ones(30), "head": np.ones(30), "a": np.full(30, np.nan)}),
    ],
)
def test_a_gate_is_decided_by_numbers_of_the_same_shoppers(simulator, part, values):
    good = dict.fromkeys(("simulator", "head", "a"), np.ones(30))
    told = {"valid": good, "test": good} | {part: values}
    with pytest.raises(DataError, match=part):
        decide(simulator, **told, swap=0.5, date="2026-12-01")


def test_a_card_with_what_is_no_number_is_read_again(tmp_path):
    facts = {"training": {"again": float("nan"), "lines": [[1, float("inf")], [-float("inf")]]}}
    Card(facts).save(tmp_path / "card.toml")
    again = Card.load(tmp_path / "card.toml").facts["training"]
    assert np.isnan(again["again"]) and again["lines"] == [[1, np.inf], [-np.inf]]


def test_products_of_another_catalogue_are_refused(simulator, world, log):
    histories = log.histories([3])
    with pytest.raises(DataError, match="239 products"):
        imagine(simulator, histories, replace(world.catalogue, frame=world.catalogue.frame[:239]))
    for items in ([-1], [log.n_items], [1.5]):
        with pytest.raises(WorkbenchError, match="items"):
            rows_under(simulator, histories, items, n=2, draws=2)
