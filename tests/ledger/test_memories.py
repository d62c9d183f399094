"""Experience and archive as places of a service: what canaries find there, and each switch alone."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.shops import shop
from workbench.errors import DataError
from workbench.ledger import Service, Switches, canaries, forget, rungs
from workbench.recommend import EASE
from workbench.reports import EntityStore
from workbench.reports.recpilot import Archive, Experience
from workbench.views.screen.state import state

PLACES = ("log", "profile", "experience", "archive", "item_weights")


@pytest.fixture(scope="module")
def service():
    """A service that showed each shopper a page."""
    log, catalogue = shop(5, n_users=8, n_rows=140, kinds=True)
    made = Service.build(log, catalogue, EASE(), stores=(EntityStore, Experience, Archive))
    archive = made.stores["archive"]
    for user in range(7):
        archive = archive.add(made.report(user), "2026-11-30")
    return replace(made, stores=made.stores | {"archive": archive})


@pytest.fixture(scope="module")
def rows(service):
    """Rows of a shopper that entries and the page rest on."""
    taught = service.stores["experience"].lineage(0)["interaction"]
    shown = service.stores["archive"].lineage(0)["interaction"]
    return np.intersect1d(taught, shown)[:3]


def found(service, after, rows):
    table = canaries(service, after, rows).set_index("tier")
    # other shoppers' lists follow from the item weights
    return {tier for tier in table.index[table["found"] == 1] if tier != "others"}


def named(service, user, rows):
    """Where the rows are still named in what each store holds of the shopper."""
    return {
        name
        for name, store in service.stores.items()
        if np.isin(store.lineage(user)["interaction"], rows).any() or len(store.knows(user, rows))
    }


def test_both_are_places_of_the_service(service):
    names = [tier.name for tier in service.tiers]
    assert names == [
        "log",
        "profile",
        "experience",
        "archive",
        "user_vector",
        *PLACES[-1:],
        "tombstone",
    ]
    assert "log, profile, experience, archive" in rungs(service.tiers)


def test_deleted_rows_are_named_before_and_nowhere_after(service, rows):
    assert len(rows) == 3
    assert found(service, service, rows) == {*PLACES}
    assert named(service, 0, rows) == {"profile", "experience", "archive"}
    after = service.remove(rows, Switches())
    assert found(service, after, rows) == set()
    assert named(after, 0, rows) == set()


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_is_switched_off_alone_is_the_only_one_that_remembers(service, rows, place):
    after = service.remove(rows, Switches(**{place: False}))
    assert found(service, after, rows) == {place}
    assert named(after, 0, rows) == {place} & service.stores.keys()


def test_rows_that_only_one_of_them_remembers_can_still_be_forgotten(service, rows):
    for place in ("experience", "archive"):
        left = service.remove(rows, Switches(**{place: False}))
        clean = left.remove(rows, Switches())
        assert named(clean, 0, rows) == set()
        with pytest.raises(DataError, match="no place remembers"):
            clean.remove(rows, Switches())


def test_what_is_told_to_the_page_goes_with_the_rows(service):
    """Of every shopper: nothing that is said after a request rests on its rows."""
    for user in range(7):
        stores = [service.stores[name] for name in ("experience", "archive")]
        told = [store.says(service.evidence(user)) for store in stores]
        rows = np.unique(np.concatenate([one["interaction"] for one in told]))[:4]
        if not len(rows):
            continue
        after = service.remove(rows, Switches())
        for name in ("experience", "archive"):
            said = after.stores[name].says(after.evidence(user))
            assert not np.isin(said["interaction"], rows).any()
        kept = service.remove(rows, Switches(experience=False))
        said = kept.stores["experience"].lineage(user)
        assert (
            np.isin(said["interaction"], rows).any()
            == np.isin(stores[0].lineage(user)["interaction"], rows).any()
        )


def test_the_screen_draws_them_and_reports_are_still_written(service, rows):
    told = forget(service, 0, rows, Switches(experience=False), draws=0)
    assert told.before.dropped.empty
    assert told.after.dropped.empty
    screen = state(told)
    drawn = {one["name"]: one for one in screen["switches"]}
    for kind in (Experience, Archive):
        assert drawn[kind.name]["label"] == kind.label
        assert screen["causes"][kind.name] == list(kind.causes)
    assert drawn["experience"]["on"] is False
    assert drawn["archive"]["on"] is True


def test_a_request_of_one_shopper_leaves_what_others_were_taught_and_shown(service, rows):
    after = service.remove(rows, Switches())
    for user in range(1, 7):
        for name in ("experience", "archive"):
            old, new = (one.stores[name].lineage(user) for one in (service, after))
            assert old.equals(new)
