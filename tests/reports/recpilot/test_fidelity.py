"""Imagined and real visits beside each other: nothing where they are alike, much where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from workbench.data import load_world
from workbench.errors import DataError
from workbench.reports.recpilot import fidelity, visits_of
from workbench.reports.recpilot.fidelity import jsd


@pytest.fixture(scope="module")
def visits():
    """The first thousand visits of the shipped world."""
    return visits_of(load_world().log).trajectories.select(np.arange(1000))


def test_halves_of_the_same_visits_are_alike(visits):
    table = fidelity(*(visits.select(np.arange(k, 1000, 2)) for k in (0, 1)))
    far = table.set_index("measure")["distance"]
    assert far["actions, JSD in bits"] < 0.002
    assert far["transitions, JSD in bits"] < 0.01
    assert far["rows a visit"] < 0.5
    assert 0.42 < far["told apart, AUC"] < 0.58
    # every visit buys, in truth and here
    assert (
        table.set_index("measure").loc["visits with a purchase", ["real", "imagined"]].eq(1).all()
    )


def test_views_of_one_product_only_are_told_apart(visits):
    same = visits.item[visits.offsets[:-1]][visits.rows]
    table = fidelity(visits, replace(visits, item=same)).set_index("measure")
    assert table.loc["told apart, AUC", "distance"] > 0.9
    assert table.loc["rows on a new product of the visit", "distance"] < -0.1
    assert table.loc["actions, JSD in bits", "distance"] == 0


def test_the_divergence_is_scipys():
    p, q = np.array([3, 0, 5.0]), np.array([1, 1, 0.0])
    assert jsd(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)


def test_too_few_are_refused(visits):
    with pytest.raises(DataError, match="9 visits"):
        fidelity(visits, visits.select(np.arange(9)))


def test_other_actions_or_products_are_refused(visits):
    for parts in ({"actions": visits.actions[::-1]}, {"n_items": visits.n_items + 1}):
        with pytest.raises(DataError, match="fidelity"):
            fidelity(visits, replace(visits, **parts))
