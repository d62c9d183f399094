"""The simulator: its tokens, its log-probabilities against draws and against the module, training on
a small log, files, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.data import Interactions, load_world
from workbench.errors import ConfigError, DataError, ModelError
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SupervisedTraining,
    Vocabulary,
    draw,
    last_visits,
    nats,
    swap_cost,
    swapped,
    visits_of,
)
from workbench.reports.recpilot._nucleus import TRIES, choose, nucleus
from workbench.reports.recpilot._objective import following
from workbench.reports.recpilot._starting import item_vectors
from workbench.reports.recpilot.grammar import PAD
from workbench.reports.recpilot.reading import kinds_of
from workbench.reports.recpilot.supervised import share

SMALL = {"hidden": 16, "inner": 32, "head_size": 8, "history": 40}
QUICK = SupervisedTraining(steps=6, batch=16, every=3, warm_up=2)


@pytest.fixture(scope="module")
def log() -> Interactions:
    """Forty shoppers of the shipped world."""
    whole = load_world().log
    return whole.select((whole.frame["user"] < 40).to_numpy())


@pytest.fixture(scope="module")
def visits(log):
    """Their last visits."""
    return last_visits(log)[1]


def made(log: Interactions, **config: object) -> Simulator:
    """A simulator with first weights, none of them 0."""
    actions = visits_of(log).trajectories.actions
    found = Simulator(SimulatorConfig(**SMALL | config))
    found.make(Vocabulary(actions, log.n_items), log.index_fingerprint)
    if found.module.gate is not None:
        torch.manual_seed(0)
        torch.nn.init.normal_(found.module.gate.weight, std=0.3)
    return found


@pytest.mark.parametrize("remedies", [True, False])
@pytest.mark.parametrize("grammar", [True, False])
@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_the_loop_gives_the_modules_log_probabilities(log, visits, remedies, grammar, top_p):
    simulator = made(log, auxiliary=float(remedies), own=remedies)
    histories = visits.histories.select(np.arange(9))
    drawn = draw(simulator, histories, 5, top_p=top_p, grammar=grammar, seed=2)
    again = simulator.log_probs(histories, drawn.tokens, grammar).detach().numpy()
    np.testing.assert_allclose(drawn.log_probs, again, atol=2e-5)
    assert drawn.valid.all() or not grammar
    # what is bought first has the probability that was kept of it
    words = simulator.vocabulary
    for b, n in np.argwhere(drawn.valid):
        at = np.flatnonzero(drawn.tokens[b, n] == words.bought)[0] + 1
        item = drawn.tokens[b, n, at] - words.items_from
        shares = np.exp(drawn.purchase[b, n])
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        if grammar:  # only products may follow
            assert drawn.purchase[b, n, item] == pytest.approx(drawn.log_probs[b, n, at], abs=1e-4)


def test_draws_depend_on_the_seed_and_not_on_who_stands_beside(log, visits):
    simulator = made(log)
    histories = visits.histories.select(np.arange(4))
    one, two, three = (draw(simulator, histories, 4, seed=seed).tokens for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three[:, :, : one.shape[2]])
    common = draw(simulator, histories.select([0, 0]), 4, common=True).tokens
    assert np.array_equal(common[0], common[1])
    assert not np.array_equal(*draw(simulator, histories.select([0, 0]), 4).tokens)


def test_the_share_of_first_tokens_is_their_probability(log, visits):
    simulator = made(log)
    histories = visits.histories.select([3])
    drawn = draw(simulator, histories, 4_000, top_p=1.0, grammar=True)
    token, count = np.unique(drawn.tokens[0, :, 0], return_counts=True)
    for word, n in zip(token, count, strict=True):
        first = drawn.tokens[0, :, 0] == word
        p = float(np.exp(drawn.log_probs[0, first, 0][0]))
        assert n / 4_000 == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 4_000))


@pytest.mark.parametrize("size", [30, 900])
@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.95])
def test_drawing_again_draws_from_the_sorted_nucleus(size, top_p):
    generator = torch.Generator().manual_seed(size)
    chances = torch.softmax(2 * torch.randn(size, generator=generator), dim=0)
    order = torch.argsort(chances, descending=True)
    length = int((chances[order].cumsum(0) < top_p).sum()) + 1
    inside = set(order[:length].tolist())
    assert set(torch.nonzero(nucleus(chances[None], top_p)[0]).flatten().tolist()) == inside
    many = chances.expand(20_000, -1)
    found = choose(many, torch.rand(20_000, TRIES + 1, generator=generator), top_p)
    assert set(found.unique().tolist()) <= inside
    share_of = torch.bincount(found, minlength=size) / 20_000
    want = torch.where(torch.isin(torch.arange(size), order[:length]), chances, 0.0)
    want = want / want.sum()
    assert (share_of - want).abs().max() < 5 * float((want.max() / 20_000).sqrt())


def test_a_nucleus_beyond_the_first_512_is_found():
    flat = torch.full((1, 900), 1 / 900)
    assert nucleus(flat, 0.9).sum() in (810, 811)


def test_the_causal_encoder_reads_nothing_that_comes_later(log, visits):
    simulator, published = made(log), made(log, auxiliary=0.0, own=False)
    histories = visits.histories.select([5])
    for model, same in ((simulator, True), (published, False)):
        history = model.read(histories)
        other = history._replace(tokens=history.tokens.clone())
        other.tokens[0, -2] = model.vocabulary.items_from
        one, two = (model.module.encode(read).states[0, :-2] for read in (history, other))
        assert torch.allclose(one, two, atol=1e-6) == same


def test_padding_changes_nothing(log, visits):
    simulator = made(log)
    asked = visits.select(np.arange(12))
    together = simulator.log_probs(asked.histories, asked.trajectories).detach()
    for b in range(12):
        one = asked.select([b])
        alone = simulator.log_probs(one.histories, one.trajectories).detach()[0]
        assert torch.allclose(together[b, : len(alone)], alone, atol=1e-5)
        assert not together[b, len(alone) :].any()


def test_a_token_the_grammar_forbids_has_no_probability(log, visits):
    simulator = made(log)
    words = simulator.vocabulary
    tokens = np.array([[words.bought, words.items_from, 2]])
    found = simulator.log_probs(visits.histories.select([0]), tokens, grammar=True)
    assert torch.isneginf(found).all()
    assert torch.isfinite(simulator.log_probs(visits.histories.select([0]), tokens)).all()


def test_an_empty_history_has_an_answer(log, visits):
    simulator = made(log)
    none = visits.histories.select([0]).keep(np.zeros(np.diff(visits.histories.offsets)[0], bool))
    assert draw(simulator, none, 3).valid.all()
    assert np.isfinite(simulator.head(none)).all()


def test_what_the_head_is_asked(log):
    words = Vocabulary(("purchase", "view"), 4)
    p, v, i = 3, 4, words.items_from
    history = torch.tensor([[1, v, i, i + 1, 2, 1, v, i + 2, p, i + 2, 2, 0]])
    visit = torch.tensor([[v, i + 3, p, i + 1, i, 2]])
    # at the end of a visit the next product bought, else the next product; none on padding
    assert following(history, visit, words).tolist() == [[0, 0, 1, 2, 2, 2, 2, 2, 2, 3, 1, -1]]


def test_first_looks_and_copies():
    words = Vocabulary(("purchase", "view"), 4)
    tokens = np.array([[4, 5, 6, 5, 3, 6, 2, PAD]])
    assert kinds_of(tokens, words).tolist() == [[2, 0, 0, 1, 2, 1, 2, -1]]


def test_nats_are_minus_the_log_probabilities(log, visits):
    simulator = made(log)
    table = nats(simulator, visits)
    want = -simulator.log_probs(visits.histories, visits.trajectories).detach().numpy().sum()
    assert table["nats"].sum() == pytest.approx(want, rel=1e-4)
    other = swapped(visits.histories)
    assert (other.user != visits.histories.user).all()
    assert sorted(other.user) == sorted(visits.histories.user)
    cost = swap_cost(simulator, visits)
    first = table[table["kind"] == "first"]
    np.testing.assert_allclose(cost["own"], (first["nats"] / first["tokens"]).to_numpy(), rtol=1e-5)


@pytest.mark.parametrize("start", ["random", "ease", "svd"])
def test_training_lowers_the_loss_and_stops_and_goes_on(log, tmp_path, start, monkeypatch):
    config = SimulatorConfig(**SMALL, start=start, training=QUICK)
    whole = Simulator(config).fit(log)
    lines = whole.card["training"]["lines"]
    loss = whole.card["training"]["columns"].index("loss")
    assert lines[-1][loss] < lines[0][loss]
    # a run that is killed after its first look goes on, and ends with the same weights
    from workbench.reports.recpilot import supervised

    look, seen = supervised.look, []

    def once(*given: object) -> dict[str, float]:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return look(*given)

    monkeypatch.setattr(supervised, "look", once)
    with pytest.raises(KeyboardInterrupt):
        Simulator(config).fit(log, tmp_path)
    again = Simulator(config).fit(log, tmp_path)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name
    other = SimulatorConfig(**SMALL, training=replace_seed(QUICK))
    with pytest.raises(ConfigError, match="another config"):
        Simulator(other).fit(log, tmp_path)
    # nor does a run go on that has seen a row which is gone since, though as many visits buy
    frame = log.frame
    buys = frame["action"].eq("purchase").groupby([frame["user"], frame["session"]])
    gone = int(frame.loc[~buys.transform("any"), "interaction"].iloc[0])
    less = log.without([gone])
    assert len(visits_of(less)) == len(visits_of(log))
    with pytest.raises(ConfigError, match="or log"):
        Simulator(config).fit(less, tmp_path)


def replace_seed(training: SupervisedTraining) -> SupervisedTraining:
    """The same with another seed."""
    return training.model_copy(update={"seed": 5})


def test_a_run_that_ended_by_itself_is_not_gone_on_with(log, tmp_path):
    wild = {"steps": 40, "every": 1, "patience": 2, "learning_rate": 0.2}
    config = SimulatorConfig(**SMALL, training=QUICK.model_copy(update=wild))
    first = Simulator(config).fit(log, tmp_path)
    steps = first.card["training"]["steps"]
    assert steps < 40 and steps == first.card["training"]["chosen"] + 2
    again = Simulator(config).fit(log, tmp_path)
    assert again.card["training"] == first.card["training"]
    for name, value in first.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name


def test_a_log_of_which_nothing_can_be_learnt_is_refused():
    """Everybody's only visit to be trained on begins with its purchase, and is no target."""
    rows = [(u, i, s, a) for u in "ab" for s, i, a in SEEN]
    table = pd.DataFrame(rows, columns=["user", "item", "session", "action"])
    table = table.assign(timestamp=1_700_000_000 + 3600 * np.arange(len(table)))
    names = {name: name for name in ("session", "action", "timestamp")}
    log = Interactions.from_table(table, **names)
    with pytest.raises(DataError, match="0 visits to train on and 2 to choose by"):
        Simulator(SimulatorConfig(**SMALL, training=QUICK)).fit(log)


