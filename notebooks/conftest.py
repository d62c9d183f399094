"""After the last cell of a notebook: how much of the package it has loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shelves import PACKAGE, reach_of, size

ASK = """
import json as _json, sys as _sys
print(_json.dumps([getattr(m, "__file__", None) or "" for n, m in list(_sys.modules.items())
                   if n.split(".")[0] == "workbench"]))
"""
FOUND: dict[str, tuple[int, int]] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ask the kernel which modules stand in it, while it still lives."""
    kernel = getattr(item.parent, "kernel", None)
    last = nextitem is None or nextitem.parent is not item.parent
    if kernel is None or not last or not kernel.is_alive():
        return
    lines = sum(size(path)[0] for path in _loaded(kernel))
    item.user_properties.append(("reach", lines))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """A notebook that loads more than it may fails by a report: an error raised while a kernel is
    ended would fail the next notebook, too."""
    report = yield
    for name, lines in item.user_properties:
        if name == "reach" and call.when == "teardown" and report.passed:
            book = Path(str(item.parent.path)).name
            if lines > reach_of(book):
                report.outcome = "failed"
                report.longrepr = f"{book} loads {lines:,} code lines, {reach_of(book):,} allowed"
    return report


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
            book = report.nodeid.split("::")[0]
            FOUND[book] = (lines, reach_of(Path(book).name))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a notebook."""
    for name, (lines, allowed) in sorted(FOUND.items()):
        terminalreporter.write_line(f"{name}: {lines:,} of {allowed:,} code lines loaded")
