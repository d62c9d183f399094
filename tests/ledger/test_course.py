"""Requests one after another: what stands at each place, what comes back, a receipt each."""

import copy

import numpy as np
import pytest

from tests.ledger.ways import model_of, service_of, shop
from workbench.errors import DataError
from workbench.ledger import Service, Switches, chained, course, filed, forget
from workbench.ledger.written import Memories
from workbench.recommend import EASE
from workbench.reports import recpilot
from workbench.unlearning import verify
from workbench.unlearning.receipt import Receipt
from workbench.views import show

WORLD = shop()
LOG = WORLD.log.select((WORLD.log.frame["user"] < 60).to_numpy())
USER = 12
TOPIC = "Baby & pregnancy"
ITEMS = filed(WORLD.truth["memories"], {"expecting": TOPIC})
STORES = (
    recpilot.Rubric,
    recpilot.Experience,
    recpilot.Archive,
    recpilot.using(Memories, items=ITEMS),
)


def built(model, log=LOG):
    return Service.build(log, WORLD.catalogue, model, stores=STORES, agent=recpilot.agent)


@pytest.fixture(scope="module")
def services():
    return {"counted": built(EASE()), "trained": built(model_of("SASRec"))}


@pytest.fixture(scope="module")
def requests(services):
    rows = LOG.rows_of(USER)
    categories = WORLD.catalogue.frame["category"].to_numpy()[rows["item"]]
    most = rows.groupby(categories).size().sort_values(ascending=False).index[:3]
    return {name: rows.loc[categories == name, "interaction"].to_numpy() for name in most}


@pytest.fixture(scope="module")
def done(services, requests):
    return course(services, USER, requests, draws=0)


def test_the_shopper_has_three_topics(requests):
    assert len(requests) == 3 and min(map(len, requests.values())) > 1


def test_every_place_is_looked_at_after_every_request(done, requests):
    places = set(done.held["place"])
    assert places == {
        *("log", "rubric", "experience", "archive", "memories"),
        *("weights: counted", "weights: trained", "page: counted", "page: trained"),
    }
    log = done.held[done.held["place"] == "log"].set_index(["asked", "after"])["rows"]
    for number, (name, ids) in enumerate(requests.items()):
        # there until its own request, and not after it
        expected = [len(ids)] * (number + 1) + [0] * (3 - number)
        assert log[name].tolist() == expected
    assert done.still.empty and "none of the rows is found" in repr(done)


def test_each_request_starts_from_what_the_last_one_left(done, requests):
    _, second, third = done.steps["counted"]
    assert third.services[0].log.fingerprint == second.services[1].log.fingerprint
    ids = np.concatenate(list(requests.values()))
    refit = EASE().fit(LOG.without(ids))
    left = done.left["counted"]
    assert left.log.fingerprint == LOG.without(ids).fingerprint
    assert np.allclose(left.model.score(left.everyone), refit.score(left.everyone))
    # one request for all of it leaves the same log and the same rubric
    once = forget(done.steps["counted"][0].services[0], USER, ids).services[1]
    assert once.log.fingerprint == left.log.fingerprint
    rubrics = [one.stores["rubric"].weights(USER) for one in (once, left)]
    assert np.array_equal(*rubrics)


def test_the_archive_keeps_each_page_and_loses_what_rested_on_the_rows(done, requests):
    first = next(iter(requests))
    at = done.held[(done.held["asked"] == first) & (done.held["place"] == "archive")]
    assert at["rows"].tolist()[0] > 0 and not any(at["rows"].tolist()[1:])
    pages = [one.services[0].stores["archive"].pages(USER) for one in done.steps["counted"]]
    assert all(pages)


@pytest.mark.parametrize("place", ["archive", "memories", "experience", "log", "item_weights"])
def test_a_place_that_was_not_told_is_found(services, requests, place):
    names = list(requests)
    reach = {names[0]: Switches(**{place: False})}
    some = {name: requests[name] for name in names[:1]}
    left = course({"counted": services["counted"]}, USER, some, reach, draws=0)
    found = set(left.still["place"])
    expected = "weights: counted" if place == "item_weights" else place
    known = done_rows(services, place, some[names[0]])
    assert (expected in found) == (known > 0)
    if place == "log":  # the new page is written from it, and kept by the archive
        assert found == {"log", "page: counted", "archive"}
    if place in ("item_weights", "experience"):
        assert expected in found


