"""A screen over a real service: the button's function without a browser, and what an exported file
may hold."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter

import pandas as pd
import pytest

from tests.ledger.shoppers import readers, topic_rows
from tests.views.states import IMG, SCRIPT
from tests.views.test_show import TAGS, Page, inert
from workbench.data import Interactions, load_world
from workbench.errors import (
    ConfigError,
    DataError,
    ModelError,
    TooLarge,
    UnknownItem,
    UnknownUser,
    WorkbenchError,
)
from workbench.html import HIDDEN
from workbench.ledger import Service, Switches, forget
from workbench.recommend import EASE, ItemKNN
from workbench.views import Screen, export, show
from workbench.views import page as pages
from workbench.views.page import computing, inert_json
from workbench.views.screen.answers import answers as told_of
from workbench.views.screen.live import answers
from workbench.views.screen.state import state as drawn
from workbench.views.screen.static import static_screen
from workbench.views.screen.told import both

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
    pick = next(one for one in screen.state["sentences"] if one["kind"] == "pick")
    assert rows == pick["smallest"]
    switches = {"tombstone": True, "item_weights": False}
    state = screen.act({"interactions": rows, "switches": switches, "topic": TOPIC})
    assert {row["interaction"] for row in state["history"] if row["removed"]} == set(rows)
    assert (
        next(one for one in state["sentences"] if one["claim"] == pick["claim"])["fate"] == "gone"
    )
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


def test_a_placebo_says_how_many_of_its_own_products_are_offered_again(screen):
    rows = [row["interaction"] for row in screen.state["history"] if TOPIC in row["topics"]]
    told = screen.forget(rows, item_weights=False)
    # counted by hand: what of the drawn rows' products stands in the list without them
    counted = []
    for draw in told.controls[:3]:
        removal = screen.service.removal(draw.ids)
        items = {item for _, item in removal.pairs}
        counted.append(len(items & set(removal.at(draw.on).listed(310).tolist())))
    state = drawn(told)
    placebos = [one for one in state["null"] if one["kind"] == "placebo rows"]
    assert [one["again"] for one in placebos] == counted and max(counted) > 0
    sure = dict(told_of(state))["How sure are we?"]
    (line,) = (line for line in sure if "of their products offered again, here" in line)
    assert line.startswith(f"{min(counted)} to {max(counted)} of") or len({*counted}) == 1


def test_a_forgetting_is_drawn_but_does_not_compute(screen):
    view = show(screen.forget(screen.smallest_set("Our pick")))
    assert "✗\u00a0gone" in view.static and "(3 draws, too few for a verdict)" in view.static
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
        computing(Screen(other, 310, TOPIC), tmp_path / "knn.html")
    with pytest.raises(ModelError, match="has been changed"):
        computing(Screen(service.hide(310, TOPIC), 310, TOPIC), tmp_path / "hidden.html")


def test_equal_requests_give_equal_screens_and_json_is_finite(service):
    user = readers(service)[2]
    ids = topic_rows(service, user)
    told = forget(service, user, ids, seed=3)
    told_after = [text for _, _, text in told.after.lines]
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


def retitled(service, **titles):
    """The same service with some titles replaced: p5="..." for product 5."""
    frame = service.catalogue.frame.copy()
    for name, title in titles.items():
        frame.loc[int(name[1:]), "title"] = title
    return Service.build(service.log, dataclasses.replace(service.catalogue, frame=frame), EASE())


def test_a_sentence_that_stays_tells_both_its_numbers(screen):
    rows = [row["interaction"] for row in screen.state["history"] if TOPIC in row["topics"]]
    state = screen.act({"interactions": rows, "topic": TOPIC, "switches": {}})
    said = {one["text"]: one for one in state["sentences"]}
    back = said["Of the list made for you, 35% is Dark stories."]
    assert back["fate"] == "back"
    assert back["told"] == ["Of the list made for you,", ["35%", "40%"], "is Dark stories."]
    other = said["25% of your list is Board games."]
    assert (other["fate"], other["cause"]) == ("changed", None)
    assert other["told"] == [["25%", "30%"], "of your list is Board games."]
    # the same numbers in the static form, and what stays as it was told apart
    page = Page(static_screen(state)).text
    assert "Of the list made for you, 35% → 40% is Dark stories. ↩" in page
    assert "25% → 30% of your list is Board games. ≈\u00a0still there, other number" in page
    counts = Counter(one["fate"] for one in state["sentences"])
    assert counts["changed"] > 1 and counts["back"] >= 1
    assert f"· {counts['back']} came back ·" in page
    assert f"{counts['changed']} still there, other number" in page


def test_every_sentence_ends_in_what_is_said_now(service):
    for user in readers(service, 6):
        ids = topic_rows(service, user)
        for one in drawn(forget(service, user, ids, draws=0))["sentences"]:
            before, after = zip(
                *(part if isinstance(part, list) else (part, part) for part in one["told"]),
                strict=True,
            )
            assert " ".join(before) == one["text"]
            assert " ".join(after) == (one["after"] or one["text"])
            assert (one["fate"] == "kept") <= (one["told"] == [one["text"]])
            assert (one["fate"] == "changed") <= (
                len(one["told"]) > 0 and one["after"] != one["text"]
            )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("5 of 9 rows", "3 of 7 rows", [["5", "3"], "of", ["9", "7"], "rows"]),
        ("It costs 2.00 less.", "It costs 6.00 more.", ["It costs", ["2.00 less.", "6.00 more."]]),
        ("on your list 9% is tea", "5% is tea", [["on your list 9%", "5%"], "is tea"]),
        ("half of one", "half of one", ["half of one"]),
        ("a b", "a b b", ["a b", ["", "b"]]),
    ],
)
def test_two_forms_of_a_sentence_share_what_they_share(old, new, told):
    assert both(old, new) == told


def test_nothing_in_a_title_hides_or_widens_the_screen(service, tmp_path):
    pick = int(service.listed(310)[0])
    had = int(service.log.rows_of(310)["item"].iloc[0])
    names = {f"p{pick}": "\u202egnp.exe\x1b[2J", f"p{had}": "wide" * 25_000}
    screen = Screen(retitled(service, **names), 310, TOPIC)
    page = export(screen, tmp_path / "shown.html")
    report = screen.service.report(310)
    told = screen.forget([screen.state["history"][0]["interaction"]])
    for text in (screen._repr_html_(), page.read_text(encoding="utf-8"), report.text):
        assert not HIDDEN.search(text) and "⟨RLO⟩gnp.exe␛[2J" in text
    for text in (show(report).text, show(told).static, told._repr_html_(), repr(show(told))):
        assert not HIDDEN.search(text)
    # the long one is cut, with its length, wherever it is shipped
    assert "(100,000 letters)" in screen._repr_html_()
    assert page.stat().st_size < 600_000
    assert max(map(len, re.findall(r"\w+", Page(screen._repr_html_()).text))) < 200


def test_a_shopper_is_a_code_or_an_id_and_rows_are_rows(service, screen):
    named = Screen(service, "shopper 310", TOPIC)
    assert named.user == 310 and named.state["history"] == screen.state["history"]
    for user, said in (("K00007", "'K00007' is not in the index"), (3.0, "user code 3.0")):
        with pytest.raises(UnknownUser, match=said):
            Screen(service, user)
    with pytest.raises(UnknownItem, match="no item has the topic 'Voyages'"):
        Screen(service, 310, "Voyages")
    for rows in ("Travel", 7, ["x"], [1.5], [10**30], [True], [-1], None):
        with pytest.raises(DataError, match=r"names no rows|is no row"):
            screen.forget(rows)
    with pytest.raises(ConfigError, match="'log' set to 'no'"):
        screen.forget([], log="no")
    # the remedy for a topic, as it is printed
    with pytest.raises(DataError) as error:
        screen.forget(TOPIC)
    printed = "[row['interaction'] for row in screen.state['history'] if 'Horror novels' in row['topics']]"
    assert f"for a topic, {printed}" in str(error.value)
    rows = [
        row["interaction"] for row in screen.state["history"] if "Horror novels" in row["topics"]
    ]
    assert len(screen.forget(rows).interactions) == 30


def test_a_file_of_real_people_needs_a_yes(service, tmp_path):
    users = pd.Index([f"K{code:05}" for code in range(service.log.n_users)])
    log = Interactions(service.log.frame, users, service.log.items)
    screen = Screen(Service.build(log, service.catalogue, EASE()), 310, TOPIC)
    with pytest.raises(ConfigError, match=r"each of 400 shoppers had.*real_people=True"):
        computing(screen, tmp_path / "people.html")
    # without it the file holds the one shopper, and with it everybody's products
    path = tmp_path / "people.html"
    with pytest.warns(UserWarning, match=r"would hold every product that each of 400 shoppers had"):
        alone = export(screen, path).read_text(encoding="utf-8")
    assert "K00310" in alone and not re.search(r"K00(?!310)\d{3}", alone)
    assert '"seen"' not in alone and "does not compute: the file would hold" in alone
    assert "run this cell" not in alone and "A House Without Corners" in alone
    whole = export(screen, path, real_people=True).read_text(encoding="utf-8")
    assert '"seen"' in whole and len(whole) > 5 * len(alone)


@pytest.mark.parametrize("name", ["s.pdf", "s", "s.csv", "s.html.zip"])
def test_a_file_is_called_what_it_is(screen, tmp_path, name):
    with pytest.raises(ConfigError, match=r"cannot write.*ends in \.html"):
        export(screen, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_only_an_older_export_is_replaced(screen, tmp_path):
    path = export(screen, tmp_path / "screen.html")
    assert export(screen, path) == path
    mine = tmp_path / "thesis.html"
    mine.write_text("<p>years</p>", encoding="utf-8")
    (tmp_path / "folder.html").mkdir()
    for taken in (mine, tmp_path / "folder.html"):
        with pytest.raises(ConfigError, match="no export wrote it"):
            export(screen, taken)
    assert mine.read_text(encoding="utf-8") == "<p>years</p>"
    with pytest.raises(WorkbenchError, match="no way to show a Evidence"):
        export(screen.service.evidence(310), tmp_path / "report.html")


def test_what_no_browser_would_open_is_refused_with_its_size(screen, tmp_path, monkeypatch):
    # numbers of 240 products and 400 shoppers come to 324,480 bytes
    monkeypatch.setattr(pages, "LARGEST", 300_000)
    unasked = Screen(screen.service, 309, TOPIC)
    with pytest.raises(TooLarge, match=r"a file of 0\.3 MB.*at most 0\.3 MB"):
        computing(unasked, tmp_path / "large.html")
    # before anything is made
    assert "state" not in vars(unasked)
    monkeypatch.setattr(pages, "LARGEST", 330_000)
    with pytest.raises(TooLarge, match=r"a file of 0\.\d MB"):
        export(screen, tmp_path / "large.html")
    assert not list(tmp_path.iterdir())
