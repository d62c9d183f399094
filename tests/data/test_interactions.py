"""The log and its histories: laws that hold for every log."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser

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
    with pytest.raises(ConfigError, match="before: unreadable time 'soon'"):
        log.histories(before="soon")


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="2 columns are called 'user'"):
        Interactions.from_table(pd.DataFrame([[1, 2, 3]], columns=["user", "item", "user"]))


def test_a_missing_time_leaves_the_order_of_everybody_else_alone():
    rows = [("u", "i3", 3), ("v", "i1", None), ("u", "i1", 1), ("u", "i2", 2), ("v", "i0", 0)]
    frame = pd.DataFrame(rows, columns=["user", "item", "time"])
    said = "1 of 5 rows have no time: the rows of their 1 people stay in the order of the file"
    with pytest.warns(UserWarning, match=said):
        log = Interactions.from_table(frame, timestamp="time")
    read = {user: list(log.items[log.rows_of(log.user_code(user))["item"]]) for user in "uv"}
    assert read == {"u": ["i1", "i2", "i3"], "v": ["i1", "i0"]}
    assert list(log.frame["position"]) == [0, 1, 2, 3, 4]
    # nobody has a time: the file's order, and nothing to say
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bare = Interactions.from_table(frame.assign(time=None), timestamp="time")
    assert list(bare.frame["interaction"]) == [0, 1, 2, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(-9, 9))), min_size=1))
def test_the_order_is_that_of_time_for_whoever_has_all_times_and_of_the_file_for_others(rows):
    frame = pd.DataFrame(rows, columns=["user", "time"], dtype=object).assign(item=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = Interactions.from_table(frame, timestamp="time")
    for user in range(log.n_users):
        own = [row for row, (name, _) in enumerate(rows) if name == log.users[user]]
        if all(rows[row][1] is not None for row in own):
            own = sorted(own, key=lambda row: rows[row][1])
        assert list(log.rows_of(user)["interaction"]) == own


def test_a_session_or_basket_may_be_a_name_and_seven_is_not_007():
    frame = pd.DataFrame(
        {"user": 1, "item": [1, 2, 3], "s": ["b", "a", "b"], "b": ["7", "007", "7"]}
    )
    log = Interactions.from_table(frame, session="s", basket="b")
    assert list(log.frame["session"]) == [0, 1, 0] and list(log.frame["basket"]) == [0, 1, 0]
    numbers = Interactions.from_table(frame.assign(s=["5", None, "3"]), session="s")
    assert numbers.frame["session"].tolist()[::2] == [5, 3] and numbers.frame["session"].isna()[1]


@pytest.mark.parametrize("kind", ["object", "category", "str", "Int64", "float64"])
def test_times_are_read_by_what_the_cells_hold(kind):
    times = pd.Series([1546300800, 1546300801]).astype("str" if kind == "str" else "int64")
    frame = pd.DataFrame({"user": 1, "item": [1, 2], "time": times.astype(kind)})
    log = Interactions.from_table(frame, timestamp="time")
    assert log.frame["timestamp"].iloc[1] == pd.Timestamp("2019-01-01T00:00:01Z")


@pytest.mark.parametrize(
    ("text", "unit", "utc"),
    [
        ("2019-11-01 00:00:00 UTC", "s", "2019-11-01T00:00:00Z"),
        ("2019-11-01 01:00:00 Europe/Berlin", "s", "2019-11-01T00:00:00Z"),
        ("2019-11-01 01:00:00+01:00", "s", "2019-11-01T00:00:00Z"),
        ("1.11.2019 12:30", "%d.%m.%Y %H:%M", "2019-11-01T12:30:00Z"),
        (20191101, "%Y%m%d", "2019-11-01T00:00:00Z"),
        (20191101.0, "%Y%m%d", "2019-11-01T00:00:00Z"),
        ("0829", "%m%d", "1900-08-29T00:00:00Z"),
        (1572566400000, "ms", "2019-11-01T00:00:00Z"),
    ],
)
def test_dates_with_a_zone_and_of_any_form(text, unit, utc):
    frame = pd.DataFrame({"user": [1], "item": [1], "time": [text]})
    log = Interactions.from_table(frame, timestamp="time", time_unit=unit)
    assert log.frame["timestamp"].iloc[0] == pd.Timestamp(utc)


def test_a_zone_that_nobody_can_name_is_refused_and_the_offset_is_the_cure():
    frame = pd.DataFrame({"user": [1], "item": [1], "time": ["2019-11-01 00:00:00 PST"]})
    with pytest.raises(DataError, match=r"unreadable time.*PST.*a zone as \+01:00"):
        Interactions.from_table(frame, timestamp="time")
    frame["time"] = frame["time"].str.replace(" PST", "-08:00")
    log = Interactions.from_table(frame, timestamp="time")
    assert log.frame["timestamp"].iloc[0] == pd.Timestamp("2019-11-01T08:00:00Z")


def test_an_index_may_be_a_list_and_an_id_of_another_type_is_named_with_its_cure():
    frame = pd.DataFrame({"user": [1, 2], "item": [10, 11]})
    log = Interactions.from_table(frame, users=[2, 1], items=[10, 11])
    assert list(log.users) == [2, 1] and list(log.frame["user"]) == [1, 0]
    other = frame.astype(str)
    with pytest.raises(UnknownUser, match=r"'1' in row 0.*What to do: .*\.astype\('int64'\)"):
        Interactions.from_table(other, users=log.users, items=log.items)
    again = Interactions.from_table(other.astype("int64"), users=log.users, items=log.items)
    assert again.fingerprint == log.fingerprint
    with pytest.raises(UnknownItem, match=r"'10' is not in the index.*int64"):
        log.item_code("10")


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
