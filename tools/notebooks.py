"""Notebooks read, executed, normalised and saved: `python start.py refresh` ends here."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from workbench.errors import WorkbenchError
from workbench.settings import ROOT
from workbench.whole import whole_file

FOLDER = ROOT / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
SETTINGS = {"WORKBENCH_PROFILE": "tiny", "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
# one thread as where outputs are compared; a bar is for those who wait, a slow machine would save one
SETTINGS |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
FOLDED = {"solution", "expected"}
"""Cells that JupyterLab opens folded."""
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read(path: Path) -> NotebookNode:
    """Read a notebook, version 4."""
    return nbformat.read(path, as_version=4)


def chosen(names: Sequence[str] = ()) -> list[Path]:
    """The numbered notebooks in order, or those whose file names begin with one of `names`."""
    found = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return found
    named = [*found, FOLDER / "template.ipynb"]
    kept = [path for path in named if any(path.name.startswith(Path(name).name) for name in names)]
    if not kept:
        raise WorkbenchError(
            f"no notebook begins with {', '.join(names)}", expected=", ".join(p.stem for p in named)
        )
    return kept


def execute(notebook: NotebookNode, folder: Path = FOLDER, name: str = "notebook") -> NotebookNode:
    """Run every cell in order, with the profile that saved outputs are made with; the notebook is
    changed in place.

    Raises `WorkbenchError` naming the cell that failed.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    for name_, value in SETTINGS.items():
        os.environ.setdefault(name_, value)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise WorkbenchError(
            f"a cell failed\n{error}", where=name, do="open it with python start.py lab"
        ) from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise WorkbenchError(f"the kernel stopped: {error}", where=name) from error
    return notebook


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Drop what changes from run to run or from reader to reader: widget state and views, timing,
    versions, kernels, and where a stream happened to be cut; fold the solutions.

    A saved widget view is only an id that no later session can resolve; the static form beside it
    stays.
    """
    kept = {"title", "language_info", "minutes"} & notebook.metadata.keys()
    kept = {key: notebook.metadata[key] for key in sorted(kept)}
    notebook.metadata = NotebookNode(kept, kernelspec=NotebookNode(KERNEL))
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("execution", "collapsed", "scrolled", "jupyter", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if not FOLDED.isdisjoint(cell.metadata.get("tags", [])):
            parts = ("source_hidden", "outputs_hidden")[: 1 + (cell.cell_type == "code")]
            cell.metadata["jupyter"] = dict.fromkeys(parts, True)
            # a folded cell shows its first line
            told = cell.source.lstrip("\n")
            cell.source = told if cell.cell_type == "code" else f"\n{told}"
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    return notebook


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighbouring ones of one stream as one: where a kernel cuts is a matter of time."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if kept and output.get("name", "") == kept[-1].get("name"):
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook, so that a broken run leaves the old one."""
    with whole_file(path) as new:
        nbformat.write(notebook, new)


def student(notebook: NotebookNode, expected: bool = False) -> NotebookNode:
    """The same notebook without the cells tagged `solution`, nor those tagged `expected` unless
    asked for."""
    left_out = {"solution"} if expected else FOLDED
    kept = [cell for cell in notebook.cells if left_out.isdisjoint(cell.metadata.get("tags", []))]
    return NotebookNode({**notebook, "cells": kept})


def title(notebook: NotebookNode) -> str:
    """Text of the first heading."""
    for cell in notebook.cells:
        found = re.search(r"^#+ +(.+)$", cell.source, re.MULTILINE)
        if found and cell.cell_type == "markdown":
            return found[1].strip()
    return "untitled"


def refresh(names: Sequence[str] = ()) -> list[Path]:
    """Execute notebooks in place and normalise what they save: the way to commit one."""
    paths = chosen(names)
    for path in one_by_one(paths):
        write(normalise(execute(read(path), name=path.name)), path)
    return paths


def one_by_one(paths: Sequence[Path]) -> Iterator[Path]:
    """The notebooks, each with a line for whoever waits: its number, seconds, and size as it is
    saved."""
    for number, path in enumerate(paths, 1):
        begin = time.time()
        print(f"[{number}/{len(paths)}] {path.name} ", end="", flush=True)
        yield path
        print(f"{time.time() - begin:.1f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)
