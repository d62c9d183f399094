"""Evidence: offers of an agent, topics left unsaid, seen products, models that do not add up, and
what a report says it was made of."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.shops import shop
from tests.reports.test_claims import Notes
from workbench.errors import UnknownItem, UnknownUser
from workbench.recommend import BPR, EASE, BPRConfig, EASEConfig, SASRec
from workbench.recommend.session.sasrec import SASRecConfig
from workbench.recommend.training import Training
from workbench.reports import Evidence, check, count_words, make_claims, write
from workbench.reports.rules import execute, portable
from workbench.reports.writer import PAGED


class Opaque:
    """A model that scores as another does, and does not say what a score is made of."""

    def __init__(self, model):
        self.score = model.score


@pytest.fixture(scope="module")
def evidence():
    log, catalogue = shop(3, unknown_prices=False)
    model = EASE(EASEConfig(l2=5.0)).fit(log)
    return Evidence.of(log, catalogue, model, 0, {"profile": Notes(log, catalogue)})


def test_offers_of_an_agent_take_the_place_of_the_roles(evidence):
    worst = int(evidence.ranked[-1])
    asked = replace(evidence, chosen={"pick": worst})
    claims, support = make_claims(asked)
    picks = [claim for claim in claims if claim.kind == "pick"]
    assert [claim.object for claim in picks] == [f"item:{worst}"]
    assert check(claims, asked, support)["ok"].all()
    # the same claims are refused where the scores choose
    assert not check(picks, evidence, support)["ok"].any()
    with pytest.raises(UnknownItem):
        Evidence.of(evidence.log, evidence.catalogue, evidence.model, 0, offers={"pick": 99})
    with pytest.raises(UnknownUser):
        Evidence.of(evidence.log, evidence.catalogue, evidence.model, 99)


@pytest.mark.parametrize("topic", ["tea", "horror", "garden", "tools"])
def test_a_topic_left_unsaid_is_counted_and_not_written(evidence, topic):
    silent = replace(evidence, unsaid=frozenset([topic]))
    frame = evidence.catalogue.frame
    report = write(silent)
    assert topic not in report.text + report.margin
    for title in frame["title"][evidence.catalogue.items_of(topic)]:
        assert title + "”" not in report.text + report.margin
    kept = {claim.claim for claim in report.claims}
    held = [claim for claim in write(evidence).claims if claim.object == topic]
    assert not kept & {claim.claim for claim in held}
    # what is counted holds, and is refused to whoever else would say it
    assert report.unsaid >= sum(claim.kind == "interest" for claim in held)
    _, support = make_claims(evidence)
    reasons = check(held, silent, support)["reason"]
    assert reasons.str.contains("left unsaid|not offered|not what they are").all()
    assert write(evidence).unsaid == 0
    with pytest.raises(UnknownItem):
        Evidence.of(evidence.log, evidence.catalogue, evidence.model, 0, unsaid=["no such topic"])


def test_seen_products_are_offered_where_people_buy_again(evidence):
    again = replace(evidence, mask_seen=False)
    seen = set(evidence.history.item.tolist())
    assert not seen & set(evidence.ranked.tolist())
    assert len(again.ranked) == evidence.log.n_items
    assert write(again).dropped.empty


def test_a_model_that_does_not_add_up_has_a_report_by_deletion(evidence):
    """EASE without its contributions: the same page, its reasons found by deletion."""
    opaque = replace(evidence, model=Opaque(evidence.model))
    known = write(evidence, ranges=False)
    found = write(opaque, ranges=False)
    assert found.dropped.empty
    assert "by deletion" in found.margin.lower()
    assert "by deletion" not in known.margin.lower()
    assert found.text == known.text and count_words(found.text) <= 120
    # leaving products out of EASE is what it is made of
    values = {claim.statement[1:]: claim.value for claim in known.claims}
    assert values == pytest.approx(
        {claim.statement[1:]: claim.value for claim in found.claims}, abs=1e-9, nan_ok=True
    )
    assert found.support["weight"].to_numpy() == pytest.approx(known.support["weight"].to_numpy())
    for claim in known.claims:
        assert portable(evidence, claim.statement) == (claim.kind not in PAGED)
    sources = {execute(opaque, c.statement).source for c in found.claims}
    assert sources == {"deletion", "history", "profile", "log"}
    for claim in found.claims:
        source = execute(opaque, claim.statement).source
        by_itself = source not in ("deletion", "log") and claim.kind not in PAGED
        assert portable(opaque, claim.statement) == by_itself
    # neither kind of reason stands where the other does
    assert not check([c for c in found.claims if c.kind == "by_deletion"], evidence, found.support)[
        "ok"
    ].any()


def test_a_trained_network_has_a_report():
    log, catalogue = shop(1, n_rows=200)
    training = Training(epochs=2, batch=64)
    model = SASRec(SASRecConfig(hidden=8, inner=8, layers=1, heads=1, training=training)).fit(log)
    evidence = Evidence.of(log, catalogue, model, 0, {"profile": Notes(log, catalogue)})
    report = write(evidence)
    assert {claim.kind for claim in report.claims} >= {"pick", "by_deletion", "interest"}
    assert report.dropped.empty
    assert report.made["support"] == "by deletion"
    # a row below the floor carries nothing: each that carries the pick moves its score
    pick = report.claims[0]
    carried = report.support.loc[report.support["claim"] == pick.claim, "interaction"]
    whole = model.score(evidence.history)[0, evidence.offers["pick"]]
    floor = evidence.deletion.floor[evidence.offers["pick"]]
    assert floor > 0
    for item in evidence.log.only(carried).frame["item"].unique():
        rows = evidence.history.interaction[evidence.history.item == item]
        left = model.score(evidence.history.without(rows))[0, evidence.offers["pick"]]
        assert whole - left > floor / 2


def test_a_model_that_looks_its_users_up_rests_on_the_rows_that_a_vector_solved_again_rests_on():
    log, catalogue = shop(1)
    model = BPR(BPRConfig(l2=0.01, training=Training(epochs=5, learning_rate=0.01))).fit(log)
    evidence = Evidence.of(log, catalogue, model, 0)
    assert np.array_equal(evidence.scores, model.score(evidence.history)[0].astype(float))
    # left out: by as much as the solved vector moves
    history, pick = evidence.history, evidence.offers["pick"]
    for item in np.unique(history.item):
        rows = history.item == item
        whole, left = (model.score_rows(one)[0] for one in (history, history.parts(~rows[None])))
        effects = evidence.deletion.effects[:, rows].sum(axis=1)
        assert effects == pytest.approx(whole - left, abs=1e-9)
        moved = evidence.rescored(history.parts(~rows[None]))[0]
        assert moved == pytest.approx(evidence.scores - effects, abs=1e-9)
    report = write(evidence)
    assert report.claims and not len(report.dropped)
    assert check(report.claims, evidence, report.support)["ok"].all()
    carried = report.support.loc[report.support["claim"] == report.claims[0].claim, "interaction"]
    assert evidence.deletion.effects[pick][np.isin(history.interaction, carried)].min() > 0
    # without a row there is nothing to rest on
    empty = log.without(history.interaction)
    assert not model.score_rows(empty.histories([0])).any()


def test_the_hash_says_what_made_the_page(evidence):
    report = write(evidence)
    made = report.made
    assert set(made["stores"]) == {"profile"}
    assert made["log"] == evidence.log.fingerprint[:12]
    assert report.hash == write(replace(evidence)).hash
    assert write(evidence, seed=1).hash != report.hash

    # the same scores and the same text from a model of another setting
    twin = evidence.model.copy()
    twin.config = EASEConfig(l2=6.0)
    other = write(replace(evidence, model=twin))
    assert other.text == report.text
    assert np.array_equal(other.support["weight"], report.support["weight"])
    assert other.hash != report.hash
    assert other.made["model"] != made["model"]

    # a store of which nothing is said
    half = Notes(evidence.log, evidence.catalogue)
    half.frame = half.frame.assign(kind="brand")
    silent = write(replace(evidence, stores={"profile": evidence.stores["profile"], "x": half}))
    assert silent.text == report.text
    assert silent.hash != report.hash


def test_a_model_that_needs_a_row_has_no_page_without_one():
    log, catalogue = shop(1)
    training = Training(epochs=1, batch=64)
    model = SASRec(SASRecConfig(hidden=8, inner=8, layers=1, heads=1, training=training)).fit(log)
    assert not write(Evidence.of(log, catalogue, model, 11)).claims
    # of a single product nothing can be left out: no row is shown to carry the pick
    one = log.without(log.rows_of(0)["interaction"].iloc[1:])
    report = write(Evidence.of(one, catalogue, model, 0, {"profile": Notes(one, catalogue)}))
    own = {"intent", "deed", "basis"}
    assert {claim.kind for claim in report.claims} == {"interest", *own}
    assert {claim.relation for claim in report.claims if claim.kind == "interest"} == {"profile"}
    assert "it is little to go by" in report.text.lower() and "Our pick" not in report.text
