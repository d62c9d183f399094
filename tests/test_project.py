"""The files around the package: that they agree with each other, and that start.py does what it
says."""

from __future__ import annotations

import ast
import importlib
import io
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import starting as start
from workbench import cli, doctor

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
FOR_TESTS = [Requirement(text) for text in PROJECT["project"]["optional-dependencies"]["test"]]
CONDA_NAMES = {"torch": "pytorch"}
IMPORT_NAMES = {"scikit-learn": "sklearn", "pillow": "PIL"}
BOTTOM = {"settings", "errors", "html", "statistics", "runs", "whole", "laws", "language"}
BOTTOM |= {"_engines", "_run_folders"}  # of runs
MAY_IMPORT = {
    **dict.fromkeys(BOTTOM, BOTTOM),
    "data": BOTTOM,
    "recommend": BOTTOM | {"data"},
    "tokens": BOTTOM | {"data"},
    "unlearning": BOTTOM | {"data", "recommend"},
    "reports": BOTTOM | {"data", "recommend"},
    "ledger": BOTTOM | {"data", "recommend", "unlearning", "reports", "tokens"},
    "sources": BOTTOM | {"data", "recommend", "tokens"},
    "worlds": BOTTOM | {"data", "tokens"},
}


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, relative imports resolved."""
    package = path.relative_to(ROOT).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            found |= {
                ".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names
            }
    return found


# --- dependencies ---------------------------------------------------------------------------------


def test_conda_environment_agrees_with_pyproject() -> None:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    environment = yaml.safe_load(text)
    assert environment["channels"] == ["conda-forge"]
    *packages, with_pip = environment["dependencies"]
    assert with_pip == {"pip": ["-e ."]}
    listed = dict(re.fullmatch(r"([\w.-]+)(.*)", package).groups() for package in packages)
    assert (
        Version(listed.pop("python").lstrip("="))
        in Requirement(f"x{PROJECT['project']['requires-python']}").specifier
    )
    del listed["pip"]
    assert listed == {CONDA_NAMES.get(need.name, need.name): str(need.specifier) for need in NEEDED}


def test_every_dependency_has_a_comment() -> None:
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if line.lstrip().startswith("- ") and "#" not in line]
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bare += [
        line
        for line in text.splitlines()
        if re.match(r'\s*"[\w-]+>=[\d.]+",', line) and "#" not in line
    ]
    assert bare == []


def test_tested_versions_are_allowed_and_complete() -> None:
    tested = doctor.tested_versions()
    for need in [*NEEDED, *FOR_TESTS]:
        version = tested[canonicalize_name(need.name)]
        assert version in need.specifier, f"{need} does not allow the tested {version}"


def test_tests_run_on_the_tested_versions() -> None:
    """Only where somebody asks (CI does): a reader may use newer versions."""
    if not os.environ.get("CI"):
        pytest.skip("not in CI")
    tested = doctor.tested_versions()
    names = [canonicalize_name(need.name) for need in [*NEEDED, *FOR_TESTS]]
    found = {name: metadata.version(name).split("+")[0] for name in names}
    assert found == {name: tested[name] for name in names}


def test_every_imported_package_is_declared() -> None:
    known = {IMPORT_NAMES.get(need.name, need.name.replace("-", "_")) for need in NEEDED}
    known |= {"nbformat", "nbclient"}  # come with nbconvert
    engines = {"dask", "distributed", "ray"}  # extras, imported when they are named
    for path in python_files("workbench"):
        others = (
            {name.split(".")[0] for name in imports(path)}
            - sys.stdlib_module_names
            - {"workbench", ""}
        )
        others -= engines if path.name == "_engines.py" else set()
        others -= {"openai"} if path.name == "client.py" else set()
        others -= {"gguf"} if path.name == "_gguf_header.py" else set()
        assert others <= known, (
            f"{path.relative_to(ROOT)} imports {sorted(others - known)}, which pyproject.toml lacks"
        )


# --- the package ----------------------------------------------------------------------------------


def test_importing_the_workbench_is_quick_and_takes_no_torch() -> None:
    code = (
        "import sys, time; begin = time.perf_counter(); import workbench; seconds "
        "= time.perf_counter() - begin;"
        "print(seconds, *[m for m in ('torch', 'transformers', 'pandas', 'plotly') "
        "if m in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    seconds, *heavy = min(run.stdout.split() for run in runs)
    assert heavy == []
    assert float(seconds) < 0.3


def test_the_command_is_quick_to_help_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; import workbench.cli; print(*[m for m in ('torch', "
        "'transformers', 'pandas') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        == []
    )


def test_imports_run_one_way() -> None:
    wrong = []
    for path in python_files("workbench"):
        part = path.relative_to(ROOT / "workbench").parts[0].removesuffix(".py")
        named = {name.split(".")[1] for name in imports(path) if name.startswith("workbench.")}
        layers = named & (set(MAY_IMPORT) | {"views", "cli"})
        wrong += [
            f"{path.relative_to(ROOT)} -> {other}"
            for other in layers - {part} - MAY_IMPORT.get(part, layers)
        ]
    assert wrong == []


def test_an_error_of_ours_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "workbench.cli",
        "world",
        "--size",
        "enormous",
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ConfigError: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_world_is_made_anew_by_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench.cli", "world", "--folder", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    made, shipped = (
        (folder / "manifest.json").read_text() for folder in (tmp_path, ROOT / "data" / "world")
    )
    facts = [
        {name: table["content"] for name, table in json.loads(text)["tables"].items()}
        for text in (made, shipped)
    ]
    assert facts[0] == facts[1]


def test_a_table_of_ones_own_gets_a_card_and_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mine.csv"
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    table.write_text("uid,sku,when\n1,a,2024-01-01\n2,b,2024-01-02\n", encoding="utf-8")

    # as a process of its own would, a second sooner each
    def ask(*words: str, says: str = "") -> SimpleNamespace:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["workbench", "data", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(says))
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            cli.main()
        return SimpleNamespace(
            returncode=ended.value.code or 0, stdout=out.getvalue(), stderr=err.getvalue()
        )

    refused = ask("add", str(table), "--column", "timestamp=when", says="n\n")
    assert (
        refused.returncode == 1
        and "timestamp" in refused.stdout
        and "own/cards" not in refused.stdout
    )
    assert ask("add", str(table), "--column", "timestamp=when", says="y\n").returncode == 0
    assert "mine" in ask("list").stdout
    assert ask("check", "mine").returncode == 0
    table.write_text("uid,sku,when\n1,a,2024-01-01\n", encoding="utf-8")
    assert ask("check", "mine").returncode == 1
    (tmp_path / "other.csv").write_bytes("uid;sku\ncaf\xe9;1\n".encode("latin-1"))
    other = ["add", str(tmp_path / "other.csv"), "--yes", "--sep", ";"]
    assert (
        "is not utf-8" in ask(*other).stderr
        and ask(*other, "--encoding", "latin-1").returncode == 0
    )
    assert ask("check", "other").returncode == 0
    assert "latin-1" in ask("show", "other").stdout
    wrong = ask("add", str(table), "--column", "when", "--yes")
    assert wrong.returncode == 2 and wrong.stderr.startswith("ConfigError: --column")


def test_every_command_finds_what_it_calls() -> None:
    """Commands import their part when they run, so nothing else would notice a part that has
    moved."""
    tree = ast.parse((ROOT / "workbench" / "cli.py").read_text(encoding="utf-8"))
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("workbench")
    ]
    assert len(found) > 8
    for node in found:
        for alias in node.names:
            part = importlib.import_module(node.module)
            assert hasattr(part, alias.name) or importlib.import_module(
                f"{node.module}.{alias.name}"
            )


def test_data_world_holds_the_shipped_world_alone() -> None:
    command = [sys.executable, "-m", "workbench.cli", "world", "--seed", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(
        "ConfigError: --folder: data/world holds"
    )


# --- doctor ---------------------------------------------------------------------------------------


def test_doctor_reports_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "<nowhere>"))
    found = doctor.doctor()
    assert {"no-such-package", "WORKBENCH_DATA"} <= set(found.broken)
    assert "numpy" not in found.broken
    assert not found.ok and "no-such-package" in repr(found)
    assert "&lt;nowhere&gt;" in found._repr_html_() and "<nowhere>" not in found._repr_html_()
    assert str(tmp_path) not in str(found), "a saved notebook must not tell where it ran"
    assert all(row["what"] in str(found) for row in found.to_frame().to_dict("records"))


def test_doctor_says_how_to_bring_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    told = psutil.virtual_memory()._replace(available=12_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: told)
    monkeypatch.setattr(doctor, "find_spec", lambda name: name)
    line = doctor.doctor().frame.set_index("what").loc["your own model"]
    assert line["found"].startswith("by hub id, folder, adapter, GGUF file; room for 3 billion")
    assert line["ok"] and "file.gguf" in line["do"]
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    line = doctor.doctor().frame.set_index("what").loc["your own model"]
    assert "adapter" not in line["found"] and line["do"].startswith("pip install peft gguf")


def test_doctor_survives_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_PROFILE", "enormous")
    assert "settings" in doctor.doctor().broken


# --- start.py -------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """start.py in a folder of its own, whose pip only records what it is asked."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    venv, asked = tmp_path / ".venv", []
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "STAMP": venv / "stamp.json",
        "LOG": venv / "log",
    }.items():
        monkeypatch.setattr(start, name, value)
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "make_environment", lambda: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(start, "pip_install", asked.append)
    return asked


