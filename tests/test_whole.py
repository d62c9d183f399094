"""Files and folders: what was there stands until the new one is complete, and nothing else is
left."""

import os
from pathlib import Path

import pytest

from workbench.errors import DataError
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
        with whole_folder(target, Path.is_dir) as work:
            (work / "a").write_text(text)
        assert (target / "a").read_text() == text
    assert names(target.parent) == ["folder"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_old_one_stands(tmp_path, error):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    (tmp_path / "file").write_text("old")
    with pytest.raises(error), whole_folder(tmp_path / "folder", Path.is_dir) as work:
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
    (target / "same").write_text("old")

    def refused(source, to):
        if Path(source).name == "new":
            raise PermissionError(13, "open elsewhere", str(source))
        real(source, to)

    monkeypatch.setattr(os, "replace", refused)
    with (
        pytest.raises(DataError, match=r"folder: cannot be written .*open elsewhere"),
        whole_folder(target, Path.is_dir) as work,
    ):
        (work / "same").write_text("new")
    assert names(tmp_path) == ["folder"] and (target / "same").read_text() == "old"


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


def ours(path: Path) -> bool:
    """Whether a folder or file is one that the test knows as its own."""
    return (path / "mark").exists() if path.is_dir() else path.read_text().startswith("mark")


@pytest.mark.parametrize("known", [None, ours])
def test_a_folder_of_somebody_else_is_never_replaced(tmp_path, known):
    for name in ("theirs", "mixed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").write_text("years")
    (tmp_path / "mixed" / "mark").touch()
    (tmp_path / "file").write_text("mark")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    for name in ("theirs", "mixed", "file", "link", "dangling"):
        with (
            pytest.raises(DataError, match=f"{name}: .*not written here.*name another place"),
            whole_folder(tmp_path / name, known) as work,
        ):
            (work / "mark").touch()
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mixed" / "thesis.tex").read_text() == "years"
    with whole_folder(tmp_path / "empty", known) as work:
        (work / "mark").touch()
    assert names(tmp_path / "empty") == ["mark"] and (tmp_path / "link").is_symlink()


def test_a_file_of_somebody_else_a_folder_or_a_link_is_never_replaced(tmp_path):
    (tmp_path / "theirs").write_text("thesis")
    (tmp_path / "own").write_text("mark 1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")
    for name in ("theirs", "folder", "link"):
        with (
            pytest.raises(DataError, match=f"{name}: .*not written here"),
            whole_file(tmp_path / name, ours) as new,
        ):
            new.write_text("mark 2")
    with pytest.raises(DataError, match=r"link: .*not written here"), whole_file(tmp_path / "link"):
        pass
    with whole_file(tmp_path / "own", ours) as new:
        new.write_text("mark 2")
    with (
        pytest.raises(DataError, match=r"own: .*not written here"),
        whole_file(tmp_path / "own", None),
    ):
        pass
    assert (tmp_path / "link").read_text() == "mark 2" and not any((tmp_path / "folder").iterdir())
    assert (tmp_path / "theirs").read_text() == "thesis"


def test_what_came_while_the_new_one_was_written_stays(tmp_path):
    with (
        pytest.raises(DataError, match=r"folder: .*not written here"),
        whole_folder(tmp_path / "folder") as work,
    ):
        (work / "a").touch()
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "b").touch()
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["b"]


@pytest.mark.parametrize(
    "full",
    [
        OSError(28, "No space left on device"),
        OSError("[Errno 28] Error writing bytes to file. Detail: No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError(122, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_is_one_sentence_and_leaves_the_old_one(tmp_path, full):
    (tmp_path / "file").write_text("old")
    for write in (whole_file(tmp_path / "file"), whole_folder(tmp_path / "folder")):
        with pytest.raises(DataError, match=r"cannot be written .*make room"), write as new:
            (new / "a" if new.is_dir() else new).write_text("half")
            raise full
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_a_place_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("a")
    with pytest.raises(DataError, match="cannot be written"), whole_file(tmp_path / "file" / "b"):
        pass


def test_errors_about_other_files_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a"):
        (tmp_path / "nowhere").read_text()
