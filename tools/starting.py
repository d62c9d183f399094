"""What `python start.py` does: one command for everything.

    python start.py lab        open JupyterLab at the first notebook, or at those of a folder
    python start.py test       unit tests, notebooks, and browser tests where there is a Chromium
    python start.py site       execute the notebooks and write them as pages to site/
    python start.py refresh    execute the notebooks in place and normalise what they save
    python start.py student    write notebooks without solutions to a folder for a class
    python start.py check      mark the Your turn cells of such a folder, or read hand-ins
    python start.py figures    write the notebooks' figures to a folder, for slides
    python start.py world      make the generated world anew, bit for bit
    python start.py train-pocket, train-persona        train the shipped language models again
    python start.py train-simulator                    train the shipped simulator of visits again
    python start.py doctor     what is installed, found and missing; so for every `workbench` command

The first time it makes .venv beside this file and installs the workbench there (several minutes);
after that it starts at once. Other arguments are passed on: `python start.py lab --no-browser
--port 9999`, `python start.py test -k forget`, `python start.py test --stage unit`, `python
start.py site --student`. Tests run two files at a time: `-n 4` makes it four, `-n 0` one after
another; `-s`, `--pdb` and `--trace` do, and take the keyboard.

Needs nothing but Python 3.11 or newer. `--torch-index URL` (or WORKBENCH_TORCH_INDEX) takes PyTorch
from an index that you name: on Linux without a GPU the one that
https://pytorch.org/get-started/locally/ shows for "CPU".
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "workbench-stamp.json"
LOG = VENV / "install.log"
TOOLS = {
    "site": "site",
    "refresh": "site",
    "student": "classroom",
    "check": "classroom",
    "figures": "figures",
    "train-pocket": "build_pocket",
    "train-persona": "build_worlds",
    "train-simulator": "build_simulator",
}
COMMANDS = {"lab", "test", *TOOLS, "world", "data", "purge", "report", "unlearn", "doctor"}
NEEDED_GB = 4
OFFLINE = re.compile(
    r"name resolution|getaddrinfo|nodename nor servname|NewConnectionError|"
    r"[Nn]etwork is unreachable|ConnectTimeout|ProxyError|Max retries exceeded"
)
"""What pip prints where it reaches nobody."""
NBVAL = ["--nbval-current-env", "--nbval-cell-timeout=180", "--nbval-kernel-startup-timeout=120"]
NBVAL += ["--nbval-sanitize-with=notebooks/sanitize.cfg"]
LAB = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
LAB += ["--ServerApp.contents_manager_class=tools.contents.UnversionedNotebooks"]
NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}


def say(text: str) -> None:
    print(text, flush=True)


def fail(text: str) -> None:
    say(f"start.py: {text}")
    raise SystemExit(2)


# --- set-up ---------------------------------------------------------------------------------------


def read_stamp() -> dict:
    """What was installed, as it was written down; nothing where that cannot be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    extras = stamp.get("extras") if isinstance(stamp, dict) else None
    named = isinstance(extras, list) and all(isinstance(name, str) for name in extras)
    return stamp if named and isinstance(stamp.get("torch_index"), str) else {}


