"""What a grid keeps of its data: looked at without opening it, believed only where all is the same."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from workbench.cli import app
from workbench.data import stamp_of_data
from workbench.settings import settings
from workbench.sources import stamps
from workbench.unlearning import grid_facts
from workbench.unlearning.grid import plan
from workbench.unlearning.grid_config import Asked, Grid, Source
from workbench.unlearning.grid_facts import FACTS, LONGEST, MOST, kept_facts
from workbench.unlearning.grid_run import kept_plan, run_grid, status
from workbench.unlearning.grid_table import summary

ONCE = {"training": {"epochs": 1, "batch": 2048}}
GRID = Grid(
    name="facts",
    models={"BPR": ONCE, "GRU4Rec": ONCE},
    algorithms={"no_op": {}, "retrain": {"batch": 2}},
    asked=(Asked(topic="Baby & pregnancy", n=3),),
    retrain_seeds=(11, 12),
    checkpoints=1,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts") / "grid"
    run_grid(plan(GRID), folder)
    return folder


@pytest.fixture
def told(folder, tmp_path):
    """A folder with the grid and its facts, and those facts to be changed."""
    for name in ("grid.json", FACTS):
        shutil.copy(folder / name, tmp_path)
    return tmp_path, json.loads((tmp_path / FACTS).read_text())


@pytest.fixture
def closed(monkeypatch):
    """No log can be opened, and nothing drawn from one."""

    def refuse(*_):
        raise AssertionError("a log was opened")

    for name in ("opened", "situation", "scenario_of", "continued"):
        monkeypatch.setattr(grid_facts, name, refuse)


def test_status_and_table_are_those_of_the_data_and_open_none(folder, closed, monkeypatch):
    found = kept_plan(folder)
    left, table = status(found, folder), summary(found, folder)
    shown = CliRunner().invoke(app, ["unlearn", "table", str(folder)])
    assert shown.exit_code == 0, shown.output
    monkeypatch.undo()
    fresh = plan(GRID)
    assert found == fresh
    assert status(fresh, folder).equals(left) and left["left"].sum() == 0
    assert summary(fresh, folder).equals(table)
    assert table.loc[table["model"] == "GRU4Rec", "sessions"].gt(0).all()
    assert table.loc[table["model"] == "BPR", "sessions"].isna().all()


def test_what_is_left_is_guessed_without_the_data(told, closed):
    where, _ = told
    found = status(kept_plan(where), where)
    assert found["left"].equals(found["all"]) and (found["seconds_left"] > 0).all()


WRONG = {
    "no JSON": b"{",
    "bytes": b"\xff\xfe\x00",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "code": b"{\"format\": \"__import__('os').system('true')\"}",
    "too large": b" " * (LONGEST + 1),
}
CHANGED = {
    "another version": {"version": "0.0.9"},
    "another format": {"format": "workbench grid facts 2"},
    "another grid": {"grid": "0" * 64},
    "no data": {"files": {}},
    "a field more": {"more": 1},
    "a number as text": {"numbers": {"requests": "3"}},
    "a negative number": {"numbers": {"requests": -3}},
    "too many": {"numbers": {"requests x": MOST + 1}},
    "endless": {"numbers": {"requests x": 10**400}},
    "no number": {"numbers": {"requests x": float("nan")}},
    "a print that is none": {"prints": {"log": "../../etc"}},
}


@pytest.mark.parametrize("name", [*WRONG, *CHANGED])
def test_a_file_that_is_odd_or_of_something_else_is_not_believed(told, name):
    where, said = told
    assert kept_facts(GRID, where).prints, "as it was written it is"
    content = WRONG.get(name) or json.dumps(said | CHANGED[name]).encode()
    (where / FACTS).write_bytes(content)
    found = kept_facts(GRID, where)
    assert found.prints == {} and found.numbers == {}


def test_without_the_file_and_of_a_grid_that_grew_all_is_looked_up(told):
    where, _ = told
    grown = GRID.model_copy(update={"models": GRID.models | {"EASE": {}}})
    assert not kept_facts(grown, where).prints
    (where / FACTS).unlink()
    assert not kept_facts(GRID, where).prints
    (where / FACTS).mkdir()
    assert not kept_facts(GRID, where).prints
    assert kept_plan(where) == plan(GRID)


def test_a_lie_about_the_data_finds_no_cell(told, folder):
    """Another fingerprint names other folders; nothing that is there is taken for it."""
    where, said = told
    said["prints"] = dict.fromkeys(said["prints"], "0" * 64)
    (where / FACTS).write_text(json.dumps(said))
    found = kept_plan(where)
    assert status(found, folder)["done"].sum() == 0


def test_changed_files_are_another_stamp(tmp_path, monkeypatch):
    shutil.copytree(settings().data / "world", tmp_path / "world")
    monkeypatch.setattr(stamps, "settings", lambda: SimpleNamespace(data=tmp_path))
    before = stamp_of_data("world")
    assert stamp_of_data("world") == before
    file = tmp_path / "world" / "log.parquet"
    facts = file.stat()
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    later = stamp_of_data("world")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert later != before == stamp_of_data("world")
    with file.open("ab") as more:
        more.write(b"0")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert stamp_of_data("world") != before


def test_data_that_is_not_here_is_looked_for_again(told):
    """A grid of a card that there is not: what is said of it is not believed."""
    where, _ = told
    gone = GRID.model_copy(update={"sources": (Source(name="ml-100k-that-is-none"),)})
    assert not kept_facts(gone, where).prints
