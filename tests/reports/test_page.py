"""The page for a shopper: what it says is so by the log and the catalogue; bad input has a page, too."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import FUNNEL, Catalogue, Interactions
from workbench.data.buttons import too_dear
from workbench.errors import UnknownItem
from workbench.ledger import Service, Switches, forget
from workbench.recommend import EASE
from workbench.reports import Claim, Evidence, check, count_words, diff, make_claims, write
from workbench.reports.layout import Said, fitted
from workbench.reports.page import Page
from workbench.reports.recpilot import agent, press_row
from workbench.reports.refills import refills
from workbench.reports.rules import execute, rule_of
from workbench.reports.shopper import TOLD
from workbench.reports.statements import NotSo, item_name
from workbench.reports.writer import PAGED

VERBS = {"bought again": 3, "bought": 3, "kept": 1, "left in the cart": 2, "left last": 2}
VERBS |= {"came back to": 0, "looked at": 0}


def evidence_on(seed, user=0, unsaid=(), **sizes):
    log, catalogue = shop(seed, **sizes)
    parts = {"unsaid": unsaid, "mask_seen": False}
    found = Evidence.of(log, catalogue, EASE().fit(log), user, **parts)
    return found.choosing(agent(found))


def tiny(rows, drinkers=0, **columns):
    """A shop of five kettles and a pan, one shopper's rows (item, action, day), and another's; and
    people who bought a kettle twice, eight days apart."""
    other = [(item, "view", 1, "b") for item in range(6)]
    other += [(0, "purchase", day, f"d{n}") for n in range(drinkers) for day in (1, 9)]
    table = pd.DataFrame([(*row, "a") for row in rows] + other)
    table.columns = ["item", "action", "day", "user"]
    times = pd.Timestamp("2025-07-01", tz="UTC") + pd.to_timedelta(table.pop("day"), "D")
    people = ["a", "b", *(f"d{n}" for n in range(drinkers))]
    table["session"] = times.dt.day + 100 * table["user"].map(people.index)
    names = {"timestamp": "timestamp", "action": "action", "session": "session"}
    table = table.assign(timestamp=times)
    log = Interactions.from_table(table, users=people, items=list(range(6)), **names)
    frame = pd.DataFrame({"item": range(6), "title": [f"Ash kettle {n}" for n in range(6)]})
    frame["category"], frame["kind"] = "Kitchen", ["kettle"] * 5 + ["pan"]
    frame["brand"], frame["price"] = "Ash", [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    frame["rating"] = [1.0, 2.0, 3.0, 4.0, 5.0, 3.0]
    frame["details"] = [f"capacity: {n} l" for n in range(6)]
    drop = [name for name, value in columns.items() if value is None]
    frame = frame.assign(**columns).drop(columns=drop)
    return log, Catalogue.from_table(frame)


def page_of(rows, user=0, unsaid=(), drinkers=0, **columns):
    log, catalogue = tiny(rows, drinkers, **columns)
    found = Evidence.of(log, catalogue, EASE().fit(log), user, unsaid=unsaid, mask_seen=False)
    evidence = found.choosing(agent(found))
    return evidence, write(evidence)


SOME = [(2, "view", 1), (2, "view", 3), (3, "cart", 3), (5, "purchase", 4)]


def test_a_page_in_the_order_of_a_shopper():
    _, report = page_of(SOME)
    assert report.dropped.empty
    assert report.text.startswith(
        "## What you are after\n\nYou seem to be after this: kettle. Two visits since 2 July;"
    )
    assert "last you left “kettle 3” in the cart." in report.text
    assert (
        "Our pick is “kettle 3”, price 40.00, rated 4.0. You left it in the cart in July."
        in report.text
    )
    assert "neither the cheapest nor the best rated of the three shown." in report.text
    assert "It costs 10.00 more than “Ash kettle 2”." in [text for _, _, text in report.lines]
    rows = [line for line in report.text.splitlines() if line.startswith("|")]
    assert rows[0] == "| | product | price | rating | capacity |"
    assert [row.split(" | ")[0].strip("| ") for row in rows[2:]] == [
        "our pick",
        "costs less",
        "better rated",
    ]
    assert "This rests on four things you did here since 2 July." in report.text


def test_a_purchase_closes_an_intent_unless_it_was_bought_again():
    bought = [(2, "view", 1), (2, "purchase", 2)]
    assert page_of(bought)[0].intents == []
    again = [*bought, (2, "purchase", 9)]
    assert page_of(again)[0].intents == []
    evidence, report = page_of([*again, (5, "view", 9)], drinkers=5)
    assert [one.name for one in evidence.intents] == ["pan"]
    evidence, report = page_of([*again, (5, "view", 19)], drinkers=5)
    assert [one.name for one in evidence.intents] == ["kettle", "pan"]
    assert evidence.intents[0].weights.astype(bool).sum() == 3
    assert "last you bought “kettle 2” again" in report.text
    assert "You may need more of this: kettle, which six people buy again." in report.text
    later = page_of([*bought, (3, "view", 5)])[0]
    assert [one.name for one in later.intents] == ["kettle"]
    assert np.flatnonzero(later.intents[0].weights).tolist() == [2]
    # a row that is later counts more, and a cart more than a look
    both = page_of([(5, "view", 1), (2, "view", 2)])[0].intents
    assert [one.name for one in both] == ["kettle", "pan"]
    both = page_of([(5, "cart", 2), (2, "view", 2)])[0].intents
    assert [one.name for one in both] == ["pan", "kettle"]


def test_after_a_purchase_another_kind_is_offered():
    evidence, report = page_of([(2, "purchase", 1)])
    assert evidence.offers["pick"] == 5
    assert "There is too little to say what you are after." in report.text


def test_what_they_have_is_offered_again_where_people_buy_it_again_and_it_is_time():
    evidence, _ = page_of([*SOME, (1, "purchase", 5), (1, "view", 6)])
    assert 1 not in evidence.offers.values() and 5 not in evidence.offers.values()
    # bought twice it is no refill: that others buy it again is what makes it one
    twice = [(1, "purchase", 2), (1, "purchase", 10), (5, "view", 18)]
    assert 1 not in page_of(twice)[0].offerable
    assert 1 not in page_of(twice, drinkers=3)[0].offerable
    assert 1 in page_of(twice, drinkers=4)[0].offerable
    # not before the time that they all waited: eight days
    assert 1 not in page_of([*twice[:2], (5, "view", 17)], drinkers=4)[0].offerable
    # or where they put it into the cart since
    assert 1 in page_of([*twice[:2], (1, "cart", 12)], drinkers=4)[0].offerable


def test_a_refill_is_counted_by_people_and_a_durable_is_called_what_it_is():
    rows = [(1, "purchase", 2), (1, "purchase", 5), (1, "cart", 14)]
    _, durable = page_of(rows)
    assert (
        "Our pick is “kettle 1”, price 20.00, rated 2.0. You bought it in two visits"
        in durable.text
    )
    assert not [one for one in durable.claims if one.kind == "refill"]
    evidence, report = page_of(rows, drinkers=5)
    (claim,) = [one for one in report.claims if one.kind == "refill"]
    assert "You bought it again in July." in report.text
    assert claim.value == 6 and claim.object == "kettle"
    assert "6 people here bought kettle in more than one visit." in [
        text for _, _, text in report.lines
    ]
    own = report.support.loc[report.support["claim"] == claim.claim, "interaction"]
    assert set(own) == set(evidence.deeds.interaction[evidence.deeds.bought])
    assert not refills(*tiny(rows)).people


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 11), st.integers(4, 40), st.booleans())
def test_every_claim_of_the_page_is_so_by_brute_force(seed, user, n_items, kinds):
    evidence = evidence_on(seed, user, n_items=n_items, kinds=kinds)
    report = write(evidence, ranges=False)
    assert report.dropped.empty
    assert count_words(report.text) <= 120
    frame = evidence.catalogue.frame
    kind = frame["kind" if "kind" in frame else "category"]
    own = evidence.log.rows_of(user)
    rank = own["action"].astype(str).map(FUNNEL)
    support = report.support.groupby("claim")["interaction"].agg(set)
    for claim in report.claims:
        item = int(claim.object[5:]) if claim.object.startswith("item:") else None
        rows = own[own["interaction"].isin(support[claim.claim])]
        if claim.kind == "deed" and item is not None:
            assert (rows["item"] == item).all()
            assert (rank[rows.index] == VERBS[claim.relation]).all()
            assert claim.value == rows["basket"].nunique()
        if claim.kind == "row":
            shown = int(claim.subject[5:])
            pick = evidence.offers["pick"]
            # what else they may be after is of that kind, the rest of the pick's
            other = [one.object for one in report.claims if one.relation == "or"]
            assert kind[shown] == (other[0] if claim.relation == "alternative" else kind[pick])
            told = claim.object.split(" · ")
            assert told[0] == (
                "unknown" if frame["price"].isna()[shown] else f"{frame['price'][shown]:.2f}"
            )
            if claim.relation == "cheaper":
                assert frame["price"][shown] < frame["price"][pick]
            if claim.relation == "upgrade":
                assert frame["rating"][shown] > frame["rating"][pick]
        if claim.kind == "intent" and claim.relation != "unclear":
            assert (kind[rows["item"]] == claim.object).all()
            assert claim.value == rows["basket"].nunique()
        if claim.kind == "link" and claim.relation in ("brand", "category"):
            known, pick = int(claim.subject[5:]), int(claim.object[5:])
            assert frame[claim.relation][known] == frame[claim.relation][pick]
        if claim.kind == "basis":
            assert claim.value == len(own) == len(rows)


def lies(claim):
    """Ways to falsify a claim of the page that leave it well formed."""
    yield replace(claim, value=claim.value + 1 if np.isfinite(claim.value) else 1.0)
    yield replace(claim, relation="never heard of")
    yield replace(claim, object="item:999999")
    yield replace(claim, object="opera")
    yield replace(claim, subject="user:1" if claim.subject == "user:0" else "item:999999")


def test_tampered_claims_of_the_page_fail():
    tried = set()
    bought = [(1, "purchase", 2), (1, "purchase", 5), (1, "cart", 14)]
    made = [evidence_on(seed, unsaid=["horror"]) for seed in range(1, 5)]
    made += [page_of(bought, drinkers=5)[0], wished(KETTLE_AND_PAN, 0)[0].evidence(0)]
    made.append(page_of([(item, "purchase", item + 1) for item in range(6)])[0])
    for evidence in made:
        claims, support = make_claims(evidence, ranges=False)
        for claim in (one for one in claims if one.kind in PAGED):
            rows = support[support["claim"] == claim.claim]
            assert check([claim], evidence, rows)["ok"].all()
            for lie in lies(claim):
                checked = check([lie], evidence, rows.assign(claim=lie.claim))
                assert not checked["ok"].any(), lie
                tried.add(claim.kind)
            assert rule_of(claim.statement).ended(evidence, claim.statement, rows)
    assert tried == set(PAGED)


def test_the_fewest_rows_end_an_intent():
    evidence = evidence_on(5, n_items=20)
    claims, support = make_claims(evidence, ranges=False)
    claim = next(one for one in claims if one.relation == "after")
    rows = support[support["claim"] == claim.claim].sort_values("weight", ascending=False)
    ended = rule_of(claim.statement).ended(evidence, claim.statement, rows)
    assert set(ended) < set(rows["interaction"])
    left = replace(evidence, log=evidence.log.without(ended), chosen={})
    assert left.intents[0].name != claim.object
    more = replace(evidence, log=evidence.log.without(ended[:-1]), chosen={})
    assert more.intents[0].name == claim.object


@pytest.mark.parametrize("topic", ["tea", "horror", "garden", "tools"])
def test_what_is_left_unsaid_is_counted_and_never_named(topic):
    counted = 0
    for seed in range(6):
        evidence = evidence_on(seed, unsaid=[topic], kinds=True)
        report = write(evidence)
        frame = evidence.catalogue.frame
        of_it = evidence.silent
        for name in (topic, *frame.loc[of_it, "title"], *frame.loc[of_it, "kind"]):
            assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", report.text), name
        counted += "We left out one guess" in report.text
        assert not set(evidence.offers.values()) & set(np.flatnonzero(of_it).tolist())
    assert counted
    assert "We left out" not in write(evidence_on(0, kinds=True)).text


# --- too little to say, and what is odd ---


def test_a_shopper_without_rows_has_a_page_that_says_so():
    _, report = page_of(SOME, user=1)
    log, catalogue = tiny(SOME)
    gone = log.without(log.rows_of(0)["interaction"])
    evidence = Evidence.of(gone, catalogue, EASE().fit(log), 0, mask_seen=False)
    report = write(evidence.choosing(agent(evidence)))
    assert report.text.startswith("There is too little to say")
    assert not report.claims and not len(report.sentences) and report.margin == ""
    assert "too little" in report._repr_html_()


def test_one_row_is_said_to_be_little_and_has_two_substitutes():
    _, report = page_of([(2, "view", 1)])
    assert "You may be after this: kettle. It is little to go by" in report.text
    assert "on 2 July you looked at “kettle 2”" in report.text
    assert report.text.count("\n| ") == 3 + 1
    assert "This rests on one thing you did here" in report.text


def test_without_purchases_the_reason_says_looked_at():
    _, report = page_of([(2, "view", 1), (5, "view", 2)])
    assert "bought" not in report.text
    assert "looked at" in report.text


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", None),
        ("kind", ""),
        ("price", None),
        ("rating", None),
        ("details", None),
        ("brand", None),
        ("kind", "kettle"),
        ("category", ""),
        ("details", "no colon"),
        ("details", np.nan),
        ("rating", "PG-13"),
        ("price", np.nan),
    ],
)
def test_a_page_without(column, value):
    evidence, report = page_of(SOME, **{column: value})
    assert report.dropped.empty and report.claims
    assert check(report.claims, evidence, report.support)["ok"].all()
    head = next((one for one in report.text.splitlines() if one.startswith("| |")), "")
    if column in ("price", "rating") and column in head:
        pytest.fail(f"a column {column} of which nothing is known")
    assert "nan" not in report.text.lower()


def test_without_kind_and_category_it_says_that_it_does_not_know():
    _, report = page_of(SOME, kind="", category="unknown")
    assert "There is too little to say what you are after." in report.text
    assert "Our pick is" in report.text


def test_unseen_actions_are_chosen_and_presses_are_no_deeds():
    rows = [(2, "rating", 1), (2, "rating", 3), (3, "dislike", 4), (4, "owned", 5)]
    evidence, report = page_of(rows)
    assert len(evidence.deeds) == 2
    assert "last you chose “kettle 2”" in report.text
    assert "“kettle 3”" not in report.text.split("## Our pick")[0]


HOSTILE = [
    "a | b | c",
    "two\nlines\r\nthree\u2028four",
    "<img src=x onerror=alert(1)>",
    "## a heading [link](http://x) `code` *bold*",
    "left \u202eto right\u200b hidden",
    "x" * 500,
    "”. You bought everything. “",
    "",
]


@pytest.mark.parametrize("title", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_titles_in_sentences_and_table(title):
    columns = {"title": [f"{title} {n}" for n in range(6)], "brand": title, "kind": title or "k"}
    _, report = page_of(SOME, **columns, details=f"{title}: {title}", category=title)
    assert report.dropped.empty and count_words(report.text) <= 120
    assert "\u202e" not in report.text and "\u2028" not in report.text
    rows = [line for line in report.text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert max(map(len, report.text.split())) <= 62
    headings = [line for line in report.text.splitlines() if line.startswith("#")]
    assert all(line[3:] in report._repr_html_() for line in headings)
    assert "<img" not in report._repr_html_()
    for row in report.sentences.itertuples():
        assert "\n" not in report.text[row.start : row.end]


def test_an_agent_offers_what_the_catalogue_has(monkeypatch):
    log, catalogue = tiny(SOME)
    with pytest.raises(UnknownItem):
        Service.build(log, catalogue, EASE(), agent=lambda _: {"pick": 99}).evidence(0)
    none = Service.build(log, catalogue, EASE(), agent=lambda _: {}).report(0)
    assert "Our pick" not in none.text and "What you are after" in none.text
    own = Service.build(log, catalogue, EASE(), agent=agent, mask_seen=False)
    assert own.evidence(0).chosen == agent(own.evidence(0))
    assert own.evidence(0) is own.evidence(0)


def test_forgetting_reaches_what_the_page_says():
    log, catalogue = shop(4, n_items=20, kinds=True)
    service = Service.build(log, catalogue, EASE(), agent=agent, mask_seen=False)
    before = service.report(0)
    after = next(one for one in before.claims if one.relation == "after")
    rows = before.support.loc[before.support["claim"] == after.claim, "interaction"]
    told = forget(service, 0, rows, draws=1)
    fates = told.fates.set_index("claim")["fate"]
    assert fates[after.claim] == "gone"
    causes = told.causes.set_index("claim")["cause"]
    assert causes[after.claim] == "log"
    assert told.after.dropped.empty
    fresh = Service.build(log.without(rows), catalogue, EASE(), agent=agent, mask_seen=False)
    assert told.after.text == fresh.report(0).text
    # the log kept, the page says it still
    kept = service.remove(rows, Switches(log=False)).report(0)
    assert after.claim in {one.claim for one in kept.claims}
    assert set(diff(before, kept, rows)["fate"]) <= {"back", "kept", "weakened", "gone", "new"}


# --- what stores tell ---


class Teller:
    """A store that says what it is given."""

    name, label, help, causes = "teller", "the teller", "Forget it.", ("it went", "it stays")

    def __init__(self, says):
        self.table = pd.DataFrame(
            says, columns=["kind", "relation", "object", "value", "interaction", "weight"]
        )

    def lineage(self, user):
        kept = self.table[["object", "interaction", "weight"]].rename(columns={"object": "entity"})
        return kept.assign(kind="step")

    def says(self, evidence):
        return self.table


def test_how_one_differs_and_what_lies_outside_are_said():
    log, catalogue = tiny(SOME)
    row = log.rows_of(0)["interaction"].iloc[0]
    says = [("differs", "price higher", "70% beside 50%", 0.2, row, 1.0)]
    says += [("outside", "3 of 60 beside 1", "item:1", 0.05, row, 1.0)]
    evidence = Evidence.of(log, catalogue, EASE().fit(log), 0, {"teller": Teller(says)})
    claims, support = make_claims(evidence)
    said = {one.part: one.text for one in Page(claims, support, evidence).sentences()}
    assert "costs more than 70% of the others of its kind" in said["differs"]
    assert "Of 60 hints like this one, 3 were followed" in said["outside"]
    assert said["outside"].endswith("of random products, 1.")
    # a dimension without words of its own
    says[0] = ("differs", "patience lower", "1 beside 2", -1.0, row, 1.0)
    evidence = Evidence.of(log, catalogue, EASE().fit(log), 0, {"teller": Teller(says)})
    claims, support = make_claims(evidence)
    said = {one.part: one.text for one in Page(claims, support, evidence).sentences()}
    assert said["differs"].endswith("you differ, patience lower: 1, they 2.")


def test_what_stores_tell_is_said_by_one_rule():
    log, catalogue = tiny(SOME)
    ids = log.rows_of(0)["interaction"].tolist()
    says = [
        ("rubric", "weighs", "price", 0.2, ids[0], 3.0),
        ("rubric", "weighs", "price", 0.2, ids[1], 1.0),
    ]
    says += [("experience", "when", "too heavy | the last one", 0.9, ids[2], 1.0)]
    says += [("archive", "changed", "The pick is another", np.nan, ids[3], 1.0)]
    says += [("aspect", "price+rating", "item:2", 1.0, ids[3], 1.0)]
    says += [("rumour", "when", "nobody knows this kind", 1.0, ids[0], 1.0)]
    evidence = Evidence.of(log, catalogue, EASE().fit(log), 0, {"teller": Teller(says)})
    report = write(evidence)
    made = {claim.kind: claim for claim in report.claims if claim.kind in TOLD}
    assert set(made) == set(TOLD) - {"differs", "outside"}
    assert report.dropped.empty
    own = report.support[report.support["claim"] == made["rubric"].claim]
    assert dict(zip(own["interaction"], own["weight"], strict=True)) == {ids[0]: 0.75, ids[1]: 0.25}
    assert execute(evidence, made["rubric"].statement).source == "teller"
    assert "Going by what you bought, price matters to you most." in report.text
    assert "too heavy / the last one" in report.text
    assert "## Since last time\n\nThe pick is another." in report.text
    # in their margin every number of the model
    assert "Rubric, weighs price: +0.20." in report.margin
    with pytest.raises(NotSo, match="no store says"):
        execute(evidence, ("rubric", "user:0", "weighs", "opera"))
    lie = Claim("rubric", "user:0", "weighs", "price", 0.9)
    assert not check([lie], evidence, own)["ok"].any()


# --- what they left, why the pick is another, and what fits ---


def instead_of(rows, press=None, **columns):
    log, catalogue = tiny(rows, **columns)
    log = press_row(log, 0, *press) if press else log
    service = Service.build(log, catalogue, EASE(), agent=agent, mask_seen=False)
    report = service.report(0)
    assert report.dropped.empty
    found = [one for one in report.claims if one.kind == "instead"]
    return service, report, found[0] if found else None


def test_what_was_left_in_the_cart_on_the_last_visit_leads():
    looked = [(5, "view", day) for day in range(1, 9)]
    evidence, report = page_of([*looked, (5, "cart", 8), (4, "cart", 9)])
    assert [one.name for one in evidence.intents] == ["kettle", "pan"]
    assert evidence.intents[1].weights.sum() > evidence.intents[0].weights.sum()
    assert report.text.startswith(
        "## What you are after\n\nYou left “kettle 4” in the cart on your last visit, so you seem"
    )
    assert evidence.offers["pick"] == 4
    assert execute(evidence, ("deed", "user:0", "left last", "item:4")).value == 1
    with pytest.raises(NotSo):
        execute(evidence, ("deed", "user:0", "left last", "item:5"))
    # bought since, it is not what they are after
    bought = page_of([*looked, (4, "cart", 9), (4, "purchase", 9)])[0]
    assert [one.name for one in bought.intents] == ["pan"]


def test_the_page_says_why_the_pick_is_not_what_it_opens_with():
    rows = [(5, "view", 1), (1, "view", 2), (1, "cart", 3)]
    assert instead_of(rows)[2] is None
    # another costs less and is better rated
    rating = [1.0, 2.0, 3.0, 4.0, 5.0, 3.0]
    worse = {"price": [10.0, 55.0, 30.0, 40.0, 50.0, 60.0], "rating": rating}
    _, report, claim = instead_of(rows, **worse)
    assert claim.relation == "outdone" and claim.object == "item:1"
    assert "in the cart on your last visit; this one costs less and is better rated." in report.text
    # a button was pressed on it; the press carries the claim, and ends it when it is forgotten
    for button, text in (
        ("dislike", "is not for you"),
        ("owned", "you have"),
        ("budget", "cheaper"),
    ):
        service, report, claim = instead_of(rows, (1, button))
        assert claim.relation == button and text in report.text
        ids = report.support.loc[report.support["claim"] == claim.claim, "interaction"]
        assert ids.tolist() == [service.log.last_id]
        back = service.remove(ids, Switches()).report(0)
        assert not [one for one in back.claims if one.kind == "instead"]
    # it was deleted, and is never offered again
    service = instead_of(rows)[0]
    gone = service.log.rows_of(0)["interaction"].iloc[1:2]
    after = service.remove(gone, Switches(tombstone=True)).report(0)
    (claim,) = [one for one in after.claims if one.kind == "instead"]
    assert claim.relation == "taken out" and "taken out" in after.text
    # they have it: what speaks for the kind came later
    _, report, claim = instead_of([(1, "purchase", 1), (1, "view", 3)])
    assert claim.relation == "had" and "you have that one" in report.text
    # the shop offers only what is new
    log, catalogue = tiny(rows)
    found = Evidence.of(log, catalogue, EASE().fit(log), 0)
    report = write(found.choosing(agent(found)))
    assert [one.relation for one in report.claims if one.kind == "instead"] == ["known"]


def wished(rows, *items, by=agent, **columns):
    """The page after *cheaper, please* on these products, one after another."""
    log, catalogue = tiny(rows, **columns)
    for item in items:
        log = press_row(log, 0, item, "budget")
    service = Service.build(log, catalogue, EASE(), agent=by, mask_seen=False)
    report = service.report(0)
    assert report.dropped.empty
    return service, report, [one for one in report.claims if one.kind == "asked"]


KETTLE_AND_PAN = [(3, "view", 1), (3, "view", 3), (5, "view", 2)]


def test_nothing_dearer_is_offered_to_who_asks_for_something_cheaper():
    # of its kind, what costs less; the pan costs more and is no alternative
    service, report, asked = wished(KETTLE_AND_PAN, 2)
    offers = service.evidence(0).offers
    assert set(offers.values()) <= {0, 1} and not asked
    # what the page opens with costs more than what was too dear
    (why,) = [one for one in report.claims if one.kind == "instead"]
    assert why.relation == "too dear" and "“kettle 3”" in report.text
    # nothing of its kind is left: another kind, if that costs less
    cheap = {"price": [10.0, 20.0, 30.0, 40.0, 50.0, 6.0]}
    service, report, (claim,) = wished(KETTLE_AND_PAN, 0, **cheap)
    assert service.evidence(0).offers["pick"] == 5
    assert (claim.relation, claim.object, claim.value) == ("something else", "item:0", 10.0)
    assert (
        "We have nothing cheaper like “kettle 0” to offer, so this is something else."
        in report.text
    )
    # the press carries it, and with the press it goes
    ids = report.support.loc[report.support["claim"] == claim.claim, "interaction"]
    assert ids.tolist() == [service.log.last_id]
    back = service.remove(ids, Switches()).report(0)
    assert not [one for one in back.claims if one.kind == "asked"]
    # nothing at all costs less: the page shows something, and says so
    service, report, (claim,) = wished(KETTLE_AND_PAN, 0)
    assert service.evidence(0).offers["pick"] == 5 and claim.relation == "no cheaper"
    assert "we know of nothing to offer for less." in report.text


def test_a_wish_for_something_cheaper_holds_until_they_do_something():
    log, catalogue = tiny(KETTLE_AND_PAN)
    assert too_dear(log, catalogue, 0) == -1
    for item, most in ((3, 3), (4, 3), (1, 1)):
        log = press_row(log, 0, item, "budget")
        assert too_dear(log, catalogue, 0) == most
        # other buttons, and other people's, are no such wish
        log = press_row(press_row(log, 0, 0, "dislike"), 1, 0, "budget")
    later = log.frame.iloc[[-1]].assign(user=0, item=2, action="view")
    later = later.assign(interaction=log.last_id + 1, position=10_000)
    again = log.of_rows(pd.concat([log.frame, later], ignore_index=True))
    assert too_dear(again, catalogue, 0) == -1
    # without a price nothing is known of what costs less
    for price in (None, [np.nan] * 6):
        log, unknown = tiny(KETTLE_AND_PAN, price=price)
        log = press_row(log, 0, 3, "budget")
        assert too_dear(log, unknown, 0) == -1
        assert Service.build(log, unknown, EASE(), agent=agent, mask_seen=False).report(0).text


def test_of_what_has_no_price_nothing_is_said_that_needs_one():
    # they looked at kettle 3, of which nobody knows the price, and have it not
    price = [10.0, 20.0, 30.0, np.nan, 50.0, 25.0]
    _, report, _ = wished(KETTLE_AND_PAN, 5, price=price)
    (why,) = [one for one in report.claims if one.kind == "instead"]
    assert why.relation == "no price" and "is not known" in report.text
    # they pressed on it: whether anything costs less is not known
    _, report, asked = wished(KETTLE_AND_PAN, 3, price=price)
    (why,) = [one for one in report.claims if one.kind == "instead"]
    assert why.relation == "no price" and not asked
    # nothing costs less that has a price, and the pick has none: it is not called cheaper
    _, report, (claim,) = wished([(1, "view", 1)], 0, price=[*price[:3], np.nan, 50.0, 25.0])
    assert claim.relation == "no cheaper" and "we know of nothing" in report.text


def test_a_pick_that_costs_less_is_not_denied_where_the_scores_choose():
    cheap = [10.0, 20.0, 30.0, 40.0, 50.0, 6.0]
    rows = [(5, "purchase", 1), (3, "view", 2)]
    service, report, (claim,) = wished(rows, 0, by=None, price=cheap)
    assert service.evidence(0).offers["pick"] == 5 and claim.relation == "something else"
    assert "nothing to offer for less" not in report.text


def test_what_else_they_may_be_after_is_a_product_with_its_price():
    _, report = page_of([*SOME[:3], (5, "view", 2)])
    said = report.text.partition("## Or else\n\n")[2].partition("\n")[0]
    assert said == (
        "Perhaps it is this: pan, one visit on 3 July. There we would pick “kettle 5”, price 60.00."
    )
    # what they bought days ago is not what else they may want
    _, report = page_of([*SOME[:3], (5, "view", 2), (5, "purchase", 3)])
    assert "## Or else" not in report.text


def test_two_empty_rows_are_one_line_and_two_claims():
    rows = [(0, "view", 1), (2, "view", 1), (0, "cart", 2)]
    _, report = page_of(rows, rating=5.0, price=10.0)
    row = "| costs less, or better rated | none of its kind that we can offer you | | |"
    assert row in report.text and report.text.count("\n| ") == 3
    assert "No cheaper kettle left to offer. No better rated kettle left to offer." in report.margin
    line = report.sentences[report.sentences["claims"].map(len) == 2]["claims"].tolist()
    said = {one.relation: one.claim for one in report.claims if one.kind == "compare"}
    assert (said["no cheaper"], said["no upgrade"]) in line


def test_the_least_useful_goes_first_and_never_what_they_are_after():
    parts = ["intent", "pick", "told", "told", "left", "else", "unknown", "changed"]
    sections = {"left": "against", "told": "pick"}
    said = [
        Said(sections.get(part, part), part, "word " * 20, (str(n),))
        for n, part in enumerate(parts)
    ]
    kept = [claim for *_, claim, _ in fitted(said, "")[1]]
    # what speaks against the pick stays, were it only this
    assert kept == ["0", "1", "4", "5", "6"]
    against = [*said[:5], Said("against", "against", "word " * 20, ("9",)), *said[5:]]
    kept = [claim for *_, claim, _ in fitted(against, "")[1]]
    assert kept == ["0", "1", "9", "5", "6"]


def test_a_reason_is_of_the_own_kind_before_maker_and_category():
    rows = [(5, "purchase", 1), (2, "cart", 2), (3, "view", 3)]
    _, report = page_of(rows)
    links = [(one.subject, one.relation) for one in report.claims if one.kind == "link"]
    assert links == [("item:2", "kind")] or links == [("item:2", "itself")]
    # a purchase of the category before a mere look, and a look says so
    _, report = page_of([(5, "purchase", 1), (3, "view", 3)])
    assert "You bought “kettle 5” in July, also by Ash." in report.text
    _, report = page_of([(3, "view", 3)])
    assert "You looked at “kettle 3” in July; this one" in report.text


BARE = [
    dict.fromkeys(("price", "rating"), None),
    dict.fromkeys(("kind", "price", "rating", "details", "brand"), None),
    {"kind": "", "category": "unknown", "price": np.nan, "rating": np.nan, "details": ""},
]


@pytest.mark.parametrize("columns", BARE, ids=["price", "everything", "unknown"])
@pytest.mark.parametrize(
    "rows",
    [
        [(2, "view", 1)],
        [(2, "cart", 1)],
        [(2, "rating", 1), (3, "rating", 2)],
        [(2, "purchase", 1), (2, "purchase", 9), (2, "cart", 9), (5, "view", 9)],
    ],
    ids=["one look", "one cart", "ratings", "again"],
)
@pytest.mark.parametrize("title", ["", "]]> <b>\u202e | {deed} %s", "many words " * 30])
def test_bare_data_has_a_page_whose_claims_hold(columns, rows, title):
    evidence, report = page_of(rows, title=[f"{title}{n}" for n in range(6)], **columns)
    assert report.claims and report.dropped.empty
    assert check(report.claims, evidence, report.support)["ok"].all()
    assert count_words(report.text) <= 120 and "nan" not in report.text.lower()
    assert "price" not in report.text and "rated" not in report.text
    assert "\u202e" not in report.text and "<b>" not in report._repr_html_()
    assert not evidence.refills.people
    for row in report.sentences.itertuples():
        assert "\n" not in report.text[row.start : row.end]


def test_the_margin_says_the_price_of_the_pick_and_one_in_the_singular():
    evidence, report = page_of([(4, "cart", 1)])
    found = report.to_frame().set_index(["kind", "relation"])["sentence"]
    assert item_name(evidence.offers["pick"]) == "item:4" and "cheaper" in evidence.offers
    assert found["against", "dearest"] == "It is the dearest that is shown: 50.00."
    assert found["intent", "after"] == "You seem to be after kettle: one visit."
    assert found["basis", "all"] == "We know of one thing that you did."
    _, report = page_of([(4, "cart", 1), (4, "view", 2)])
    found = report.to_frame().set_index(["kind", "relation"])["sentence"]
    assert found["intent", "after"] == "You seem to be after kettle: 2 visits."
    assert found["basis", "all"] == "We know of 2 things that you did."
    apart = {"unsaid": ["Kettles"], "category": ["Kettles"] * 5 + ["Pans"]}
    _, report = page_of([(4, "cart", 1), (5, "view", 1)], **apart)
    found = report.to_frame().set_index(["kind", "relation"])["sentence"]
    assert found["unsaid", "unsaid"] == "One guess is left unsaid."