def fingerprint(torch_index: str) -> str:
    """Everything that, when it changes, means installing again; this folder too, as .venv points
    into it."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    version = (
        (VENV / "pyvenv.cfg").read_text(encoding="utf-8") if (VENV / "pyvenv.cfg").exists() else ""
    )
    digest.update(os.fsencode(ROOT))  # whatever the encoding of the system's own names
    digest.update(f"\n{version}\n{torch_index}".encode())
    return digest.hexdigest()


def version_of(python: Path) -> tuple[int, ...] | None:
    """The version of a Python, if it runs on this system."""
    try:
        asked = [str(python), "-c", "import sys; print(*sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True)
        return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None
    except (OSError, ValueError):
        return None


def make_environment() -> None:
    """Create .venv with pip, or repair one whose Python has gone."""
    version = version_of(PYTHON)
    if version and version < (3, 11):
        found = ".".join(map(str, version))
        fail(
            f".venv holds Python {found}, and 3.11 or newer is needed. Remove the folder .venv, "
            f"then start again."
        )
    if version is None:
        make_anew()
    if subprocess.run([str(PYTHON), "-m", "pip", "--version"], capture_output=True).returncode != 0:
        subprocess.run(
            [str(PYTHON), "-m", "ensurepip", "--upgrade"], check=True, capture_output=True
        )


def make_anew() -> None:
    """Make .venv where there is none, or in place of one that does not run; nothing else is
    replaced."""
    if VENV.is_symlink() or (VENV.exists() and not VENV.is_dir()):
        what = "a link" if VENV.is_symlink() else "a file"
        fail(f".venv is {what}, and its Python does not run. Move it away, then start again.")
    if VENV.is_dir() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        fail(".venv is a folder that Python did not make. Move it away, then start again.")
    import venv

    again = ": the one here does not run on this system" if VENV.exists() else ""
    say(f"Making an environment in .venv{again}")
    try:
        venv.create(str(VENV), clear=VENV.exists(), with_pip=True)
    except PermissionError as error:
        fail(f"this folder cannot be written to ({error}). Copy it to one of your own.")
    except OSError as error:
        fail(f"Python could not make .venv ({error}). Is the disk full, or read-only?")
    except (subprocess.CalledProcessError, ImportError) as error:
        fail(
            f"Python could not make .venv ({error}). On Debian and Ubuntu "
            f"install python3-venv first."
        )


def pip_install(arguments: list[str]) -> None:
    """Run pip: its output goes to .venv/install.log, one changing line to the terminal."""
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        *arguments,
    ]
    begin, tail, terminal = time.time(), [], sys.stdout.isatty()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        with subprocess.Popen(
            command, cwd=str(ROOT), encoding="utf-8", errors="replace", **pipes
        ) as process:
            for line in process.stdout:
                log.write(line)
                tail = [*tail[-14:], line.rstrip()]
                if terminal:
                    print(
                        f"\r  {time.time() - begin:4.0f} s  {line.strip():<100.100}",
                        end="",
                        flush=True,
                    )
    if terminal:
        print("\r" + " " * 112, end="\r")
    if process.returncode != 0:
        say("\n".join(tail))
        if OFFLINE.search("\n".join(tail)):
            fail(
                "installing failed: the package index was not reached. The first start needs a "
                "network; connect, then start again."
            )
        fail(f"installing failed; the lines above are the end of {LOG.relative_to(ROOT)}")


def set_up(extras: set[str], torch_index: str) -> None:
    """Install what is missing; takes milliseconds when nothing changed."""
    stamp = read_stamp()
    index = torch_index or stamp.get("torch_index", "")
    have = set(stamp.get("extras", []))
    if PYTHON.exists() and stamp.get("fingerprint") == fingerprint(index) and extras <= have:
        return
    if "$" in str(ROOT):
        fail(f"the installer cannot work in {ROOT}. Move it to a path without the sign $.")
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if not stamp and free < NEEDED_GB:
        say(f"Only {free:.1f} GB of disk are free; an installation needs about {NEEDED_GB} GB.")
    begin = time.time()
    make_environment()
    try:
        LOG.write_text("", encoding="utf-8")
    except OSError as error:
        fail(f".venv cannot be written to ({error}). Copy this folder to a disk of your own.")
    names = ",".join(sorted(extras | have))
    say(
        f"Installing the workbench{f' with {names}' if names else ''} (the first "
        f"time this takes minutes)"
    )
    if index and index != stamp.get("torch_index"):
        # Without its dependencies: they come from where everything else comes from, in the versions
        # tested.
        pip_install(
            [
                "-c",
                "constraints.txt",
                "--no-deps",
                "--force-reinstall",
                "--index-url",
                index,
                "torch",
            ]
        )
    pip_install(["-c", "constraints.txt", "-e", f".[{names}]" if names else "."])
    record = {
        "fingerprint": fingerprint(index),
        "extras": sorted(extras | have),
        "torch_index": index,
    }
    STAMP.write_text(json.dumps(record, indent=1), encoding="utf-8")
    say(f"Installed in {time.time() - begin:.0f} s")


def run(arguments: list[str], **options: object) -> int:
    """Run .venv's Python; Ctrl-C is the child's to answer, and this waits until it has."""
    # UTF-8 whatever the system's own encoding: Windows cannot print every sign to a file or a pipe
    # otherwise.
    options["env"] = {"PYTHONUTF8": "1", **options.get("env", os.environ)}
    with subprocess.Popen([str(PYTHON), *arguments], **{"cwd": str(ROOT), **options}) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


# --- lab ------------------------------------------------------------------------------------------


def without_news(folder: Path) -> None:
    """Tell the JupyterLab that reads `folder` not to ask about news: its flags alone do not stop
    the question."""
    path = folder / "labconfig" / "page_config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(NO_NEWS, indent=1), encoding="utf-8")


def lab(passed_on: list[str]) -> int:
    """JupyterLab on a folder that is named first, else on the repository, without news and update
    prompts."""
    named = bool(passed_on) and Path(passed_on[0]).is_dir()
    folder = Path(passed_on[0]).resolve() if named else ROOT / "notebooks"
    # notebooks of the repository link to each other
    root = ROOT if folder.is_relative_to(ROOT / "notebooks") else folder
    found = sorted(folder.glob("*.ipynb"))
    # one document beside closed side bars, whatever the reader's own settings say
    page = f"/doc/tree/{found[0].relative_to(root).as_posix()}" if found else "/lab"
    without_news(VENV / "etc" / "jupyter")
    command = [
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={page}",
        *LAB,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in passed_on:
        say("You are root (in a container?): JupyterLab is started with --allow-root.")
        command.append("--allow-root")
    say(f"Opening JupyterLab at {page}; stop it with Ctrl-C")
    return run([*command, *passed_on[named:]])


# --- test -----------------------------------------------------------------------------------------


def chromium() -> str:
    """Path of the browser that the tests drive, or nothing; `workbench doctor` knows where to
    look."""
    code = "from workbench.doctor import find_chromium; print(find_chromium() or '')"
    return subprocess.run(
        [str(PYTHON), "-c", code], cwd=str(ROOT), capture_output=True, text=True
    ).stdout.strip()


def stages(browser: bool, workers: str = "2") -> list[tuple[str, list[str]]]:
    """Name and pytest arguments of each stage, in order; the pages of notebooks are tested alone.

    A file stays with one worker: the cells of a notebook share a kernel, the tests of a file their
    fixtures.
    """
    spread = ["-n", workers, "--dist", "loadfile"]
    # without the notebook flags of pyproject.toml, beside which strict would be lax
    plain = ["-o", "addopts="]
    bare = [*plain, "-p", "no:nbval"]  # whose import takes seconds, in every worker
    apart = ["--ignore=tests/browser", "--ignore=tests/test_notebooks.py"]
    listed = (ROOT / "notebooks" / "strict.txt").read_text(encoding="utf-8").splitlines()
    strict = [
        f"notebooks/{name}" for name in (line.split("#")[0].strip() for line in listed) if name
    ]
    unit = ["tests", "workbench", "--doctest-modules", *apart]  # what docstrings show is true
    # strict compares all that lax does
    lax = ["notebooks", *(f"--ignore={path}" for path in strict)]
    found = [("unit", [*unit, *bare, *spread]), ("notebooks", [*lax, *spread])]
    found += [("strict", [*strict, *plain, "--nbval", *NBVAL, *spread])] if strict else []
    found += [("meta", ["tests/test_notebooks.py", *bare])]
    return [*found, ("browser", ["tests/browser", *bare, *spread])] if browser else found


def count(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped of a JUnit report; a run that left no report failed once."""
    try:
        suites = list(ElementTree.parse(str(report)).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return 0, 1, 0
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, 0)) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    return max(tests - failures - errors - skipped, 0), failures + errors, skipped


