"""Files and folders: what was there stands until the new one is complete, and nothing else is
left."""

import os
from pathlib import Path

import pytest

from workbench.whole import whole_file, whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_whole_or_not_there(tmp_path):
    target = tmp_path / "deep" / "folder"
    with pytest.raises(RuntimeError), whole_folder(target) as work:
        (work / "half").write_text("a")
        raise RuntimeError
    assert names(target.parent) == []
    for text in ("first", "second"):
        with whole_folder(target) as work:
            (work / text).write_text(text)
        assert names(target) == [text]
    assert names(target.parent) == ["folder"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_old_one_stands(tmp_path, error):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    (tmp_path / "file").write_text("old")
    with pytest.raises(error), whole_folder(tmp_path / "folder") as work:
        (work / "new").write_text("new")
        raise error
    with pytest.raises(error), whole_file(tmp_path / "file") as new:
        new.write_text("ne")
        raise error
    assert names(tmp_path) == ["file", "folder"] and names(tmp_path / "folder") == ["old"]
    assert (tmp_path / "file").read_text() == "old"


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_name(tmp_path, monkeypatch):
    target, real = tmp_path / "folder", os.replace
    target.mkdir()
    (target / "old").write_text("old")

    def refused(source, to):
        if Path(source).name == "new":
            raise PermissionError("open elsewhere")
        real(source, to)

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PermissionError), whole_folder(target) as work:
        (work / "new").write_text("new")
    assert names(tmp_path) == ["folder"] and names(target) == ["old"]


def test_a_file_takes_its_name_at_the_end(tmp_path):
    target = tmp_path / "deep" / "table.csv.gz"
    for text in ("first", "second"):
        with whole_file(target) as new:
            assert new.name == target.name, "the ending tells a writer what to write"
            new.write_text(text)
            assert not target.exists() or target.read_text() == "first"
        assert target.read_text() == text
    assert names(target.parent) == [target.name]


@pytest.mark.skipif(os.name == "nt", reason="no such modes on Windows")
def test_others_may_read_what_was_written(tmp_path):
    with whole_file(tmp_path / "file") as new:
        new.write_text("a")
    with whole_folder(tmp_path / "folder") as work:
        (work / "a").write_text("a")
    (tmp_path / "plain").write_text("a")
    (tmp_path / "plain folder").mkdir()
    for made, plain in (("file", "plain"), ("folder", "plain folder")):
        assert (tmp_path / made).stat().st_mode == (tmp_path / plain).stat().st_mode
