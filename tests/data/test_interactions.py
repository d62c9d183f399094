"""The log and its histories: laws that hold for every log."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import Interactions
from workbench.errors import DataError, UnknownItem, UnknownUser

rows = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 50)), min_size=1, max_size=40
)


def make(table: list[tuple[int, int, int]]) -> Interactions:
    frame = pd.DataFrame(table, columns=["user", "item", "time"])
    return Interactions.from_table(
        frame, timestamp="time", users=pd.Index(range(5)), items=pd.Index(range(7))
    )


@given(rows)
def test_histories_hold_every_row_once_in_time_order(table):
    log = make(table)
    histories = log.histories()
    assert sorted(histories.interaction) == sorted(log.frame["interaction"])
    for b in range(len(histories)):
        assert (np.diff(histories.position[histories.row(b)]) > 0).all()
    assert np.array_equal(histories.matrix().toarray(), log.matrix().toarray())
    assert np.array_equal(histories.counts().toarray(), log.counts().toarray())


@given(rows, st.data())
def test_without_and_only_divide_the_log(table, data):
    log = make(table)
    ids = data.draw(st.lists(st.sampled_from(list(log.frame["interaction"])), unique=True))
    assert len(log.without(ids)) + len(log.only(ids)) == len(log)
    assert log.without(ids).n_users == log.n_users and log.without(ids).n_items == log.n_items
    assert np.array_equal(
        log.without(ids).histories().matrix().toarray(),
        log.histories().without(ids).matrix().toarray(),
    )


@given(rows, st.data())
def test_select_reorders_rows(table, data):
    log = make(table)
    order = data.draw(st.lists(st.integers(0, 4)))
    assert np.array_equal(
        log.histories().select(order).matrix().toarray(), log.matrix().toarray()[order]
    )
    assert np.array_equal(log.histories(order).matrix().toarray(), log.matrix().toarray()[order])


def test_before_cuts_strictly():
    log = make([(0, 1, 10), (0, 2, 20)])
    assert list(log.histories([0], before=pd.Timestamp(20, unit="s", tz="UTC")).item) == [1]

    for naive in ("1970-01-01 00:00:20", pd.Timestamp(20, unit="s")):
        assert list(log.histories([0], before=naive).item) == [1]
    with pytest.raises(DataError, match="before: unreadable time 'soon'"):
        log.histories(before="soon")


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="2 columns are called 'user'"):
        Interactions.from_table(pd.DataFrame([[1, 2, 3]], columns=["user", "item", "user"]))


def test_file_order_rules_where_a_time_is_absent():
    frame = pd.DataFrame(
        {"user": [0, 0], "item": [1, 2], "time": [pd.Timestamp("2025-02-02"), pd.NaT]}
    )
    assert list(Interactions.from_table(frame, timestamp="time").frame["interaction"]) == [0, 1]


def test_fingerprint_tells_logs_apart():
    log = make([(0, 1, 10), (0, 2, 20)])
    assert log.fingerprint == make([(0, 1, 10), (0, 2, 20)]).fingerprint
    assert log.fingerprint != log.without([0]).fingerprint


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        ({"user": [1], "thing": [2]}, {}, "no column 'item'"),
        ({"user": [], "item": []}, {}, "empty"),
        ({"user": [1, 1], "item": [2, 3], "id": [7, 7]}, {"interaction": "id"}, "id 7 is repeated"),
        ({"user": [1, None], "item": [2, 3]}, {}, "no user in row 1"),
        (
            {"user": [1], "item": [2], "time": ["yesterday"]},
            {"timestamp": "time"},
            "unreadable time",
        ),
        (
            {"user": [1, 2], "item": [2, 2], "stars": ["4", "four"]},
            {"value": "stars"},
            "'four' in row 1",
        ),
        ({"user": [1], "item": [2], "basket": [1.5]}, {"basket": "basket"}, "no basket id"),
        ({"user": [1], "item": [2], "id": [1e20]}, {"interaction": "id"}, "no interaction id"),
        ({"user": [1], "item": [2], "time": [True]}, {"timestamp": "time"}, "unreadable time True"),
        ({"user": [[1]], "item": [2]}, {}, r"user ids that cannot be put in order \(list\)"),
        ({"user": [1, "a"], "item": [2, 3]}, {}, r"cannot be put in order \(int, str\)"),
        ({"user": [1], "item": [2]}, {"users": pd.Index([1, 1])}, "1 occurs twice in an index"),
    ],
)
def test_bad_tables_are_refused_with_the_place(frame, options, message):
    with pytest.raises(DataError, match=message):
        Interactions.from_table(pd.DataFrame(frame), **options)


def test_unknown_users_and_items():
    log = make([(0, 1, 10)])
    with pytest.raises(UnknownUser):
        log.user_code("nobody")
    with pytest.raises(UnknownItem):
        log.item_code(99)
    with pytest.raises(UnknownUser):
        log.histories([5])
    with pytest.raises(UnknownUser, match="user_code"):
        log.rows_of("shopper 3")
    with pytest.raises(DataError, match="not in this log"):
        log.without([123])


def test_the_fingerprint_of_the_indexes_knows_names_and_order_and_no_row():
    log = Interactions.from_table(pd.DataFrame({"user": ["a", "b", "b"], "item": ["x", "y", "x"]}))
    mark = log.index_fingerprint
    left = log.without([0])
    assert vars(left)["index_fingerprint"] == mark  # handed on, not made again
    assert left.only([1]).index_fingerprint == mark and left.fingerprint != log.fingerprint
    again = replace(log, frame=log.frame.iloc[:1], users=pd.Index(["a", "b"]))
    assert again.index_fingerprint == mark
    others = [
        {"users": log.users[::-1]},
        {"users": pd.Index(["a", "c"])},
        {"users": pd.Index(["a", "b", "x"]), "items": pd.Index(["y"])},
        {"users": pd.Index(["a"]), "items": pd.Index(["b", "x", "y"])},
    ]
    made = {replace(log, **change).index_fingerprint for change in others}
    assert len(made) == len(others) and mark not in made
