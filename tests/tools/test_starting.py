"""What `python start.py` says before anything is installed: one sentence, whatever it finds."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tools import starting
from workbench.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone without .venv."""
    root = tmp_path / "clone"
    root.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    venv = root / ".venv"
    for name, value in {
        "ROOT": root,
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "STAMP": venv / "workbench-stamp.json",
        "LOG": venv / "install.log",
    }.items():
        monkeypatch.setattr(starting, name, value)
    return root


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line of a start that fails."""
    with pytest.raises(SystemExit, match="2"):
        starting.main(list(arguments))
    return capsys.readouterr().out.splitlines()[-1]


def fake_python(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    (path.parents[1] / "pyvenv.cfg").write_text("home = /nowhere\n")


def test_every_python_can_read_the_file_that_it_meets_first() -> None:
    text = (ROOT / "start.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 4))
    newer = (ast.AnnAssign, ast.JoinedStr, ast.NamedExpr, ast.arg)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    before = text.split("from tools.starting")[0]
    assert "sys.version_info < (3, 11)" in before and "__future__" not in before


def test_an_old_python_is_told_which_one_is_needed() -> None:
    text = (ROOT / "start.py").read_text(encoding="utf-8")
    old = "import sys; sys.version_info = (3, 6, 9); exec(compile(sys.stdin.read(), 'start.py', 'exec'))"
    done = subprocess.run([sys.executable, "-c", old], input=text, capture_output=True, text=True)
    assert done.returncode == 2 and "3.11 or newer is needed; this is 3.6" in done.stdout


@pytest.mark.parametrize(("word", "near"), [("tset", "test"), ("Lab", "lab"), ("wrongword", "")])
def test_a_word_that_is_no_command_is_refused_before_anything_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], word: str, near: str
) -> None:
    line = said(capsys, word)
    assert f"no command {word!r}" in line and (f"mean {near}?" in line) == bool(near)
    assert not (folder / ".venv").exists()


def test_the_commands_are_those_of_the_package_and_of_the_tools() -> None:
    offered = set(typer.main.get_command(app).commands)
    assert {"lab", "test", *starting.TOOLS} | offered == starting.COMMANDS


def test_a_forgotten_value_is_asked_for_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        starting.main(["--torch-index"])
    assert "start.py: error: argument --torch-index" in capsys.readouterr().err
    assert "None" not in said(capsys, "--torch-index", "https://index.example")


def test_a_path_that_the_installer_cannot_take_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "ROOT", folder.with_name("a $x b"))
    (folder.with_name("a $x b")).mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (folder.with_name("a $x b") / name).write_bytes((folder / name).read_bytes())
    assert "without the sign $" in said(capsys, "doctor")


def test_an_environment_of_an_older_python_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_python(starting.PYTHON, "#!/bin/sh\necho 3 9\n")
    line = said(capsys, "doctor")
    assert "Python 3.9" in line and "Remove the folder .venv" in line


@pytest.mark.skipif(os.name == "nt", reason="modes and links of a POSIX system")
@pytest.mark.parametrize("kind", ["another system's", "not executable"])
def test_an_environment_that_does_not_run_is_made_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    fake_python(starting.PYTHON, "\x7fELF no such machine")
    if kind == "not executable":
        starting.PYTHON.chmod(0o644)
    made = []
    monkeypatch.setattr("venv.create", lambda path, **options: made.append((path, options)))
    starting.make_anew() if starting.version_of(starting.PYTHON) is None else None
    assert made == [(str(folder / ".venv"), {"clear": True, "with_pip": True})]


@pytest.mark.skipif(os.name == "nt", reason="links of a POSIX system")
@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_stands_in_the_way_is_not_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    way = folder / ".venv"
    if kind == "file":
        way.write_text("mine")
    elif kind == "link":
        (folder / "elsewhere").mkdir()
        way.symlink_to(folder / "elsewhere")
    else:
        way.mkdir()
        (way / "thesis.tex").write_text("years")
    assert "Move it away" in said(capsys, "doctor")
    assert way.is_symlink() or way.is_file() or (way / "thesis.tex").read_text() == "years"


def test_a_folder_that_cannot_be_written_to_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("venv.create", refuse)
    line = said(capsys, "doctor")
    assert "cannot be written to" in line and "python3-venv" not in line


@pytest.mark.parametrize("stamp", ["[]", "3", '"x"', '{"extras": 3}', '{"extras": [[]]}', "{"])
def test_a_stamp_that_says_nothing_counts_as_none(folder: Path, stamp: str) -> None:
    starting.VENV.mkdir()
    starting.STAMP.write_text(stamp)
    assert starting.read_stamp() == {}
    right = {"extras": ["test"], "torch_index": "", "fingerprint": "f"}
    starting.STAMP.write_text(json.dumps(right))
    assert starting.read_stamp() == right


def test_an_install_log_that_cannot_be_written_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "make_environment", lambda: None)  # no .venv: no place for a log
    assert "cannot be written to" in said(capsys, "doctor")


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: Retrying after connection broken by 'NewConnectionError'",
        "[Errno -3] Temporary failure in name resolution",
    ],
)
def test_an_index_that_is_not_reached_is_called_a_network(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    fake_python(starting.PYTHON, f'#!/bin/sh\necho "{line}"\nexit 1\n')
    with pytest.raises(SystemExit, match="2"):
        starting.pip_install(["-e", "."])
    assert "needs a network" in capsys.readouterr().out


def test_a_path_outside_the_system_s_encoding_has_a_fingerprint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = folder.with_name(os.fsdecode(b"Zo\xeb"))
    folder.rename(odd)
    monkeypatch.setattr(starting, "ROOT", odd)
    assert len(starting.fingerprint("")) == 64


def test_the_lab_opens_a_folder_that_is_named_and_the_repository_else(monkeypatch, tmp_path):
    asked: list[list[str]] = []
    monkeypatch.setattr(starting, "run", lambda arguments: asked.append(arguments) or 0)
    monkeypatch.setattr(starting, "without_news", lambda folder: None)
    (tmp_path / "20_b.ipynb").touch()
    monkeypatch.chdir(tmp_path.parent)
    starting.lab([tmp_path.name, "--no-browser"])
    starting.lab(["--no-browser"])
    starting.lab([str(starting.ROOT / "notebooks" / "real")])
    one, two, three = asked
    assert f"--ServerApp.root_dir={tmp_path}" in one and tmp_path.name not in one
    assert "--LabApp.default_url=/doc/tree/20_b.ipynb" in one and one[-1] == "--no-browser"
    assert f"--ServerApp.root_dir={starting.ROOT}" in two
    assert any(word.startswith("--LabApp.default_url=/doc/tree/notebooks/00_") for word in two)
    # those on real data link to the others
    assert f"--ServerApp.root_dir={starting.ROOT}" in three
    assert any("/doc/tree/notebooks/real/00_your_own" in word for word in three)
