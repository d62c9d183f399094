"""The page on the forget screen and in a mailed file: its lines, rows, fates, and its table."""

from __future__ import annotations

import json
import re

import pytest

from tests.views.states import IMG
from tests.views.test_screen_state import hostile
from tests.views.test_show import Page, inert
from workbench.data import load_world
from workbench.errors import WorkbenchError
from workbench.ledger import Service
from workbench.recommend import EASE, OwnActions
from workbench.reports import EntityStore
from workbench.reports.forms import Line
from workbench.reports.recpilot import Archive, Experience, Rubric, agent
from workbench.views import Screen, export
from workbench.views.page import document
from workbench.views.screen.paged import WORST, _line
from workbench.views.screen.static import static_screen
from workbench.views.screen.told import words

TOPIC = "Horror novels"


@pytest.fixture(scope="module")
def screen():
    """The page as it is meant to be served."""
    world = load_world()
    stores = (EntityStore, Rubric, Experience, Archive)
    parts = (world.log, world.catalogue, OwnActions())
    return Screen(Service.build(*parts, stores=stores, agent=agent), 310, TOPIC)


@pytest.fixture(scope="module")
def pressed(screen):
    """The state after everything about the topic was forgotten."""
    rows = [row["interaction"] for row in screen.state["history"] if TOPIC in row["topics"]]
    return screen.act({"interactions": rows, "switches": {}, "topic": TOPIC})


def test_the_page_stands_on_the_screen_line_by_line(screen):
    report, page = screen.service.report(310), screen.state["page"]
    said = [report.text[one.start : one.end] for one in report.sentences.itertuples()]
    assert len(page["lines"]) == len(said) > 5
    for one, text in zip(page["lines"], said, strict=True):
        if one["cells"]:
            shown = "| " + " | ".join(cell for (cell,) in one["cells"]) + " |"
            assert text.split() == shown.split()
            assert len(one["cells"]) == len(page["head"])
        else:
            assert one["told"] == [one["text"]] == [text]
        assert one["fate"] is one["cause"] is None
    assert page["margin"] == f"For whoever checks: {len(report.claims)} claims"
    assert [*page["buttons"]] == ["dislike", "owned", "budget", "forget"]


def test_rows_of_a_line_weigh_as_the_mean_of_its_claims(screen):
    report = screen.service.report(310)
    for one, claims in zip(
        screen.state["page"]["lines"], report.sentences["claims"].tolist(), strict=True
    ):
        own = report.support[report.support["claim"].isin(claims)]
        mean = own.groupby("interaction")["weight"].sum() / len(claims)
        assert dict(map(tuple, one["rows"])) == pytest.approx(mean.to_dict(), abs=1e-5)
        assert one["rows"] == sorted(one["rows"], key=lambda pair: (-pair[1], pair[0]))
        assert set(one["smallest"]) <= set(mean.index)


def test_a_line_fares_as_the_worst_of_its_claims(screen, pressed):
    # what a page forgets may also rest on what is deleted, in a file alone
    assert {*WORST, "old"} == words()["fate"].keys()
    singly = {one["claim"]: one for one in pressed["sentences"]}
    old = {one["claim"] for one in screen.state["page"]["lines"]}
    seen = set()
    for one in pressed["page"]["lines"]:
        fates = [singly[claim]["fate"] for claim in one["claim"].split()[1:]]
        seen.add(one["fate"])
        if one["claim"] not in old:
            assert one["fate"] == "new"
        elif one["fate"] in ("kept", "changed"):
            assert set(fates) <= {"kept", "changed"}
            assert (one["fate"] == "kept") == (one["after"] == one["text"])
        else:
            assert one["fate"] == min(fates, key=WORST.index)
            assert one["cause"] in [singly[claim]["cause"] for claim in one["claim"].split()[1:]]
    assert {"gone", "new", "changed"} <= seen
    # every line of the new page is there, word for word
    rest = next(one for one in pressed["page"]["lines"] if one["fate"] == "changed")
    assert rest["told"][:2] == ["What you do elsewhere. This rests on", ["91", "61"]]
    assert json.loads(json.dumps(pressed, allow_nan=False)) == pressed


