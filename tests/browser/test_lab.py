"""JupyterLab itself: a notebook opens, runs, shows what it should, and asks nothing of the
network."""

from __future__ import annotations

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