def done_rows(services, place, ids):
    """How many of the rows the place holds before, by its own word."""
    store = services["counted"].stores.get(place)
    # an archive begins with the page that is read at the start
    return len(ids) if store is None or place == "archive" else len(store.knows(USER, ids))


def test_a_store_that_keeps_what_it_says_it_forgot_is_found(services, requests):
    class Sly(recpilot.Experience):
        def forget(self, interactions, users=None):
            return self

    stores = (Sly, *STORES[2:])
    sly = Service.build(LOG, WORLD.catalogue, EASE(), stores=stores)
    left = course({"counted": sly}, USER, requests, draws=0)
    told = left.still.groupby("place")["asked"].agg(set)
    assert told["experience"] == set(requests)
    # nothing else holds them, but a page that says what was remembered
    assert set(told.index) <= {"experience", "page: counted", "archive"}


def test_what_came_back_has_a_cause_and_was_said_or_ended_before(done):
    back = done.returned
    assert len(back) and set(back["how"]) <= {"stands", "again"}
    fates = done.fates
    for row in back.itertuples():
        own = fates[(fates["model"] == row.model) & (fates["request"] == row.request)]
        fate = own.loc[own["sentence"] == row.sentence, "fate"].iloc[0]
        assert fate == {"stands": "back", "again": "new"}[row.how] and row.cause
    stands = back[back["how"] == "stands"]
    assert len(stands) == (fates["fate"] == "back").sum()


def test_a_receipt_a_request(done, requests, tmp_path):
    receipts = done.receipts("counted")
    assert len(receipts) == 3 and chained(receipts)
    for (one, key), ids in zip(receipts, requests.values(), strict=True):
        told = verify(one, key, rows=LOG.only(ids), data=None).set_index("check")["ok"]
        assert told["seal"] and told["sums"] and told["rows"]
        named = {line["place"]: line["after"] for line in one.content["places"]}
        assert not any(named[place] for place in ("log", "archive", "memories", "item_weights"))
    looked = done.verified("counted", receipts).set_index("request")
    assert looked.iloc[-1].all() and looked[["form", "sums", "seal", "rows"]].all(axis=None)
    assert looked["weights"].iloc[:-1].isna().all()
    last, key = receipts[-1]
    swapped = done.verified("counted", receipts[::-1])
    assert not swapped["rows"].iloc[0] and not swapped["weights"].iloc[-1] and swapped["seal"].all()
    told = verify(last, key, model=done.left["counted"].model, data=done.left["counted"].log)
    assert told.set_index("check")["ok"][["weights", "data", "absent"]].all()
    # another's key, and one changed digit
    assert not verify(last, receipts[0][1]).set_index("check")["ok"]["seal"]
    changed = copy.deepcopy(last.content)
    changed["places"][0]["before"] += 1
    assert not verify(Receipt(changed), key).set_index("check")["ok"]["seal"]
    path = last.write(tmp_path / "receipt.json")
    raw = path.read_bytes()
    digit = raw.index(b'"people":') + len(b'"people":')
    assert raw[digit : digit + 1].isdigit()
    other = b"1" if raw[digit : digit + 1] != b"1" else b"2"
    path.write_bytes(raw[:digit] + other + raw[digit + 1 :])
    assert not verify(path, key).set_index("check")["ok"]["seal"]
    # a receipt left out, or in another order, is no chain
    assert not chained(receipts[::2]) and not chained(receipts[::-1])


def test_what_is_no_course_is_refused(services, requests):
    with pytest.raises(DataError, match="different logs"):
        course({"a": services["counted"], "b": service_of("BPR", people=50)}, USER, requests)
    with pytest.raises(DataError, match="nothing to do"):
        course(services, USER, {})
    twice = {"one": requests[next(iter(requests))], "two": requests[next(iter(requests))]}
    with pytest.raises(DataError, match="no place remembers"):
        course({"counted": services["counted"]}, USER, twice, draws=0)
    with pytest.raises(DataError, match="no service"):
        course({"counted": services["counted"]}, USER, requests, draws=0).receipts("other")


def test_it_is_shown(done):
    static = show(done).static
    assert "archive" in static and "→ 0" in static and "came back" in static
    assert static == done._repr_html_()
