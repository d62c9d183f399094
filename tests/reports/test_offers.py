"""Substitutes: of the pick's kind, strictly cheaper or better rated, nearest in score; or said to
be missing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import Catalogue, load_world
from workbench.recommend import EASE
from workbench.reports import Evidence, check, make_claims, write
from workbench.reports.rules import execute
from workbench.reports.statements import NotSo
from workbench.reports.writer import PAGED

MEASURES = {"cheaper": ("price", -1), "upgrade": ("rating", 1)}


@pytest.fixture(scope="module")
def fitted():
    world = load_world()
    return world, EASE().fit(world.log)


def evidence_on(seed, user=0, **sizes):
    log, catalogue = shop(seed, **sizes)
    return Evidence.of(log, catalogue, EASE().fit(log), user)


def hold(evidence):
    """Every law of the roles; returns those that are there."""
    offers = evidence.offers
    frame = evidence.catalogue.frame
    kind = frame["kind" if "kind" in frame else "category"]
    pick = offers["pick"]
    assert pick == evidence.ranked[0]
    said = {claim.relation for claim in make_claims(evidence, ranges=False)[0]}
    for role, (column, sign) in MEASURES.items():
        beyond = sign * (frame[column] - frame[column][pick])
        fitting = [i for i in evidence.ranked if kind[i] == kind[pick] and beyond[i] > 0]
        # the one nearest in score, and none where none fits
        assert offers.get(role) == (fitting[0] if fitting else None)
        # a missing one is said where every price or rating is known that says so
        known = [np.isfinite(beyond[i]) for i in evidence.ranked if kind[i] == kind[pick]]
        assert (f"no {role}" in said) == (not fitting and all(known))
    assert ("alternative" in offers) == (not offers.keys() & MEASURES.keys())
    return set(offers) & set(MEASURES)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10), st.integers(5, 40), st.booleans())
def test_substitutes_are_of_the_kind_and_strictly_better(seed, user, n_items, kinds):
    evidence = evidence_on(seed, user, n_items=n_items, kinds=kinds)
    assume(len(evidence.ranked) > 1 and len(evidence.history.item))
    hold(evidence)


def test_in_the_shop_a_third_has_a_substitute_that_is_new_to_them(fitted):
    world, model = fitted
    found = [hold(Evidence.of(world.log, world.catalogue, model, user)) for user in range(100)]
    shares = [sum(role in roles for roles in found) / len(found) for role in MEASURES]
    assert 0.2 < min(shares) <= max(shares) < 0.5


def test_a_missing_one_is_said_in_a_sentence(fitted):
    world, model = fitted
    evidence = Evidence.of(world.log, world.catalogue, model, 72)
    report = write(evidence)
    assert "upgrade" not in evidence.offers
    assert "No better rated iron tonic left to offer." in report.margin
    assert "A cheaper one is" in report.margin and "No cheaper" not in report.margin
    assert "| better rated | none of its kind" in report.text
    assert "| costs less | none" not in report.text


def test_claims_about_substitutes_that_are_none_are_refused():
    evidence = evidence_on(3, kinds=True, unknown_prices=False)
    kind = evidence.catalogue.kind
    pick = evidence.offers["pick"]
    for other in range(evidence.log.n_items):
        asked = replace(evidence, chosen={"pick": pick, "cheaper": other, "upgrade": other})
        claims, support = make_claims(asked, ranges=False)
        told = [claim for claim in claims if claim.kind not in PAGED]
        for role, (column, sign) in MEASURES.items():
            values = evidence.catalogue.frame[column]
            true = kind[other] == kind[pick] and sign * (values[other] - values[pick]) > 0
            made = [(claim.kind, claim.subject) for claim in told if claim.relation == role]
            wanted = [("pick", "user:0"), ("compare", f"item:{other}")]
            assert made == (wanted if true else [])
        assert check(claims, asked, support)["ok"].all()
    named = "compare", f"item:{pick}", "no upgrade", "tea of no kind"
    with pytest.raises(NotSo):
        execute(evidence, named)


def test_without_kinds_prices_or_ratings_nothing_is_said_of_substitutes():
    log, catalogue = shop(3)
    bare = catalogue.frame[["item", "title"]]
    for frame in (bare, bare.assign(rating="PG-13", kind="unknown")):
        silent = Catalogue.from_table(frame)
        evidence = Evidence.of(log, silent, EASE().fit(log), 0)
        assert set(evidence.offers) == {"pick", "alternative"}
        relations = {claim.relation for claim in write(evidence).claims}
        assert not relations & {"no cheaper", "no upgrade", "cheaper", "upgrade"}
