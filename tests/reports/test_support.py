"""Support by deletion: against a linear model whose truth is known, and against known noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import Interactions
from workbench.errors import DataError
from workbench.recommend import EASE, EASEConfig
from workbench.reports import by_deletion


def linear(seed=0, n_items=15):
    """A scorer that counts rows, and what a row of each item adds."""
    worth = np.random.default_rng(seed).normal(size=n_items)
    return worth, lambda histories, _: histories.counts() @ worth


def noisy(worth, spread):
    """The same with normal noise of a known spread, another for every history and seed."""

    def score(histories, seed):
        noise = []
        for b in range(len(histories)):
            rows = histories.interaction[histories.row(b)].tolist()
            noise.append(np.random.default_rng([seed, *rows]).normal(scale=spread))
        return histories.counts() @ worth + noise

    return score


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 11), st.sampled_from(["interaction", "item"]))
def test_a_linear_scorer_gives_its_own_weights(seed, user, unit):
    log, _ = shop(seed)
    history = log.histories([user])
    worth, score = linear(seed)
    found = by_deletion(score, history, unit)
    assert found.effects == pytest.approx(worth[history.item], abs=1e-9)
    raised = np.maximum(worth[history.item], 0)
    wanted = raised / raised.sum() if raised.any() else raised
    assert found.weights == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_products_left_out_of_ease_are_its_contributions(seed):
    log, _ = shop(seed)
    model = EASE(EASEConfig(l2=5.0)).fit(log)
    history = log.histories([0])
    items = np.arange(log.n_items)
    table = model.contributions(history, items[None, :])
    wanted = table.pivot(index="item", columns="interaction", values="weight")
    found = by_deletion(lambda histories, _: model.score(histories), history, unit="item")
    assert found.effects.shape == (log.n_items, len(history.item))
    assert found.effects == pytest.approx(wanted[history.interaction].to_numpy(), abs=1e-9)
    shares = found.weights.sum(axis=1)
    assert ((np.abs(shares - 1) < 1e-9) | (shares == 0)).all()


def with_sessions(log):
    """Rows three by three are a session; the last rows of each user have none."""
    session = log.frame.groupby("user").cumcount() // 3
    absent = log.frame.groupby("user").cumcount(ascending=False) < 2
    frame = log.frame.assign(session=session.mask(absent).astype("Int64"))
    return Interactions(frame, log.users, log.items)


def test_a_session_is_left_out_whole_and_shared_among_its_rows():
    log = with_sessions(shop(2)[0])
    history = log.histories([0])
    worth, score = linear()
    found = by_deletion(score, history)
    frame = found.to_frame().assign(worth=worth[history.item])
    for _, part in frame.groupby("unit"):
        assert part["effect"].tolist() == pytest.approx([part["worth"].mean()] * len(part))
    assert frame["unit"].value_counts().max() == 3
    assert (history.session < 0).sum() == 2
    wanted = log.frame.set_index("interaction")["session"].fillna(-1)
    for part in (log.histories(), history.without(history.interaction[:3]), history.select([0, 0])):
        assert part.session.tolist() == wanted[part.interaction].tolist()
    assert len(found.to_frame()) == len(history.item)


def test_noise_that_both_sides_share_cancels():
    log, _ = shop(4)
    history = log.histories([0])
    worth, _ = linear()

    def score(histories, seed):
        return histories.counts() @ worth + np.random.default_rng(seed).normal(scale=100)

    found = by_deletion(score, history, "item", draws=4)
    assert found.effects == pytest.approx(worth[history.item], abs=1e-9)


@pytest.mark.parametrize(("spread", "draws"), [(0.5, 8), (2.0, 32)])
def test_the_floor_is_that_of_the_known_noise(spread, draws):
    log, _ = shop(4)
    history = log.histories([0])
    units = len(np.unique(history.item))
    worth, _ = linear()
    floors = [
        by_deletion(noisy(worth, spread), history, "item", draws, seed=1000 * turn).floor
        for turn in range(20)
    ]
    # two scores differ, each with noise of its own: √2 spreads, over √draws
    error = np.sqrt(2 / draws) * spread
    quantile = np.sqrt(2) * 2.05  # of some 10 units: between 2.8 and 3.1 standard errors
    assert units > 5
    assert np.mean(floors) == pytest.approx(quantile * error, rel=0.15)


def test_rows_without_effect_pass_the_floor_in_one_of_twenty():
    log, _ = shop(4)
    history = log.histories([0])
    nothing = np.zeros(15)
    passed = [
        by_deletion(noisy(nothing, 1.0), history, "item", draws=8, seed=1000 * turn).effects.any()
        for turn in range(200)
    ]
    # the units share one whole history, so that they pass together: at most the share promised
    assert 0 < np.mean(passed) < 0.1


def test_only_rows_above_the_floor_carry():
    log, _ = shop(4)
    history = log.histories([0])
    heavy = int(history.item[0])
    worth = np.where(np.arange(15) == heavy, 10.0, 0.01)
    found = by_deletion(noisy(worth, 0.5), history, "item", draws=16)
    assert set(history.item[found.weights > 0]) == {heavy}
    assert found.weights.sum() == pytest.approx(1)
    assert f"noise floor {found.floor:.3g}" in repr(found)
    table = found.to_frame()
    assert (table["floor"] == float(found.floor)).all() and found.floor > 0
    assert (table.loc[table["weight"] > 0, "effect"].abs() > table["floor"].iloc[0]).all()


def test_what_cannot_be_answered_is_refused():
    log, _ = shop(4)
    history = log.histories([0])
    worth, score = linear()
    with pytest.raises(DataError, match="draws random numbers"):
        by_deletion(noisy(worth, 1.0), history, "item")
    with pytest.raises(DataError, match="unit 'year'"):
        by_deletion(score, history, "year")
    with pytest.raises(DataError, match="more than one history"):
        by_deletion(score, log.histories([0, 1]), "item")
    with pytest.raises(DataError, match="no sessions"):
        by_deletion(score, replace(history, session=None))


def test_a_shopper_without_rows_has_no_support():
    log, _ = shop(4)
    _, score = linear()
    for draws in (1, 3):
        found = by_deletion(score, log.histories([11]), "item", draws)
        assert found.weights.shape == (0,)


def test_terms_that_cancel_are_rounding_and_no_draw():
    """A product in float32 depends in its last digits on how many histories are asked together."""
    log, _ = shop(0)
    history = log.histories([0])

    def score(histories, _):
        noise = np.float32(3e-5) * (len(histories) % 2)  # as much as a sum of terms of 100 may err
        cancelled = np.full(len(histories), noise, dtype=np.float32)
        return np.stack([cancelled, np.full(len(histories), 100, dtype=np.float32)], axis=1)

    found = by_deletion(score, history)
    assert not found.effects.any() and not found.weights.any()
    with pytest.raises(DataError, match="draws random numbers"):
        by_deletion(lambda histories, seed: score(histories, seed) + seed, history)
