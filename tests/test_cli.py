"""The command line: what it prints, whatever the terminal can show."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench.cli import app


def called(*words: str, **more: str) -> subprocess.CompletedProcess:
    """The command in a process of its own; what it prints as bytes."""
    root = str(Path(__file__).parents[1])
    code = "from workbench.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": root} | more
    return subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, timeout=120
    )


def test_a_letter_that_the_terminal_lacks_stops_nothing(tmp_path):
    (tmp_path / "jp.csv").write_text("user,item\n→日本,1\nbob,2\n", encoding="utf-8")
    narrow = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252", "WORKBENCH_DATA": str(tmp_path)}
    done = called("data", "add", str(tmp_path / "jp.csv"), "--yes", **narrow)
    assert done.returncode == 0, done.stderr
    assert b"\\u65e5\\u672c" in done.stdout and (tmp_path / "cards" / "jp.toml").exists()
    failed = called("data", "show", "日本", **narrow)
    assert failed.returncode == 2 and failed.stderr.startswith(
        b"ConfigError: name: no card '\\u65e5"
    )


def test_purge_can_only_look_and_ends_with_what_it_found(tmp_path):
    pd.DataFrame({"user": ["u1", "u2"]}).to_parquet(tmp_path / "a.parquet")
    before = (tmp_path / "a.parquet").read_bytes()
    ask = ["purge", "--user", "u1", "--folder", str(tmp_path)]
    looked = CliRunner().invoke(app, [*ask, "--dry"])
    assert looked.output.splitlines()[-1] == "not clean: a.parquet: would be removed"
    assert (tmp_path / "a.parquet").read_bytes() == before
    assert CliRunner().invoke(app, ask).output.splitlines()[-1] == "clean: 1 file searched"
    assert pd.read_parquet(tmp_path / "a.parquet")["user"].tolist() == ["u2"]


def test_nothing_is_asked_about_a_table_that_has_no_place_to_go(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    (tmp_path / "log.csv").write_text("user,item\na,b\n")
    told = CliRunner().invoke(app, ["data", "add", str(tmp_path / "log.csv")])
    assert "WORKBENCH_DATA is not set" in str(told.exception) and not told.output


@pytest.mark.parametrize("place", ["~/there/data", "/nowhere/data"])
def test_the_command_shows_where_a_missing_folder_was_looked_for(tmp_path, monkeypatch, place):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_DATA", place)
    told = CliRunner().invoke(app, ["doctor"])
    where = Path(place.replace("~", str(tmp_path))).absolute()
    assert told.exit_code == 1 and told.output.splitlines()[-1].startswith(
        f"WORKBENCH_DATA names {where}, "
    )


def test_what_a_preview_and_an_error_advise_are_options_of_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    path = str(tmp_path / "log.csv")
    Path(path).write_text("who,item,action\na,b,buy\n")

    def told(*words):
        done = CliRunner().invoke(app, ["data", "add", path, "--yes", *words])
        return done.output, str(done.exception)

    shown, error = told()
    assert "pass --column user=… with" in error and "pass --column user=… with" in shown
    shown, _ = told("--column", "user=who")
    assert "--action buy=… says which one it is, --drop buy leaves its rows out" in shown
    assert "={" not in shown
    assert "--item-column: 'title' is no pair" in told("--item-column", "title")[1]
    assert "sep: nothing" in told("--sep", "")[1]


def test_a_warning_of_the_command_is_one_line(tmp_path):
    (tmp_path / "t.csv").write_text("user,item,time\na,b,829\n")
    (tmp_path / "i.csv").write_text("item,title,price\nb,Pan,cheap\n")
    words = ["data", "add", str(tmp_path / "t.csv"), "--items", str(tmp_path / "i.csv"), "--yes"]
    assert called(*words, WORKBENCH_DATA=str(tmp_path)).returncode == 0
    done = called("data", "check", "t", WORKBENCH_DATA=str(tmp_path))
    notes = done.stderr.decode().splitlines()
    assert notes and all(note.startswith("Note: t.csv: ") or "i.csv: " in note for note in notes)
    assert not any("Warning" in note or "return" in note for note in notes)
