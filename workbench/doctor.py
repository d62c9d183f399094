"""What is installed, found and missing: `workbench doctor`, and the first cell of a notebook.

A saved notebook must not tell where on whose machine it ran, so folders are shown by name, without
their path; the command shows the path of one that is missing.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from workbench.errors import WorkbenchError
from workbench.laws import Findings
from workbench.settings import ROOT, settings

PACKAGES = [
    "torch",
    "transformers",
    "pandas",
    "numpy",
    "plotly",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
]
OWN_MODEL = 'load_causal_lm("owner/name", download=True), ("folder") or ("file.gguf")'
TEST_PACKAGES = ["pytest", "nbval", "hypothesis", "playwright"]
BROWSERS = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
]


class Finding(NamedTuple):
    """One line: `ok` is False for what is missing, None for what works but is worth knowing."""

    what: str
    ok: bool | None
    found: str
    do: str = ""


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
        if needed:
            return Finding(name, False, "not installed")
        return Finding(name, None, "not installed", "only tests need it")
    wanted = tested.get(name, version)
    if version.split("+")[0] == wanted:
        return Finding(name, True, version)
    return Finding(name, None, f"{version}; tests ran on {wanted}")


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding(
            "torch device",
            False,
            f"torch cannot be loaded: {error}",
            "run python start.py lab again",
        )
    gpu = torch.cuda.is_available()
    names = ["cuda: " + torch.cuda.get_device_name(0)] if gpu else []
    names += ["mps"] if torch.backends.mps.is_available() else []
    return Finding("torch device", True, ", ".join([*names, "cpu"]))


def _own_model() -> Finding:
    """The ways that `load_causal_lm` takes here, and how many weights memory has room for."""
    import psutil

    ways, absent = ["hub id", "folder"], []
    for package, way in {"peft": "adapter", "gguf": "GGUF file"}.items():
        (ways if find_spec(package) else absent).append(way if find_spec(package) else package)
    room = psutil.virtual_memory().available / 4e9
    found = f"by {', '.join(ways)}; room for {room:.0f} billion weights in float32"
    do = f"pip install {' '.join(absent)} for the other ways" if absent else OWN_MODEL
    return Finding("your own model", None if absent else True, found, do)


def _own_data(path: Path | None) -> Finding:
    if path is None:
        return Finding("WORKBENCH_DATA", None, "not set", "only real/ notebooks need it")
    if not path.is_dir():
        do = "make that folder or name another; `workbench doctor` shows its whole path"
        return Finding("WORKBENCH_DATA", False, f"no folder {path.name}", do)
    return Finding(
        "WORKBENCH_DATA", True, f"{sum(1 for child in path.iterdir())} entries in {path.name}"
    )


def _shipped(what: str, pattern: str, command: str) -> Finding:
    files = sorted((ROOT / "data").glob(pattern))
    if not files:
        return Finding(what, False, f"no data/{pattern}", f"run {command}")
    return Finding(
        what, True, f"{len(files)} files, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
    )


def doctor() -> Findings:
    """Look at Python, packages, device, data, settings, browser and disk.

    >>> doctor().ok in (True, False)
    True
    """
    import pandas as pd

    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    findings = [
        Finding(
            "Python",
            good,
            f"{version} on {platform.system()} {platform.machine()}",
        )
    ]
    tested = tested_versions()
    findings += [_package(name, tested, needed=True) for name in PACKAGES]
    findings += [_package(name, tested, needed=False) for name in TEST_PACKAGES]
    train = "python start.py train-pocket"
    findings += [
        _torch(),
        _shipped("generated world", "world/*.parquet", "python start.py world"),
        _shipped("pocket language model", "pocket*/*.safetensors", train),
        _own_model(),
    ]
    try:
        now = settings()
        found = f"{now.profile}; seed {now.seed}, threads {now.threads}, device {now.device}"
        findings.append(Finding("profile", True, found))
        findings.append(_own_data(now.own_data))
    except WorkbenchError as error:
        findings.append(Finding("settings", False, str(error)))
    chromium, do = find_chromium(), "only browser tests need it; WORKBENCH_CHROMIUM may name one"
    told = (True, Path(chromium).name) if chromium else (None, "not found", do)
    findings.append(Finding("Chromium", *told))
    free = shutil.disk_usage(ROOT).free / 1e9
    found = "more than 10 GB free" if free > 10 else f"{free:.1f} GB free"
    findings.append(Finding("disk", True if free > 2 else None, found))
    frame = pd.DataFrame(findings, columns=Finding._fields).astype({"ok": "boolean"})
    absent = [finding.what for finding in findings if finding.ok is False]
    told = f"doctor: missing {', '.join(absent)}" if absent else "doctor: everything needed is here"
    return Findings("this machine", frame, ("here", "missing", "worth knowing"), told)
