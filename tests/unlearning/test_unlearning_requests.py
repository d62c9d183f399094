"""Requests: which rows, in which part, in writing; and what no request is."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.worlds import small_log, small_task
from workbench.data import split
from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser, WorkbenchError
from workbench.unlearning import Request, merged, numbered, overlaps, requests_from

ids = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=30)


@given(ids, st.integers(0, 99), st.text(min_size=1, max_size=20), st.datetimes() | st.none())
def test_what_was_written_is_read_as_it_was(rows, number, reason, time):
    time = None if time is None else pd.Timestamp(time, tz="UTC").floor("ms")
    one = Request(number, rows, reason, time)
    other = Request.from_json(one.to_json())
    assert other.interactions.tolist() == sorted(set(rows)) == one.interactions.tolist()
    assert (other.request, other.reason, other.time) == (number, reason, time)
    assert other.to_json() == one.to_json()


def changed(**fields):
    return json.dumps(json.loads(Request(0, [1, 2]).to_json()) | fields)


WRONG = {
    "no JSON": "[1, 2",
    "a list": "[]",
    "bytes": b"\xff\xfe",
    "deep": "[" * 100_000,
    "field twice": Request(0, [1]).to_json()[:-1] + ',"request":0}',
    "unknown field": changed(more=1),
    "other version": changed(format="workbench request 2"),
    "a float": changed(interactions=[1.0]),
    "a truth": changed(interactions=[True]),
    "text": changed(interactions=["1"]),
    "negative": changed(interactions=[-1]),
    "too large": changed(interactions=[2**63]),
    "empty": changed(interactions=[]),
    "out of order": changed(interactions=[2, 1]),
    "twice": changed(interactions=[1, 1]),
    "number as text": changed(request="0"),
    "no reason": changed(reason=""),
    "a number for a time": changed(time=5),
    "no time": changed(time="soon"),
    "short digest": changed(digest="ab"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_nobody_wrote_is_refused(name):
    with pytest.raises(WorkbenchError):
        Request.from_json(WRONG[name])


def test_a_text_without_end_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("workbench.unlearning.requests.LONGEST", 10)
    with pytest.raises(DataError, match="at most 10"):
        Request.from_json(Request(0, [1]).to_json())


def test_every_row_stands_in_a_part():
    parts = split(small_log(), "temporal")
    rows = [part.frame["interaction"].iloc[:2] for part in (parts.train, parts.valid, parts.test)]
    one = Request(0, pd.concat(rows))
    table = one.check(parts).set_index("part")
    assert table["rows"].to_dict() == {"train": 2, "valid": 2, "test": 2}
    assert one.check(parts.whole())["rows"].tolist() == [6]
    with pytest.raises(DataError, match="is not in this log"):
        one.check(parts.train)
    with pytest.raises(DataError, match="is not in this log"):
        Request(0, [10**9]).check(parts)
    assert Request(0, rows[2]).check(small_log())["rows"].tolist() == [2]


@given(ids, st.lists(st.integers(0, 2**63 - 1), max_size=5), st.integers(0, 12))
def test_within_a_log_are_the_ids_that_both_have(rows, strange, n):
    """However large the ids are, and in whatever order the log has them."""
    log = small_log()
    own = log.frame["interaction"].iloc[::-3][:n].tolist()
    one = Request(0, [*own, *strange, *rows])
    want = np.intersect1d(one.interactions, log.frame["interaction"])
    assert np.array_equal(one.within(log), want)
    backwards = log.of_rows(log.frame.iloc[::-1].reset_index(drop=True))
    assert np.array_equal(one.within(backwards), want)


def test_of_a_task_the_rows_that_are_asked_count_too():
    task = small_task("session")
    one = Request(0, task.test.frame["interaction"].iloc[:3])
    assert one.check(task).set_index("part")["rows"].to_dict() == {
        "train": 0,
        "valid": 0,
        "test": 3,
    }


def test_a_signed_request_knows_when_its_ids_name_other_rows():
    log = small_log()
    one = Request(0, log.frame["interaction"].iloc[[0, 5]]).signed(log)
    assert one.check(log)["rows"].tolist() == [2]
    other = log.of_rows(log.frame.assign(item=log.frame["item"].to_numpy()[::-1]))
    with pytest.raises(DataError, match="other rows"):
        one.check(other)
    # parts that hold them all give the same digest as the whole
    assert one.signed(split(log, "temporal")).digest == one.digest


def test_rows_are_shown_by_the_ids_people_know():
    log = small_log()
    table = Request(0, log.rows_of(4)["interaction"]).frame(log)
    assert (
        set(table["user"]) == {"u04"} and table["item"].tolist() == log.rows_of(4)["item"].tolist()
    )


def test_the_same_request_twice_and_rows_that_two_requests_share():
    requests = numbered(
        [Request(0, [1, 2]), Request(0, [2, 3]), Request(0, [1, 2]), Request(0, [9])]
    )
    table = overlaps(requests)
    assert table.to_numpy().tolist() == [[0, 1, 1, False], [0, 2, 2, True], [1, 2, 1, False]]
    assert not len(overlaps(requests[3:]))


def test_numbers_follow_time_and_merging_forgets_the_digest():
    times = pd.to_datetime(["2025-01-03", "2025-01-01", "2025-01-01"], utc=True)
    log = small_log()
    requests = [Request(0, [k], "mistake", time).signed(log) for k, time in enumerate(times)]
    ordered = numbered(requests, by_time=True)
    assert [one.interactions[0] for one in ordered] == [1, 2, 0]
    assert [one.request for one in ordered] == [0, 1, 2]
    pair, alone = merged(ordered, 2)
    assert (pair.request, pair.digest, alone.digest) == (1, None, requests[0].digest)
    assert pair.interactions.tolist() == [1, 2]


def test_a_table_of_people_and_items():
    log = small_log()
    held = log.rows_of(3)["item"].tolist()
    table = pd.DataFrame({"user": ["u03", "u07", "u03"], "item": [held[0], None, held[-1]]})
    first, second = requests_from(table, log)
    assert set(first.items(log)) == {held[0], held[-1]} and first.users(log).tolist() == [3]
    assert second.interactions.tolist() == sorted(log.rows_of(7)["interaction"])
    assert first.check(log)["rows"].tolist() == [len(first)]
    # one name, one request; reasons and times of their own; the earlier first
    table = table.assign(
        request=["a", "b", "b"], reason="gift", time=["2025-02-01", "2025-01-01", ""]
    )
    one, other = requests_from(table, log)
    assert one.users(log).tolist() == [3, 7] and other.users(log).tolist() == [3]
    assert (one.reason, one.time.month, other.time.month) == ("gift", 1, 2)
    ids = requests_from(pd.DataFrame({"interaction": [5, 6, 7]}), log, "mistake")
    assert sorted(np.concatenate([one.interactions for one in ids])) == [5, 6, 7]


TABLES = {
    "a column too many": ({"user": ["u01"], "why": ["x"]}, DataError),
    "nobody": ({"item": [1]}, DataError),
    "a stranger": ({"user": ["nobody"]}, UnknownUser),
    "no such item": ({"user": ["u01"], "item": [77]}, UnknownItem),
    "no such id": ({"interaction": [10**6]}, DataError),
    "a mask": ({"interaction": [True, False]}, DataError),
    "twice": ({"user": ["u01", "u01"], "request": [1, 2]}, DataError),
    "no time": ({"user": ["u01"], "time": ["soon"]}, ConfigError),
    "empty": ({"user": []}, DataError),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_asks_for_what_is_not_there(name):
    table, error = TABLES[name]
    with pytest.raises(error):
        requests_from(pd.DataFrame(table), small_log())


def test_an_item_that_the_person_never_had():
    log = small_log()
    never = np.setdiff1d(np.arange(log.n_items), log.rows_of(2)["item"])
    if not len(never):
        pytest.skip("this person had everything")
    with pytest.raises(DataError, match="no row for"):
        requests_from(pd.DataFrame({"user": ["u02"], "item": [never[0]]}), log)


def test_a_request_without_digest_says_so():
    one = Request(0, [1])
    assert one.digest is None and replace(one, reason="spam").reason == "spam"
