"""A tiny world with a topic that people delete; models that still hold the rows, and models that
never saw them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from workbench.data import load_world
from workbench.recommend import BPR, BPRConfig, GRU4Rec, GRU4RecConfig
from workbench.recommend.tasks import collaborative_task, session_task
from workbench.recommend.training import Training
from workbench.unlearning import reseeded, retrains, sensitive

TOPIC, PEOPLE = "Baby & pregnancy", 20


@pytest.fixture(scope="session")
def shop():
    """BPR, 20 people: bases, six retrains, and two more that are held out as if a method."""
    world = load_world()
    task = collaborative_task(world.log)
    scenario = sensitive(task, world.catalogue.items_of(TOPIC), n=PEOPLE)
    training = Training(epochs=20, batch=2048, learning_rate=5e-3)
    return _made(scenario, BPR(BPRConfig(l2=0.01, training=training)))


@pytest.fixture(scope="session")
def visits():
    """A small GRU4Rec on the same people's sessions; one base a method, six retrains."""
    world = load_world()
    scenario = sensitive(session_task(world.log), world.catalogue.items_of(TOPIC), n=PEOPLE)
    training = Training(epochs=3, batch=1024, learning_rate=1e-2)
    return _made(scenario, GRU4Rec(GRU4RecConfig(embedding=16, hidden=16, training=training)), 1)


def _made(scenario, model, n=2):
    bases = [reseeded(model, seed).fit(scenario.task.train) for seed in range(1, n + 1)]
    again = retrains(model, scenario, PEOPLE, range(11, 17))
    held = retrains(model, scenario, PEOPLE, range(31, 31 + n))
    models = {"no-op": bases, "held out": held}
    return SimpleNamespace(
        scenario=scenario, done=PEOPLE, model=model, bases=bases, retrained=again, models=models
    )
