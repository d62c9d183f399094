"""The live dashboard in a real JupyterLab, and the static one as a page: a person is picked, nothing
is asked for outside, nothing leaves its card, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.views.streams import assessment, dashboard, streams
from workbench.views import Dashboard, Frontier, show

ROOT = Path(__file__).resolve().parents[2]
LIVE = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.streams import dashboard
from workbench.views import show
show(dashboard())"""
FRONTIER = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.streams import assessment, streams
from workbench.views import Frontier, show
show(Frontier(assessment(), streams().values()))"""
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>html { color-scheme: light dark }
body { font-family: system-ui } </style>"""


def test_another_person_is_drawn_when_they_are_picked(lab, quiet, run_all):
    run_all(quiet, lab.add("dashboard.ipynb", LIVE))
    drawing = quiet.locator(".jp-OutputArea [id^=dashboard-]").first
    drawing.wait_for()
    assert drawing.locator("svg").count() == 4
    first, second = dashboard().people.users[:2]
    assert f"shopper {first}:" in drawing.inner_text()
    quiet.locator(".jp-OutputArea select").first.select_option(f"shopper {second}")
    quiet.locator("[id^=dashboard-]", has_text=f"shopper {second}:").first.wait_for()
    quiet.locator(".jp-OutputArea select").nth(1).select_option("fine-tune")
    quiet.locator("[id^=dashboard-]", has_text="After: fine-tune").first.wait_for()


def test_the_frontier_is_drawn_again_for_another_utility(lab, quiet, run_all):
    run_all(quiet, lab.add("frontier.ipynb", FRONTIER))
    quiet.locator(".jp-OutputArea [id^=frontier-]").first.wait_for()
    quiet.locator(".jp-OutputArea select").first.select_option("recall@10")
    quiet.locator("[id^=frontier-]", has_text="RECALL@10, less").first.wait_for()
    quiet.locator(".jp-OutputArea select").nth(1).select_option("longest request")
    quiet.locator("[id^=frontier-]", has_text="seconds, longest request").first.wait_for()


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_nothing_leaves_its_card_and_ink_is_the_page_s(quiet, tmp_path):
    both = show(dashboard()).static + show(Frontier(assessment(), streams().values())).static
    # wide letters, and more of them than there is room for
    wide = {"retrain": "SCIF, as in the WWW fork, batched", "fine-tune": "MMMM, MMMM"}
    tables = assessment().replace(wide), dashboard().outcomes.replace(wide)
    both += show(Dashboard(*tables)).static
    path = tmp_path / "page.html"
    path.write_text(PAGE + both, encoding="utf-8")
    quiet.goto(path.as_uri())
    found = quiet.evaluate(
        """() => [...document.querySelectorAll("svg text")].map(one => {
        const own = one.getBoundingClientRect(), card = one.closest("svg").getBoundingClientRect();
        return [own.left >= card.left - 1 && own.right <= card.right + 1, getComputedStyle(one).fill,
                getComputedStyle(document.body).color, own.height]; })"""
    )
    assert len(found) > 40 and all(inside for inside, *_ in found)
    assert all(ink == body for _, ink, body, _ in found)
    # read from the back of a hall: no letter smaller than the page's own
    assert min(height for *_, height in found if height) >= 13.9
    assert quiet.console == []
