"""The stored profile: exact forgetting, lineage, editing, going stale."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.errors import UnknownItem
from workbench.reports import EntityStore, Store


def same(one, two):
    assert one.notes.keys() == two.notes.keys()
    for user in one.notes:
        pd.testing.assert_frame_equal(one.notes[user], two.notes[user])
    return True


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.booleans())
def test_forgetting_equals_building_from_what_remains(seed, share, told_users):
    log, catalogue = shop(seed, n_rows=60)
    ids = log.frame["interaction"].sample(frac=share, random_state=seed)
    users = log.only(ids).frame["user"].unique() if told_users else None
    left = log.without(ids)
    assert same(
        EntityStore.build(log, catalogue).forget(ids, users), EntityStore.build(left, catalogue)
    )


def test_the_profile_is_a_store():
    log, catalogue = shop(2)
    assert isinstance(EntityStore.build(log, catalogue), Store)
    assert not isinstance(catalogue, Store)


def test_summary_against_a_loop_and_lineage():
    log, catalogue = shop(2)
    store, rank = (
        EntityStore.build(log, catalogue),
        {"view": 1, "favourite": 2, "cart": 3, "purchase": 4},
    )
    table = store.to_frame(0).set_index(["kind", "entity"])
    for (kind, entity), line in table.iterrows():
        rows = [
            row
            for row in log.rows_of(0).itertuples()
            if (
                entity in catalogue.topics_of(row.item)
                if kind == "topic"
                else catalogue.frame["brand"][row.item] == entity
            )
        ]
        assert line["weight"] == sum(rank[row.action] for row in rows)
        assert line["rows"] == len(rows)
        assert (line["first"], line["last"]) == (
            min(r.timestamp for r in rows),
            max(r.timestamp for r in rows),
        )
    assert table.groupby("kind")["share"].sum().tolist() == pytest.approx([1, 1])
    assert set(store.lineage(0)["interaction"]) <= set(log.rows_of(0)["interaction"])


def test_opting_out_hides_and_editing_forgets():
    log, catalogue = shop(2)
    store = EntityStore.build(log, catalogue)
    table = store.to_frame(0)
    first = table["entity"][0]
    hidden = store.opt_out(0, first)
    assert first not in set(hidden.lineage(0)["entity"])
    assert first in set(hidden.to_frame(0)["entity"])
    assert hidden.to_frame(0)["opted_out"].sum() == 1
    # not used, and still remembered
    assert len(hidden.knows(0, log.rows_of(0)["interaction"])) == len(log.rows_of(0))
    assert same(hidden.opt_out(0, first, out=False), store)
    edited = store.edited(0, table.iloc[1:].assign(opted_out=[True, *[False] * (len(table) - 2)]))
    assert first not in set(edited.to_frame(0)["entity"])
    assert edited.opted_out == {(0, table["entity"][1])}
    with pytest.raises(UnknownItem):
        store.opt_out(0, "never heard of")


def test_shopper_without_rows_has_an_empty_profile():
    log, catalogue = shop(2)
    store = EntityStore.build(log, catalogue)
    assert not len(store.lineage(11))
    assert not len(store.to_frame(11))