def test(passed_on: list[str]) -> int:
    """Run the stages one after another; the last line counts all of them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--stage", action="append", default=[])
    parser.add_argument("-n", "--numprocesses", default="2")
    chosen, passed_on = parser.parse_known_args(passed_on)
    watched = not {"-s", "--capture=no", "--pdb", "--trace"}.isdisjoint(passed_on)
    # output and keyboard of a worker reach nobody
    workers = "0" if watched else chosen.numprocesses
    rows, wrong, browser = [], False, bool(chromium())
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in stages(browser, workers):
            if chosen.stage and name not in chosen.stage:
                continue
            say(f"\n== {name}")
            report, begin = Path(folder) / f"{name}.xml", time.time()
            command = [
                "-m",
                "pytest",
                "-q",
                "--no-header",
                "--tb=short",
                "--disable-warnings",
                "-rfE",
            ]
            command += [f"--junitxml={report}", *arguments, *passed_on]
            code = run(command, env=environment, stdin=None if watched else subprocess.DEVNULL)
            passed, failed, skipped = count(report)
            # 5 means that nothing was collected: right only when the caller narrowed the choice.
            bad = code != 0 and not (code == 5 and passed_on)
            rows.append((name, passed, max(failed, int(bad)), skipped, time.time() - begin))
            wrong = wrong or bad
            if code == 2:  # interrupted
                break
    say(f"\n{'stage':<10} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
    for name, passed, failed, skipped, seconds in rows:
        say(f"{name:<10} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1f}")
    if not browser:
        say(
            "browser tests left out: no Chromium found (install it, or name it in "
            "WORKBENCH_CHROMIUM)"
        )
    passed, failed, skipped = (sum(row[column] for row in rows) for column in (1, 2, 3))
    say(
        f"in all {sum(row[4] for row in rows):.0f} s\n{passed} passed, {failed} "
        f"failed, {skipped} skipped"
    )
    return 1 if wrong or failed or not passed else 0


# --- the command ----------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal cannot show stops nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help"):
        say(__doc__)
        return 0 if arguments else 2
    parser = argparse.ArgumentParser("start.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--torch-index", default=os.environ.get("WORKBENCH_TORCH_INDEX", ""))
    chosen, rest = parser.parse_known_args(arguments)
    if not rest or rest[0].startswith("-"):
        first = f" {rest[0]} came first;" if rest else ""
        fail(f"which command?{first} python start.py --help lists them")
    command, *passed_on = rest
    if command not in COMMANDS:
        near = difflib.get_close_matches(command.lower(), COMMANDS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        fail(f"there is no command {command!r}.{hint} python start.py --help lists them")
    set_up({"test"} if command == "test" else set(), chosen.torch_index)
    if command == "lab":
        return lab(passed_on)
    if command == "test":
        return test(passed_on)
    tool = TOOLS.get(command, "")
    module = f"tools.{tool}" if tool else "workbench.cli"
    words = [command] if tool in ("", "site", "classroom") else []
    # paths are relative to where the caller is; tools/ is found wherever that may be
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return run(["-m", module, *words, *passed_on], cwd=os.getcwd(), env=environment)
