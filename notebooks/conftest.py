"""After the last cell of a notebook: how much of the package it has loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.shelves import PACKAGE, REACH, size

ASK = """
import json as _json, sys as _sys
print(_json.dumps([getattr(m, "__file__", None) or "" for n, m in list(_sys.modules.items())
                   if n.split(".")[0] == "workbench"]))
"""
FOUND: dict[str, int] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ask the kernel which modules stand in it, while it still lives."""
    kernel = getattr(item.parent, "kernel", None)
    last = nextitem is None or nextitem.parent is not item.parent
    if kernel is None or not last or not kernel.is_alive():
        return
    lines = sum(size(path)[0] for path in _loaded(kernel))
    item.user_properties.append(("reach", lines))
    name = Path(str(item.parent.path)).name
    assert lines <= REACH, f"{name} loads {lines:,} code lines of the package, {REACH:,} allowed"


def _loaded(kernel: Any) -> list[Path]:
    asked = kernel.execute_cell_input(ASK, allow_stdin=False)
    text = ""
    while True:
        message = kernel.get_message("iopub", timeout=30)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    files = [Path(name).resolve() for name in json.loads(text) if name.endswith(".py")]
    return [path for path in files if path.is_relative_to(PACKAGE)]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a worker found; workers and the process that reports are not the same."""
    for name, lines in report.user_properties:
        if name == "reach" and report.when == "teardown":
            FOUND[report.nodeid.split("::")[0]] = lines


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a notebook."""
    for name, lines in sorted(FOUND.items()):
        terminalreporter.write_line(f"{name}: {lines:,} of {REACH:,} code lines loaded")
