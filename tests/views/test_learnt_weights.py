"""The page under weights of the reader's: the live form shows what the static one does."""

from __future__ import annotations

import re

import pytest

from tests.views.states import IMG, SCRIPT
from tests.views.test_screen_state import hostile
from tests.views.test_show import TAGS, Page, inert
from workbench.data import load_world
from workbench.errors import ConfigError, ModelError, UnknownItem, UnknownUser
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports import EntityStore
from workbench.reports.recpilot import Rubric, agent, changed, weigh
from workbench.views import Weights, show

STORES = (EntityStore, Rubric)


@pytest.fixture(scope="module")
def service():
    world = load_world()
    return Service.build(world.log, world.catalogue, EASE(), stores=STORES, agent=agent)


def test_the_static_form_says_all_of_it(service):
    view = show(Weights(service, 3, {"price": -1.0, "rating": -2.0}, source="data: a world"))
    found = weigh(service.evidence(3), {"price": -1.0, "rating": -2.0})
    page = Page(view.static)
    inert(page)
    assert set(page.tags) <= {*TAGS, "article", "h4"}
    for one in changed(found.before, found.after, service.catalogue):
        assert one in page.text
    # every weight, learnt and now
    for one in found.weights.itertuples():
        assert f"{one.attribute}{one.learnt:.2f}{one.now:.2f}" in page.text
    assert found.after._repr_html_() in view.static and page.text.endswith("data: a world")
    first = found.places.sort_values("after").iloc[0]
    assert f"1{first.before if first.before != 1 else ''}{first.title}" in page.text
    assert repr(view) == "Weighed(price -1.00, rating -2.00: the offers differ)"


def test_bars_are_as_long_as_weights(service):
    view = Weights(service, 310, {"price": -1.0})
    wide = [float(one) for one in re.findall(r"width:([\d.]+)em", view._repr_html_())]
    weights = view.weighed.weights[["learnt", "now"]].to_numpy().ravel()
    assert wide == pytest.approx(12 * abs(weights) / abs(weights).max(), abs=0.01)


def test_nothing_changed_is_said(service):
    text = Page(Weights(service, "shopper 310")._repr_html_()).text
    assert "Nothing changed on this page." in text and "banned" not in text


def test_a_slider_and_the_menu_change_text_and_ranking_at_once(service):
    live = show(Weights(service, 3)).widget()
    assert live.drawing.value == Weights(service, 3)._repr_html_()
    live.sliders["price"].value = -1.0
    assert live.drawing.value == Weights(service, 3, {"price": -1.0})._repr_html_()
    live.sliders["rating"].value = -0.8
    both = {"price": -1.0, "rating": -0.8}
    assert live.drawing.value == Weights(service, 3, both)._repr_html_()
    name, value = live.banned.options[1][1]
    live.banned.value = (name, value)
    assert live.drawing.value == Weights(service, 3, both, {name: value})._repr_html_()
    live.banned.value = None
    assert live.drawing.value == Weights(service, 3, both)._repr_html_()


def test_the_live_form_begins_with_what_is_asked_and_adds_to_it(service):
    view = Weights(service, 72, {"price": 5.0}, {"brand": "Solmere"})
    live = view._widget()
    assert live.sliders["price"].value == live.sliders["price"].max == 5.0
    assert live.drawing.value == view._repr_html_()
    pairs = [pair for _, pair in live.banned.options[1:]]
    live.banned.value = next(pair for pair in pairs if pair[0] == "brand" and pair[1] != "Solmere")
    both = {"brand": ["Solmere", live.banned.value[1]]}
    again = Weights(service, 72, {"price": 5.0}, both)
    assert live.drawing.value == again._repr_html_()


def test_every_choice_of_the_menu_can_be_made(service):
    live = Weights(service, 310)._widget()
    assert len(live.banned.options) > 10
    for _, value in live.banned.options[1::4]:
        live.banned.value = value
        assert f"Not to be offered: {value[0]} " in Page(live.drawing.value).text


def test_a_hostile_shop_is_text(service):
    world = hostile(service)
    shop = Service.build(world.log, world.catalogue, EASE(), stores=STORES, agent=agent)
    frame = world.catalogue.frame
    kind = frame.loc[frame["category"] == IMG, "kind"].iloc[0]
    view = Weights(shop, 310, {"price": 2.0}, {"category": IMG, "kind": kind}, source=SCRIPT)
    page = Page(view._repr_html_())
    inert(page)
    assert not {"img", "script"} & set(page.tags)
    assert f"category {IMG}" in page.text and "⟨U+2028⟩" in page.text
    assert not any("\u2028" in name for name, _ in view._widget().banned.options)


@pytest.mark.parametrize(
    ("user", "weights", "ban", "error"),
    [
        (3, {"colour": 1.0}, {}, ConfigError),
        (3, {}, {"brand": "none such"}, UnknownItem),
        ("nobody", {}, {}, UnknownUser),
        (4000, {}, {}, UnknownUser),
    ],
)
def test_what_there_is_not_is_refused_at_once(service, user, weights, ban, error):
    with pytest.raises(error):
        Weights(service, user, weights, ban)


def test_a_service_without_a_rubric_is_refused():
    world = load_world()
    with pytest.raises(ModelError):
        Weights(Service.build(world.log, world.catalogue, EASE()), 3)
