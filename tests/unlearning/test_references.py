"""Retrains: of which rows, of which seed, and made once."""

import numpy as np
import pytest

from workbench.data import load_world
from workbench.recommend import BPR, EASE, BPRConfig
from workbench.recommend.tasks import collaborative_task
from workbench.recommend.training import Training
from workbench.unlearning import References, measures, reseeded, retrained, sensitive
from workbench.unlearning import references as module
from workbench.unlearning.outcome import weights


@pytest.fixture(scope="module")
def scenario():
    world = load_world()
    items = world.catalogue.items_of("Baby & pregnancy")
    return sensitive(collaborative_task(world.log), items, n=8)


MODEL = BPR(BPRConfig(embedding=8, training=Training(epochs=1)))


def same(one, other):
    return all(np.array_equal(value, weights(other)[name]) for name, value in weights(one).items())


def test_a_retrain_is_a_fit_on_what_is_left_and_the_model_stays(scenario):
    found = retrained(MODEL, scenario, 4, 5)
    assert same(found, reseeded(MODEL, 5).fit(scenario.train(4)))
    assert not same(found, reseeded(MODEL, 5).fit(scenario.train(5)))
    assert MODEL.config.training.seed == 1 and MODEL.module is None


def test_retrains_are_made_once(scenario, monkeypatch):
    made = []

    def counted(model, scenario, done, seeds):
        made.extend((done, seed) for seed in seeds)
        return [retrained(model, scenario, done, seed) for seed in seeds]

    monkeypatch.setattr(module, "retrains", counted)
    references = References(scenario, MODEL, seeds=(3, 4))
    first = references.at(2)
    assert references.at(2)[0] is first[0] and not same(*first)
    references.measured(2), references.measured(4), references.measured(4)
    assert made == [(2, 3), (2, 4), (4, 3), (4, 4)]


def test_what_is_measured_of_them_is_what_measures_says(scenario):
    table = References(scenario, MODEL, seeds=(3, 4)).measured(2)
    assert table.columns.tolist() == ["seed", "done", "measure", "unit", "value"]
    own = measures(retrained(MODEL, scenario, 2, 4), scenario, 2)
    found = table[table["seed"] == 4]
    assert np.array_equal(found["value"], own["value"], equal_nan=True)


def test_a_model_without_a_seed_has_one_retrain(scenario):
    assert len(References(scenario, EASE()).at(2)) == 1


def test_retrains_side_by_side_are_the_same(scenario):
    alone, beside = (References(scenario, MODEL, seeds=(3, 4), jobs=jobs).at(2) for jobs in (1, 2))
    assert all(same(one, two) for one, two in zip(alone, beside, strict=True))
