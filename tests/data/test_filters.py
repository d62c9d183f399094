"""Filters: what is kept, what is counted, and the published sizes of ml-100k."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import (
    Catalogue,
    Interactions,
    keep_actions,
    keep_at_least,
    keep_baskets,
    keep_core,
    read_recbole,
    split,
)
from workbench.errors import ConfigError, DataError
from workbench.sources.steps import cut_sessions, drop_equal, prepare

rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=60
)


def make(table):
    frame = pd.DataFrame(table, columns=["user", "item", "stars"]).assign(action="rating")
    return Interactions.from_table(frame, value="stars", action="action")


def core_by_brute_force(pairs, users, items):
    while True:
        kept = [
            (u, i)
            for u, i in pairs
            if sum(v == u for v, _ in pairs) >= users and sum(j == i for _, j in pairs) >= items
        ]
        if len(kept) == len(pairs):
            return kept
        pairs = kept


@given(rows, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_core_is_what_brute_force_finds(table, users, items, reindex):
    log = make(table)
    expected = core_by_brute_force([(u, i) for u, i, _ in table], users, items)
    if not expected:
        with pytest.raises(DataError, match="no row is left"):
            keep_core(log, users, items)
        return
    kept = keep_core(log, users, items, reindex=reindex)
    frame = kept.log.frame
    assert (
        list(zip(kept.log.users[frame["user"]], kept.log.items[frame["item"]], strict=True))
        == expected
    )
    assert kept.dropped["rows"].sum() == len(table) - len(expected)
    if reindex:
        assert (
            kept.log.n_users == frame["user"].nunique()
            and kept.log.n_items == frame["item"].nunique()
        )
        assert np.array_equal(log.items[kept.items], kept.log.items)
        kept.log.histories()
    else:
        assert kept.log.users is log.users and kept.log.items is log.items


def test_chaining_accumulates_the_counts():
    log = make(
        [("a", "x", 5), ("a", "y", 5), ("b", "x", 4), ("b", "y", 4), ("c", "z", 1), ("c", "x", 5)]
    )
    kept = keep_core(keep_at_least(keep_actions(log, "rating"), 4), users=2, items=2)
    assert kept.dropped.to_dict("records") == [
        {"filter": "action in rating", "rows": 0, "users": 0, "items": 0},
        {"filter": "value >= 4", "rows": 1, "users": 0, "items": 1},
        {"filter": "core of 2 per user, 2 per item", "rows": 1, "users": 1, "items": 0},
    ]
    assert repr(kept) == "Filtered(4 rows kept, 2 dropped)"
    assert re.search("<td[^>]*>value &gt;= 4</td><td[^>]*>1</td>", kept._repr_html_())


def test_the_catalogue_follows_a_new_index():
    log = make([("a", "x", 1), ("a", "y", 5), ("b", "z", 5)])
    catalogue = Catalogue.from_table(
        pd.DataFrame({"item": [0, 1, 2], "title": ["X", "Y", "Z"], "category": ["p", "q", "p"]})
    )
    kept = keep_core(keep_at_least(log, 4), 1, 1, reindex=True)
    matched = kept.match(catalogue)
    assert [matched.title(code) for code in range(2)] == ["Y", "Z"]
    assert list(matched.items_of("p")) == [kept.log.item_code("z")]


def test_filters_refuse_what_is_not_there():
    log = make([("a", "x", 1)])
    with pytest.raises(ConfigError, match=r"no action 'buy'.*rating"):
        keep_actions(log, ["buy"])
    with pytest.raises(DataError, match="no row is left after 'value >= 4'"):
        keep_at_least(log, 4)
    with pytest.raises(DataError, match="no row has a value"):
        keep_at_least(Interactions.from_table(pd.DataFrame({"user": [1], "item": [2]})), 4)


@pytest.mark.real
def test_ml_100k_has_the_sizes_measured_outside(real_data):
    kept = keep_core(
        keep_at_least(read_recbole(real_data / "ml-100k-recbole").log, 4), reindex=True
    )
    assert (kept.log.n_users, kept.log.n_items, len(kept.log)) == (938, 1_008, 54_413)
    assert kept.dropped["rows"].sum() == 100_000 - 54_413
    parts = split(kept.log, "temporal")
    assert (len(parts.train), len(parts.test)) == (43_158, 5_857)


def visits(table):
    frame = pd.DataFrame(table, columns=["user", "item", "minute", "basket"])
    frame["time"] = frame["minute"] * 60
    return Interactions.from_table(frame, timestamp="time", basket="basket")


walks = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 200), st.integers(0, 4)),
    min_size=1,
    max_size=30,
)


@given(walks, st.integers(1, 4))
def test_baskets_are_counted_per_user_and_equal_rows_kept_once(table, least):
    log = visits(table)
    keep = {u for u, *_ in table if len({b for v, _, _, b in table if v == u}) >= least}
    if not keep:
        with pytest.raises(DataError, match="no row is left"):
            keep_baskets(log, least)
        return
    kept = keep_baskets(log, least).log
    assert set(kept.users[kept.frame["user"]]) == keep and len(kept) == sum(
        u in keep for u, *_ in table
    )
    once = drop_equal(log)
    assert len(once.log) == len(set(table)) and once.dropped["rows"].iloc[0] == len(table) - len(
        set(table)
    )


@given(walks, st.sampled_from([10, 60]))
def test_sessions_end_where_the_gap_is_longer(table, minutes):
    log = cut_sessions(visits(table), minutes).log
    for user in range(log.n_users):
        mine, last, number = log.rows_of(user), None, 0
        for time, session in zip(mine["timestamp"], mine["session"], strict=True):
            number += last is not None and (time - last).total_seconds() > 60 * minutes
            assert session == number
            last = time


def test_prepare_is_the_filters_one_by_one():
    log = make([(user, item, 1 + (user + item) % 5) for user in range(4) for item in range(6)])
    steps = [
        {"step": "keep_at_least", "value": 2},
        {"step": "keep_core", "users": 3, "items": 3, "reindex": True},
    ]
    by_hand = keep_core(keep_at_least(log, 2), 3, 3, reindex=True)
    assert prepare(log, steps).log.fingerprint == by_hand.log.fingerprint
    assert prepare(log, steps).dropped.equals(by_hand.dropped) and len(prepare(log, []).log) == len(
        log
    )
    with pytest.raises(ConfigError, match="no filter 'guess'"):
        prepare(log, [{"step": "guess"}])
    with pytest.raises(ConfigError, match="keep_core: no option 'user'"):
        prepare(log, [{"step": "keep_core", "user": 3}])
    for function in (keep_baskets, cut_sessions):
        with pytest.raises(DataError, match="rows have no"):
            function(log)
