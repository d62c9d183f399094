"""What is installed, found and missing: `workbench doctor`, and the first cell of a notebook.

A saved notebook must not tell where on whose machine it ran, so folders are shown by name, without
their path.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import html
from workbench.errors import WorkbenchError
from workbench.settings import ROOT, settings

if TYPE_CHECKING:
    import pandas as pd

PACKAGES = (
    "torch",
    "transformers",
    "pandas",
    "numpy",
    "plotly",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
)
TEST_PACKAGES = ("pytest", "nbval", "hypothesis", "playwright")
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)


@dataclass(frozen=True)
class Finding:
    """One line of the examination: state is "ok", "note" (works, but worth knowing) or
    "missing"."""

    what: str
    state: str
    found: str
    do: str = ""


@dataclass(frozen=True)
class Examination:
    """All findings. `str()` gives a plain table, a notebook shows the same as HTML."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """True when nothing that the notebooks need is missing."""
        return all(finding.state != "missing" for finding in self.findings)

    def to_frame(self) -> pd.DataFrame:
        """The findings as a table: what, state, found, do."""
        import pandas as pd

        return pd.DataFrame([vars(finding) for finding in self.findings])

    def __repr__(self) -> str:
        missing = [finding.what for finding in self.findings if finding.state == "missing"]
        return (
            f"doctor: missing {', '.join(missing)}"
            if missing
            else "doctor: everything needed is here"
        )

    def __str__(self) -> str:
        rows = [("", "state", "found"), *((f.what, f.state, f.found) for f in self.findings)]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        lines = [
            f"{what:<{widths[0]}}  {state:<{widths[1]}}  {found}" for what, state, found in rows
        ]
        advice = [f"{finding.what}: {finding.do}" for finding in self.findings if finding.do]
        return "\n".join([*lines, "", *advice, repr(self)])

    def _repr_html_(self) -> str:
        rows = [vars(finding) for finding in self.findings]
        table = (
            html.table([row for row in rows if row["state"] == "missing"])
            if not self.healthy
            else ""
        )
        everything = (
            f"<details><summary>all {len(rows)} findings</summary>{html.table(rows)}</details>"
        )
        return f"<p>{html.escape(repr(self))}</p>{table}{everything}"


def tested_versions() -> dict[str, str]:
    """Package -> version the tests ran on, read from constraints.txt; empty outside a clone."""
    path = ROOT / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.split("#")[0].strip().split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", pair[0]).lower(): pair[1] for pair in pairs if len(pair) == 2}


def find_chromium() -> str | None:
    """Path of the browser that tests drive (WORKBENCH_CHROMIUM names one elsewhere), or None."""
    places = [os.environ.get("WORKBENCH_CHROMIUM"), *map(shutil.which, BROWSERS)]
    places.append("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    programs = [os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)")]
    places += [
        str(Path(folder, "Google", "Chrome", "Application", "chrome.exe"))
        for folder in programs
        if folder
    ]
    return next((place for place in places if place and Path(place).exists()), None)


def _package(name: str, tested: dict[str, str], needed: bool) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(
            name,
            "missing" if needed else "note",
            "not installed",
            "" if needed else "only tests need it",
        )
    wanted = tested.get(name, version)
    if version.split("+")[0] == wanted:
        return Finding(name, "ok", version)
    return Finding(name, "note", f"{version}; tests ran on {wanted}")


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding(
            "torch device",
            "missing",
            f"torch cannot be loaded: {error}",
            "run python start.py lab again",
        )
    gpu = torch.cuda.is_available()
    names = ["cuda: " + torch.cuda.get_device_name(0)] if gpu else []
    names += ["mps"] if torch.backends.mps.is_available() else []
    return Finding("torch device", "ok", ", ".join([*names, "cpu"]))


def _own_data(path: Path | None) -> Finding:
    if path is None:
        return Finding("WORKBENCH_DATA", "note", "not set", "only real/ notebooks need it")
    if not path.is_dir():
        return Finding(
            "WORKBENCH_DATA", "missing", f"no folder {path.name}", "correct WORKBENCH_DATA"
        )
    return Finding(
        "WORKBENCH_DATA", "ok", f"{sum(1 for child in path.iterdir())} entries in {path.name}"
    )


def _shipped(what: str, pattern: str, command: str) -> Finding:
    files = sorted((ROOT / "data").glob(pattern))
    if not files:
        return Finding(what, "missing", f"no data/{pattern}", f"run {command}")
    return Finding(
        what, "ok", f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
    )


def doctor() -> Examination:
    """Look at Python, packages, device, data, settings, browser and disk.

    >>> doctor().healthy in (True, False)
    True
    """
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    findings = [
        Finding(
            "Python",
            "ok" if good else "missing",
            f"{version} on {platform.system()} {platform.machine()}",
        )
    ]
    tested = tested_versions()
    findings += [_package(name, tested, needed=True) for name in PACKAGES]
    findings += [_package(name, tested, needed=False) for name in TEST_PACKAGES]
    findings.append(_torch())
    findings.append(_shipped("generated world", "world/*.parquet", "python start.py world"))
    findings.append(
        _shipped("pocket language model", "pocket*/*.safetensors", "python start.py train-pocket")
    )
    try:
        now = settings()
        found = f"{now.profile}; seed {now.seed}, threads {now.threads}, device {now.device}"
        findings.append(Finding("profile", "ok", found))
        findings.append(_own_data(now.own_data))
    except WorkbenchError as error:
        findings.append(Finding("settings", "missing", str(error)))
    chromium = find_chromium()
    if chromium:
        findings.append(Finding("Chromium", "ok", Path(chromium).name))
    else:
        do = "only browser tests need it; WORKBENCH_CHROMIUM may name one"
        findings.append(Finding("Chromium", "note", "not found", do))
    free = shutil.disk_usage(ROOT).free / 1e9
    found = "more than 10 GB free" if free > 10 else f"{free:.1f} GB free"
    findings.append(Finding("disk", "ok" if free > 2 else "note", found))
    return Examination(tuple(findings))
