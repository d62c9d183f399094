"""The live screen in a real JupyterLab: click a sentence, see its rows, press Forget, read the result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.views.states import IMG

ROOT = Path(__file__).resolve().parents[2]
PRETEND = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_show import Pretend
from workbench.views import show
show(Pretend())"""


@pytest.fixture
def quiet(page):
    """A page on which no dialog may open and nothing outside this machine may be asked for."""
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    assert dialogs == [] and page.outside() == []


def test_hostile_titles_are_text_and_forget_answers(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/hostile.ipynb", PRETEND))
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    assert quiet.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0
    assert IMG in screen.inner_text()

    sentence = screen.locator("[data-claim=bb]")
    sentence.click()
    assert screen.locator(".wbs-lit").evaluate_all("rows => rows.map(row => row.dataset.rows)") == ["42"]
    screen.locator("[data-claim=aa]").click()
    lit = screen.locator(".wbs-lit").evaluate_all("rows => rows.map(row => row.dataset.rows)")
    assert lit == ["17", "23", "42"]
    assert "60 %" in screen.locator("[data-rows='17']").inner_text()
    assert screen.locator("[data-rows='17']").get_attribute("aria-pressed") == "true"  # its smallest set

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
    assert screen.locator("[data-claim=bb]").evaluate("element => element === document.activeElement")
    screen.locator("[data-rows='42']").focus()
    quiet.keyboard.press("ArrowDown")
    quiet.keyboard.press("Space")
    assert screen.locator("[data-key=forget]").inner_text() == "Forget 2 rows"
    screen.locator("[data-key=forget]").focus()
    quiet.keyboard.press("Enter")
    screen.locator(".wbs-removed").first.wait_for()
    assert screen.locator(".wbs-removed").count() == 2
    assert "Forgotten." in screen.locator("[role=status]").inner_text()
