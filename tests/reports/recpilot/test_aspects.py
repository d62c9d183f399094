"""Equation 11 against a loop, and what an agent reads from the rankings."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.errors import ConfigError, UnknownItem
from workbench.reports.recpilot._visible import Visible, standard
from workbench.reports.recpilot.aspects import (
    ATTRIBUTES,
    aspect_scores,
    aspects_of,
    chance,
    gains,
    name_of,
    rank_aspects,
)


def drawn(seed, n=9):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.2, 1, len(ATTRIBUTES)), rng.normal(size=(n, len(ATTRIBUTES)))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.floats(0, 2))
def test_equation_11_against_a_loop(seed, largest, delta):
    weights, scores = drawn(seed)
    found = aspect_scores(weights, scores, aspects_of(largest), delta)
    sets = [d for size in range(1, largest + 1) for d in combinations(range(4), size)]
    assert len(found) == len(sets)
    for row, held in zip(found, sets, strict=True):
        for i, one in enumerate(row):
            want = sum((weights[a] + delta) * scores[i, a] for a in held) / len(held)
            assert one == pytest.approx(want, rel=1e-12, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_overall_ranking_is_the_plain_sum(seed):
    weights, scores = drawn(seed)
    ranked = rank_aspects(np.arange(9), weights, scores, delta=0.25)
    total = [sum(row[i] for row in ranked.scores) for i in range(9)]
    assert ranked.best().tolist() == sorted(range(9), key=lambda i: -total[i])
    # every attribute stands in as many aspects: the order of the weights alone
    plain = scores @ (weights + 0.25)
    assert ranked.best().tolist() == np.argsort(-plain).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_gains_against_every_order_of_what_ties(seed):
    rng = np.random.default_rng(seed)
    scores, chosen = rng.integers(0, 3, (4, 7)).astype(float), int(rng.integers(7))
    for row, found in zip(scores, gains(scores, chosen), strict=True):
        better, equal = (row > row[chosen]).sum(), (row == row[chosen]).sum()
        places = [better + 1 + k for k in range(equal)]
        assert found == pytest.approx(np.mean([1 / np.log2(1 + place) for place in places]))


def test_a_ranking_of_ties_alone_gains_what_chance_does():
    assert gains(np.zeros((1, 14)), 3)[0] == pytest.approx(chance(14))
    assert gains(np.array([[2.0, 1.0, 3.0]]), 2)[0] == 1.0
    assert gains(np.array([[2.0, 1.0, 3.0]]), 0)[0] == pytest.approx(1 / np.log2(3))


def test_lists_and_places_by_aspect():
    scores = np.array([[0.0, 3, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0]])
    ranked = rank_aspects(np.array([12, 5, 9]), np.full(4, 0.25), scores)
    assert ranked.names[:5] == ["price", "rating", "brand", "popularity", "price+rating"]
    assert ranked.best("price").tolist() == [5, 9, 12]
    assert ranked.best("brand").tolist() == [5, 9, 12]  # ties: the lower code
    assert ranked.lists(1) | {"rating": [12], "price": [5], "overall": [12]} == ranked.lists(1)
    assert ranked.places(9)["price"] == 2 and ranked.places(9)["brand"] == 1
    with pytest.raises(ConfigError, match="no aspect 'colour'"):
        ranked.best("colour")
    with pytest.raises(UnknownItem, match="item 4 was not ranked"):
        ranked.places(4)


@pytest.mark.parametrize("seed", range(4))
def test_offers_are_of_one_kind(seed):
    log, catalogue = shop(seed, kinds=True)
    shelf = Visible.of(catalogue)
    items = np.arange(log.n_items)
    scores = shelf.scores(items, np.zeros(log.n_items), np.zeros(0, dtype=int))
    ranked = rank_aspects(items, np.full(4, 0.25), scores)
    offers = ranked.offers(catalogue)
    assert offers["pick"] == ranked.best()[0]
    kinds = {catalogue.kind[item] for role, item in offers.items() if role != "alternative"}
    assert len(kinds) == 1


def test_what_is_seen_against_a_loop():
    log, catalogue = shop(5)
    shelf, frame = Visible.of(catalogue), catalogue.frame
    for item in range(log.n_items):
        items = shelf.candidates(item)
        own = np.flatnonzero(frame["category"] == frame["category"][item])
        assert items.tolist() == own.tolist()
        sold = np.arange(len(items)) ** 2
        owned = shelf.brand[[0, 1, 2]]
        found = shelf.scores(items, sold, owned)
        for column, values in enumerate(
            [
                [-np.log(frame["price"][i]) for i in items],
                [frame["rating"][i] for i in items],
                [
                    np.log1p(sum(frame["brand"][k] == frame["brand"][i] != "" for k in (0, 1, 2)))
                    for i in items
                ],
                np.log1p(sold),
            ]
        ):
            values = np.array(values)
            known = values[np.isfinite(values)]
            spread = known.std() if len(known) else 0
            want = (values - known.mean()) / spread if spread > 1e-9 else np.zeros(len(values))
            assert np.allclose(found[:, column], np.nan_to_num(want), atol=1e-9)


def test_what_is_not_known_stands_in_the_middle():
    values = np.array([np.nan, 1.0, 3.0, np.inf, 7.0, 7.0])
    group = np.array([0, 0, 0, 0, 1, -1])
    assert standard(values, group).tolist() == [0.0, -1.0, 1.0, 0.0, 0.0, 0.0]


def test_names_of_aspects():
    assert [name_of(aspect) for aspect in aspects_of(1)] == list(ATTRIBUTES)
    assert name_of(aspects_of(4)[-1]) == "price+rating+brand+popularity"
