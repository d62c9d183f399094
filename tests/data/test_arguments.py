"""Ids, codes and masks that are handed in: each door takes its own kind, and nothing is cast."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import Interactions
from workbench.data.checks import checked_codes, checked_mask, whole_numbers
from workbench.data.splits import joined_logs
from workbench.errors import ConfigError, DataError, UnknownUser, WorkbenchError

ROWS = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "z"), ("c", "x")]
LOG = Interactions.from_table(pd.DataFrame(ROWS, columns=["user", "item"]))
MASK = LOG.frame["user"] == LOG.user_code("c")

WHOLE = [
    [4, 1],
    (4, 1),
    range(4, 0, -3),
    np.array([4, 1], np.int32),
    pd.Series([4, 1], index=[7, 8]),
    pd.Series([4, 1], dtype="Int64"),
    pd.Series([4, 1], dtype=object),
    pd.Index([4, 1]),
    (number for number in (4, 1)),
]
ODD = [
    MASK,
    MASK.to_numpy(),
    MASK.tolist(),
    MASK.astype("boolean"),
    [True, 5],
    [0.0, 1.0],
    np.array([0.9]),
    [np.nan],
    pd.Series([1, None], dtype="Int64"),
    ["0", "1"],
    "01",
    b"01",
    7,
    [None],
    [[0, 1]],
    [2**70],
    LOG,
]


@pytest.mark.parametrize("given", WHOLE, ids=lambda given: type(given).__name__)
def test_whole_numbers_stand_as_they_are(given):
    found = whole_numbers(given, "ids")
    assert found.tolist() == [4, 1] and found.dtype == np.int64


def test_nothing_is_nothing_of_any_kind():
    for given in ([], np.array([]), set(), pd.Series([], dtype=object)):
        assert whole_numbers(given, "ids").tolist() == []


DOORS = {
    "log.without": LOG.without,
    "log.only": LOG.only,
    "log.histories": LOG.histories,
    "histories.without": LOG.histories().without,
    "histories.select": LOG.histories().select,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_what_is_no_id_and_no_code_is_refused_at_every_door(door, odd):
    with pytest.raises((ConfigError, DataError), match="in place of"):
        DOORS[door](odd)


def test_codes_outside_are_named():
    for codes in ([-1], [0, 3]):
        with pytest.raises(UnknownUser, match=f"users: code {codes[-1]}.*from 0 to 2.*user_code"):
            LOG.histories(codes)
        with pytest.raises(DataError, match=f"rows: code {codes[-1]}"):
            LOG.histories().select(codes)
    assert checked_codes([-1, 2], 3, "items", least=-1).tolist() == [-1, 2]


@pytest.mark.parametrize("user", [True, 1.0, "b", None, -1, 3, [1]])
def test_one_user_is_one_code(user):
    with pytest.raises(UnknownUser):
        LOG.rows_of(user)


@pytest.mark.parametrize("name", [True, ["a"], None, {}, slice(1)])
def test_one_name_is_one_id(name):
    numbered = LOG.of_rows(LOG.frame)
    object.__setattr__(numbered, "users", pd.Index([0, 1, 2]))
    for log in (LOG, numbered):
        with pytest.raises(UnknownUser, match="is not in the index"):
            log.user_code(name)


def test_a_mask_is_true_or_false_for_every_row():
    assert LOG.select(MASK).frame["interaction"].tolist() == [4, 5]
    assert LOG.select(MASK.astype("boolean")).frame["interaction"].tolist() == [4, 5]
    for wrong in ([0, 1, 2, 3, 4, 5], MASK[:3], MASK.astype(int), MASK.to_frame(), None):
        with pytest.raises(ConfigError, match=r"mask: .*without"):
            LOG.select(wrong)
        with pytest.raises(ConfigError):
            LOG.histories().keep(wrong)
    assert checked_mask(np.zeros(0, bool), 0).tolist() == []


def test_histories_know_the_indexes_of_their_log():
    whole = LOG.histories()
    parts = (whole, whole.select([1]), whole.without([0]), LOG.without([0]).histories([2]))
    assert {part.bound for part in parts} == {LOG.index_fingerprint}


def test_either_half_of_the_fingerprint_is_one_index():
    other = Interactions.from_table(
        pd.DataFrame({"user": ["a", "b", "d"], "item": ["x", "y", "z"]})
    )
    one, two = LOG.index_fingerprint, other.index_fingerprint
    assert len(one) == 64 and one[:32] != two[:32] and one[32:] == two[32:]
    with pytest.raises(DataError, match="other indexes"):
        joined_logs(LOG, other)


def test_names_that_hold_a_separator_are_told_apart():
    logs = [
        Interactions.from_table(pd.DataFrame({"user": ["u", "u"], "item": items}))
        for items in (["a\x1fb", "c"], ["a", "b\x1fc"])
    ]
    assert logs[0].index_fingerprint != logs[1].index_fingerprint


def test_a_request_that_was_written_down_names_the_same_rows_or_is_refused():
    ids = [2, 4]
    digest = LOG.only(ids).fingerprint
    assert LOG.without([0]).only(ids, digest).frame["interaction"].tolist() == ids
    # the same file, read again
    again = Interactions.from_table(pd.DataFrame(ROWS, columns=["user", "item"]))
    assert len(again.only(ids, digest)) == 2
    # and with one row more at its top, of people and items that are known
    changed = Interactions.from_table(pd.DataFrame([("a", "z"), *ROWS], columns=["user", "item"]))
    assert changed.index_fingerprint == LOG.index_fingerprint
    with pytest.raises(DataError, match="other rows than when the request was made"):
        changed.only(ids, digest)
    # or with a person more
    larger = Interactions.from_table(pd.DataFrame([*ROWS, ("d", "x")], columns=["user", "item"]))
    with pytest.raises(WorkbenchError, match="other rows"):
        larger.only(ids, digest)