SEEN = ((1, "x", "purchase"), (2, "x", "view"), (2, "y", "purchase"))


def test_item_vectors_hold_what_goes_together(log):
    for how in ("ease", "svd"):
        vectors = item_vectors(log, how, 300).numpy()
        assert vectors.shape == (log.n_items, 300)
        assert (vectors**2).mean() == pytest.approx(1, rel=1e-3)
        wide = log.matrix().toarray()
        if how == "svd":  # inner products are those of (XᵀX)^½, up to the scale
            values, turned = np.linalg.eigh(wide.T @ wide)
            root = (turned * np.sqrt(np.maximum(values, 0))) @ turned.T
            inner = vectors @ vectors.T
            np.testing.assert_allclose(inner / inner.max(), root / root.max(), atol=1e-3)


def test_the_learning_rate():
    assert share(0, 10, 100) == pytest.approx(0.1)
    assert share(9, 10, 100) == share(10, 10, 100) == pytest.approx(1)
    assert share(100, 10, 100) == pytest.approx(0.1)


def test_files(log, visits, tmp_path):
    simulator = made(log)
    simulator.card = {"gate": {"open": False, "low": -0.1, "why": 'a "rule"'}}
    simulator.save(tmp_path / "model")
    again = Simulator.load(tmp_path / "model")
    want = simulator.log_probs(visits.histories, visits.trajectories)
    assert torch.equal(again.log_probs(visits.histories, visits.trajectories), want)
    assert again.card == simulator.card
    assert again.bound == log.index_fingerprint
    simulator.save(tmp_path / "model", half=True)
    found = Simulator.load(tmp_path / "model").log_probs(visits.histories, visits.trajectories)
    assert torch.allclose(found, want, atol=0.05)
    (tmp_path / "model" / "card.toml").write_text("[gate", encoding="utf-8")
    with pytest.raises(ModelError, match="no card"):
        Simulator.load(tmp_path / "model")


