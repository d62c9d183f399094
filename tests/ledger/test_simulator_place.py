"""The simulator's weights as a place of a service: handed in, marked stale, trained again; on screen,
in the receipt, and for canaries."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tests.reports.shops import shop  # noqa: E402
from workbench.data import Interactions, load_world  # noqa: E402
from workbench.errors import ModelError  # noqa: E402
from workbench.ledger import Service, Switches, canaries, forget, places  # noqa: E402
from workbench.ledger.promises import Case, promises  # noqa: E402
from workbench.recommend import EASE  # noqa: E402
from workbench.reports import EntityStore, Evidence  # noqa: E402
from workbench.reports.recpilot import (  # noqa: E402
    Simulator,
    SimulatorConfig,
    SimulatorPlace,
    SupervisedTraining,
    remembering,
    using,
)
from workbench.views import Screen, show  # noqa: E402
from workbench.views.screen.static import static_screen  # noqa: E402

USER = 7
QUICK = SupervisedTraining(steps=2, batch=16, every=1, warm_up=1)
SMALL = SimulatorConfig(hidden=16, inner=32, head_size=8, history=40, training=QUICK)


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def log(world):
    """Thirty shoppers of the shipped world."""
    return world.log.select((world.log.frame["user"] < 30).to_numpy())


@pytest.fixture(scope="module")
def service(world, log):
    """A shop that keeps profiles and a simulator, trained on its log."""
    simulator = Simulator(SMALL).fit(log)
    stores = [EntityStore, using(SimulatorPlace, simulator=simulator)]
    return Service.build(log, world.catalogue, EASE(), stores=stores)


@pytest.fixture(scope="module")
def rows(log):
    return log.rows_of(USER)["interaction"].to_numpy()[:3]


def trained(service, how):
    """The service once its simulator is trained again on its log."""
    place = getattr(service.stores["simulator"], how)(service.log)
    return replace(service, stores=service.stores | {"simulator": place})


def held(service, after, rows):
    table = canaries(service, after, rows).set_index("tier")
    return table.loc["simulator", "amount"]


def switch(state):
    (found,) = [one for one in state["switches"] if one["name"] == "simulator"]
    return found


def test_a_place_is_trained_where_no_simulator_is_handed_in(world, log, service, monkeypatch):
    monkeypatch.setattr(remembering, "Simulator", lambda: Simulator(SMALL))
    built = SimulatorPlace.build(log, world.catalogue)
    given = service.stores["simulator"]
    assert built.read.equals(given.read)
    for name, value in built.simulator.module.state_dict().items():
        assert torch.equal(value, given.simulator.module.state_dict()[name])


def test_a_simulator_of_another_shop_is_refused(world, log, service):
    other = Interactions.from_table(log.frame[["user", "item"]].iloc[:50])
    with pytest.raises(ModelError):
        SimulatorPlace.build(other, world.catalogue, service.stores["simulator"].simulator)
    # also where its place is handed in as it is
    small = shop(3)
    with pytest.raises(ModelError):
        Evidence.of(*small, EASE().fit(small[0]), 0, stores=service.stores)


def test_forgetting_marks_it_stale_and_training_anew_makes_it_forget(service, rows):
    assert held(service, service, rows) == 3
    after = service.remove(rows, Switches())
    assert after.stores["simulator"].undone == "marked stale: 3 rows"
    assert held(service, after, rows) == 3
    warm, new = trained(after, "warm"), trained(after, "retrain")
    assert held(service, warm, rows) == 3
    assert warm.stores["simulator"].undone == "warm start: not proven to have forgotten 3 rows"
    assert held(service, new, rows) == 0
    assert new.stores["simulator"].undone == ""
    # pages are written all along, and rest on no row that went
    for one in (after, warm, new):
        report = one.report(USER)
        assert report.dropped.empty
        assert not np.isin(report.support["interaction"], rows).any()
    # a switch that is off leaves it as it is
    left = service.remove(rows, Switches(simulator=False))
    assert left.stores["simulator"] is service.stores["simulator"]
    # what only the weights remember can still be asked for
    again = after.remove(rows, Switches())
    assert again.stores["simulator"].undone == "marked stale: 3 rows"


def test_the_receipt_and_the_promises_say_that_the_weights_hold_the_rows(service, rows):
    told = forget(service, USER, rows, draws=1)
    table = places(told, folders=[]).set_index("place")
    line = table.loc["simulator"]
    assert (line["before"], line["after"], line["touched"]) == (3, 3, False)
    assert line["note"] == "the simulator's weights still hold the rows"
    assert table.loc["profile", "after"] == 0
    cells = promises(Case.of(told)).cells.set_index(["place", "dimension"])
    assert cells.loc[("simulator", "privacy"), "state"] == "broken"
    assert cells.loc[("simulator", "robustness"), "state"] == "holds"


def test_the_screen_says_marked_stale(service, rows):
    screen = Screen(service, USER)
    assert switch(screen.state)["label"] == "the simulator's weights"
    text = show(screen)._repr_html_()
    assert "weights" in text
    assert "marked stale" not in text
    done = screen.act({"interactions": rows.tolist()})
    assert switch(done)["stale"] == "marked stale: 3 rows"
    assert json.loads(json.dumps(done, allow_nan=False)) == done
    assert "weights <b>marked stale: 3 rows</b>" in static_screen(done)
    # not reached, and started again
    off = screen.act({"interactions": rows.tolist(), "switches": {"simulator": False}})
    assert "marked stale" not in static_screen(off)
    assert "marked stale" not in static_screen(screen.act({"interactions": []}))
    # no press of a button changes it
    item = int(screen.state["lists"]["now"][0]["item"])
    pressed = screen.act({"interactions": [], "presses": [["dislike", item]]})
    assert "stale" not in switch(pressed)


def test_a_screen_opened_later_goes_on_saying_it_until_it_is_trained_anew(service, rows):
    after = service.remove(rows, Switches())
    assert "marked stale: 3 rows" in static_screen(Screen(after, USER).state)
    warm = static_screen(Screen(trained(after, "warm"), USER).state)
    assert "<b>warm start: not proven to have forgotten 3 rows</b>" in warm
    new = static_screen(Screen(trained(after, "retrain"), USER).state)
    assert "the simulator&#x27;s weights" in new or "the simulator's weights" in new
    assert "marked stale" not in new
    assert "not proven" not in new
