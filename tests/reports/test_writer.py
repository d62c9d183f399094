"""The page: at most 180 words whatever the titles, spans that say one claim each, hashes,
escaping."""

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


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(0, 11),
    st.text(max_size=400) | st.just("many words " * 40),
    st.booleans(),
)
def test_never_more_than_180_words(seed, user, title, priced):
    report = page(seed, user, title, unknown_prices=priced)
    assert count_words(report.text) <= 180
    assert not len(report.dropped)


def test_every_span_says_one_claim_and_every_claim_is_said():
    report = page(4, title="an endless title " * 20)
    said = [claim for claims in report.sentences["claims"] for claim in claims]
    assert sorted(said) == sorted(claim.claim for claim in report.claims)
    spans = report.sentences.sort_values("start")
    assert (spans["end"].to_numpy()[:-1] <= spans["start"].to_numpy()[1:]).all()
    rest = report.text
    for row in spans.itertuples():
        rest = rest.replace(report.text[row.start : row.end], "", 1)
    left = re.sub(r"^(## .*|\| \| Price.*|\|---.*)$", "", rest, flags=re.MULTILINE)
    # headings and the head of the table apart, nothing is said that is no claim
    assert left.strip() == ""


def test_a_page_holds_its_parts_and_two_or_three_rows_of_comparison():
    for seed in range(6):
        report = page(seed, n_items=30)
        for heading in (
            "Our pick",
            "Why",
            "Beside it",
            "Comparison",
            "What speaks against",
            "What we do not know",
        ):
            assert f"## {heading}" in report.text
        table = report.text.split("## Comparison")[1].split("##")[0].strip().splitlines()
        assert len(table) in (2 + 2, 2 + 3)
        assert all(line.count("|") == 4 for line in table)


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
