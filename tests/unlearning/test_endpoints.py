"""Verdicts against their definition; intervals against simulations whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.errors import DataError
from workbench.unlearning.endpoints import (
    DIFFERENT,
    EQUIVALENT,
    MARGIN,
    UNDECIDED,
    VERDICTS,
    Distance,
    distance,
    margin_of,
    null,
)

VALUES = st.floats(0, 1, width=32)
TWO = arrays(float, (2, 7), elements=VALUES)
SIX = arrays(float, (6, 7), elements=VALUES)


def close(one: Distance, other: Distance, shift: float = 0.0) -> None:
    for side in ("estimate", "low", "high", "low90", "high90"):
        assert getattr(one, side) + shift == pytest.approx(getattr(other, side), abs=1e-9)


# --- laws -----------------------------------------------------------------------------------------


@given(TWO, SIX, st.floats(0.001, 0.5))
def test_a_verdict_is_one_of_three_and_what_its_definition_says(one, two, margin):
    found = distance(one, two, margin)
    inside = -margin < found.low90 and found.high90 < margin
    outside = not found.low <= 0 <= found.high and abs(found.estimate) > margin
    assert found.verdict in VERDICTS
    assert (found.verdict == EQUIVALENT) == inside
    assert (found.verdict == DIFFERENT) == (outside and not inside)
    assert not (inside and outside)


@given(TWO, SIX)
def test_both_sides_count_alike(one, two):
    there, back = distance(one, two), distance(two, one)
    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert there.low90 == pytest.approx(-back.high90, abs=1e-12)
    assert there.low == pytest.approx(-back.high, abs=1e-12)


@given(TWO, SIX, st.floats(-1, 1))
def test_a_shift_of_the_method_shifts_the_interval(one, two, shift):
    close(distance(one, two), distance(one + shift, two), shift)


@given(TWO, SIX, st.permutations(range(7)))
def test_what_no_unit_and_no_seed_is_named_by_does_not_matter(one, two, order):
    close(distance(one, two), distance(one[::-1][:, order], two[::-1][:, order]))


@given(TWO, SIX, st.floats(-0.5, 0.5))
def test_what_a_unit_has_in_common_cancels(one, two, common):
    """Pairing: an item that is easy for somebody is easy for all models."""
    easy = np.linspace(-1, 1, 7) * common
    close(distance(one, two), distance(one + easy, two + easy))


def test_decidable_is_the_smallest_margin_that_could_have_shown_equivalence():
    rng = np.random.default_rng(0)
    found = distance(rng.normal(0, 0.1, (2, 50)), rng.normal(0, 0.1, (6, 50)))
    centred = Distance(
        0.0, -1, 1, -found.decidable, found.decidable, found.decidable * 1.001, found.n
    )
    assert centred.verdict == EQUIVALENT
    assert Distance(0.0, -1, 1, -0.2, 0.2, 0.199, 9).verdict == UNDECIDED


def test_models_that_are_equal_have_no_distance():
    values = np.random.default_rng(0).random((1, 9))
    found = distance(values, values)
    assert (found.low, found.high, found.verdict) == (0, 0, EQUIVALENT)


def test_units_without_a_value_are_left_out_and_counted():
    one, two = np.array([[0.5, np.nan, 0.7]]), np.array([[0.4, 0.2, 0.5], [0.4, 0.2, 0.5]])
    found = distance(one, two)
    assert (found.n, found.estimate) == (2, pytest.approx(0.15))
    nobody = distance(one[:, [1]], two[:, [1]])
    assert (nobody.n, nobody.verdict) == (0, UNDECIDED)
    assert distance(one[:, [0]], two[:1, [0]]).verdict == UNDECIDED


def test_tables_of_other_units_are_refused():
    with pytest.raises(DataError, match="same units"):
        distance(np.zeros((2, 3)), np.zeros((2, 4)))


# --- margin and null ------------------------------------------------------------------------------


@given(st.floats(-1, 1))
def test_the_margin_is_never_wider_than_half_of_doing_nothing(no_op):
    assert margin_of(no_op) == min(MARGIN, abs(no_op) / 2)


def test_the_margin_is_the_fixed_one_where_doing_nothing_is_not_known():
    assert margin_of(float("nan")) == MARGIN
    # doing nothing is never equivalent, however little it is off
    one, two = np.full((2, 40), 0.502), np.full((6, 40), 0.5)
    assert distance(one, two, margin_of(0.002)).verdict == DIFFERENT


def test_the_null_takes_every_choice_of_retrains():
    means = np.arange(6.0)
    found = null(np.repeat(means[:, None], 3, axis=1), bases=2)
    assert len(found) == 15
    assert found.min() == pytest.approx(0.5 - 3.5)
    assert found.mean() == pytest.approx(0)
    assert len(null(np.zeros((2, 3)), bases=2)) == 0


# --- coverage -------------------------------------------------------------------------------------


def bootstrap(one, two, draws=2_000):
    """Bounds from draws of units, bases and retrains: low, high, and those of 90 %."""
    rng = np.random.default_rng(0)
    # counts in place of copies: how often each was drawn
    counts = (one.shape[1], len(one), len(two))
    units, bases, seeds = (rng.multinomial(n, np.full(n, 1 / n), draws) / n for n in counts)
    found = ((units @ one.T) * bases).sum(axis=1) - ((units @ two.T) * seeds).sum(axis=1)
    return np.quantile(found, (0.025, 0.975, 0.05, 0.95))


def by_t(one, two):
    """The bounds of `distance`."""
    found = distance(one, two)
    return found.low, found.high, found.low90, found.high90


def covered(bases, seeds, users=0.05, noise=0.1, units=60, worlds=400, how=by_t):
    """How often 0, the truth, is inside the 95 % and the 90 % interval; bases, seeds: standard
    deviations of two bases and six retrains."""
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(worlds):
        common = rng.normal(0, 0.3, units)
        one = common + rng.normal(0, users, units) + rng.normal(0, bases, (2, 1))
        two = common + rng.normal(0, seeds, (6, 1))
        one = one + rng.normal(0, noise, (2, units))
        two = two + rng.normal(0, noise, (6, units))
        low, high, low90, high90 = how(one, two)
        inside.append((low < 0 < high, low90 < 0 < high90))
    return np.mean(inside, axis=0)


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03], ids=["none", "little", "much"])
@pytest.mark.parametrize("users", [0.0, 0.05], ids=["retrain", "method"])
def test_intervals_cover_where_bases_vary_as_retrains_do(spread, users):
    """Three standard errors below what is claimed are allowed."""
    wide, narrow = covered(spread, spread, users)
    assert wide >= 0.95 - 3 * (0.95 * 0.05 / 400) ** 0.5
    assert narrow >= 0.9 - 3 * (0.9 * 0.1 / 400) ** 0.5


def test_a_bootstrap_of_two_bases_is_too_narrow_and_that_is_said():
    wide, narrow = covered(0.03, 0.03, worlds=60, how=bootstrap)
    assert wide < 0.92 and narrow < 0.88
    wide, narrow = covered(0.03, 0.01)
    assert 0.86 < wide < 0.95 and 0.79 < narrow < 0.9