@pytest.mark.parametrize("lost", ["gone", "back", "weakened"])
def test_a_line_of_a_kept_and_a_lost_claim_is_lost(lost):
    kept = {"fate": "kept", "cause": None, "rows": [[1, 1.0]], "smallest": []}
    other = {"fate": lost, "cause": "log", "rows": [[1, 0.2], [2, 0.8]], "smallest": [2]}
    told = _line(Line("Our pick", "one two", ("a", "b")), None, {"a": kept, "b": other})
    assert (told["fate"], told["cause"]) == (lost, "log")
    assert told["rows"] == [[1, 0.6], [2, 0.4]] and told["smallest"] == [2]
    assert told["after"] == (None if lost == "gone" else "one two")


def test_a_shopper_of_whom_nothing_is_left_gets_that_said(screen):
    rows = [row["interaction"] for row in screen.state["history"]]
    lines = screen.act({"interactions": rows, "switches": {}})["page"]["lines"]
    assert lines[0]["fate"] == "new" and "too little to say" in lines[0]["text"]
    assert {one["fate"] for one in lines[1:]} == {"gone"}


def test_the_static_form_shows_the_table_and_folds_the_margin(screen, pressed):
    for state in (screen.state, pressed):
        html = static_screen(state)
        page, report = Page(html), state["page"]
        inert(page)
        assert html.count("<thead>") == 1
        for one in report["lines"]:
            for cell in one["cells"][1:]:
                assert all(isinstance(part, str) or part[1] in page.text for part in cell)
        assert f"<details><summary>{report['margin']}</summary>" in html
        assert "[Not for me] · [Have it already]" in page.text
    assert "This rests on 91 → 61 things" in page.text and "✗\u00a0gone" in page.text


def test_a_hostile_page_is_text(screen):
    world = hostile(screen.service)
    told = Screen(Service.build(world.log, world.catalogue, EASE(), agent=agent), 310, IMG)
    page = Page(static_screen(told.state))
    inert(page)
    assert "img" not in page.tags and "script" not in page.tags
    assert any("<img" in str(one["cells"]) for one in told.state["page"]["lines"])


def test_a_mailed_page_stands_as_it_was_written(screen, tmp_path):
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE())
    own = Screen(service, 310, TOPIC)
    text = export(own, tmp_path / "mailed.html").read_text(encoding="utf-8")
    assert re.search(r"The page as written on \d{1,2} [A-Z][a-z]+ \d{4}; its claims", text)
    payload = re.search(r'id="payload">(.*?)</script>', text, re.S)[1]
    state = json.loads(payload)["state"]
    assert state["page"]["lines"] == own.state["page"]["lines"]
    assert f"checks: {len(state['sentences'])} claims, made anew" in state["page"]["margin"]
    # no cell is there to run, and without a script nothing to press
    assert "run this cell" not in text and text.count("a browser that runs JavaScript") == 1
    assert not re.search("run this cell|JavaScript", document(state).split("<script")[0])
    # what is made anew stands open, and only that is asked of the script
    assert "<details open><summary>For whoever checks" in text
    assert {one["kind"] for one in state["sentences"]} <= {
        *("pick", "because", "compare", "catalogue_fact", "interest"),
    }


def test_a_press_changes_the_page_and_says_so(screen):
    pick = screen.state["page"]["pick"]
    action = {"interactions": [], "switches": {}, "presses": [["dislike", pick]]}
    state = screen.act(action)
    assert "as you said it is not for you" in state["changed"][0]
    assert state["page"]["pick"] != pick
    assert "as you said it is not for you" in Page(static_screen(state)).text
    # the press is a row like any other: forgotten, the page is what it was
    (row,) = [one for one in state["history"] if one["action"] == "dislike"]
    back = screen.act(action | {"interactions": [row["interaction"]]})
    told = {one["text"]: one["fate"] for one in back["page"]["lines"]}
    for one in screen.state["page"]["lines"]:
        assert told[one["text"]] in ("kept", "new", "back", "changed")
    # without presses the screen is the one it was
    again = screen.act({"interactions": [], "switches": {}, "topic": TOPIC})
    assert again["page"] == screen.state["page"] and again["changed"] == []


@pytest.mark.parametrize(
    "presses",
    [
        *("x", [1], [["dislike"]], [["no such", 1]], [["dislike", -1]], [["dislike", "1"]]),
        *([[1, 1]], [["dislike", 1]] * 21, {"a": 1}, [["dislike", None]], [["dislike", 10**30]]),
    ],
    ids=[*"abcdefghijk"],
)
def test_odd_presses_are_errors_of_ours(screen, presses):
    with pytest.raises(WorkbenchError):
        screen.act({"interactions": [], "switches": {}, "presses": presses})
