"""The live page in a real JupyterLab: buttons under it, and sliders over it, change it at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workbench.data import load_world
from workbench.reports.forms import cells
from workbench.reports.recpilot import changed, press
from workbench.views import Weights
from workbench.views.served import served

ROOT = Path(__file__).resolve().parents[2]
USER = 310
SHOP = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from workbench.data import load_world
from workbench.views import Screen, Weights, show
from workbench.views.served import served
world = load_world()
service = served(world.log, world.catalogue)"""
FILMS = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_served import films
from workbench.views import Screen, show
from workbench.views.served import served
show(Screen(served(*films()), 3))"""
HEARD = ".wbs-heard"


@pytest.fixture(scope="module")
def service():
    world = load_world()
    return served(world.log, world.catalogue)


def picked(report):
    """The name of the pick, as the table has it."""
    (row,) = [line for line in report.text.split("\n") if line.startswith("| our pick")]
    return cells(row)[1]


def table_of(screen):
    """The page's table, without the shares of what lights up."""
    return re.sub(r"[ \xa0]\d+[ \xa0]%", "", screen.locator(".wbs-table").inner_text())


def test_buttons_under_the_page_change_it_and_say_so(lab, quiet, run_all, service):
    run_all(quiet, lab.add("notebooks/page.ipynb", SHOP, f"show(Screen(service, {USER}))"))
    screen = quiet.locator(".wbs").first
    first = table_of(screen)
    now = service
    for button, why in (("dislike", "not for you"), ("budget", "something cheaper")):
        was = now
        pick = was.evidence(USER).offers["pick"]
        now = press(was, USER, button, pick)
        told = changed(was.report(USER), now.report(USER), was.catalogue, button, pick)
        assert (
            why in told[0] and picked(was.report(USER)) in screen.locator(".wbs-table").inner_text()
        )
        screen.locator(f"[data-key=button-{button}]").click()
        screen.locator(HEARD, has_text=why).first.wait_for()
        assert screen.locator(HEARD).all_inner_texts() == told
        # what was pressed away is a row of the history, and no pick any more
        assert picked(now.report(USER)) in screen.locator(".wbs-table").inner_text()
    ids = screen.locator("[data-rows]").evaluate_all(
        "all => all.flatMap(row => row.dataset.rows.split(' ').map(Number))"
    )
    assert {now.log.last_id - 1, now.log.last_id} <= set(ids)
    # and taken back it was never there
    screen.locator("[data-key=again]").click()
    screen.locator(HEARD).first.wait_for(state="detached")
    assert table_of(screen) == first


def test_nothing_cheaper_can_be_pressed_where_no_price_is_known(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/films.ipynb", FILMS))
    screen = quiet.locator(".wbs").first
    screen.locator("[data-key=button-dislike]").wait_for()
    assert screen.locator("[data-key=button-owned]").count() == 1
    assert screen.locator("[data-key=button-budget]").count() == 0


def test_a_slider_and_the_menu_change_the_page(lab, quiet, run_all):
    user = 3
    run_all(quiet, lab.add("notebooks/weights.ipynb", SHOP, f"show(Weights(service, {user}))"))
    drawing = quiet.locator(".jp-OutputArea [id^=weights-]")
    drawing.filter(has_text="Nothing changed on this page.").first.wait_for()
    assert quiet.locator(".jp-OutputArea .noUi-handle").count() == 4
    # a click into the numbers, and keys on the handle
    for place, key in ((0, "Home"), (1, "Home")):
        quiet.locator(".jp-OutputArea .noUi-handle").nth(place).focus()
        quiet.keyboard.press(key)
    drawing.filter(has_text="Now the pick is").first.wait_for()
    text = drawing.first.inner_text()
    assert text.count("-1.00") == 2
    brand = quiet.locator(".jp-OutputArea select").first.locator("option").nth(1).inner_text()
    quiet.locator(".jp-OutputArea select").first.select_option(brand)
    drawing.filter(has_text="Not to be offered: brand").first.wait_for()
    assert brand.removeprefix("brand: ") not in drawing.first.locator("article table").inner_text()
    assert drawing.count() == 1


def test_bars_of_the_static_form_are_as_long_as_weights(quiet, service, tmp_path):
    view = Weights(service, USER, {"price": 2.0})
    path = tmp_path / "weights.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{view._repr_html_()}", encoding="utf-8")
    quiet.goto(path.as_uri())
    wide = quiet.locator("td > div").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().width)"
    )
    weights = view.weighed.weights[["learnt", "now"]].to_numpy().ravel() / 2
    assert wide == pytest.approx([weight * wide[1] for weight in weights], abs=0.5)
    assert quiet.console == []
