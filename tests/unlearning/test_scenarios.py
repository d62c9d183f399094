"""Scenarios: who leaves with what, what is left, and what is asked afterwards."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unlearning.worlds import TASKS, TOPIC, small_log, small_task
from workbench.data import keep_at_least, keep_core, read_recbole
from workbench.errors import ConfigError, DataError, UnknownItem
from workbench.recommend.tasks import collaborative_task
from workbench.unlearning import (
    Request,
    Scenario,
    accounts,
    asked,
    mistakes,
    placebo,
    requests_from,
    sensitive,
    together,
)

kinds = st.sampled_from(sorted(TASKS))
orders = st.sampled_from(["id", "time", "drawn"])


@settings(max_examples=12)
@given(kinds, st.integers(0, 5), st.integers(1, 12), orders)
def test_what_is_left_and_what_is_gone_make_the_whole(kind, seed, n, order):
    task = small_task(kind)
    found = sensitive(task, TOPIC, n=n, at_least=1, seed=seed, order=order)
    every = len(found.requests)
    assert found.train(0).fingerprint == task.train.fingerprint
    ids = set(found.both.frame["interaction"])
    for done in range(every + 1):
        gone = set(found.forgotten(done).tolist())
        left = set(found.known(done).frame["interaction"])
        assert gone | left == ids and not gone & left
        assert len(found.train(done)) + len(found.valid(done)) == len(left)
        assert not gone & set(found.histories(done).interaction.tolist())
    # all rows on the topic of those who leave, and nobody's else
    rows = found.both.frame.assign(person=task.people[found.both.frame["user"]])
    leaving = rows["person"].isin(found.leaving_people(every)) & rows["item"].isin(TOPIC)
    assert set(rows["interaction"][leaving]) == set(found.forgotten(every).tolist())
    # what is deleted is held no more
    deleted = found.deleted(every)
    assert not deleted.multiply(found.known(every).matrix()).nnz
    assert set(deleted.indices) <= set(TOPIC.tolist())
    assert set(np.flatnonzero(np.diff(deleted.indptr))) == set(found.leavers(every).tolist())
    for one in found.requests:
        assert one.check(task).query("part == 'test'")["rows"].tolist() == [0]


@settings(max_examples=10)
@given(kinds, st.integers(0, 5), orders, st.sampled_from(["last row", "drawn"]))
def test_orders_and_times(kind, seed, order, arrivals):
    task = small_task(kind)
    found = sensitive(task, TOPIC, 8, 1, seed, order, arrivals=arrivals)
    times = [one.time for one in found.requests]
    people = [task.people[found.both.only(r.interactions).frame["user"]][0] for r in found.requests]
    if order == "id":
        assert people == sorted(people)
    if order == "time" or arrivals == "drawn":
        assert times == sorted(times)
    rows = found.both.frame.set_index("interaction")["timestamp"]
    for one in found.requests:
        last = rows.loc[one.interactions].max()
        assert one.time == last if arrivals == "last row" else one.time >= rows.max()
    again = sensitive(task, TOPIC, 8, 1, seed, order, arrivals=arrivals)
    assert [r.to_json() for r in again.requests] == [r.to_json() for r in found.requests]
    # the seed draws people, the order does not
    other = sensitive(task, TOPIC, 8, 1, seed, "id")
    assert set(other.forgotten(8).tolist()) == set(found.forgotten(8).tolist())


@given(st.floats(1e-4, 0.1), st.integers(0, 3))
@settings(max_examples=8)
def test_a_fraction_is_reached_by_the_last_person_and_not_before(fraction, seed):
    task = small_task()
    drawn = sensitive(task, TOPIC, None, 1, seed, "drawn", fraction=fraction)
    rows = len(task.train) + len(task.valid) + len(task.test)
    everybody = sensitive(task, TOPIC, None, 1, seed, "drawn")
    counts = [len(one) for one in drawn.requests]
    assert sum(counts[:-1]) < fraction * rows
    assert sum(counts) >= fraction * rows or len(counts) == len(everybody.requests)


@pytest.mark.parametrize("kind", TASKS)
def test_emptied_units_are_those_a_count_by_hand_finds(kind):
    task = small_task(kind)
    found = accounts(task, 3)
    table = found.emptied(3).set_index("unit")
    assert table.loc["person", ["touched", "emptied"]].tolist() == [3, 3]
    before, after = found.train(0).frame, found.train(3).frame
    for unit, columns in {"item": ["item"], "basket": ["user", "basket"]}.items():
        if unit in table.index:
            had, left = ({*map(tuple, f[columns].dropna().to_numpy())} for f in (before, after))
            assert table.loc[unit, "before"] == len(had)
            assert table.loc[unit, "emptied"] == len(had - left)
    topic = sensitive(task, TOPIC, at_least=1)
    every = len(topic.requests)
    left = topic.train(every).frame.groupby("user").size()
    if kind == "session":  # sessions are users here
        touched = (
            topic.train(0)
            .frame["user"][
                ~topic.train(0).frame["interaction"].isin(topic.train(every).frame["interaction"])
            ]
            .unique()
        )
        line = topic.emptied(every).set_index("unit").loc["session"]
        assert line["touched"] == len(touched)
        assert line["one_left"] == (left.reindex(touched) == 1).sum()
        assert line["emptied"] == left.reindex(touched).isna().sum()


def test_a_person_reaches_into_sessions_and_those_with_a_row_left_go_on():
    task = small_task("session")
    found = sensitive(task, TOPIC, n=10, at_least=1)
    leavers, continued = found.leavers(10), found.continued(10)
    assert len(found.leaving_people(10)) == 10 < len(leavers)
    assert set(continued) <= set(leavers)
    cleaned, told = found.histories(10), found.histories(10, cleaned=False)
    assert cleaned.user.tolist() == told.user.tolist() == continued.tolist()
    assert np.diff(cleaned.offsets).min() > 0 and not np.isin(cleaned.item, TOPIC).any()
    assert np.isin(told.item, TOPIC).any()
    assert found.counts()["enough"] is False


def test_what_is_asked_of_the_topic_is_kept_apart_and_stays():
    for kind in TASKS:
        task = small_task(kind)
        found = sensitive(task, TOPIC, at_least=1)
        apart = found.kept_apart
        assert (apart.topic + apart.others != task.targets).nnz == 0
        assert (
            set(apart.topic.indices) <= set(TOPIC)
            and not np.isin(apart.others.indices, TOPIC).any()
        )
        counts = apart.counts()
        assert counts["of the topic"] > 0 and counts["questions with one"] == apart.questions.sum()


def test_what_is_bought_again_is_told_from_what_was_bought_once():
    task = small_task("basket")
    found = sensitive(task, TOPIC, at_least=1)
    every = len(found.requests)
    baskets = found.both.frame.drop_duplicates(["user", "item", "basket"])
    count = baskets.groupby(["user", "item"]).size()
    deleted, repeated = found.deleted(every).tocoo(), found.repeated(every).toarray()
    for user, item in zip(deleted.row, deleted.col, strict=True):
        assert repeated[user, item] == (count[(user, item)] > 1)
    assert 0 < repeated.sum() < deleted.nnz


def test_placebo_takes_as_many_rows_of_the_same_people_outside_the_topic():
    for kind in TASKS:
        task = small_task(kind)
        found = sensitive(task, TOPIC, n=8, at_least=1)
        other = placebo(found, seed=3)
        rows = found.both.frame.set_index("interaction")
        for one, two in zip(found.requests, other.requests, strict=True):
            assert len(one) == len(two) and two.reason == "placebo" and two.time == one.time
            assert not rows.loc[two.interactions, "item"].isin(TOPIC).any()
            owners = [set(task.people[rows.loc[r.interactions, "user"]]) for r in (one, two)]
            assert owners[0] == owners[1]
        assert placebo(found, seed=3).forgotten(8).tolist() == other.forgotten(8).tolist()
    with pytest.raises(DataError, match="outside"):
        placebo(sensitive(small_task(), np.arange(20), n=3))


@given(kinds, st.integers(1, 9), st.integers(1, 12))
@settings(max_examples=12)
def test_a_group_asks_for_what_its_people_would_have(kind, size, n):
    alone = mistakes(small_task(kind), n, rows=1)
    group = together(alone, size)
    assert len(group.requests) == -(-len(alone.requests) // size)
    assert [one.request for one in group.requests] == list(range(len(group.requests)))
    ends = [min(size * (k + 1), len(alone.requests)) for k in range(len(group.requests))]
    for done, end in enumerate(ends, 1):
        assert group.forgotten(done).tolist() == alone.forgotten(end).tolist()
        assert group.leaving_people(done).tolist() == alone.leaving_people(end).tolist()
    for one in group.requests:
        group.both.only(one.interactions, one.digest)
    with pytest.raises(ConfigError, match="size"):
        together(alone, 0)


def test_mistakes_and_whole_accounts():
    task = small_task()
    found = mistakes(task, 6, rows=2, seed=5)
    assert [len(one) for one in found.requests] == [2] * 6
    assert {one.reason for one in found.requests} == {"mistake"}
    assert set(found.items) == set(found.both.only(found.forgotten(6)).frame["item"])
    gone = accounts(task, 4)
    assert not len(gone.continued(4)) and not len(gone.histories(4))
    assert len(gone.stayers(4)) == len(np.unique(gone.both.frame["user"])) - 4
    with pytest.raises(DataError, match="more than"):
        mistakes(task, 2, rows=1_000)


def test_what_people_wrote_down_becomes_a_scenario():
    task, log = small_task("session"), small_log()
    table = pd.DataFrame({"user": ["u03", "u07"]})
    found = asked(task, requests_from(table, log))
    assert found.leaving_people(2).tolist() == [3, 7]
    ids = set(task.test.frame["interaction"])
    assert not ids & set(found.forgotten(2).tolist()), "what is asked at the test stays"
    only_asked = Request(0, task.test.frame["interaction"].iloc[:2])
    with pytest.raises(DataError, match="learned from"):
        asked(task, [only_asked])


def test_requests_of_ones_own_are_checked():
    task = small_task()
    rows = task.train.frame["interaction"].tolist()
    one, two = Request(0, rows[:2]), Request(1, rows[2:4])
    assert len(Scenario.of("mine", task, [one, two], TOPIC).requests) == 2
    wrong = {
        "gaps": [one, replace(two, request=2)],
        "the same request twice": [one, replace(one, request=1)],
        "share 1 rows": [one, Request(1, rows[1:3])],
        "is not in this log": [Request(0, task.test.frame["interaction"].iloc[:1])],
        "other rows": [replace(one, digest="0" * 64)],
    }
    for text, requests in wrong.items():
        with pytest.raises(DataError, match=text):
            Scenario.of("mine", task, requests, TOPIC)
    found = sensitive(task, TOPIC, n=3, at_least=1)
    for done in (-1, 4, 1.0):
        with pytest.raises(ConfigError):
            found.train(done)
    for error, ask in (
        (DataError, lambda: sensitive(task, TOPIC, at_least=4)),
        (UnknownItem, lambda: sensitive(task, [99])),
        (ConfigError, lambda: sensitive(task, TOPIC, at_least=1, order="age")),
        (ConfigError, lambda: sensitive(task, TOPIC, at_least=1, arrivals="late")),
    ):
        with pytest.raises(error):
            ask()


def test_a_scenario_is_shown_with_what_it_leaves_empty():
    found = sensitive(small_task("session"), TOPIC, n=5, at_least=1)
    text, table = found._repr_html_(), found.to_frame()
    assert "continued" in text and "one_left" in text
    assert table["train"].sum() + table["valid"].sum() == len(found.forgotten(5))
    assert table["people"].tolist() == [1] * 5


@pytest.mark.real
@pytest.mark.parametrize(
    ("topic", "items", "able", "rows"), [("Horror", 55, 239, 210), ("War", 58, 594, 330)]
)
def test_ml_100k_as_measured_before(real_data, topic, items, able, rows):
    data = read_recbole(real_data / "ml-100k-recbole")
    kept = keep_core(keep_at_least(data.log, 4), reindex=True)
    task = collaborative_task(kept.log)
    codes = kept.match(data.catalogue).items_of(topic)
    assert (kept.log.n_users, kept.log.n_items, len(task.train)) == (938, 1_008, 43_158)
    held = task.train.matrix()[:, codes].sum(axis=1)
    assert (len(codes), int((held >= 3).sum())) == (items, able)
    found = sensitive(task, codes, n=40, part="train")
    assert found.counts()["training rows"] == rows and found.counts()["people"] == 40