def test_weights_that_are_no_numbers_are_refused(log, visits, tmp_path):
    simulator = made(log)
    with torch.no_grad():
        simulator.module.t5.shared.weight[10] = float("nan")
    with pytest.raises(ModelError, match="no number"):
        simulator.log_probs(visits.histories, visits.trajectories)
    with pytest.raises(ModelError, match="no number"):
        draw(simulator, visits.histories, 2)
    simulator.save(tmp_path / "model")
    with pytest.raises(ModelError, match="no number"):
        Simulator.load(tmp_path / "model")


def test_another_catalogue_or_action_is_refused(log, visits):
    simulator = made(log)
    histories = visits.histories
    with pytest.raises(ModelError, match="a model of 240"):
        simulator.encode(replace(histories, n_items=300))
    with pytest.raises(ModelError, match="trajectories of 300 items"):
        simulator.tokens(replace(visits.trajectories, n_items=300))
    with pytest.raises(ModelError, match="other indexes"):
        simulator.tokens(replace(visits.trajectories, bound="0" * 64))
    with pytest.raises(ModelError, match="other indexes"):
        simulator.encode(replace(histories, bound="0" * 64))
    names = tuple("gift" if name == "view" else name for name in histories.actions)
    with pytest.raises(DataError, match="'gift' was not met"):
        simulator.encode(replace(histories, actions=names))
    with pytest.raises(DataError, match="no sessions"):
        simulator.encode(replace(histories, session=None))
    with pytest.raises(DataError, match="a visit of 40 tokens"):
        simulator.log_probs(histories.select([0]), np.ones((1, 40), int))
    with pytest.raises(ModelError, match="no head"):
        made(log, auxiliary=0.0).head(histories)
    with pytest.raises(ModelError, match="not been fitted"):
        Simulator().encode(histories)
    with pytest.raises(ConfigError):
        draw(simulator, histories, 0)


def test_nothing_comes_of_another_order_of_actions(log, visits):
    simulator = made(log)
    histories = visits.histories
    n = len(histories.actions)
    turned = replace(histories, actions=histories.actions[::-1], action=n - 1 - histories.action)
    one, two = (simulator.encode(given).states for given in (histories, turned))
    assert torch.equal(one, two)
