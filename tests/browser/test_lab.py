"""JupyterLab itself: a notebook opens, runs, shows what it should, and asks nothing of the
network."""

from __future__ import annotations

import json

from tests.browser.conftest import IDLE

WIDGET = "window.jupyterapp.shell.currentWidget"
HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_notebook_runs_and_nothing_leaves_the_machine(lab, page, run_all) -> None:
    path = lab.add(
        "notebooks/smoke.ipynb",
        "print(6 * 7)",
        "import plotly.graph_objects as go\ngo.Figure(go.Bar(x=['a', 'b'], y=[1, 2]))",
        f"import ipywidgets\nipywidgets.Label({HOSTILE!r})",
    )
    run_all(page, path)
    page.wait_for_selector(".js-plotly-plot .bars")
    assert page.locator(".jp-OutputArea-output pre").first.inner_text().strip() == "42"
    assert page.locator(".widget-label").first.inner_text() == HOSTILE
    assert page.outside() == []


def test_the_repository_is_the_root_of_the_file_browser(lab, page) -> None:
    (lab.root / "README.md").write_text("here", encoding="utf-8")
    page.goto(f"{lab.address}/lab?reset")
    page.wait_for_selector(".jp-DirListing-item")
    names = page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert {"notebooks", "README.md"} <= set(names)
    # no news, no offer of an update
    assert page.locator(".Toastify__toast").all_inner_texts() == []


def test_opening_a_notebook_leaves_it_saved_and_saving_it_as_it_was(lab, page) -> None:
    path = lab.root / "notebooks" / "template.ipynb"
    before = json.loads(path.read_text(encoding="utf-8"))
    page.goto(lab.page("notebooks/template.ipynb"))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(IDLE)
    # the kernel says its language, and JupyterLab compares
    page.evaluate(f"async () => {{ await {WIDGET}.sessionContext.session.kernel.info; }}")
    page.wait_for_timeout(500)
    assert page.evaluate(f"() => {WIDGET}.context.model.dirty") is False
    page.evaluate(f"async () => {{ await {WIDGET}.context.save(); }}")
    after = json.loads(path.read_text(encoding="utf-8"))
    assert "version" not in before["metadata"]["language_info"]
    assert after == before
