"""A page on which nothing is left to offer says so in a sentence, and why; and only such a page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.reports.shops import shop
from workbench import views
from workbench.data import BUTTONS
from workbench.ledger import Service, Switches
from workbench.recommend import EASE, Popularity
from workbench.reports import check, make_claims, write
from workbench.reports.recpilot import agent, press

LOG, CATALOGUE = shop(5, n_items=8, kinds=True)
ITEMS = range(8)
SAID = "Nothing in this shop is left that"


def shop_of(log=LOG, **options) -> Service:
    return Service.build(log, CATALOGUE, EASE(), agent=agent, **{"mask_seen": False} | options)


def pressed(button, items=ITEMS, **options) -> Service:
    service = shop_of(**options)
    for item in items:
        service = press(service, 0, button, item)
    return service


def bought() -> Service:
    """Somebody who has bought all that there is."""
    frame = LOG.frame.copy()
    own = frame.index[frame["user"] == 0][:8]
    frame.loc[own, "item"] = np.arange(len(own), dtype=np.int32)
    frame.loc[frame["user"] == 0, "action"] = "purchase"
    return shop_of(LOG.of_rows(frame))


def known() -> Service:
    frame = LOG.frame.copy()
    own = frame.index[frame["user"] == 0][:8]
    frame.loc[own, "item"] = np.arange(len(own), dtype=np.int32)
    return Service.build(LOG.of_rows(frame), CATALOGUE, EASE(), mask_seen=True)


def forgotten() -> Service:
    """Each product is never to be offered again, as after requests for all of them."""
    return replace(shop_of(), tombstones=frozenset((0, item) for item in ITEMS))


class Silent:
    name = "says nothing"

    def sentences(self, told, seed=0):
        return '{"sentences": []}'


CASES = {
    "owned": (lambda: pressed("owned"), "you do not have already."),
    "dislike": (lambda: pressed("dislike"), "you did not turn down."),
    "bought": (bought, "you do not have already."),
    "known": (known, "you do not know already."),
    "forgotten": (forgotten, "you did not have taken out."),
    "unsaid": (lambda: shop_of(unsaid=set(CATALOGUE.topics["topic"])), "we would name unasked."),
    "both": (
        lambda: press(pressed("owned", ITEMS[1:]), 0, "dislike", 0),
        "you did not turn down and that you do not have already.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_says_that_nothing_is_left_and_why(name, tmp_path):
    make, why = CASES[name]
    service = make()
    evidence, report = service.evidence(0), service.report(0)
    assert "pick" not in evidence.offers
    (claim,) = [one for one in report.claims if one.kind == "spent"]
    assert claim.value == len(CATALOGUE)
    assert f"{SAID} {why}" in report.text
    # it has rows, and is so when it is executed again; and not for another reason
    rows = report.support[report.support["claim"] == claim.claim]
    assert len(rows) and check([claim], evidence, rows)["ok"].all()
    for other in ("had, known", "known, had", "", "sold out"):
        wrong = replace(claim, relation=other)
        told = rows.assign(claim=wrong.claim)
        assert not check([wrong], evidence, told)["ok"].any()
    # a writer that says nothing of it, and wherever the page is read
    assert f"{SAID} {why}" in write(evidence, writer=Silent()).text
    for suffix in ("md", "html"):
        views.export(report, tmp_path / f"page.{suffix}")
        assert SAID in (tmp_path / f"page.{suffix}").read_text(encoding="utf-8")
    assert SAID in report._repr_html_()
    assert SAID in repr(views.show(report)._repr_html_())


def test_it_says_so_of_a_wish_that_nothing_fulfils():
    frame = CATALOGUE.frame.assign(kind="kettle", price=np.arange(8) + 5.0)
    service = replace(shop_of(), catalogue=type(CATALOGUE).from_table(frame))
    report = press(service, 0, "budget", 0).report(0)
    assert f"{SAID} costs less than what was too dear for you." in report.text


def test_it_does_not_say_so_where_something_is_left():
    service = pressed("owned", ITEMS[1:])
    report = service.report(0)
    assert "pick" in service.evidence(0).offers
    assert SAID not in report.text and not [one for one in report.claims if one.kind == "spent"]
    # nor where the model has no list, which is another reason
    blank = LOG.select(np.zeros(len(LOG.frame), dtype=bool))
    none = Service.build(blank, CATALOGUE, Popularity(), agent=agent, mask_seen=False)
    assert not [one for one in none.report(0).claims if one.kind == "spent"]


def test_forgetting_every_row_of_it_ends_it():
    service = pressed("owned")
    claims = {one.kind: one.claim for one in service.report(0).claims}
    report = service.report(0)
    ids = report.support.loc[report.support["claim"] == claims["spent"], "interaction"]
    assert set(ids) == set(service.log.rows_of(0)["interaction"])
    left = service.remove(
        ids[service.log.rows_of(0)["action"].isin(BUTTONS).to_numpy()], Switches()
    )
    assert "pick" in left.evidence(0).offers
    assert not [one for one in make_claims(left.evidence(0))[0] if one.kind == "spent"]
    assert isinstance(report.to_frame(), pd.DataFrame)
