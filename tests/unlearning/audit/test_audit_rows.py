"""Rows, the population, strata and the topic against brute force and closed forms."""

from math import comb, erf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from workbench.unlearning.audit import (
    deleted_rows,
    hidden_case,
    other_topic_items,
    population_attack,
    strata_distance,
)
from workbench.unlearning.audit._asked import cells, deleted_cells, requests_of
from workbench.unlearning.audit.population import pooled_auc, population_checks
from workbench.unlearning.audit.rows import apart, row_auc, row_checks
from workbench.unlearning.audit.strata import thirds
from workbench.unlearning.measures import percentiles

SMALL = st.integers(0, 4).map(float)


@given(arrays(float, (2, 5), elements=SMALL), arrays(float, (4, 5), elements=SMALL))
def test_auc_of_a_row_is_mann_whitney(one, two):
    for row, found in enumerate(row_auc(one, two)):
        want = mannwhitneyu(one[:, row], two[:, row]).statistic / 8
        assert found == pytest.approx(want)


@given(arrays(float, (2, 6), elements=SMALL), arrays(float, (3, 6), elements=SMALL))
def test_the_population_is_one_roc_curve(one, two):
    mark = np.r_[np.ones(one.size), np.zeros(two.size)]
    want = roc_auc_score(mark, np.r_[one.ravel(), two.ravel()])
    assert pooled_auc(one, two).mean() == pytest.approx(want)


def test_rows_stand_apart_by_chance_as_often_as_counting_says():
    rng = np.random.default_rng(0)
    for m, r in ((1, 5), (2, 4)):
        found = apart(rng.normal(size=(m, 20_000)), rng.normal(size=(r, 20_000)))
        assert found.mean() == pytest.approx(2 / comb(m + r, m), abs=0.01)


def test_the_null_line_of_rows_stands_where_counting_says():
    rng = np.random.default_rng(0)
    found = row_checks({"a": rng.normal(size=(2, 1500))}, rng.normal(size=(6, 1500)))
    line = found.line("retrain", "rows: share outside")
    assert line["estimate"] == pytest.approx(2 / comb(6, 2), abs=0.02)


def test_a_population_hides_what_rows_tell():
    """Half of the rows up and half down: the answer is known in closed form."""
    unlearned, retrained = hidden_case(rows=1_000)
    found = population_checks({"planted": unlearned}, retrained)
    whole, rows = (
        found.line("planted", f"population: {name}") for name in ("AUC", "per row |AUC − ½|")
    )
    assert whole["estimate"] == pytest.approx(0.5, abs=0.02) and not whole["fires"]
    want = 0.5 * (1 + erf(4 / 2**0.5 / 2**0.5)) - 0.5
    assert rows["estimate"] == pytest.approx(want, abs=0.005) and rows["fires"]


def test_percentiles_of_cells_average_to_those_of_people(shop):
    histories, asked, people = deleted_cells(shop.scenario, shop.done)
    found = cells(shop.bases[0], histories, asked)
    mean = np.array([found[people == user].mean() for user in histories.user])
    np.testing.assert_allclose(mean, percentiles(shop.bases[0], histories, asked))


def test_each_deleted_cell_belongs_to_its_request(shop):
    _, asked, people = deleted_cells(shop.scenario, shop.done)
    for cell, place in enumerate(requests_of(shop.scenario, shop.done)):
        request = shop.scenario.requests[place]
        rows = shop.scenario.task.train.frame
        rows = rows[rows["interaction"].isin(request.interactions)]
        if asked.indices[cell] in rows["item"].to_numpy():
            assert people[cell] in rows["user"].to_numpy()


@pytest.mark.parametrize(
    "check",
    [deleted_rows, other_topic_items, population_attack, strata_distance],
    ids=["rows", "topic", "population", "strata"],
)
def test_doing_nothing_is_told_and_a_retrain_is_not(shop, check):
    found = check(shop.models, shop.retrained, shop.scenario, shop.done).table
    # a stratum of four people decides nothing
    assert found.loc[found["row"].eq("no-op") & (found["n"] > 5), "fires"].all()
    assert not found.loc[found["row"].isin(["held out", "retrain"]), "fires"].any()


def test_rows_that_are_pushed_down_fire_too():
    """Over-forgetting: all below, or half below, with a mean AUC of ½."""
    rng = np.random.default_rng(0)
    side = np.where(np.arange(100) % 2, 3.0, -3.0)
    below, both = rng.normal(-3, 1, (2, 100)), side + rng.normal(size=(2, 100))
    found = row_checks({"below": below, "both": both}, rng.normal(size=(6, 100)))
    assert found.line("below", "rows: AUC")["fires"]
    assert not found.line("both", "rows: AUC")["fires"]
    for row in ("below", "both"):
        assert found.line(row, "rows: |AUC − ½|")["fires"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_equal_values_share_a_third(values):
    found = thirds(np.array(values))
    for value in set(values):
        assert len(set(found[np.array(values) == value])) == 1


def test_strata_part_the_rows(shop):
    _, asked, _ = deleted_cells(shop.scenario, shop.done)
    each = strata_distance(shop.models, shop.retrained, shop.scenario, shop.done).each
    each = each[each["row"] == "no-op"]
    for kind in ("activity", "item frequency"):
        assert each["check"].str.contains(kind).sum() == asked.nnz


def test_sessions_of_a_person_are_one_unit(visits):
    found = deleted_rows(visits.models, visits.retrained, visits.scenario, visits.done).table
    assert (found["n"] == visits.done).all()
    assert not found.loc[found["row"] != "no-op", "fires"].any()
