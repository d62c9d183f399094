"""The written pages in a browser: figures and equations are drawn, and nothing is asked of the
network."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tools import notebooks, site

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of one notebook, executed."""
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(
            f"# 98 · What is `{HOSTILE}` and $\\lambda_i$?\n\n$$P = (X^\\top X + "
            f"\\lambda I)^{{-1}}$$"
        ),
        new.new_code_cell(
            "import plotly.graph_objects as go\n\ngo.Figure(go.Bar(x=['a', 'b'], y=[1, 2]))"
        ),
        new.new_code_cell("import ipywidgets\n\nipywidgets.IntSlider()"),
        new.new_code_cell(f"from workbench.html import escape\n\nprint({HOSTILE!r})"),
    ]
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    nbformat.write(new.new_notebook(cells=cells), tmp_path / "98_sample.ipynb")
    site.write_site(tmp_path / "site")
    return tmp_path / "site"


def test_pages_are_whole_without_a_network(quiet, pages: Path) -> None:
    quiet.goto((pages / "index.html").as_uri())
    quiet.get_by_role("link").first.click()
    quiet.wait_for_selector(".js-plotly-plot .bars path")
    equation = quiet.locator("math[display=block]").bounding_box()
    assert equation["width"] > 60 and equation["height"] > 10
    assert quiet.locator("h1 math").count() == 1
    assert (
        HOSTILE in quiet.locator("h1").inner_text()
        and HOSTILE in quiet.locator("main").inner_text()
    )
    assert quiet.console == []
    assert {Path(url).name for url in quiet.requests} == {
        "index.html",
        "98_sample.html",
        "plotly.min.js",
    }
