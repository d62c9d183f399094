"""Lists and ranks under one rule for ties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from tests.reports.shops import shop
from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.recommend import scores_or_none, top_k

scores = hnp.arrays(np.float64, (3, 6), elements=st.integers(-2, 2).map(float))
masks = hnp.arrays(np.bool_, (3, 6))


@given(scores, masks, st.integers(1, 8))
def test_top_k_is_the_sorted_list_by_score_then_code(table, out, k):
    lists = top_k(table, k, sparse.csr_array(out.astype(float)), alike=True)
    for b in range(3):
        want = sorted((i for i in range(6) if not out[b, i]), key=lambda i: (-table[b, i], i))[:k]
        assert [i for i in lists[b] if i >= 0] == want


@given(
    st.integers(1, 5),
    st.integers(1, 300),
    st.integers(0, 6),
    st.sampled_from([np.float32, np.float64, np.int64]),
)
def test_long_rows_are_ranked_like_short_ones(k, n, levels, dtype):
    rng = np.random.default_rng(n * 7 + levels)
    table = rng.integers(-levels, levels + 1, (4, n)).astype(dtype)
    table[1] *= rng.random(n) < 0.02  # nearly all tie
    if dtype != np.int64:
        table[2, rng.random(n) < 0.3] = np.nan  # none of these is ever listed
        table[3, rng.random(n) < 0.9] = -np.inf
    before = table.copy()
    for exclude in (None, sparse.random_array(table.shape, density=0.2, format="csr", rng=rng)):
        out = np.zeros(table.shape, bool) if exclude is None else exclude.toarray() != 0
        said = top_k(table, k, exclude)
        for b, got in enumerate(top_k(table, k, exclude, alike=True)):
            there = [i for i in range(n) if not out[b, i] and table[b, i] > -np.inf]
            want = sorted(there, key=lambda i, b=b: (-table[b, i], i))[:k]
            assert got.tolist() == want + [-1] * (min(k, n) - len(want))
            undecided = len(there) > 1 and len({table[b, i] for i in there}) == 1
            assert said[b].tolist() == ([-1] * min(k, n) if undecided else got.tolist())
    assert np.array_equal(table, before, equal_nan=dtype != np.int64)


def test_scores_that_differ_in_the_last_bit_do_not_tie():
    assert top_k(np.array([[1.0, np.nextafter(1.0, 2)]]), 1).tolist() == [[1]]
    assert top_k(np.array([[1.0, np.nextafter(np.float32(1), 2)]], np.float32), 1).tolist() == [[1]]
    assert top_k(np.zeros((0, 3)), 2).shape == (0, 2)


@given(scores, masks, st.integers(1, 8))
def test_where_all_that_is_left_has_one_score_there_is_no_list(table, out, k):
    mask = sparse.csr_array(out.astype(float))
    listed = top_k(table, k, mask, alike=True)
    for b, found in enumerate(top_k(table, k, mask)):
        left = table[b, ~out[b]]
        undecided = len(left) > 1 and (left == left[0]).all()
        assert np.array_equal(found, np.full(len(found), -1) if undecided else listed[b])


@pytest.mark.parametrize("k", [0, -1, 2.0, 1.5, True, "3", None, (1, 2), np.array([1, 2]), []])
def test_the_length_of_a_list_is_a_whole_number_from_one(k):
    with pytest.raises(ConfigError, match="a whole number from 1"):
        top_k(np.array([[1.0, 2.0]]), k)
    assert top_k(np.array([[1.0, 2.0]]), np.int32(1)).tolist() == [[1]]


class Reader:
    """Scores by counts; refuses empty histories."""

    def score(self, histories):
        if (np.diff(histories.offsets) == 0).any():
            raise DataError("an empty history")
        return histories.counts().toarray()


def test_histories_that_a_model_cannot_answer_have_no_list():
    histories = shop(1)[0].histories([3, 11, 0])  # shopper 11 has no row
    scores = scores_or_none(Reader(), histories)
    assert np.isnan(scores).all(axis=1).tolist() == [False, True, False]
    assert np.array_equal(scores[[0, 2]], histories.counts().toarray()[[0, 2]])
    assert (top_k(scores, 3)[1] == -1).all()
    assert np.isnan(scores_or_none(Reader(), histories.select([1]))).all()


class Knows:
    """Knows some users; refuses a batch that has another one."""

    def __init__(self, users):
        self.users, self.asked = users, 0

    def score(self, histories):
        self.asked += 1
        if not np.isin(histories.user, self.users).all():
            raise UnknownUser("somebody else")
        return histories.counts().toarray() + 0.1


def test_users_that_a_model_does_not_know_have_no_list():
    histories = shop(1)[0].histories()
    model = Knows([2, 5, 6])
    scores = scores_or_none(model, histories)
    assert np.flatnonzero(~np.isnan(scores).any(axis=1)).tolist() == [2, 5, 6]
    # in float64, as the model gave them
    assert np.array_equal(scores[[2, 5]], histories.counts().toarray()[[2, 5]] + 0.1)
    assert model.asked <= 2 * len(histories)
    assert np.isnan(scores_or_none(Knows([]), histories)).all()
    nobodys = replace(histories, user=np.full(len(histories), -1, dtype=np.int32))
    with pytest.raises(UnknownUser):  # asked without an owner: no question of who is known
        scores_or_none(Knows([2]), nobodys)


def test_what_is_excluded_is_said_of_every_list():
    for out in (np.ones((1, 3)), [1, 2]):
        with pytest.raises(DataError, match="exclude"):
            top_k(np.ones((2, 3)), 1, out)
    for scores in (np.ones(3), np.array([["a"]])):
        with pytest.raises(DataError, match="scores"):
            top_k(scores, 1)
    assert top_k(np.ones((2, 0)), 3).shape == (2, 0)