def test_start_uses_the_standard_library_alone() -> None:
    assert set(imports(ROOT / "start.py")) <= {"sys", "tools.starting.main"}
    used = {name.split(".")[0] for name in imports(ROOT / "tools" / "starting.py")}
    assert used <= sys.stdlib_module_names


def test_set_up_installs_once(clone: list[list[str]]) -> None:
    start.set_up(set(), "")
    assert clone == [["-c", "constraints.txt", "-e", "."]]
    begin = time.perf_counter()
    start.set_up(set(), "")
    assert len(clone) == 1 and time.perf_counter() - begin < 1
    start.set_up({"test"}, "")
    start.set_up(set(), "")
    assert clone[1:] == [["-c", "constraints.txt", "-e", ".[test]"]]


def test_set_up_runs_again_when_a_version_changes_or_an_installation_broke_off(
    clone: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start.set_up({"test"}, "")
    (start.ROOT / "constraints.txt").write_text("numpy==2.4.6\n", encoding="utf-8")
    start.set_up(set(), "")
    assert clone[1] == ["-c", "constraints.txt", "-e", ".[test]"], "extras once installed stay"
    start.STAMP.write_text("{", encoding="utf-8")
    start.set_up(set(), "")
    assert len(clone) == 3


def test_torch_comes_from_the_index_that_is_named(clone: list[list[str]]) -> None:
    start.set_up(set(), "https://index.example/cpu")
    assert (
        clone[0][-3:] == ["--index-url", "https://index.example/cpu", "torch"]
        and "--no-deps" in clone[0]
    )
    start.set_up(set(), "")  # remembered: naming it once is enough
    assert len(clone) == 2


def test_a_failed_installation_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "ROOT", tmp_path)
    monkeypatch.setattr(start, "LOG", tmp_path / "install.log")
    with pytest.raises(SystemExit):
        start.pip_install(["--no-index", "no-such-package-at-all"])
    assert "No matching distribution" in capsys.readouterr().out
    assert "no-such-package-at-all" in (tmp_path / "install.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments", [["--torch-index", "https://index.example"], ["--port", "9"], ["-k", "x"]]
)
def test_a_missing_command_is_asked_for_before_anything_is_installed(
    clone, arguments, capsys
) -> None:
    with pytest.raises(SystemExit, match="2"):
        start.main(arguments)
    assert "which command?" in capsys.readouterr().out and clone == []


