"""Whatever is handed to a view or to the simulator's functions is used, or refused by name: nothing
foreign is raised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
from workbench import views  # noqa: E402
from workbench.data import load_world  # noqa: E402
from workbench.errors import ConfigError, WorkbenchError  # noqa: E402
from workbench.ledger import Service  # noqa: E402
from workbench.recommend import EASE  # noqa: E402
from workbench.reports import EntityStore, judges, recpilot  # noqa: E402

FOREIGN = [None, 3, -1, 2.5, float("nan"), "x", [1], [None], {"a": 1}, True, object(), b"x"]
FOREIGN += [np.array([1.5]), 10**9]
TERMS = ("total", "outcome", "process", "length", "format")


@pytest.fixture(scope="module")
def made():
    """What the calls below take."""
    world = load_world()
    log = world.log.select((world.log.frame["user"] < 12).to_numpy())
    stores = (EntityStore, recpilot.Rubric, recpilot.Experience)
    service = Service.build(log, world.catalogue, EASE(), stores=stores)
    visits = recpilot.visits_of(log)
    sizes = {"hidden": 16, "inner": 32, "head_size": 8, "history": 40}
    vocabulary = recpilot.Vocabulary(visits.trajectories.actions, log.n_items)
    simulator = recpilot.Simulator(recpilot.SimulatorConfig(**sizes)).make(
        vocabulary, log.index_fingerprint
    )
    history = log.histories([3])
    drawn = recpilot.draw(simulator, history, 2, seed=1)
    numbers = np.random.default_rng(0).random(40)
    steps = pd.DataFrame({f"{name}{end}": numbers for name in TERMS for end in ("", "_variance")})
    steps["step"] = np.arange(40)
    scores = {"a": np.arange(log.n_items) * 1.0}
    pair = judges.Pair("1", {"own": "A page.", "other": "Another."})
    whose = {"service": service, "user": 3}
    real, catalogue, page = visits.trajectories, world.catalogue, service.report(3)
    return {
        views.Course: {**whose, "source": ""},
        views.Interest: {**whose, "topics": (), "pieces": 6, "level": 0.95},
        views.Weights: {**whose, "weights": {"price": 1.0}, "ban": {}},
        views.Flow: {"visits": real, "catalogue": catalogue, "stops": 3, "kinds": 6, "title": "t"},
        views.WhyNot: {
            "item": 3,
            "scores": scores,
            "history": history,
            "catalogue": catalogue,
            "drawn": drawn,
            "k": 10,
        },
        views.Microscope: {"log": steps, "window": 10, "off": (), "source": ""},
        views.Readings: {"pairs": [pair], "reader": "r", "shown": True, "seed": 0},
        views.Screen: {**whose, "topic": None, "switches": None, "seed": 0, "way": None},
        recpilot.candidates: {"drawn": drawn, "k": 3, "rule": "mixture"},
        recpilot.bought_in: {"drawn": drawn},
        recpilot.fidelity: {"real": real, "imagined": real, "seed": 0},
        recpilot.weigh: {"evidence": service.evidence(3), "weights": None, "ban": None},
        recpilot.changed: {"before": page, "after": page, "catalogue": catalogue},
        recpilot.rows_behind: {"report": page, "claims": [page.claims[0].claim]},
        recpilot.visits_of: {"log": log},
        recpilot.may_speak: {"simulator": simulator},
    }


CALLS = {
    "Course": ("service", "user", "source"),
    "Interest": ("service", "user", "topics", "pieces", "level"),
    "Weights": ("service", "user", "weights", "ban"),
    "Flow": ("visits", "catalogue", "stops", "kinds", "title"),
    "WhyNot": ("item", "scores", "history", "catalogue", "drawn", "k"),
    "Microscope": ("log", "window", "off", "source"),
    "Readings": ("pairs", "reader", "shown", "seed"),
    "Screen": ("service", "user", "topic", "switches", "seed", "way"),
    "candidates": ("drawn", "k", "rule"),
    "bought_in": ("drawn",),
    "fidelity": ("real", "imagined", "seed"),
    "weigh": ("evidence", "weights", "ban"),
    "changed": ("before", "after", "catalogue"),
    "rows_behind": ("report", "claims"),
    "visits_of": ("log",),
    "may_speak": ("simulator",),
}


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n, all_ in CALLS.items() for a in all_])
def test_nothing_foreign_is_raised(made, name, argument):
    call = getattr(views, name, None) or getattr(recpilot, name)
    given = made[call]
    assert argument in given
    repr(call(**given))
    for other in FOREIGN:
        try:
            repr(call(**given | {argument: other}))
        except WorkbenchError as error:
            assert str(error)


def test_the_class_that_was_made_is_still_one(made):
    given = made[views.Course]
    assert isinstance(views.Course(**given), views.Course)
    with pytest.raises(ConfigError, match="service: a NoneType cannot be used"):
        views.Course(None, 3)
    with pytest.raises(ConfigError, match="missing a required argument: 'user'"):
        views.Course(given["service"])
