"""Measures of a page, against small cases that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.data import Catalogue, Interactions
from workbench.errors import DataError, ModelError, UnknownUser
from workbench.ledger import Service
from workbench.recommend import OwnActions
from workbench.reports import EntityStore, write
from workbench.reports._evaluation_controls import OTHER, OWN, POPULAR, as_popular
from workbench.reports._evaluation_deletion import rows_under
from workbench.reports.evaluation import (
    calibration,
    coverage,
    deletion,
    filled,
    forecast,
    held_against,
    offers_of,
    precision,
    sources,
)
from workbench.reports.recpilot import agent

TEA, COFFEE, TORCH = range(3)
# user, item, action, session, a row a line; interaction ids count from 0
ROWS = [
    (0, "tea a", "view", 1),
    (0, "tea a", "purchase", 1),
    (0, "tea b", "view", 2),
    (0, "tea a", "purchase", 2),
    (0, "torch a", "view", 3),
    (0, "tea b", "view", 3),
    (1, "torch a", "view", 4),
    (1, "torch a", "cart", 4),
    (1, "torch b", "view", 5),
    (1, "torch b", "view", 6),
    (2, "coffee a", "purchase", 7),
    (2, "coffee b", "purchase", 8),
    (3, "coffee a", "purchase", 9),
    (3, "tea a", "purchase", 10),
]
ITEMS = ["tea a", "tea b", "torch a", "torch b", "coffee a", "coffee b"]


@pytest.fixture(scope="module")
def service() -> Service:
    table = pd.DataFrame(ROWS, columns=["user", "item", "action", "session"])
    table["timestamp"] = 1_600_000_000 + 86_400 * table["session"]
    names = {name: name for name in ("action", "session", "timestamp")}
    log = Interactions.from_table(table, users=pd.Index(range(4)), items=pd.Index(ITEMS), **names)
    frame = pd.DataFrame({"item": range(6), "title": [f"Ash {name}" for name in ITEMS]})
    frame["kind"] = [name.split()[0] for name in ITEMS]
    frame["category"] = ["drinks", "drinks", "tools", "tools", "drinks", "drinks"]
    frame["brand"] = ["Ash", "Birch", "Ash", "Birch", "Ash", "Birch"]
    frame["price"] = [5.0, 4.0, 20.0, 25.0, 7.0, 6.0]
    frame["rating"] = [4.0, 3.0, 4.5, 4.0, 3.5, 4.2]
    return Service.build(
        log, Catalogue.from_table(frame), OwnActions(), (EntityStore,), agent=agent
    )


def test_a_page_holds_on_the_rows_it_was_filled_from_and_cites_them_all(service):
    for user in range(4):
        evidence = service.evidence(user)
        for made in (evidence, *sources(evidence, (user + 1) % 4, agent).values()):
            held = held_against(write(made, ranges=False), made)
            assert held["holds"].all() and (held["cited"] == held["both"]).all()
            assert set(precision(held).values()) == {1.0}


def test_filled_from_the_own_rows_it_is_the_same_page(service):
    evidence = service.evidence(0)
    own = filled(evidence, evidence.log.rows_of(0), agent)
    assert write(own).text == service.report(0).text
    assert write(own).claims == service.report(0).claims


def test_what_people_buy_again_stays_with_the_people():
    from workbench.data import load_world
    from workbench.views import served

    world = load_world()
    service = served(world.log, world.catalogue, stores=[EntityStore])
    for user in range(0, 60, 3):
        evidence, page = service.evidence(user), service.report(user)
        own = filled(evidence, evidence.log.rows_of(user), agent)
        assert own.refills is evidence.refills
        assert write(own).text == page.text and write(own).claims == page.claims


def test_by_hand_another_shoppers_page_held_against_the_own_rows(service):
    evidence = service.evidence(0)
    page = write(sources(evidence, 1, agent)[OTHER], ranges=False)
    assert "torch b" in page.text and page.user == 0
    held = held_against(page, evidence).set_index("kind")
    # shopper 0 is after tea, never touched torch b, and did six things where shopper 1 did four
    assert not held.loc[["intent", "deed", "basis", "pick"], "holds"].any()
    assert "value 4 is 6" in held.loc["basis", "reason"]
    # a price is anybody's, and none of their rows carries it for shopper 0
    assert held.loc["row", "holds"].all() and (held.loc["row", "both"] == 0).all()
    found = precision(held.reset_index())
    assert found["claim precision"] == pytest.approx(held["holds"].mean())
    assert found["citation precision"] == 0.0 and found["citation recall"] == 0.0


def test_precision_and_recall_of_citations_by_hand():
    counts = [(True, 4, 4, 4), (True, 4, 2, 2), (True, 1, 4, 1), (False, 3, 0, 0)]
    held = pd.DataFrame(counts, columns=["holds", "cited", "carrying", "both"])
    found = precision(held)
    assert found["claim precision"] == 3 / 4
    assert found["citation precision"] == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)
    assert found["citation recall"] == pytest.approx((1 + 1 + 1 / 4) / 3)


def test_planted_faults_are_counted(service):
    evidence, page = service.evidence(0), service.report(0)
    (basis,) = (claim.claim for claim in page.claims if claim.kind == "basis")
    cites = page.support["claim"] == basis
    # half of the rows are not cited any more
    fewer = page.support[~cites | (page.support["interaction"] < 3)]
    held = held_against(replace(page, support=fewer), evidence).set_index("claim").loc[basis]
    assert (held["cited"], held["carrying"], held["both"]) == (3, 6, 3)
    # a row of somebody else is cited besides
    more = pd.DataFrame({"claim": [basis], "interaction": [9], "weight": [1.0]})
    more = pd.concat([page.support, more])
    held = held_against(replace(page, support=more), evidence).set_index("claim").loc[basis]
    assert (held["cited"], held["carrying"], held["both"]) == (7, 6, 6)
    # another number
    wrong = tuple(
        replace(claim, value=claim.value + (claim.kind == "basis")) for claim in page.claims
    )
    held = held_against(replace(page, claims=wrong), evidence).set_index("claim").loc[basis]
    assert not held["holds"] and held["reason"] == "value 7 is 6"
    with pytest.raises(DataError, match="page for user 0"):
        held_against(page, service.evidence(1))


def test_rows_under_a_sentence_are_the_heaviest_that_carry_its_share(service):
    page = service.report(0)
    for share in (0.0, 0.3, 0.5, 1.0):
        for rows, names in zip(rows_under(page, share), page.sentences["claims"], strict=True):
            for name in names:
                own = page.support[page.support["claim"] == name]
                inside = own["weight"][own["interaction"].isin(rows)]
                assert len(inside) and inside.sum() >= share - 1e-9
            if share == 1.0:
                said = page.support["claim"].isin(names)
                assert set(rows) == set(page.support.loc[said, "interaction"])


def test_deletion_by_hand(service):
    evidence, page = service.evidence(0), service.report(0)
    table = deletion(page, evidence, agent, share=1.0)
    reason = page.sentences["claims"].map(lambda names: _kinds(page, names) == {"deed", "link"})
    assert page.text[slice(*page.sentences.loc[reason, ["start", "end"]].iloc[0])].startswith(
        "You came back to it"
    )
    line = table[table["sentence"] == reason.idxmax()].iloc[0]
    # both looks at tea b are cited: without them it goes, with them alone it stays; none of the four
    # other rows is about it
    assert (line["rows"], line["goes"], line["stays"]) == (2, 1.0, 1.0)
    assert (line["goes_other"], line["stays_other"]) == (0.0, 0.0)
    # as many other rows as all rows there are not
    basis = page.sentences["claims"].map(lambda names: _kinds(page, names) == {"basis"}).idxmax()
    line = table[table["sentence"] == basis].iloc[0]
    assert line["rows"] == 6 and line["goes"] == 1.0 and np.isnan(line["goes_other"])
    assert table.iloc[-1]["section"] == "the page" and table.iloc[-1]["goes"] == 1.0


def _kinds(page, names):
    return {claim.kind for claim in page.claims if claim.claim in names}


def test_deletion_agrees_with_writing_again(service):
    # the slow truth: a service without the rows; the weights of its model are kept
    fates = set()
    for user in range(3):
        evidence, page = service.evidence(user), service.report(user)
        table = deletion(page, evidence, agent, seed=3)
        for n, rows in enumerate(rows_under(page)):
            log = service.log.without(rows)
            other = replace(
                service, log=log, stores={"profile": service.stores["profile"].forget(rows)}
            )
            again = other.evidence(user)
            made = {claim.statement for claim in write(again, ranges=False).claims}
            names = page.sentences["claims"][n]
            said = {claim.statement for claim in page.claims if claim.claim in names}
            fates.add((said <= made, table["goes"][n]))
    # what is written again did not go; what went is not written again
    assert (True, 0.0) in fates and (False, 1.0) in fates and (True, 1.0) not in fates


def test_coverage_by_hand(service):
    evidence, page = service.evidence(0), service.report(0)
    offered = offers_of(page)
    assert offered == dict(evidence.offers)
    found = coverage(page, evidence, [offered["pick"], 5])
    assert found["product"] == 0.5 and found["category"] == 1.0
    assert found["kind"] == 0.5
    assert np.isnan(list(coverage(page, evidence, []).values())).all()


def test_popular_rows_keep_actions_visits_and_counts(service):
    evidence = service.evidence(0)
    own, swapped = evidence.log.rows_of(0), as_popular(evidence)
    # coffee a and tea a have two buyers each, tea a stands first by code; then coffee b with one
    assert own["item"].map(ITEMS.__getitem__).tolist() == [row[1] for row in ROWS[:6]]
    named = swapped["item"].map(ITEMS.__getitem__).tolist()
    assert named == ["tea a", "tea a", "coffee a", "tea a", "coffee b", "coffee a"]
    assert own.drop(columns="item").equals(swapped.drop(columns="item"))


def test_sources_refuse(service):
    evidence = service.evidence(0)
    with pytest.raises(DataError, match="user 0 twice"):
        sources(evidence, 0, agent)
    with pytest.raises(UnknownUser):
        sources(evidence, 99, agent)
    assert [*sources(evidence, 1, agent)] == [OWN, OTHER, POPULAR]

    class Looking:
        def forget_user_vector(self):
            """It keeps users."""

    with pytest.raises(ModelError, match="looks its users up"):
        filled(replace(evidence, model=Looking()), evidence.log.rows_of(0))


def test_a_shopper_without_rows_has_a_page_that_says_nothing(service):
    evidence = service.evidence(0)
    empty = filled(evidence, evidence.log.rows_of(0).iloc[:0], agent)
    page = write(empty)
    assert not page.claims and held_against(page, evidence).empty
    assert np.isnan(precision(held_against(page, evidence))["claim precision"])
    assert deletion(page, empty, agent).empty


def test_brier_by_hand():
    chances, happened = np.array([0.8, 0.2, 0.6, 0.4]), np.array([1, 0, 0, 1])
    table = calibration(chances, happened, base=0.25).set_index("what")
    assert table.loc["Brier", "estimate"] == pytest.approx((0.04 + 0.04 + 0.36 + 0.36) / 4)
    base = (0.5625 + 0.0625 + 0.0625 + 0.5625) / 4
    assert table.loc["Brier of the base rate", "estimate"] == pytest.approx(base)
    assert table.loc["gained", "estimate"] == pytest.approx(base - 0.2)
    assert table.loc["happened", "estimate"] == 0.5 and (table["n"] == 4).all()
    within = table["low"].le(table["estimate"]) & table["estimate"].le(table["high"])
    assert within.all()


def test_a_forecast_that_knows_beats_the_base_rate_and_one_that_does_not_does_not():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=800)
    true = rng.random(800) < 1 / (1 + np.exp(-(2 * scores - 1)))
    early, late = slice(0, 400), slice(400, 800)
    base = true[early].mean()
    known = forecast(scores[early], true[early], scores[late])
    table = calibration(known, true[late], base).set_index("what")
    assert table.loc["gained", "low"] > 0
    assert abs(table.loc["forecast", "estimate"] - table.loc["happened", "estimate"]) < 0.06
    blind = forecast(rng.normal(size=400), true[early], scores[late])
    table = calibration(blind, true[late], base).set_index("what")
    assert table.loc["gained", "low"] < 0.01 and table.loc["gained", "estimate"] < 0.02


def test_forecasts_refuse():
    assert forecast([1.0, 2.0], [0, 0], [3.0]).tolist() == [0.0]
    for scores, asked in (([1.0, np.nan], [1.0]), ([1.0, 2.0], [-np.inf])):
        with pytest.raises(DataError, match="a score that is none"):
            forecast(scores, [0, 1], asked)
    with pytest.raises(DataError, match="a chance that is none"):
        calibration([1.2], [1], 0.5)
    for wrong in ([1, 0], [2], [np.nan], []):
        with pytest.raises(DataError, match="outcomes"):
            calibration([0.2], wrong, 0.5)
