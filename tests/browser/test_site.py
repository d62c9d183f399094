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
    quiet.locator("a[href='98_sample.html']").first.click()
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


ELSEWHERE = "http://127.0.0.1:9"
MARKDOWN = f"""
{HOSTILE} ![]({ELSEWHERE}/a.png) [link](javascript:alert%281%29) <b onclick=alert(1)>bold</b>
[in](data:text/html,x) <script>alert(1)</script><style>@import '{ELSEWHERE}/b';</style>
<iframe src="{ELSEWHERE}/d"></iframe>

An equation: $\\href{{javascript:alert(1)}}{{x}}$
"""
OUTPUT = f"""<script>document.title = "ran"</script><img src=x onerror="document.title = 'ran'">
<img src="{ELSEWHERE}/c.png"><b id="shown">shown</b>"""


def test_what_a_notebook_brings_along_does_not_run(quiet, tmp_path: Path) -> None:
    new = nbformat.v4
    html = new.new_output("display_data", {"text/html": OUTPUT, "text/plain": "x"})
    cells = [new.new_markdown_cell(MARKDOWN), new.new_code_cell("x", outputs=[html])]
    page = tmp_path / "hostile.html"
    page.write_text(site.page(new.new_notebook(cells=cells), "hostile"), encoding="utf-8")
    stopped = {}
    quiet.on("requestfailed", lambda request: stopped.update({request.url: request.failure}))
    quiet.goto(page.as_uri())
    assert quiet.locator("#shown").inner_text() == "shown" and quiet.title() == "hostile"
    text = quiet.locator(".jp-MarkdownCell")
    assert text.locator("b").inner_text() == "bold" and text.locator("math").count() == 1
    assert (
        text.locator("script, style, iframe, [onerror], [onclick], [href], img[src^=http]").count()
        == 0
    )
    asked = [url for url in quiet.requests if url.startswith(ELSEWHERE)]
    assert [stopped.get(url) for url in asked] == ["csp"] * len(asked), "the policy lets none out"
