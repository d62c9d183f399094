"""The shop of the generated world as a service: all of it, and its first shoppers with ALS."""

import pytest

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import ALS, EASE
from workbench.recommend.collaborative.als import ALSConfig


@pytest.fixture(scope="module")
def service():
    world = load_world()
    return Service.build(world.log, world.catalogue, EASE())


@pytest.fixture(scope="module")
def als():
    world = load_world()
    few = world.log.select(world.log.frame["user"] < 60)
    return Service.build(few, world.catalogue, ALS(ALSConfig(factors=8, epochs=3)))
