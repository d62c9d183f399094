"""Models on disk: only an older model is replaced."""

import numpy as np
import pytest
from logs import random_log
from pydantic import BaseModel

from workbench.errors import DataError
from workbench.recommend import Popularity
from workbench.recommend.saving import load_arrays, save_arrays


class Config(BaseModel):
    """Of a model that is not there."""

    l2: float = 1.0


def save(folder, value=1.0, kind="toy"):
    save_arrays(folder, kind, Config(), {"a": np.array([value])})


def test_a_model_takes_the_place_of_a_model(tmp_path):
    save(tmp_path / "model")
    save(tmp_path / "model", 2.0, "another")
    assert load_arrays(tmp_path / "model", "another", Config, ("a",))[1]["a"].tolist() == [2.0]
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty")


@pytest.mark.parametrize(
    "theirs",
    [
        {"thesis.tex": "years"},
        {"model.json": "{}", "arrays.safetensors": ""},
        {"model.json": "[]"},
        {"model.json": "no json"},
        {"model.json": '{"model": "toy", "config": {}}', "notes.txt": "mine"},
    ],
)
def test_what_no_model_wrote_stays(tmp_path, theirs):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in theirs.items():
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=r"folder: .*not written here"):
        save(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == theirs
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    for place in ("file", "link"):
        path = tmp_path / place
        path.write_text("a") if place == "file" else path.symlink_to(folder)
        with pytest.raises(DataError, match=f"{place}: .*not written here"):
            save(path)
    assert (tmp_path / "file").read_text() == "a" and (tmp_path / "link").is_symlink()


def test_a_file_of_brackets_is_not_replaced(tmp_path):
    (tmp_path / "model.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="not written here"):
        Popularity().fit(random_log()).save(tmp_path)
    assert (tmp_path / "model.json").stat().st_size == 100_000
