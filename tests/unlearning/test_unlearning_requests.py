"""Requests: which rows, and what no request is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.worlds import small_log
from workbench.errors import DataError
from workbench.unlearning import Request, merged, numbered, overlaps

ids = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=30)


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


def test_a_signed_request_knows_when_its_ids_name_other_rows():
    log = small_log()
    one = Request(0, log.frame["interaction"].iloc[[0, 5]]).signed(log)
    assert len(log.only(one.interactions, one.digest)) == 2
    other = log.of_rows(log.frame.assign(item=log.frame["item"].to_numpy()[::-1]))
    with pytest.raises(DataError, match="other rows"):
        other.only(one.interactions, one.digest)


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


def test_a_request_without_digest_says_so():
    one = Request(0, [1])
    assert one.digest is None and replace(one, reason="spam").reason == "spam"
