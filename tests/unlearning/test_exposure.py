"""Never had, exposure and churn against sets and brute force."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from tests.reports.shops import shop
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, UnknownItem
from workbench.recommend import ALS, BPR, EASE, BPRConfig, ItemKNN, Popularity
from workbench.recommend.training import Training
from workbench.statistics import bootstrap_mean, wilson
from workbench.unlearning.exposure import (
    apart,
    churn,
    exposure,
    matched_mean,
    matched_share,
    never_had,
    off_refit,
    replaced,
    share,
)

HELD = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 6)))
K = 4


@st.composite
def padded(draw, rows, items=9):
    """Lists of at most K different items, padded with −1."""
    one = st.lists(st.integers(0, items - 1), max_size=K, unique=True)
    drawn = draw(st.lists(one, min_size=rows, max_size=rows))
    return np.array([[*items, *[-1] * (K - len(items))] for items in drawn])


def as_set(row):
    return {int(item) for item in row if item >= 0}


# --- never had ------------------------------------------------------------------------------------


@given(HELD, st.data())
def test_never_had_is_the_nearest_by_brute_force(held, data):
    users, items = held.shape
    topic = data.draw(st.lists(st.integers(0, items - 1), unique=True))
    people = data.draw(st.lists(st.integers(0, users - 1), min_size=1, max_size=4))
    left = data.draw(st.lists(st.integers(0, 9), min_size=len(people), max_size=len(people)))
    n = data.draw(st.integers(1, 5))
    caliper = data.draw(st.sampled_from([None, 0.0, 0.1, 0.5, 2.0]))
    matrix = sparse.csr_array(held.astype(float))
    found = never_had(matrix, topic, left, n, caliper, users=people)
    assert found.shape == (len(people), n)
    for row, (person, size) in enumerate(zip(people, left, strict=True)):
        # everybody in the order of distance, then code
        order = sorted((abs(int(held[u].sum()) - size), u) for u in range(users))
        wanted = []
        for away, user in order:
            holder = any(held[user, item] for item in topic)
            far = caliper is not None and away > max(caliper * size, 2)
            if user != person and held[user].any() and not holder and not far:
                wanted.append(user)
        wanted = wanted[:n]
        assert found[row].tolist() == wanted + [-1] * (n - len(wanted))


def test_who_never_had_it():
    rows = [(0, 0)] + [(1, i) for i in (1, 2, 3)] + [(2, 1), (3, 4), (3, 5)]
    log = Interactions.from_table(
        pd.DataFrame(rows, columns=["user", "item"]),
        users=pd.Index(range(5)),
        items=pd.Index(range(6)),
    )
    left = np.array([1, 2, 3, 9, 0])
    assert never_had(log, [0], left, 1, None)[:, 0].tolist() == [2, 3, 1, 1, 2]
    assert never_had(log, [0], left, n=1)[:, 0].tolist() == [2, 3, 1, -1, 2], "nobody holds about 9"
    assert never_had(log, np.arange(6), [1], n=2).tolist() == [[-1, -1]]
    assert never_had(log, [0], [2], n=3).tolist() == [[3, 1, 2]], "among equals the lower code"
    assert never_had(log, [0], [9], n=1, caliper=0.67).tolist() == [[1]]
    assert never_had(log, [0], [9], n=1, caliper=0.66).tolist() == [[-1]], "too far away"
    assert never_had(log.matrix(), [0], [2], n=1, users=[3]).tolist() == [[1]], "not themselves"


def test_alike_is_a_tenth_more_or_fewer_and_at_least_two():
    held = sparse.csr_array(np.tri(60, 61, 0)[:, ::-1])  # users with 1, 2, ..., 60 of the items
    for size, least, most in [(50, 45, 55), (30, 27, 33), (8, 6, 10), (1, 1, 3), (0, 1, 2)]:
        found = never_had(held, [0], [size], n=60)[0]
        assert sorted(found[found >= 0] + 1) == list(range(least, most + 1)), size
    assert (never_had(held, [0], [80], n=3) == -1).all()


def test_a_stored_zero_is_not_held():
    held = sparse.csr_array(np.ones((3, 3)))
    # user 0 holds item 1 alone, user 1 items 1 and 2, user 2 all
    held.data[[0, 2, 3]] = 0.0
    assert never_had(held, [0], [2], n=3).tolist() == [[1, 0, -1]]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 1, "caliper": -1}])
def test_what_cannot_be_matched_is_refused(wrong):
    with pytest.raises(ConfigError, match=r"never_had|n = 0"):
        never_had(sparse.csr_array(np.eye(2)), [0], [1], **wrong)


# --- intervals that draw matches ------------------------------------------------------------------


def test_a_match_is_drawn_with_all_its_pairs():
    rng = np.random.default_rng(0)
    values = rng.random(40)
    alone = matched_mean(values, np.arange(40))
    assert alone == pytest.approx(bootstrap_mean(values)), "a match each: the plain interval"
    # by hand: eight matches of one to fourteen pairs each
    matches = np.repeat(np.arange(8), [1, 1, 2, 3, 4, 6, 9, 14])
    groups = [values[matches == match] for match in range(8)]
    draws = [
        np.concatenate([groups[match] for match in drawn]).mean()
        for drawn in rng.integers(0, 8, (4000, 8))
    ]
    assert matched_mean(values, matches)[1:] == pytest.approx(
        np.quantile(draws, [0.025, 0.975]), abs=0.015
    )


def test_one_match_for_many_widens_the_interval():
    values = np.r_[np.ones(30), np.zeros(10), np.tile([0.0, 1.0], 10)]
    matches = np.r_[np.zeros(30), np.ones(10), np.arange(2, 22)]
    _, low, high = matched_mean(values, matches)
    _, narrow, wide = bootstrap_mean(values)
    assert high - low > 1.5 * (wide - narrow)


def test_too_few_matches_and_wrong_input():
    assert np.isnan(matched_mean(np.array([1.0, 0.0]), np.array([3, 3]))[1:]).all()
    assert np.isnan(matched_mean(np.array([]), np.array([]))).all()
    for values in ([1.0, np.nan], [1.0]):
        with pytest.raises(DataError, match="matched_mean"):
            matched_mean(np.array(values), np.array([0, 1]))


# --- exposure -------------------------------------------------------------------------------------


@given(padded(rows=5), st.data())
def test_exposure_and_share_are_those_of_sets(lists, data):
    topic = data.draw(st.lists(st.integers(0, 8), unique=True))
    found, shares = exposure(lists, topic), share(lists, topic)
    for row, (one, part) in enumerate(zip(found, shares, strict=True)):
        both = as_set(lists[row]) & set(topic)
        assert one == (1.0 if both else 0.0)
        assert part == len(both) / max(len(as_set(lists[row])), 1)


@given(padded(rows=5), arrays(bool, (5, 9)))
def test_each_list_may_have_items_of_its_own(lists, own):
    found = exposure(lists, sparse.csr_array(own))
    wanted = [exposure(lists[[row]], np.flatnonzero(own[row]))[0] for row in range(5)]
    assert found.tolist() == wanted


# --- churn ----------------------------------------------------------------------------------------


@given(padded(rows=4), padded(rows=4), st.randoms())
def test_churn_is_that_of_sets(before, after, random):
    found, count = churn(before, after), replaced(before, after)
    for row in range(4):
        old, new = as_set(before[row]), as_set(after[row])
        size = max(len(old), len(new))
        assert count[row] == size - len(old & new)
        assert found[row] == pytest.approx(count[row] / max(size, 1))
        assert (found[row] == 0) == (old == new)
        assert (found[row] == 1) == (bool(old | new) and not old & new)
    assert np.array_equal(found, churn(after, before))
    assert (found >= 0).all() and (found <= 1).all()
    # the order within a list does not count, nor where its padding stands
    places = list(range(K))
    random.shuffle(places)
    assert np.array_equal(found, churn(before[:, places], after))


# --- exact is what a refit confirms ---------------------------------------------------------------


class Halfway(EASE):
    """A model that forgets half of what it is told to."""

    def forget(self, removed):
        return super().forget(removed.select(np.arange(len(removed)) % 2 == 0))


class Stubborn(EASE):
    """A model that forgets nothing."""

    def forget(self, removed):
        return self


@pytest.mark.parametrize("model", [EASE(), ItemKNN(), Popularity()], ids=repr)
def test_a_forget_that_equals_a_refit_is_off_by_nothing(model):
    log, _ = shop(1, n_users=30, n_rows=400)
    scores = model.fit(log).score(log.histories()).copy()
    assert off_refit(model, log) == 0.0
    assert np.array_equal(model.score(log.histories()), scores), "asked in copies"


def test_a_model_that_is_refitted_has_nothing_to_be_off():
    log, _ = shop(1)
    assert off_refit(ALS(), log) == 0.0, "not even fitted"


@pytest.mark.parametrize("kind", [Halfway, Stubborn])
def test_a_forget_that_is_off_a_refit_says_by_how_much(kind):
    log, _ = shop(1, n_users=30, n_rows=400)
    model = kind().fit(log)
    ids = log.frame["interaction"][1:20:2]
    left = log.without(ids)
    histories = left.histories(np.unique(left.frame["user"]))
    found = model.copy().forget(log.only(ids)).score(histories)
    want = kind().fit(left).score(histories)
    wanted = np.abs(found - want).max() / max(np.abs(want).max(), 1.0)
    assert off_refit(model, log) == pytest.approx(wanted) and wanted > 1e-3


def test_models_are_apart_by_their_largest_difference():
    log, _ = shop(2)
    one, other = Popularity().fit(log), Popularity().fit(log.select(np.arange(len(log)) >= 10))
    histories = log.histories(np.unique(log.frame["user"]))
    found, want = (model.score(histories) for model in (one, other))
    assert apart(one, other, log) == pytest.approx(np.abs(found - want).max() / want.max())
    assert apart(one, one, log) == 0.0


def test_models_that_know_people_by_their_codes_are_asked_about_them():
    log, _ = shop(2)
    config = BPRConfig(embedding=4, training=Training(epochs=1, batch=64))
    assert apart(BPR(config).fit(log), BPR(config).fit(log), log) == 0.0


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"n": 1.5}, ConfigError),
        ({"items": [9]}, UnknownItem),
        ({"items": [-1]}, UnknownItem),
        ({"items": [True, False]}, ConfigError),
        ({"users": [0, 1]}, DataError),
    ],
    ids=str,
)
def test_items_and_people_that_are_none_match_nobody(wrong, error):
    held = sparse.csr_array(np.eye(2))
    with pytest.raises(error):
        never_had(held, **({"items": [0], "left": [1], "n": 1} | wrong))


def test_shares_of_matches_are_shares():
    assert matched_share(np.ones(7), np.zeros(7)) == (1, *wilson(1, 1)), "one match, one draw"
    assert np.isnan(matched_share(np.array([]), np.array([]))).all()
    for values, matches in (([0.3, 7], [3, 4]), ([np.nan, 1], [3, 4]), ([1, 1], [3])):
        with pytest.raises(DataError, match="matched_share"):
            matched_share(values, matches)
    # all alike: a bootstrap would have no width
    one, lost = np.ones(5), -np.ones(5)
    assert matched_mean(one, np.arange(5)) == (1, *wilson(5, 5))
    mean, low, high = matched_mean(lost, np.arange(5), differences=True)
    assert (mean, low) == (-1, -1) and -1 < high < 0
