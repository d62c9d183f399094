"""Figures as files for slides, each with what it shows and where it comes from."""

import struct

import nbformat
import pytest

from tools import figures, notebooks
from workbench.errors import DataError

DRAWN = "import matplotlib.pyplot as plt\nplt.figure(figsize=(2, 1))\nplt.plot([1])\nplt.show()"


def width(path):
    return struct.unpack(">I", path.read_bytes()[16:20])[0]


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A folder with one notebook that draws, as it ran."""
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "teacher")
    new = nbformat.v4
    cells = [new.new_markdown_cell("# 97 · Lines?\n\n### One line")]
    cells.append(new.new_code_cell(f"{DRAWN}\nprint('data: a world · users: 4')"))
    book = notebooks.execute(new.new_notebook(cells=cells), tmp_path)
    notebooks.write(book, tmp_path / "teacher" / "97_lines.ipynb")


def test_figures_are_saved_with_heading_and_source(teacher, tmp_path):
    (plain,) = figures.figures(tmp_path / "slides")
    assert plain.name == "97-1.png" and plain.read_bytes().startswith(b"\x89PNG")
    told = (tmp_path / "slides" / "figures.md").read_text(encoding="utf-8")
    assert told == "![One line](97-1.png)\n\n97, One line. data: a world · users: 4\n"
    (sharp,) = figures.figures(tmp_path / "sharp", dpi=300)
    assert width(sharp) > 2 * width(plain)


def test_a_folder_with_other_things_is_left_alone(teacher, tmp_path):
    with pytest.raises(DataError):
        figures.figures(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["teacher"]
