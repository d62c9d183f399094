"""The command prints what files say, and no file can steer the terminal."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench import cli
from workbench.html import HIDDEN

HOSTILE = "\x1b[2J\x1b]0;gone\x07\u202egnp.exe\x9b31m\x08"
SHOWN = "␛[2J␛]0;gone␇⟨RLO⟩gnp.exe⟨U+009B⟩31m␈"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of data of one's own, with a table in which somebody wrote terminal commands."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    table = tmp_path / "mine.csv"
    rows = {"user": [1, 2], f"x{HOSTILE}": ["a", "b"], "item": [HOSTILE, "b"], "time": [1, 2]}
    pd.DataFrame(rows).to_csv(table, index=False)
    return tmp_path


def asked(*words, code=0):
    done = CliRunner().invoke(cli.app, ["data", *words])
    assert done.exit_code == code, done.output
    assert not HIDDEN.search(done.output)
    return done.output


def test_a_title_a_column_and_a_cell_do_not_reach_the_terminal(own):
    added = asked("add", str(own / "mine.csv"), "--yes")
    assert f"x{SHOWN}" in added and SHOWN in added
    (card,) = (own / "own" / "cards").glob("*.toml")
    escaped = "".join(f"\\U{ord(sign):08x}" for sign in HOSTILE)
    card.write_text(f'title = "{escaped}"\n' + card.read_text(encoding="utf-8"), encoding="utf-8")
    assert SHOWN in asked("show", "mine")
    assert "mine" in asked("list") and "mine" in asked("check", "mine")
