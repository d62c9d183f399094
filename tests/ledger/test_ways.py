"""Services of all nine trained models: they report, forget in the ways they are handed, and say where
nothing was done."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.ledger.ways import BASKETS, NINE, WAYS, model_of, service_of
from workbench.errors import ConfigError
from workbench.ledger import Service, Switches, forget, places, receipt
from workbench.recommend import EASE
from workbench.recommend.protocol import fitted_copy
from workbench.reports import check
from workbench.unlearning import verify
from workbench.unlearning.outcome import step_length
from workbench.unlearning.stream import Method
from workbench.views import Screen
from workbench.views.page import _alone
from workbench.views.screen.live import answers
from workbench.views.screen.state import state
from workbench.views.screen.static import seconds_of, static_screen

USER = 12


@pytest.fixture(scope="module", params=NINE)
def service(request):
    return service_of(request.param, people=16)


@pytest.fixture(scope="module")
def small():
    return service_of("BPR", people=30)


def some(service, n=3):
    return service.log.rows_of(USER)["interaction"].to_numpy()[:n]


def test_it_reports_by_deletion(service):
    report, evidence = service.report(USER), service.evidence(USER)
    assert report.claims and not len(report.dropped)
    assert check(report.claims, evidence, report.support)["ok"].all()
    assert not evidence.additive and evidence.deletion.effects.any()


def test_it_forgets_in_each_way_it_is_handed(service):
    rows = some(service)
    told = {way: forget(service, USER, rows, way=way, draws=1) for way in service.ways}
    assert [*told] == ["retrain", *WAYS]
    # retrain: the model fitted on what remains
    fitted = fitted_copy(service.model, service.log.without(rows))
    assert step_length(told["retrain"].services[1].model, fitted) == 0
    # another way: its own weights, and not exact
    after = told["one epoch"].services[1]
    assert step_length(after.model, service.model) > 0 and step_length(after.model, fitted) > 0
    assert told["one epoch"].inexact == " (one epoch: not exact)"
    assert not np.isin(after.weights_log.frame["interaction"], rows).any()
    # nothing done: the old weights, which say so
    for way in ("nothing", "breaks"):
        left = told[way].services[1]
        assert left.model is service.model and left.weights_log is service.weights_log
        assert told[way].inexact == f" ({way}: marked stale)"
        assert not np.isin(left.log.frame["interaction"], rows).any()
    assert all(one.fates["fate"].isin(["gone", "kept", "new"]).any() for one in told.values())
    assert len(told["one epoch"].null) == 3
    # the service itself stays as it was
    assert np.isin(rows, service.log.frame["interaction"]).all()


def test_controls_go_the_same_way(small):
    told = forget(small, USER, some(small), way="nothing", draws=2)
    assert {one.way for one in told.controls} == {"nothing"}
    # where nothing is done to weights, nobody else's list can change
    assert not told.null["others"].any()
    other = forget(small, USER, some(small), way="one epoch", draws=2)
    assert other.null["others"].all()


def test_what_people_buy_again_is_not_hidden_from_basket_models():
    for name in NINE:
        assert service_of(name, people=15).mask_seen == (name not in BASKETS)
    log, catalogue = service_of("DNNTSP").log, service_of("DNNTSP").catalogue
    assert Service.build(log, catalogue, model_of("DNNTSP"), mask_seen=True).mask_seen


def test_a_counted_model_is_exact_unless_told(small):
    service = Service.build(
        small.log, small.catalogue, EASE(), forgetters={"nothing": WAYS["nothing"]}
    )
    assert service.ways == ("exact", "nothing")
    assert forget(service, USER, some(service)).inexact == ""
    # what a way does is said once, and the short way to others' scores is that of the exact one
    told = forget(service, USER, some(service), way="nothing")
    assert told.removal.score(told.on) is None and not told.others["changed"].iloc[0]


@pytest.mark.parametrize("way", ["brain", "exact", "", 3, ["retrain"]], ids=repr)
def test_a_way_that_is_none_is_refused(small, way):
    if way == "":
        assert small.removal(some(small), way=way).way == "retrain"
        return
    with pytest.raises(ConfigError, match=r"no way is called|way: a"):
        forget(small, USER, some(small), way=way)
    with pytest.raises(ConfigError, match=r"no way is called|way: a"):
        Screen(small, USER, way=way)
    (reply,) = answers(
        Screen(small, USER).steps, {"id": 1, "action": {"interactions": [], "way": way}}
    )
    assert reply["error"].startswith("ConfigError: way: no way is called")


@pytest.mark.parametrize(
    "ways",
    [
        {"retrain": WAYS["nothing"]},
        {"x": 3},
        {"x": Method("x", WAYS["nothing"], prepare=lambda base, log: base)},
    ],
    ids=["a name of ours", "no algorithm", "starts from another model"],
)
def test_ways_that_cannot_be_taken_are_refused(ways):
    with pytest.raises(ConfigError, match="forgetters"):
        service_of("BPR", ways, people=15)


def test_the_screen_says_seconds_verdict_and_what_is_stale(small):
    screen = Screen(small, USER)
    row = next(one for one in screen.state["switches"] if "ways" in one)
    assert row["name"] == "item_weights" and row["way"] == "retrain" and row["stale"] == ""
    assert [one["verdict"] for one in row["ways"]] == ["", "undecided", "", ""]
    asked = {"interactions": some(small).tolist(), "way": "one epoch"}
    done = screen.act(asked)
    text = static_screen(done)
    assert f"one epoch · {seconds_of(done['seconds']['one epoch'])} · undecided ▾" in text
    assert "marked stale" not in text
    left = screen.act({**asked, "way": "breaks"})
    assert "marked stale: ValueError: no" in static_screen(left)
    # and where the switch is off
    off = screen.act({**asked, "switches": {"item_weights": False}})
    assert "<b>marked stale</b>" in static_screen(off)
    assert json.loads(json.dumps(left, allow_nan=False)) == left
    # started again, nothing is stale
    assert "marked stale" not in static_screen(screen.act({"interactions": []}))


def test_without_other_ways_the_screen_is_as_it_was(small):
    alone = service_of("BPR", {}, people=30)
    told = state(forget(alone, USER, some(alone), draws=0))
    assert not any("ways" in one for one in told["switches"])
    choice = state(forget(small, USER, some(small), draws=0))
    assert [{**one, "on": 0} for one in _alone(choice, small, USER)["switches"]] == [
        {**one, "on": 0} for one in told["switches"]
    ]


def test_a_receipt_reads_what_stands_in_the_places(small, tmp_path):
    rows = some(small)
    (tmp_path / "runs").mkdir()
    frame = small.log.frame.head(50).assign(user=str(small.log.users[USER]))
    frame.to_parquet(tmp_path / "runs" / "result.parquet")
    folders = [tmp_path / "runs", tmp_path / "gone"]
    told = forget(small, USER, rows, Switches(log=False, tombstone=True))
    found = places(told, folders).set_index("place")
    assert found["touched"].to_dict() == {
        "log": False,
        "profile": True,
        "user_vector": False,
        "item_weights": True,
        "tombstone": True,
        "folder runs": False,
        "folder gone": False,
    }
    assert found.loc["log", ["before", "after"]].tolist() == [3, 3]
    assert found.loc["folder runs", "before"] == 50
    assert "workbench purge" in found.loc["folder runs", "note"]
    paper, key = receipt(told, folders=folders)
    assert paper.content["guarantee"]["kind"] == "exact"
    assert verify(paper, key, small.log.only(rows), told.services[1].model, small.log)[
        "ok"
    ].tolist() == [*(True, True, True, True, True, True, False)]


@pytest.mark.parametrize(
    "way, kind", [("retrain", "exact"), ("one epoch", "none"), ("breaks", "none")]
)
def test_a_receipt_claims_no_more_than_was_done(small, way, kind):
    paper, key = receipt(forget(small, USER, some(small), way=way), folders=[])
    content = paper.content
    assert content["guarantee"]["kind"] == kind
    assert content["guarantee"]["residual"] == (0.5 if way == "one epoch" else None)
    moved = content["weights"]["before"] != content["weights"]["after"]
    assert moved == (way != "breaks") and not (verify(paper, key)["ok"] == False).any()  # noqa: E712
    (weights,) = (one for one in content["places"] if one["place"] == "item_weights")
    assert weights["touched"] == (way != "breaks")
    assert weights["after"] == {"retrain": 0, "one epoch": None, "breaks": 3}[way]
    assert (content["method"]["name"] == way) == (way != "breaks")
