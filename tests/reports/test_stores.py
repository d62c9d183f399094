"""The stored profile: exact forgetting and lineage."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
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


def test_notes_against_a_loop():
    log, catalogue = shop(2)
    rank = {"view": 1, "favourite": 2, "cart": 3, "purchase": 4}
    wanted = []
    for row in log.rows_of(0).itertuples():
        entities = [("topic", topic) for topic in catalogue.topics_of(row.item)]
        brand = catalogue.frame["brand"][row.item]
        entities += [("brand", brand)] if brand else []
        wanted += [(*entity, row.interaction, rank[row.action]) for entity in entities]
    notes = EntityStore.build(log, catalogue).lineage(0)
    assert sorted(notes.itertuples(index=False, name=None)) == sorted(wanted)


def test_shopper_without_rows_has_an_empty_profile():
    log, catalogue = shop(2)
    store = EntityStore.build(log, catalogue)
    assert not len(store.lineage(11))
    assert list(store.lineage(11)) == list(store.lineage(0))
    assert (store.lineage(11).dtypes == store.lineage(0).dtypes).all()
