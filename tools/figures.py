"""The figures of the notebooks as PNG files for slides: `python start.py figures FOLDER`."""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tools import notebooks
from tools.command import answered, count
from workbench.whole import whole_folder

SHARP = '%config InlineBackend.print_figure_kwargs = {{"bbox_inches": "tight", "dpi": {}}}'


def figures(folder: Path, names: Sequence[str] = (), dpi: int = 0) -> list[Path]:
    """Write every figure of the notebooks to a new folder, and `figures.md` with heading and source
    of each.

    names: beginnings of notebooks, all unless told. dpi: run them anew, this sharp; the saved
    figures unless told. Raises `DataError` for a folder that holds anything.
    """
    lines, written = [], []
    with whole_folder(folder) as new:
        for path in notebooks.chosen(names):
            notebook = notebooks.read(path)
            if dpi:
                notebook.cells.insert(0, new_code_cell(SHARP.format(dpi)))
                notebooks.execute(notebook, name=path.name)
            for number, (heading, source, picture) in enumerate(_pictures(notebook), 1):
                name = f"{path.stem[:2]}-{number}.png"
                (new / name).write_bytes(picture)
                lines.append(f"![{heading}]({name})\n\n{path.stem[:2]}, {heading}. {source}\n")
                written.append(folder / name)
        (new / "figures.md").write_text("\n".join(lines), encoding="utf-8")
    return written


def _pictures(notebook: NotebookNode) -> Iterator[tuple[str, str, bytes]]:
    """Heading, line of provenance and bytes of each picture."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE) or [heading])[-1]
        outputs = cell.get("outputs", [])
        said = "".join(output.get("text", "") for output in outputs)
        source = (re.findall(r"^data: .+$", said, re.MULTILINE) or [""])[-1]
        for output in outputs:
            if "image/png" in output.get("data", {}):
                yield heading, source, base64.b64decode(output.data["image/png"])


def main(arguments: Sequence[str] | None = None) -> int:
    """`figures`, with its options."""
    parser = argparse.ArgumentParser(prog="start.py figures")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only notebooks that begin so, such as 20_")
    parser.add_argument("--dpi", type=count, default=0, help="run the notebooks anew, this sharp")
    asked = parser.parse_args(arguments)

    def work() -> str:
        written = figures(asked.folder, asked.names, asked.dpi)
        return f"{len(written)} figures, and {asked.folder / 'figures.md'}"

    return answered(work)


if __name__ == "__main__":
    raise SystemExit(main())
