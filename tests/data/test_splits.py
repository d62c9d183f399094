"""Splits: laws for every log, the definitions on small ones, clear errors."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data import Interactions, split
from workbench.data.splits import SPLITS
from workbench.errors import ConfigError, DataError

rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 30), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)


def make(table, times=True):
    frame = pd.DataFrame(table, columns=["user", "item", "time", "group"])
    return Interactions.from_table(
        frame,
        timestamp="time" if times else None,
        session="group",
        basket="group",
        users=pd.Index(range(6)),
        items=pd.Index(range(8)),
    )


def parts(result):
    return result.train, result.valid, result.test


@given(rows, st.sampled_from(sorted(SPLITS)))
def test_parts_partition_the_rows_and_carry_the_indexes(table, how):
    log = make(table)
    result = split(log, how)
    assert sorted(i for part in parts(result) for i in part.frame["interaction"]) == sorted(
        log.frame["interaction"]
    )
    for part in parts(result):
        assert part.users is log.users and part.items is log.items
        assert part.matrix().shape == (6, 8)
        assert part.frame["position"].is_monotonic_increasing
    assert list(result.to_frame()["rows"]) == [len(part) for part in parts(result)]


@given(rows, st.sampled_from(["temporal", "leave_one_out"]))
def test_every_user_is_cut_in_time_order(table, how):
    result = split(make(table), how)
    for user in range(6):
        positions = [part.rows_of(user)["position"].to_numpy() for part in parts(result)]
        assert (np.diff(np.concatenate(positions)) > 0).all()


@given(rows)
def test_temporal_sizes_are_those_of_the_definition(table):
    log = make(table)
    result = split(log, "temporal", train=0.8, valid=0.1)
    for user, n in log.frame["user"].value_counts().items():
        assert len(result.train.rows_of(user)) == 8 * n // 10
        assert len(result.test.rows_of(user)) == n - 9 * n // 10


def sizes_of_recbole(n, ratios):
    """Rows of a user of n in each part, one by one: RecBole 1.2.1 as read from its code."""
    sizes = [int(share * n) for share in ratios]
    sizes[0] = n - sizes[1] - sizes[2]
    for part in (2, 1):
        if sizes[0] > 1 and 0 < ratios[part] * n < 1:
            sizes[part] += 1
            sizes[0] -= 1
    return sizes


@settings(max_examples=20)
@given(
    rows,
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.75, 0.0, 0.25)]),
    st.integers(0, 3),
)
def test_random_sizes_are_those_of_recbole_and_the_seed_tells_the_draw(table, ratios, seed):
    log = make(table)
    result = split(log, "random", train=ratios[0], valid=ratios[1], seed=seed)
    for user, n in log.frame["user"].value_counts().items():
        assert [len(part.rows_of(user)) for part in parts(result)] == sizes_of_recbole(n, ratios)
    again = split(log, "random", train=ratios[0], valid=ratios[1], seed=seed)
    assert all(
        one.frame.equals(two.frame) for one, two in zip(parts(result), parts(again), strict=True)
    )


def test_random_draws_every_row_as_often_as_any_other():
    log = make([(user, 1, time, 0) for user in range(6) for time in range(10)])
    tests = np.concatenate(
        [split(log, "random", seed=seed).test.frame["interaction"] for seed in range(200)]
    )
    counts = np.bincount(tests, minlength=60)
    # 4.7 standard deviations of Binomial(200, .1)
    assert counts.sum() == 6 * 200 and abs(counts - 20).max() < 20


@given(rows)
def test_leave_one_out_takes_the_last_row_of_whoever_has_two(table):
    log = make(table)
    result = split(log, "leave_one_out")
    for user in range(6):
        all_rows, n = log.rows_of(user), len(log.rows_of(user))
        assert [len(part.rows_of(user)) for part in parts(result)] == [
            n - (n > 1) - (n > 2),
            int(n > 2),
            int(n > 1),
        ]
        if n > 1:
            assert list(result.test.rows_of(user)["interaction"]) == list(
                all_rows["interaction"].tail(1)
            )


@given(rows)
def test_global_time_cuts_everybody_at_the_same_times(table):
    result = split(make(table), "global_time", quantiles=(0.5, 0.75))
    latest = None
    for part in parts(result):
        if len(part):
            assert latest is None or latest < part.frame["timestamp"].min()
            latest = part.frame["timestamp"].max()


@given(rows)
def test_sessions_stay_whole_and_train_sessions_begin_first(table):
    result, begins = split(make(table), "session"), []
    keys = [set(map(tuple, part.frame[["user", "session"]].to_numpy())) for part in parts(result)]
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
    for part in parts(result):
        begins += sorted(part.frame.groupby(["user", "session"])["position"].min())
    assert begins == sorted(begins)


@given(rows)
def test_next_basket_takes_the_basket_that_begins_last(table):
    log = make(table)
    result = split(log, "next_basket")
    for user in range(6):
        mine = log.rows_of(user)
        begins = mine.groupby("basket")["position"].min().sort_values()
        expected = (
            set(mine.loc[mine["basket"] == begins.index[-1], "interaction"])
            if len(begins) > 1
            else set()
        )
        assert set(result.test.rows_of(user)["interaction"]) == expected


def test_ties_stay_in_file_order():
    result = split(make([(0, item, 5, 0) for item in (3, 1, 2)]), "leave_one_out")
    assert [list(part.frame["item"]) for part in parts(result)] == [[3], [1], [2]]


def test_a_user_can_be_emptied_and_keeps_the_place():
    result = split(make([(2, 1, 5, 0)]), "temporal")
    assert len(result.train) == 0 and len(result.test) == 1
    assert result.train.histories().matrix().shape == (6, 8)
    assert repr(result) == "Split(temporal: train 0, valid 0, test 1 rows)"


def test_ratios_do_not_lose_a_row_to_rounding():
    result = split(make([(0, 1, t, 0) for t in range(10)]), "temporal", train=0.7, valid=0.1)
    assert [len(part) for part in parts(result)] == [7, 1, 2]


def test_global_time_at_dates():
    table = [(0, 1, 0, 0), (1, 2, 86_400, 0), (0, 3, 2 * 86_400, 0)]
    result = split(make(table), "global_time", at=("1970-01-02", "1970-01-03"))
    assert [list(part.frame["item"]) for part in parts(result)] == [[1], [2], [3]]


def test_html_counts_without_styles():
    html = split(make([(0, 1, t, 0) for t in range(10)]))._repr_html_()
    assert re.search("<td[^>]*>train</td><td[^>]*>8</td>", html)


@pytest.mark.parametrize(
    ("how", "options", "error", "message"),
    [
        ("by luck", {}, ConfigError, "no split 'by luck'"),
        ("random", {"train": 0.95}, ConfigError, "0 ≤ valid ≤ 1 − train"),
        ("temporal", {"ratio": 0.5}, ConfigError, "no option 'ratio'"),
        ("temporal", {"train": 0.9, "valid": 0.2}, ConfigError, "0 < train < 1"),
        ("temporal", {"by": "luck"}, ConfigError, "'time' or 'position'"),
        ("global_time", {"at": ("soon", "later")}, ConfigError, "unreadable time"),
        ("global_time", {"at": ("2025-02-01", "2025-01-01")}, ConfigError, "the earlier first"),
        ("global_time", {"quantiles": (0.9, 0.8)}, ConfigError, "two rising numbers"),
    ],
)
def test_wrong_options_are_named(how, options, error, message):
    with pytest.raises(error, match=message):
        split(make([(0, 1, 5, 0), (0, 2, 6, 0)]), how, **options)


@pytest.mark.parametrize("how", sorted(SPLITS))
def test_absent_times_are_an_error_that_says_what_to_do(how):
    log = make([(0, 1, 5, 0), (0, 2, 6, 0)], times=False)
    if how == "random":  # goes by no order
        assert sum(map(len, parts(split(log, how)))) == 2
        return
    with pytest.raises(DataError, match="2 of 2 rows have no time"):
        split(log, how)
    if how != "global_time":
        assert sum(map(len, parts(split(log, how, by="position")))) == 2


@pytest.mark.parametrize(("how", "column"), [("session", "session"), ("next_basket", "basket")])
def test_absent_sessions_and_baskets_are_an_error(how, column):
    log = Interactions.from_table(pd.DataFrame({"user": [1], "item": [2], "t": [3]}), timestamp="t")
    with pytest.raises(DataError, match=f"1 of 1 rows have no {column}"):
        split(log, how)
