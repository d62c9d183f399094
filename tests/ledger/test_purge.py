"""`purge`: what is removed, what is left alone and said so, nothing half-written."""

import os

import numpy as np
import pandas as pd
import pytest

from workbench.errors import DataError
from workbench.ledger import purge


def write(folder, name, **columns):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_parquet(path)
    return path


@pytest.fixture
def runs(tmp_path):
    write(tmp_path, "a/result.parquet", user=["u1", "u2", "u1"], value=[1.0, 2.0, 3.0])
    write(tmp_path, "b/category.parquet", user=pd.Categorical(["u1", "u2", None]), value=[1, 2, 3])
    write(tmp_path, "c/codes.parquet", user=np.array([0, 1, 1], dtype="int32"), value=[1, 2, 3])
    write(tmp_path, "d/other.parquet", item=["u1", "x"], value=[1, 2])
    (tmp_path / "a" / "manifest.json").write_text("{}")
    (tmp_path / "e.parquet").write_bytes(b"no parquet")
    return tmp_path


def test_rows_go_and_everything_else_stays(runs):
    before = {p: p.read_bytes() for p in runs.rglob("*") if p.is_file()}
    dry = purge("u1", runs, dry=True)
    assert {p: p.read_bytes() for p in runs.rglob("*") if p.is_file()} == before
    told = purge("u1", runs).set_index("file")
    assert told["removed"].to_dict() == dry.set_index("file")["removed"].to_dict()
    assert told.loc["a/result.parquet", ["rows", "removed"]].tolist() == [3, 2]
    assert told.loc["b/category.parquet", "removed"] == 1
    assert pd.read_parquet(runs / "a/result.parquet")["value"].tolist() == [2.0]
    assert pd.read_parquet(runs / "b/category.parquet")["value"].tolist() == [2, 3]
    for name in ("c/codes.parquet", "d/other.parquet", "e.parquet", "a/manifest.json"):
        assert (runs / name).read_bytes() == before[runs / name]
    assert "pass code=" in told.loc["c/codes.parquet", "note"]
    assert "unreadable" in told.loc["e.parquet", "note"]
    assert "not opened" in told.loc["*.json", "note"]
    assert purge("u1", runs)["removed"].sum() == 0
    assert not list(runs.rglob("*.tmp"))


def test_codes_are_removed_when_told(runs):
    assert purge("u1", runs, code=1).set_index("file").loc["c/codes.parquet", "removed"] == 2
    assert pd.read_parquet(runs / "c/codes.parquet")["value"].tolist() == [1]
    # an id that is a number
    assert purge("0", runs).set_index("file").loc["c/codes.parquet", "removed"] == 1


def test_nothing_is_half_written_when_replacing_fails(runs, monkeypatch):
    before = (runs / "a/result.parquet").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        purge("u1", runs)
    assert (runs / "a/result.parquet").read_bytes() == before
    assert not list(runs.rglob("*.tmp"))


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such folder"):
        purge("u1", tmp_path / "nowhere")
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    assert not len(purge("u1"))
