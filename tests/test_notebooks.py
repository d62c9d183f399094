"""What every notebook has to keep to, and the writer of its pages."""

from __future__ import annotations

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from tools import notebooks, site
from workbench.errors import WorkbenchError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REAL = sorted((ROOT / "notebooks" / "real").glob("*.ipynb"))
LONGEST_CELL, LONGEST_DEF, MOST_NAMES, MOST_BYTES, FEWEST_CHECKS = 15, 10, 6, 500_000, 3
ABSOLUTE = re.compile(
    r"""(?<![\w.:/<~])/(?:home|Users|root|tmp|work|mnt|opt|usr|var|private)/[\w.-]+|\b[A-Za-z]:\\[\w.-]+"""
)
KNOWN_TAGS = {
    "nbval-check-output",
    "nbval-ignore-output",
    "nbval-skip",
    "nbval-raises-exception",
    "raises-exception",
}
KNOWN_TAGS |= {
    "solution",
    "parameters",
    "aggregate",
    "hide-input",
    "your-turn",
    "check",
    "expected",
}

every = pytest.mark.parametrize("path", [*NOTEBOOKS, *REAL], ids=lambda path: path.stem)
executed = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str = "code") -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def tags(cell: nbformat.NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def tree(cell: nbformat.NotebookNode) -> ast.Module:
    lines = [line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return ast.parse("\n".join(lines))


def imported(path: Path) -> set[str]:
    """Names that a notebook takes from the package, wherever in it they stand."""
    names: set[str] = set()
    for cell in cells(path):
        for node in ast.walk(tree(cell)):
            if (
                isinstance(node, ast.ImportFrom)
                and (node.module or "").split(".")[0] == "workbench"
            ):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                names |= {
                    alias.name for alias in node.names if alias.name.split(".")[0] == "workbench"
                }
    return names


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS, "no notebook was found, so nothing below was tested"


@every
def test_format(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3", (
        "the kernel must be python3, not a name of this machine"
    )
    assert "widgets" not in notebook.metadata, "widget state is saved: python start.py refresh"
    assert path.stat().st_size < MOST_BYTES, (
        "too large: is a FigureWidget or a picture saved in it?"
    )


@every
def test_no_absolute_path(path: Path) -> None:
    found = ABSOLUTE.findall(json.dumps(nbformat.read(path, as_version=4), ensure_ascii=False))
    assert not found, f"paths of somebody's machine: {found}"


@every
def test_cells_are_short(path: Path) -> None:
    for number, cell in enumerate(cells(path)):
        assert len(cell.source.splitlines()) <= LONGEST_CELL, f"code cell {number} is too long"
        for node in ast.walk(tree(cell)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= LONGEST_DEF, (
                    f"{node.name} has {lines} lines: it belongs in workbench/"
                )


@every
def test_few_names_are_imported(path: Path) -> None:
    names = imported(path)
    assert len(names) <= MOST_NAMES, f"{len(names)} names from workbench: {sorted(names)}"


@every
def test_tags_are_known(path: Path) -> None:
    unknown = {
        tag for kind in ("code", "markdown") for cell in cells(path, kind) for tag in tags(cell)
    } - KNOWN_TAGS
    assert not unknown, f"unknown tags: {unknown}"


@every
def test_solutions_are_tagged(path: Path) -> None:
    for kind in ("code", "markdown"):
        for cell in cells(path, kind):
            says = re.search(r"^\W*(solutions?|answers?)\b", cell.source, re.IGNORECASE)
            assert not says or "solution" in tags(cell), (
                f"a solution without the tag: {cell.source[:60]!r}"
            )


@every
def test_solutions_are_folded(path: Path) -> None:
    for kind in ("code", "markdown"):
        for cell in cells(path, kind):
            hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            folded = not notebooks.FOLDED.isdisjoint(tags(cell))
            assert hidden == folded, f"python start.py refresh folds: {cell.source[:60]!r}"


@executed
def test_executed_in_order_without_errors(path: Path) -> None:
    code = [cell for cell in cells(path) if cell.source.strip()]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), (
        "run python start.py refresh"
    )
    kinds = [
        output.output_type
        for cell in code
        for output in cell.outputs
        if "raises-exception" not in tags(cell)
    ]
    assert "error" not in kinds


@every
def test_no_live_widget_is_saved(path: Path) -> None:
    for cell in cells(path):
        for output in cell.outputs:
            assert notebooks.WIDGET not in output.get("data", {}), (
                "a widget id means nothing later: refresh it"
            )


def test_no_progress_bar_is_a_widget() -> None:
    """A reader runs without the variable that silences bars here; a widget would stay in what they
    save."""
    bars = re.compile(r"tqdm\.(auto|notebook|autonotebook)|tqdm_notebook")
    files = sorted((ROOT / "workbench").rglob("*.py"))
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    texts |= {path.name: "\n".join(c.source for c in cells(path)) for path in (*NOTEBOOKS, *REAL)}
    assert not [name for name, text in texts.items() if bars.search(text)]


@executed
def test_enough_cells_are_compared(path: Path) -> None:
    compared = [
        cell
        for cell in cells(path)
        if "nbval-check-output" in tags(cell) or "# NBVAL_CHECK_OUTPUT" in cell.source
    ]
    with_output = [cell for cell in compared if cell.outputs]
    assert len(with_output) >= FEWEST_CHECKS, f"{len(with_output)} cells with output are compared"


@executed
def test_compared_output_is_text(path: Path) -> None:
    """nbval leaves HTML and pictures out, so a compared cell needs text that it can compare."""
    for cell in cells(path):
        if "nbval-check-output" in tags(cell):
            texts = [
                output.get("text") or output.get("data", {}).get("text/plain")
                for output in cell.outputs
            ]
            assert any(texts), f"nothing is compared in {cell.source[:60]!r}"
            assert not any(text and re.search(r" at 0x[0-9a-f]{6,}", text) for text in texts), (
                "an address is compared"
            )


@pytest.mark.skipif(not REAL, reason="no notebook on real data yet")
def test_real_notebooks_are_committed_without_rows() -> None:
    for path in REAL:
        for cell in cells(path):
            assert not cell.outputs or "aggregate" in tags(cell), (
                f"{path.name}: output that is not tagged aggregate"
            )


def test_strict_list_names_notebooks() -> None:
    lines = (ROOT / "notebooks" / "strict.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("#")[0].strip() for line in lines]
    assert all((ROOT / "notebooks" / name).is_file() for name in names if name)


# --- pages ----------------------------------------------------------------------------------------


class Loads(HTMLParser):
    """Collects what a page fetches by itself: sources, style sheets, url() and @import in
    styles."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.style = tag == "style"
        self.addresses += [
            given[name] or "" for name in ("src", "srcset", "poster", "data") if name in given
        ]
        if tag in ("link", "base", "image", "use"):
            self.addresses += [
                given[name] or "" for name in ("href", "xlink:href") if name in given
            ]
        self._styles(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        if self.style:
            self._styles(data)

    def handle_endtag(self, tag: str) -> None:
        self.style = False

    def _styles(self, text: str) -> None:
        self.addresses += re.findall(r"url\(\s*['\"]?([^'\")]+)", text)
        self.addresses += re.findall(r"@import\s+['\"]([^'\"]+)", text)


def loads(page: str) -> list[str]:
    """Addresses off the page's own folder that a browser would ask for."""
    reader = Loads()
    reader.feed(page)
    return [
        address
        for address in reader.addresses
        if re.match(r"\s*(https?:)?//", address, re.IGNORECASE)
    ]


def sample() -> nbformat.NotebookNode:
    new = nbformat.v4
    figure = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {}}
    data = {site.PLOTLY: figure, "text/plain": "Figure"}
    widget = {
        notebooks.WIDGET: {"model_id": "ab", "version_major": 2, "version_minor": 0},
        "text/html": "<b>still</b>",
    }
    book = new.new_notebook(
        cells=[
            new.new_markdown_cell(
                "# 98 · What is $\\lambda$?\n\n$$P = (X^\\top X + \\lambda "
                "I)^{-1}$$\n\n$\\notacommand{$"
            ),
            new.new_code_cell(
                "figure", execution_count=1, outputs=[new.new_output("display_data", data)]
            ),
            new.new_code_cell(
                "widget", execution_count=2, outputs=[new.new_output("display_data", widget)]
            ),
            new.new_markdown_cell("*Solution.* Three.", metadata={"tags": ["solution"]}),
        ]
    )
    book.metadata = nbformat.from_dict({"widgets": {"state": {}}, "kernelspec": {"name": "my-own"}})
    return book


def test_a_page_loads_nothing_from_elsewhere() -> None:
    page = site.page(sample(), "98_sample")
    assert loads(page) == []
    assert page.count("<math") == 2 and "MathJax" not in page
    assert '<script src="plotly.min.js">' in page and "Plotly.newPlot" in page
    assert "<b>still</b>" in page
    folded = re.findall(
        r"<details[^>]*><summary>Solution</summary>(.*?)</details>", page, re.DOTALL
    )
    assert len(folded) == 1 and "Three." in folded[0] and page.count("Three.") == 1


@every
def test_the_page_of_a_notebook_loads_nothing_from_elsewhere(path: Path) -> None:
    assert loads(site.page(notebooks.read(path), path.stem)) == []


def test_the_reader_of_addresses_finds_them() -> None:
    bad = '<script src="https://a.b/c.js"></script><link href="//a.b/c.css"><style>@import "http://a.b";x{y:url(http://z)}</style>'
    assert len(loads(bad)) == 4
    assert (
        loads('<a href="https://a.b">said, not loaded</a><img src="data:image/png;base64,AA">')
        == []
    )


def test_a_site_has_an_index_and_a_student_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "notebooks")
    notebooks.write(sample(), tmp_path / "notebooks" / "98_sample.ipynb")
    written = site.write_site(tmp_path / "site", run=False, for_students=True)
    assert [path.name for path in written] == ["index.html", "98_sample.html"]
    index = written[0].read_text(encoding="utf-8")
    assert "98_sample.html" in index and "What is" in index
    assert all(loads(path.read_text(encoding="utf-8")) == [] for path in written)
    assert "Solution" not in written[1].read_text(encoding="utf-8")
    handed_out = notebooks.read(tmp_path / "site" / "notebooks" / "98_sample.ipynb")
    assert len(handed_out.cells) == 3
    assert (tmp_path / "site" / "plotly.min.js").stat().st_size > 1_000_000


def test_the_command_takes_names_after_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    for name in ("97_other", "98_sample"):
        notebooks.write(sample(), tmp_path / f"{name}.ipynb")
    out = tmp_path / "pages"
    assert site.main(["site", "--as-saved", "--student", "98", "--out", str(out)]) == 0
    made = ["98_sample.html", "forget.html", "index.html"]
    assert sorted(path.name for path in out.glob("*.html")) == made
    assert site.main(["refresh", "77"]) == 2
    assert "no notebook begins with 77" in capsys.readouterr().err


def test_normalise_drops_what_changes() -> None:
    book = notebooks.normalise(sample())
    assert "widgets" not in book.metadata and book.metadata.kernelspec.name == "python3"
    assert all(
        notebooks.WIDGET not in output.data
        for cell in book.cells
        for output in cell.get("outputs", [])
    )


def test_a_stream_is_one_output_wherever_the_kernel_cut_it() -> None:
    new = nbformat.v4
    cuts = [("stdout", "a\n"), ("stdout", "b"), ("stderr", "!"), ("stdout", "c"), ("stdout", "\n")]
    outputs = [new.new_output("stream", name=name, text=text) for name, text in cuts]
    shown = [new.new_output("display_data", {"text/plain": text}) for text in "xy"]
    book = new.new_notebook(cells=[new.new_code_cell("", outputs=[*outputs, *shown])])
    left = notebooks.normalise(book).cells[0].outputs
    told = [(one.name, one.text) for one in left if one.output_type == "stream"]
    assert told == [("stdout", "a\nb"), ("stderr", "!"), ("stdout", "c\n")]
    assert left[3:] == shown


def test_a_failing_cell_is_named() -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(WorkbenchError, match=r"(?s)broken\.ipynb.*ZeroDivisionError"):
        notebooks.execute(book, ROOT, "broken.ipynb")


def test_an_unknown_notebook_is_refused() -> None:
    with pytest.raises(WorkbenchError, match="no notebook begins with 77"):
        notebooks.chosen(["77"])
