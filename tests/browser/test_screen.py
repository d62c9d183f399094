"""The live screen in a real JupyterLab: click a sentence, see its rows, press Forget, read the
result."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.browser.conftest import IDLE
from tests.views.states import IMG

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "notebooks/00_what_happens_when_i_press_forget.ipynb"
HOSTILE = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_screen_state import IMG, Service, EASE, Screen, hostile, load_world
from workbench.views import show
world = load_world()
show(Screen(hostile(Service.build(world.log, world.catalogue, EASE())), 310, IMG))"""
PRETEND = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_show import Pretend
from workbench.views import show
show(Pretend())"""


def carrying(screen):
    """Row ids of the products that are lit."""
    return screen.locator(".wbs-lit").evaluate_all(
        "rows => rows.flatMap(row => row.dataset.rows.split(' ').map(Number))"
    )


def test_notebook_00_forgets_a_sentence(lab, quiet, run_all):
    begin = time.monotonic()
    quiet.goto(lab.page(NOTEBOOK))
    quiet.wait_for_function(IDLE, timeout=90_000)
    ready = time.monotonic()
    for _ in range(2):  # the title, then the cell that makes the screen
        quiet.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')"
        )
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    print(
        f"page and kernel {ready - begin:.1f} s, first screen {time.monotonic() - ready:.1f} s more"
    )
    assert time.monotonic() - ready < 10
    quiet.wait_for_function(IDLE, timeout=90_000)

    sentence = screen.locator("[data-claim]", has_text=re.compile("our notes.*Dark stories")).first
    sentence.click()
    lit = carrying(screen)
    assert lit and screen.locator(".wbs-lit").count() < screen.locator("[data-rows]").count()
    button = screen.locator("[data-key=forget]")
    count = int(button.inner_text().split()[1])
    assert 0 < count <= len(lit)
    button.click()
    screen.locator(".wbs-removed").first.wait_for()
    assert sentence.get_attribute("data-fate") in ("gone", "back")
    told = screen.locator(".wbs-answers").inner_text()
    assert re.search(rf"{count} of \d+ rows", told) and re.search(
        r"\d+ of 399 other shoppers", told
    )
    assert "than with other rows of this shopper" in told

    screen.locator("[data-key=again]").click()
    screen.locator(".wbs-removed").first.wait_for(state="detached")
    screen.locator(".wbs-chip", has_text="Horror novels").click()
    button.click()
    screen.locator("[data-fate=back]").first.wait_for()
    assert "other rows imply it" in screen.locator(".wbs-answers").inner_text()
    assert screen.locator(".wbs-lists").inner_text().count("offered again") >= 1
    screen.locator("[data-key=switch-tombstone]").check()
    screen.locator(".wbs-deleted").first.wait_for(state="detached")


def test_a_hostile_shop_is_text_in_a_real_notebook(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/hostile.ipynb", HOSTILE))
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    screen.locator(".wbs-chip", has_text=IMG).click()
    screen.locator("[data-key=forget]").click()
    screen.locator(".wbs-removed").first.wait_for()
    text = screen.inner_text()
    assert IMG in text and "</script><script>alert(2)</script><!--" in text
    assert quiet.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0


def test_a_pretend_service_shows_every_mark(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/pretend.ipynb", PRETEND))
    screen = quiet.locator(".wbs").first
    screen.locator("[data-claim=bb]").click()
    assert carrying(screen) == [42]
    screen.locator("[data-claim=aa]").click()
    assert carrying(screen) == [17, 23, 42]
    row = screen.locator("[data-rows='17']")
    assert "60 %" in row.inner_text() and "smallest set" in row.inner_text()
    assert row.get_attribute("aria-pressed") == "true"

    screen.locator("[data-key=forget]").click()
    screen.locator("[data-claim=aa][data-fate=back]").wait_for()
    answers = screen.locator(".wbs-answers").inner_text()
    assert "1 of 4 rows" in answers and "other rows imply it" in answers and "38 of 399" in answers
    assert screen.locator("[data-claim=bb] s").count() == 1
    assert "offered again" in screen.locator(".wbs-deleted").inner_text()


def test_keyboard_alone_reaches_everything(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/keys.ipynb", PRETEND))
    screen = quiet.locator(".wbs").first
    screen.locator("[data-claim=aa]").focus()
    quiet.keyboard.press("ArrowDown")
    quiet.keyboard.press("Enter")
    assert screen.locator("[data-claim=bb]").get_attribute("aria-pressed") == "true"
    assert screen.locator("[data-claim=bb]").evaluate(
        "element => element === document.activeElement"
    )
    screen.locator("[data-rows='42']").focus()
    quiet.keyboard.press("ArrowDown")
    quiet.keyboard.press("Space")
    assert screen.locator("[data-key=forget]").inner_text() == "Forget 2 rows"
    screen.locator("[data-key=forget]").focus()
    quiet.keyboard.press("Enter")
    screen.locator(".wbs-removed").first.wait_for()
    assert screen.locator(".wbs-removed").count() == 2
    assert "Forgotten." in screen.locator("[role=status]").inner_text()
