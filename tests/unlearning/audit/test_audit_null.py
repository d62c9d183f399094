"""The null: how retrains are held out, what an interval covers, and how often a line fires."""

from math import comb

import numpy as np
import pytest

from workbench.errors import DataError
from workbench.unlearning.audit._null import SPLITS, against, held_out, interval
from workbench.unlearning.audit._pairs import of_pairs
from workbench.unlearning.audit._table import COLUMNS
from workbench.unlearning.audit.topic import difference


@pytest.mark.parametrize(("m", "r"), [(1, 3), (2, 6), (3, 4), (4, 12)])
def test_every_way_parts_the_retrains(m, r):
    ways = held_out(m, r, "here")
    assert len(ways) == min(comb(r, m), SPLITS)
    for held, rest in ways:
        assert len(held) == m and sorted([*held, *rest]) == list(range(r))


@pytest.mark.parametrize(("m", "r"), [(1, 2), (0, 3), (3, 3)])
def test_too_few_retrains_are_refused(m, r):
    with pytest.raises(DataError, match="retrains"):
        held_out(m, r, "here")


def test_nothing_to_compare_is_refused():
    with pytest.raises(DataError, match="no unit"):
        against("x", {"a": np.zeros((1, 0))}, np.zeros((3, 0)), difference)


def test_the_estimate_is_the_difference_of_means():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 30)), rng.normal(size=(6, 30))
    line = against("x", {"a": one}, two, difference).line("a")
    # every retrain is held out as often as every other
    assert line["estimate"] == pytest.approx(one.mean() - two.mean())
    assert line["n"] == 30


def test_an_interval_draws_people_and_not_units():
    rng = np.random.default_rng(1)
    each = rng.normal(size=10)
    people = np.repeat(np.arange(10), 40)
    wide = interval(each[people][None], people, 0)
    narrow = interval(each[people][None], np.arange(400), 0)
    assert wide[2] - wide[1] > 3 * (narrow[2] - narrow[1])
    half = 1.96 * each.std() / 10**0.5
    assert wide[2] - wide[1] == pytest.approx(2 * half, rel=0.25)


def test_shares_that_are_all_one_have_a_width():
    assert interval(np.ones((3, 12)), np.arange(12), 0)[1] == pytest.approx(0.757, abs=0.01)


@pytest.mark.parametrize(("m", "r"), [(2, 6), (1, 3)])
@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.0, 0.08), (1.2, 0.8, 1.0)])
def test_how_often_a_line_fires(m, r, shift, low, high):
    """Seeds move people together; a method without effect fires rarely, one with an effect nearly
    always."""
    fired = 0
    for draw in range(60):
        rng = np.random.default_rng(draw)
        person = rng.normal(size=40)
        one, two = (rng.normal(0, 0.15, (n, 1)) + rng.normal(size=(n, 40)) for n in (m, r))
        found = against("x", {"a": person + shift + one}, person + two, difference)
        fired += bool(found.line("a")["fires"])
    assert low <= fired / 60 <= high


def test_a_likeness_of_pairs_fires_by_chance_as_rarely():
    """Models that are odd by themselves: a pair is as unlike as both are odd."""
    fired = 0
    for draw in range(60):
        rng = np.random.default_rng(draw)
        odd = rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(5, 30))
        pairs = of_pairs({"a": odd[:2]}, odd[2:], lambda one, other: one + other)
        fired += bool(against("x", *pairs).line("a")["fires"])
    assert fired / 60 <= 0.1


def test_pairs_are_the_mean_over_pairs():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 7)), rng.normal(size=(3, 7))
    values, retrained, statistic = of_pairs({"b": one[:1], "a": one}, two, np.multiply)
    found = statistic(values["a"], retrained[[0, 2]])
    np.testing.assert_allclose(found, one.mean(axis=0) * two[[0, 2]].mean(axis=0))


def test_rounding_does_not_fire():
    same = np.random.default_rng(0).random(20)
    retrained = np.stack([same] * 3)
    found = against("x", {"exact": retrained[:1] + 1e-15}, retrained, difference)
    assert not found.table["fires"].any()


def test_a_table_of_checks_and_its_static_form():
    rng = np.random.default_rng(0)
    found = against("x", {"<b>a": rng.normal(5, 1, (2, 30))}, rng.normal(size=(6, 30)), difference)
    assert found.to_frame().columns.tolist() == COLUMNS
    assert found.table["row"].tolist() == ["<b>a", "retrain"]
    assert repr(found) == "Audit(1 checks: 1 of 2 lines fire)"
    page = found._repr_html_()
    assert "outside the null" in page and "&lt;b&gt;a" in page and "<b>" not in page
