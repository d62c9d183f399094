"""A real JupyterLab in the machine's own Chromium. Without a Chromium these tests are skipped, with
the reason."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

from tools import starting as start
from workbench.doctor import find_chromium

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
]
CHROMIUM_FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]
LAB_FLAGS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.port_retries=0",
    "--IdentityProvider.token=",
]
LAB_FLAGS += [
    "--ServerApp.disable_check_xsrf=True",
    "--LabApp.expose_app_in_browser=True",
    *start.LAB,
]
COPIED = ("notebooks", "data")
IDLE = """() => {
  const shell = window.jupyterapp && window.jupyterapp.shell;
  const context = shell && shell.currentWidget && shell.currentWidget.sessionContext;
  return !!context && !!context.session && !!context.session.kernel && context.session.kernel.status === 'idle';
}"""
LEFT = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code');
  return cells.filter(cell => cell.model.sharedModel.getSource().trim() && cell.model.executionCount === null).length;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address and the folder that it serves (a copy, free to be
    changed)."""

    address: str
    root: Path

    def page(self, path: str) -> str:
        """Address that opens `path` in a fresh workspace, as start.py does."""
        return f"{self.address}/doc/tree/{path}?reset"

    def add(self, path: str, *sources: str) -> str:
        """Write a notebook of the given code cells and return its path."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources]
        )
        notebook.metadata.kernelspec = {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, self.root / path)
        return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on 127.0.0.1 at a free port, on a temporary copy of the notebooks and the data."""
    root = tmp_path_factory.mktemp("lab")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)
    settings = tmp_path_factory.mktemp("settings")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
    }
    folders |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces", "JUPYTER_RUNTIME_DIR": "runtime"}
    environment = {**os.environ, **{key: str(settings / value) for key, value in folders.items()}}
    # as where start.py runs it: what its flags name is found beside it
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    start.without_news(settings / "config")
    port = free_port()
    log = settings / "lab.log"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--port={port}",
        "--ServerApp.ip=127.0.0.1",
        *LAB_FLAGS,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--ServerApp.root_dir={root}"],
            env=environment,
            stdout=output,
            stderr=output,
            cwd=root,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, process, log)
            yield Lab(address, root)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/status", timeout=5) as answer:
                json.load(answer)
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("JupyterLab did not start:\n" + log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """The system's Chromium under Playwright."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on this machine (WORKBENCH_CHROMIUM may name one)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(params=["light"])
def page(browser: object, request: pytest.FixtureRequest) -> Iterator[object]:
    """A fresh page. `page.requests` lists every address asked for, `page.outside()` those off this
    machine, `page.console` what the page reported as an error. Parametrise indirectly with "dark"
    for the dark scheme.
    """
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param
    )
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.requests, opened.console = [], []
    context.on("request", lambda asked: opened.requests.append(asked.url))
    opened.on(
        "console", lambda said: opened.console.append(said.text) if said.type == "error" else None
    )
    opened.on("pageerror", lambda error: opened.console.append(str(error)))
    opened.outside = lambda: [url for url in opened.requests if _is_outside(url)]
    yield opened
    context.close()


@pytest.fixture
def quiet(page: object) -> Iterator[object]:
    """A page on which no dialog may open and nothing outside this machine may be asked for."""
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    assert dialogs == [] and page.outside() == []


def _is_outside(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in (
        "127.0.0.1",
        "localhost",
    )


@pytest.fixture
def run_all(lab: Lab) -> Callable[..., None]:
    """`run_all(page, path, seconds=120)` opens a notebook of `lab` and runs every cell until the
    kernel rests."""

    def run(page: object, path: str, seconds: float = 120) -> None:
        page.goto(lab.page(path))
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function(IDLE, timeout=90_000)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(f"() => ({LEFT})() === 0 && ({IDLE})()", timeout=seconds * 1000)

    return run
