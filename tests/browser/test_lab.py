"""JupyterLab itself: a notebook opens, runs, shows what it should, and asks nothing of the
network."""

from __future__ import annotations

import json

import nbformat

from tests.browser.conftest import IDLE
from tools import classroom, notebooks

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


def opened(lab, page, path: str) -> None:
    """Open a notebook and wait until JupyterLab has compared it with its kernel."""
    page.goto(lab.page(path))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(IDLE)
    # the kernel says its language, and JupyterLab compares
    page.evaluate(f"async () => {{ await {WIDGET}.sessionContext.session.kernel.info; }}")
    page.wait_for_timeout(500)
    assert page.evaluate(f"() => {WIDGET}.context.model.dirty") is False


def test_a_students_copy_opens_saved_with_its_hints_folded(lab, page) -> None:
    book = notebooks.read(lab.root / "notebooks" / "template.ipynb")
    hint = "<details><summary>Hint</summary>\n\nwith *care*\n</details>"
    book.cells[0].source += f"\n\n{hint}"
    notebooks.write(classroom.handed(book), lab.root / "notebooks" / "handed.ipynb")
    opened(lab, page, "notebooks/handed.ipynb")
    page.locator("summary", has_text="Hint").wait_for()
    assert not page.locator("em", has_text="care").is_visible()
    page.locator("summary", has_text="Hint").click()
    assert page.locator("em", has_text="care").is_visible()


def test_solutions_are_folded_in_the_teachers_copy(lab, page) -> None:
    book = notebooks.read(lab.root / "notebooks" / "template.ipynb")
    book.cells = [cell for cell in book.cells if "solution" in cell.metadata.get("tags", [])]
    code = {"source": "# compare\nsecret = 42", "metadata": {"tags": ["expected"]}}
    book.cells.append(nbformat.v4.new_code_cell(**code))
    notebooks.write(notebooks.normalise(book), lab.root / "notebooks" / "folded.ipynb")
    opened(lab, page, "notebooks/folded.ipynb")
    notebook = page.locator(".jp-Notebook").inner_text()
    assert "second number" not in notebook and "secret" not in notebook
    assert page.locator(".jp-Placeholder").count() == 3  # and one output


def test_opening_a_notebook_leaves_it_saved_and_saving_it_as_it_was(lab, page) -> None:
    path = lab.root / "notebooks" / "template.ipynb"
    before = json.loads(path.read_text(encoding="utf-8"))
    opened(lab, page, "notebooks/template.ipynb")
    page.evaluate(f"async () => {{ await {WIDGET}.context.save(); }}")
    after = json.loads(path.read_text(encoding="utf-8"))
    assert "version" not in before["metadata"]["language_info"]
    assert after == before
