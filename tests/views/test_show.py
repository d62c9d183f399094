"""`show` and the static form: text from data stays text, meaning stays without styles."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from tests.views.states import IMG, SCRIPT, after, start
from workbench.errors import WorkbenchError
from workbench.html import visible
from workbench.ledger.tiers import tiers_of
from workbench.reports import EntityStore
from workbench.views import View, show
from workbench.views.screen.live import ForgetScreen
from workbench.views.screen.static import static_screen
from workbench.views.screen.told import because, words

ACTION = {"interactions": [17], "switches": {"tombstone": True}, "topic": IMG}
TAGS = {
    "b",
    "br",
    "ol",
    "ul",
    "li",
    "u",
    "span",
    "details",
    "div",
    "i",
    "p",
    "s",
    "small",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "td",
    "th",
    "caption",
}


class Page(HTMLParser):
    """What a browser would see: tags, attributes, text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


def inert(page):
    """No attribute that could run or ask for something; styles hold nothing from data."""
    for name, value in page.attributes:
        assert not name.startswith("on") and name not in ("src", "href", "class"), name
        assert name != "style" or re.fullmatch(r"[a-z0-9:;.,()% -]*", value), value


class Pretend:
    """The least that `show` takes for a live screen."""

    state = start()

    def steps(self, action):
        yield {"state": after(action)}

    def __repr__(self):
        return "Pretend()"


@pytest.mark.parametrize("state", [start(), after(ACTION)], ids=["start", "after"])
def test_static_form_is_inert_and_says_everything(state):
    page = Page(static_screen(state))
    assert set(page.tags) <= TAGS
    inert(page)
    for sentence in state["sentences"]:
        assert visible(sentence["text"]) in page.text
    for row in state["history"]:
        assert visible(row["title"]) in page.text and visible(row["category"]) in page.text
        # a row is called by its product and date
        assert row["when"] in page.text and str(row["interaction"]) not in page.text
    assert IMG in page.text and visible(SCRIPT) in page.text


def test_static_form_tells_the_result_in_words():
    text = Page(static_screen(after(ACTION))).text
    assert "1 sentence gone · 1 came back · 1 deleted product offered again" in text
    assert "38 of 399 other lists changed" in text and "1 of 4 things you did: The Hollow" in text
    assert "↩\u00a0came back (other things you did say so)" in text
    assert "✗\u00a0gone" in text and "✗ The Hollow" in text and "· deleted" in text
    assert "⟲ deleted, offered again" in text
    assert "in 48 of 120 lists [30 %, 50 %] of people who never had it" in text
    assert "31 other lists changed, here 38 (a stranger leaving: 35)" in text
    alone = after(ACTION)
    alone["null"] = alone["null"][1:]
    assert "with · a stranger leaving: 35 other lists changed" in Page(static_screen(alone)).text


def test_static_form_is_stable_and_ignores_time():
    one, two = after(ACTION), after(ACTION) | {"seconds": 9.9}
    assert static_screen(one) == static_screen(two)
    assert static_screen(one) != static_screen(start())


def test_words_cover_every_fate_and_cause():
    assert list(words()["fate"]) == [
        *("kept", "changed", "weakened", "gone", "back", "new", "old"),
    ]
    assert len(words()["questions"]) == 5
    causes = {tier.name: list(tier.causes) for tier in tiers_of([EntityStore({})], vectors=True)}
    assert {"log", "profile", "user_vector", "item_weights", "tombstone"} == set(causes)
    assert set(causes) < set(words(causes)["cause"])
    assert because("back", "profile", causes) == "the notes about you still hold it"
    assert (
        because("gone", "log + a new place", causes)
        == "struck from what you did here and a new place"
    )
    assert because("kept", "log") == because("gone", None) == ""


def test_a_screen_is_live_and_its_static_form_is_beside_it():
    view = show(Pretend())
    bundle = view._repr_mimebundle_()
    assert repr(view) == "Pretend()"
    assert bundle["text/plain"] == "Pretend()" and bundle["text/html"] == view.static
    assert "application/vnd.jupyter.widget-view+json" in bundle
    widget = view.widget()
    assert isinstance(widget, ForgetScreen) and widget.computes
    assert widget.state["sentences"][0]["text"].endswith(f"{IMG}.")


def test_no_column_of_a_table_is_left_out():
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(WorkbenchError, match="two columns called 'a'"):
        show(twice)
    # records need not have the same names
    assert show([{"a": 1}, {"b": 2}]).text.split() == ["a", "b", "1", "2"]
    for rows in (-1, "x", 1.5):
        with pytest.raises(WorkbenchError, match="rows"):
            show([{"a": 1}], rows=rows)
    with pytest.raises(WorkbenchError, match="no way to show a type"):
        show(View)


def test_tables_and_records_are_escaped_and_cut():
    view = show(pd.DataFrame({IMG: [SCRIPT] * 30, "n": range(30)}))
    page = Page(view.static)
    assert set(page.tags) <= TAGS and "… and 10 more rows" in page.text
    assert page.text.count(visible(SCRIPT)) == 20 and IMG in page.text
    assert view.widget().value == view.static
    assert "application/vnd.jupyter.widget-view+json" not in view._repr_mimebundle_()


def test_tables_are_text_too_and_end_with_their_source():
    view = show(
        [{"item": "pan", "share": 0.25}, {"item": "a long name", "share": None}],
        source="data: here <b>",
    )
    assert repr(view) == "item         share\npan          0.250\na long name\ndata: here <b>"
    assert view.static.endswith("<p><small>data: here &lt;b&gt;</small></p>")


def test_what_has_an_html_form_keeps_it_and_the_rest_is_refused():
    class Strip:
        def _repr_html_(self):
            return "<b>strip</b>"

        def __repr__(self):
            return "Strip()"

    assert show(Strip()) == View("Strip()", "<b>strip</b>")
    with pytest.raises(WorkbenchError, match="no way to show a int"):
        show(3)