def test_a_path_means_where_the_caller_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    (tmp_path / "mine.csv").write_text("what,ever\n1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "set_up", lambda extras, index: None)
    assert start.main(["data", "add", "mine.csv", "--yes"]) == 2
    assert "mine.csv: no column 'user'" in capfd.readouterr().err


def test_what_start_runs_speaks_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.delenv("PYTHONUTF8", raising=False)
    assert start.run(["-c", "import sys; sys.exit(10 + sys.flags.utf8_mode)"]) == 11


def test_stages_cover_every_test() -> None:
    names = [name for name, _ in start.stages(browser=True)]
    assert [name for name in names if name != "strict"] == ["unit", "notebooks", "meta", "browser"]
    assert "browser" not in [name for name, _ in start.stages(browser=False)]
    strict = dict(start.stages(browser=False)).get("strict", ["--nbval", "addopts="])
    assert "--nbval" in strict and "addopts=" in strict and "--nbval-lax" not in strict


def test_files_run_two_at_a_time_unless_somebody_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(start, "chromium", lambda: "any")
    monkeypatch.setattr(
        start, "run", lambda arguments, **options: asked.append((arguments, options)) or 0
    )

    def workers(*passed_on: str) -> dict[str, str]:
        asked.clear()
        start.test([*passed_on, "-k", "x"])
        named = [
            (name, command)
            for (name, _), (command, _) in zip(start.stages(True), asked, strict=True)
        ]
        assert all(command[-2:] == ["-k", "x"] for _, command in named)
        return {
            name: command[command.index("-n") + 1] for name, command in named if "-n" in command
        }

    side_by_side = {"unit", "notebooks", "browser"} | ({"strict"} & dict(start.stages(True)).keys())
    assert workers() == dict.fromkeys(side_by_side, "2"), "pages and the browser are alone"
    assert all(options["stdin"] is subprocess.DEVNULL for _, options in asked)
    assert workers("-n4") == workers("--numprocesses=4") == dict.fromkeys(side_by_side, "4")
    for flag in ("-s", "--pdb"):
        assert workers(flag) == dict.fromkeys(side_by_side, "0")
        assert all(options["stdin"] is None and flag in command for command, options in asked)


def test_start_and_pytest_give_notebooks_the_same_flags() -> None:
    assert ["--nbval-lax", *start.NBVAL] == PROJECT["tool"]["pytest"]["ini_options"]["addopts"]


def test_counts_are_read_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "unit.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    assert start.count(report) == (3, 3, 3)
    assert start.count(tmp_path / "absent.xml") == (0, 1, 0)


def test_a_failing_stage_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    good, bad = tmp_path / "test_good.py", tmp_path / "test_bad.py"
    good.write_text("def test_it():\n    assert True\n")
    bad.write_text("def test_it():\n    assert False\n")
    plain = ["-o", "addopts=", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    spread = ["-p", "xdist", "-n", "2", "--dist", "loadfile"]
    monkeypatch.setattr(start, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(start, "chromium", str)
    # five times pytest, as bare as it gets
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(start, "stages", lambda *_: [("unit", [str(good), *plain, *spread])])
    assert start.test([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"
    monkeypatch.setattr(
        start, "stages", lambda *_: [("unit", [str(good), *plain]), ("meta", [str(bad), *plain])]
    )
    assert start.test([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"
    assert start.test(["--stage", "unit"]) == 0
    assert start.test(["-k", "nothing_is_called_so"]) == 1, "no test at all is no success"


@pytest.mark.skipif(os.name == "nt", reason="bash")
def test_ci_script_is_sound() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "start.py test" in script.read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="bash")
@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ("unit 9 0 1 2.0\nbrowser 3 0 0 1.0\n12 passed", 0, 0),
        ("unit 9 0 1 2.0\nbrowser 3 0 1 1.0\n12 passed", 0, 1),
        ("unit 9 0 1 2.0\nbrowser 0 0 0 1.0\n9 passed", 0, 1),
        ("unit 9 0 1 2.0\n9 passed", 0, 1),
        ("unit 8 1 1 2.0\nbrowser 3 0 0 1.0\n11 passed, 1 failed", 1, 1),
    ],
)
def test_ci_fails_where_browser_tests_did_not_all_run(
    tmp_path: Path, said: str, code: int, expected: int
) -> None:
    for name, text in {
        ".ci/run": (ROOT / ".ci" / "run").read_text(),
        "bin/python3": f"cat said\nexit {code}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text if "ci" in name else f"#!/bin/sh\n{text}", encoding="utf-8")
        path.chmod(0o755)
    (tmp_path / "said").write_text(f"{said}\n", encoding="utf-8")
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "WORKBENCH_CHROMIUM": "any",
    }
    done = subprocess.run(
        [str(tmp_path / ".ci" / "run")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == expected and said in done.stdout
    assert done.stdout.endswith("0 passed, 1 failed\n") == (code == 0 and expected == 1)


# --- the rest -------------------------------------------------------------------------------------


def test_citation_names_the_three_papers() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert [paper["identifiers"][0]["value"][6:] for paper in citation["references"]] == [
        "2603.07605",
        "2603.08341",
        "2603.06595",
    ]
    assert citation["version"] == PROJECT["project"]["version"]


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_style(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names), "pytest confuses two test files of one name"


def test_what_is_set_aside_is_listed() -> None:
    listed = (ROOT / "tests" / "QUARANTINE.md").read_text(encoding="utf-8")
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
            if any(re.match(r"pytest\.mark\.(xfail|skip)\b(?!if)", mark) for mark in marks):
                assert f"{path.name}::{node.name}" in listed, (
                    f"{node.name} is set aside without a reason"
                )
