"""The page: at most 120 words whatever the titles, spans that say one to three claims, a margin,
hashes, escaping."""

import re

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from tests.reports.test_claims import Notes
from workbench.data import Catalogue
from workbench.recommend import EASE
from workbench.reports import Evidence, count_words, write

HOSTILE = "<img src=x onerror=alert(1)> | a *title* that goes on\nand on and on"


def page(seed, user=0, title=None, **sizes):
    log, catalogue = shop(seed, **sizes)
    if title is not None:
        frame = catalogue.frame.assign(title=title, category=title + " one", brand=title)
        catalogue = Catalogue.from_table(
            frame, pd.DataFrame({"item": frame["item"], "topic": title})
        )
    stores = {"profile": Notes(log, catalogue)}
    return write(Evidence.of(log, catalogue, EASE().fit(log), user, stores))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 11),
    st.text(max_size=400) | st.just("many words " * 40),
    st.booleans(),
)
def test_never_more_than_120_words_and_one_table_of_three(seed, user, title, priced):
    report = page(seed, user, title, unknown_prices=priced)
    assert count_words(report.text) <= 120
    assert not len(report.dropped)
    rows = [line for line in report.text.splitlines() if line.startswith("|")]
    assert len(rows) in (0, 2 + 2, 2 + 3)
    assert len({line.count("|") for line in rows}) <= 1


def test_a_sentence_says_one_to_three_claims_and_nothing_is_said_that_is_none():
    report = page(4, title="an endless title " * 20)
    known = {claim.claim for claim in report.claims}
    for row in report.sentences.itertuples():
        assert 1 <= len(row.claims) <= 3
        assert row.claim == row.claims[0]
        assert known.issuperset(row.claims)
    spans = report.sentences.sort_values("start")
    assert (spans["end"].to_numpy()[:-1] <= spans["start"].to_numpy()[1:]).all()
    rest = report.text
    for row in spans.itertuples():
        rest = rest.replace(report.text[row.start : row.end], "", 1)
    left = re.sub(r"^(## .*|\| \| product.*|\|---.*)$", "", rest, flags=re.MULTILINE)
    # headings and the head of the table apart, nothing is said that is no claim
    assert left.strip() == ""


def test_what_the_page_does_not_say_stands_in_the_margin():
    report = page(4)
    assert report.single["claim"].tolist() == [one for one, _, _ in report.lines]
    assert sorted(report.single["claim"]) == sorted(claim.claim for claim in report.claims)
    said = {claim for claims in report.sentences["claims"] for claim in claims}
    for row in report.single.itertuples():
        assert row.claim in said or row.text in report.margin
    # no share of a model on the page, and all of them in the margin
    assert "%" not in report.text
    assert report.margin.count("%") >= 3
    assert len(page(4)._repr_html_().split("<details>")) == 2


def test_a_page_holds_its_parts():
    others = 0
    for seed in range(6):
        report = page(seed, n_items=30)
        parts = ("What you are after", "Our pick", "Or else", "What we do not know")
        places = [report.text.find(f"## {heading}") for heading in parts]
        # of some shoppers there is nothing else to say
        others += places[2] >= 0
        places = [place for place in places if place >= 0]
        assert places == sorted(places) and len(places) >= 3
        for heading in ("Our pick", "Why", "Beside it", "Comparison", "What speaks against"):
            assert f"## {heading}" in report.margin
    assert others >= 3


def test_equal_inputs_equal_hash_and_a_changed_log_another():
    assert page(4).hash == page(4).hash
    assert page(4).hash != page(5).hash
    log, catalogue = shop(4)
    model = EASE().fit(log)
    whole = write(Evidence.of(log, catalogue, model, 0))
    support = whole.support[whole.support["claim"] == whole.claims[0].claim]
    heaviest = int(support.sort_values("weight")["interaction"].iloc[-1])
    without = write(Evidence.of(log.without([heaviest]), catalogue, model, 0))
    assert without.hash != whole.hash  # evidence taken away: the claim is dropped or computed anew
    assert whole.report == whole.hash[:12]


def test_titles_are_escaped_in_html_only():
    report = page(4, title=HOSTILE)
    html = report._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    assert "<img" in report.text
    assert html == page(4, title=HOSTILE)._repr_html_()


def test_frame_and_repr():
    report = page(4)
    frame = report.to_frame()
    assert len(frame) == len(report.claims)
    assert frame["sentence"].notna().all()
    assert (frame["rows"] > 0).all()
    assert repr(report).startswith(f"Report({report.report}, user 0, {len(report.claims)} claims")
    assert "\n" not in repr(report)
