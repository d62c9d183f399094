"""Ways to take rows out of the item weights, chosen on the screen: light and dark, before and after
*Forget*."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.conftest import IDLE
from tests.ledger.ways import service_of
from tests.views.states import after
from workbench.views import Screen
from workbench.views.page import document
from workbench.views.screen.static import static_screen

ROOT = Path(__file__).resolve().parents[2]
CELL = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.ledger.ways import service_of
from workbench.views import Screen, show
show(Screen(service_of("SASRec"), 12))"""


def test_the_way_is_chosen_beside_the_switch(lab, quiet, run_all, request):
    run_all(quiet, lab.add("notebooks/ways.ipynb", CELL))
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    picture(screen, request, "before")
    way = screen.locator("[data-key=way]")
    assert way.locator("option").all_inner_texts() == [
        "retrain",
        "one epoch · undecided",
        "nothing",
        "breaks",
    ]
    # nothing is asked before there is something to answer
    way.select_option("one epoch")
    screen.locator("[data-key=forget]").click()
    done(quiet, screen)
    assert "what the shop learnt (one epoch)" in screen.locator(".wbs-answers").inner_text()
    (told,) = [one for one in way.locator("option").all_inner_texts() if "undecided" in one]
    assert told.startswith("one epoch · ") and " s · " in told
    assert not screen.locator(".wbs-stale").count()
    picture(screen, request, "after")
    # chosen once more, it is answered again; the keyboard stays where it was
    way.select_option("breaks")
    screen.locator(".wbs-stale").wait_for()
    done(quiet, screen)
    assert "marked stale: ValueError: no" in screen.locator(".wbs-switches").inner_text()
    assert (
        "still in: what the shop learnt (marked stale"
        in screen.locator(".wbs-answers").inner_text()
    )
    picture(screen, request, "stale")
    assert quiet.console == []


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_a_page_without_a_kernel_shows_the_way_and_cannot_change_it(quiet, request, tmp_path):
    screen = Screen(service_of("SASRec"), 12, "Repair")
    rows = screen.state["sentences"][0]["smallest"]
    states = {
        "before": screen.state,
        "done": screen.act({"interactions": rows, "way": "one epoch"}),
    }
    states["left"] = screen.act({"interactions": rows, "way": "nothing"})
    for name, state in states.items():
        file = tmp_path / f"{name}.html"
        file.write_text(document(state), encoding="utf-8")
        quiet.goto(file.as_uri())
        shown = quiet.locator(".wbs")
        assert shown.locator("[data-key=way]").is_disabled()
        assert shown.locator(".wbs-stale").count() == (name == "left")
        picture(shown, request, f"page-{name}")
        # the same without scripts and styles of its own
        file.write_text(f"<body style='color-scheme:light dark'>{static_screen(state)}", "utf-8")
        quiet.goto(file.as_uri())
        text = quiet.locator("body").inner_text()
        way = {"before": "retrain", "done": "one epoch · ", "left": "nothing · "}[name]
        assert f"what the shop learnt {way}" in text and "or: " in text
        assert ("marked stale" in text) == (name == "left")
        picture(quiet.locator("body"), request, f"static-{name}")


def test_a_place_that_cannot_forget_in_a_moment_says_so_beside_its_switch(quiet, tmp_path):
    state = after({"interactions": [17], "switches": {}, "topic": None})
    state["switches"][1] |= {"label": "the simulator", "stale": "marked stale: 1 row"}
    file = tmp_path / "stale.html"
    file.write_text(document(state), encoding="utf-8")
    quiet.goto(file.as_uri())
    shown = quiet.locator(".wbs")
    assert "the simulator marked stale: 1 row" in " ".join(
        shown.locator(".wbs-switches").inner_text().split()
    )
    answers = shown.locator(".wbs-answers").inner_text()
    assert "still in: the simulator (marked stale: 1 row)" in answers


def done(page, screen) -> None:
    """Until the last control is there."""
    page.wait_for_function(IDLE, timeout=90_000)
    screen.locator(".wbs-answers", has_text="a stranger leaving").wait_for()


def picture(screen, request, name: str) -> None:
    """For whoever wants to look: a folder named by WORKBENCH_PICTURES."""
    folder = os.environ.get("WORKBENCH_PICTURES")
    if folder:
        scheme = "dark" if "dark" in request.node.name else "light"
        screen.screenshot(path=Path(folder) / f"ways-{scheme}-{name}.png")
