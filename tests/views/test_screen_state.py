"""A screen over a real service: the button's function without a browser, and what an exported file
may hold."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from tests.ledger.shoppers import readers, topic_rows
from tests.views.states import IMG, SCRIPT
from tests.views.test_show import TAGS, Page, inert
from workbench.data import load_world
from workbench.errors import DataError, ModelError, WorkbenchError
from workbench.ledger import Service, Switches, forget
from workbench.recommend import EASE, ItemKNN
from workbench.reports.sentences import plain
from workbench.views import Screen, export, show
from workbench.views.page import inert_json
from workbench.views.screen.live import answers
from workbench.views.screen.state import state as drawn

TOPIC = "Horror novels"


@pytest.fixture(scope="module")
def service():
    world = load_world()
    return Service.build(world.log, world.catalogue, EASE())


@pytest.fixture(scope="module")
def screen(service):
    return Screen(service, 310, TOPIC)


def hostile(service):
    """The same service with a catalogue of titles and topics that would love to be markup."""
    frame, topics = service.catalogue.frame.copy(), service.catalogue.topics.copy()
    frame["title"] = [f"{IMG} {item}" if item % 2 else f"{SCRIPT} {item}" for item in frame["item"]]
    for table, column in ((frame, "category"), (topics, "topic")):
        table[column] = table[column].replace(TOPIC, IMG)
    return Service.build(
        service.log, dataclasses.replace(service.catalogue, frame=frame, topics=topics), EASE()
    )


def test_nothing_is_forgotten_at_first(screen):
    state = screen.state
    assert len(state["history"]) == len(screen.service.log.rows_of(310))
    assert not any(row["removed"] for row in state["history"])
    assert state["lists"]["after"] is None and len(state["lists"]["now"]) == 10
    assert {sentence["fate"] for sentence in state["sentences"]} == {None}
    assert all(sentence["smallest"] for sentence in state["sentences"])
    assert json.loads(json.dumps(state, allow_nan=False)) == state


def test_an_action_forgets_and_the_next_one_starts_afresh(screen):
    rows = screen.smallest_set("Our pick")
    assert rows == screen.state["sentences"][0]["smallest"]
    switches = {"tombstone": True, "item_weights": False}
    state = screen.act({"interactions": rows, "switches": switches, "topic": TOPIC})
    assert {row["interaction"] for row in state["history"] if row["removed"]} == set(rows)
    assert state["sentences"][0]["fate"] == "gone"
    assert {one["name"]: one["on"] for one in state["switches"]}["tombstone"]
    again = screen.act({"interactions": [], "switches": {}, "topic": TOPIC})
    assert {**again, "seconds": 0} == {**screen.state, "seconds": 0}
    assert screen.service.tombstones == frozenset()


def test_the_clicked_sentence_goes_with_its_smallest_set(screen):
    """The pick and the interests of the list: found by scoring with the deleted products out, so
    that must end them."""
    verified = [
        one
        for one in screen.state["sentences"]
        if one["text"].startswith(("Our pick for", "Of the list"))
    ]
    assert len(verified) == 2
    for one in verified:
        after = drawn(screen.forget(one["smallest"], item_weights=False, tombstone=True))
        assert [two["fate"] for two in after["sentences"] if two["claim"] == one["claim"]] == [
            "gone"
        ]


def test_switches_reach_as_far_as_they_say(screen):
    rows = [row["interaction"] for row in screen.state["history"] if TOPIC in row["topics"]]
    untouched = drawn(screen.forget(rows, item_weights=False))
    assert untouched["others"]["changed"] == 0
    kept = drawn(screen.forget(rows, profile=False))
    told = [
        one
        for one in kept["sentences"]
        if one["text"].startswith("Of our notes") and one["fate"] != "new"
    ]
    assert told and all(one["fate"] != "gone" for one in told)


@pytest.mark.parametrize(
    "action",
    [
        {"interactions": [0], "switches": {}, "topic": TOPIC},
        {"interactions": [], "switches": {"brain": True}, "topic": TOPIC},
        {"interactions": [], "switches": {}, "topic": "No such topic"},
        {"interactions": ["x"], "switches": {}, "topic": TOPIC},
        {"switches": {}},
    ],
)
def test_bad_actions_come_back_as_errors(screen, action):
    (reply,) = answers(screen.steps, {"id": "v", "action": action})
    assert reply["id"] == "v" and "error" in reply


def test_errors_name_what_was_expected(screen):
    with pytest.raises(WorkbenchError, match="no sentence contains"):
        screen.smallest_set("no such words")
    with pytest.raises(DataError, match="user 310"):
        screen.forget([int(screen.service.log.rows_of(311)["interaction"].iloc[0])])


def test_the_static_form_of_a_hostile_shop_is_inert(service):
    screen = Screen(hostile(service), 310, IMG)
    rows = [row["interaction"] for row in screen.state["history"] if IMG in row["topics"]]
    assert rows
    for html in (
        show(screen).static,
        show(screen.forget(rows)).static,
        Screen(screen.service, 310, IMG)._repr_html_(),
        screen.forget(rows)._repr_html_(),
    ):
        page = Page(html)
        assert set(page.tags) <= TAGS | {"caption"}
        inert(page)
        assert IMG in page.text


def test_a_forgetting_is_drawn_but_does_not_compute(screen):
    view = show(screen.forget(screen.smallest_set("Our pick")))
    assert "✗\u00a0gone" in view.static and "For comparison, placebo rows (3 draws)" in view.static
    assert not view.widget().computes


def test_the_file_is_one_and_closed(screen, tmp_path):
    path = export(screen, tmp_path / "folder" / "screen.html")
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 600_000 and not list(path.parent.glob("*.tmp"))
    assert text == export(screen, tmp_path / "again.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text and "unsafe" not in text
    assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}/", text)
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b", text)
    assert text.count("<script") == text.count("</script>") == 2


def test_a_hostile_shop_cannot_leave_its_data_block(service, tmp_path):
    screen = Screen(hostile(service), 310, IMG)
    page = Page(export(screen, tmp_path / "hostile.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 2 and "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_json_for_a_page_holds_no_markup():
    text = inert_json({"a": "</script><!-- \u2028 é"})
    assert (
        "<" not in text and text.isascii() and json.loads(text) == {"a": "</script><!-- \u2028 é"}
    )


def test_what_a_file_cannot_answer_for_is_refused(service, tmp_path):
    with pytest.raises(ModelError, match="cannot be exported"):
        other = Service.build(service.log, service.catalogue, ItemKNN())
        export(Screen(other, 310, TOPIC), tmp_path / "knn.html")
    with pytest.raises(ModelError, match="has been changed"):
        export(Screen(service.hide(310, TOPIC), 310, TOPIC), tmp_path / "hidden.html")
    assert not list(tmp_path.iterdir())


def test_equal_requests_give_equal_screens_and_json_is_finite(service):
    user = readers(service)[2]
    ids = topic_rows(service, user)
    told = forget(service, user, ids, seed=3)
    told_after = [
        plain(told.after.text[row.start : row.end]) for row in told.after.sentences.itertuples()
    ]
    screens = [drawn(forget(service, user, ids, seed=3)) for _ in range(2)]
    assert json.dumps(screens[0], allow_nan=False) == json.dumps(screens[1], allow_nan=False)
    screen = screens[0]
    assert {row["interaction"] for row in screen["history"] if row["removed"]} == set(ids.tolist())
    assert len(screen["lists"]["now"]) == len(screen["lists"]["after"]) == 10
    assert [one["name"] for one in screen["switches"]] == [
        "log",
        "profile",
        "user_vector",
        "item_weights",
        "tombstone",
    ]
    owned = set(service.log.rows_of(user)["interaction"])
    for one in screen["sentences"]:
        # what is still said, with the number it has now
        assert (one["after"] is None) == (one["fate"] == "gone")
        assert one["after"] is None or one["after"] in told_after
        assert {row for row, _ in one["rows"]} <= owned
        assert set(one["smallest"]) <= owned
        assert one["smallest"]


def test_smallest_sets_of_picks_interests_and_reasons_end_them(service):
    ended = {
        ("pick", "pick"),
        ("interest", "list"),
        ("interest", "profile"),
        ("because", "because"),
    }
    checked = set()
    for user in readers(service, 6):
        claims = service.claims(user)
        for one in drawn(forget(service, user, [], draws=0))["sentences"]:
            claim = claims[one["claim"]]
            if (claim.kind, claim.relation) in ended:
                # the weights stay, and what the shopper had stays out of the list: only the input
                # changes
                after = service.remove(
                    one["smallest"], Switches.only(["log", "profile", "tombstone"])
                )
                assert claim.claim not in after.claims(user), one
                checked.add((claim.kind, claim.relation))
    assert checked == ended
