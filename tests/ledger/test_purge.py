"""`purge`: what is removed, what is left alone and said so, nothing half-written."""

import gzip
import json
import os
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.errors import ConfigError, DataError
from workbench.language.kept import MARK, digests
from workbench.ledger import purge
from workbench.ledger.cached import count_rows


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
    (tmp_path / "a" / "manifest.json").write_text('{"rows": 3, "config": "é"}', encoding="utf-8")
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
    for name in ("c/codes.parquet", "d/other.parquet", "e.parquet"):
        assert (runs / name).read_bytes() == before[runs / name]
    assert "pass code=" in told.loc["c/codes.parquet", "note"]
    assert "unreadable" in told.loc["e.parquet", "note"]
    assert told.loc["d/other.parquet", "note"].startswith("'u1' is still in column item")
    assert json.loads((runs / "a" / "manifest.json").read_text()) == {"rows": 1, "config": "é"}
    assert purge("u1", runs)["removed"].sum() == 0
    assert not list(runs.rglob("*.tmp")) and not list(runs.rglob(".partial*"))


def test_a_folder_that_calls_itself_kept_is_searched_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for folder in ("runs/a", "cache/a", "cache/tokenizers", "cache/tokenizers/a/b"):
        write(tmp_path / folder, "result.parquet", user=["u1", "u2"])
        mark = json.dumps(digests(tmp_path / folder))
        (tmp_path / folder / MARK).write_text(mark, encoding="utf-8")
    for folder, name in (("runs", "a"), ("cache", "a"), ("cache", "tokenizers")):
        told = purge("u1", tmp_path / folder, dry=True).set_index("file")
        assert told.loc[f"{name}/result.parquet", "removed"] == 1
    assert told.loc["tokenizers/a/b/result.parquet", "removed"] == 1
    assert "left out" not in told.loc["*", "note"]


def test_codes_are_removed_when_told(runs):
    assert purge("u1", runs, code=1).set_index("file").loc["c/codes.parquet", "removed"] == 2
    assert pd.read_parquet(runs / "c/codes.parquet")["value"].tolist() == [1]
    # an id that is a number: whether the file holds codes or ids is not guessed
    told = purge("0", runs).set_index("file")
    assert told.loc["c/codes.parquet", "removed"] == 0
    assert "pass code=" in told.loc["c/codes.parquet", "note"]
    assert purge("0", runs, code=0).set_index("file").loc["c/codes.parquet", "removed"] == 1


def test_a_number_of_users_is_nobody(tmp_path):
    write(tmp_path, "a.parquet", method=["EASE", "KNN"], users=[311, 100])
    for ask in ({}, {"code": 311}):
        told = purge("311", tmp_path, **ask)
        assert told["removed"].sum() == 0 and len(pd.read_parquet(tmp_path / "a.parquet")) == 2


@pytest.mark.parametrize("written", ["ZOË", "zoë", "Zoe\u0308"])
def test_letters_of_another_size_or_form_are_met(tmp_path, written):
    (tmp_path / "a.txt").write_text(f"and {written} too", encoding="utf-8")
    assert "not clean" in last(purge("Zoë", tmp_path))
    (tmp_path / "a.txt").write_bytes("and Zoë too".encode("latin-1"))
    assert "not clean" in last(purge("Zoë", tmp_path))


def test_nothing_is_half_written_when_replacing_fails(runs, monkeypatch):
    before = (runs / "a/result.parquet").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    told = purge("u1", runs).set_index("file")
    assert "unreadable or not written, left as it is" in told.loc["a/result.parquet", "note"]
    assert "not clean" in told.loc["*", "note"] and len(told) == 6
    assert (runs / "a/result.parquet").read_bytes() == before
    assert not list(runs.rglob(".partial*"))


def test_a_folder_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such folder"):
        purge("u1", tmp_path / "nowhere")
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    assert purge("u1")["note"].tolist() == ["clean: 0 files searched"]
    for nobody in ("", "  ", 7, None):
        with pytest.raises(ConfigError, match="user: "):
            purge(nobody, tmp_path)


USER = "ann-é 17"


def last(table):
    return table.iloc[-1]["note"]


def plain(path):
    """The bytes of a parquet file and, as compression hides some, of the same rows without."""
    table = pq.read_table(path)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="NONE", use_dictionary=False)
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            sink_of = [str(chunk.dictionary.to_pylist()).encode() for chunk in column.chunks]
            return path.read_bytes() + sink.getvalue().to_pybytes() + b"".join(sink_of)
    return path.read_bytes() + sink.getvalue().to_pybytes()


def texts(*values):
    """A column of text as raw bytes, which need not be utf-8."""
    ends = np.cumsum([0, *map(len, values)], dtype="int32")
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


COLUMNS = {
    "text": pa.array([USER, "bob", None]),
    "large text": pa.array([USER, "bob", None], pa.large_string()),
    "bytes": pa.array([USER.encode(), b"bob", None]),
    "categories": pa.array([USER, "bob", None]).dictionary_encode(),
    "categories of bytes": pa.array([USER.encode(), b"bob", None]).dictionary_encode(),
    "chunks": pa.chunked_array(
        [pa.array(["bob", USER]).dictionary_encode(), pa.array([None, "cy"]).dictionary_encode()]
    ),
    "not utf-8": texts(USER.encode(), b"\xff\xfe", b"bob"),
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("compression", ["snappy", "NONE"])
def test_no_byte_of_the_id_is_left_in_what_is_written(tmp_path, kind, compression):
    path = tmp_path / "a.parquet"
    column = COLUMNS[kind]
    table = pa.table({"user": column, "value": list(range(len(column)))})
    pq.write_table(table, path, compression=compression, write_statistics=True)
    assert USER.encode() in path.read_bytes()
    told = purge(USER, tmp_path)
    assert told["removed"].tolist() == [1, 0] and last(told) == "clean: 1 file searched"
    after = pq.read_table(path)
    assert len(after) == len(table) - 1 and after.schema == table.schema
    held = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    if pa.types.is_dictionary(held.type):
        held = held.cast(pa.string())
    others = [n for n, v in enumerate(held.cast(pa.binary()).to_pylist()) if v != USER.encode()]
    assert after["value"].to_pylist() == others
    if kind != "not utf-8":
        assert USER.encode() not in plain(path)
    assert USER.encode() not in path.read_bytes()


def test_a_list_of_categories_names_nobody_whose_rows_are_gone(tmp_path):
    kind = pd.CategoricalDtype(["cy", USER, "bob"], ordered=True)
    table = pd.DataFrame({"user": pd.Categorical(["bob", "cy", None], dtype=kind), "v": [1, 2, 3]})
    table.to_parquet(tmp_path / "a.parquet")
    assert "would be removed" in last(purge(USER, tmp_path, dry=True))
    assert last(purge(USER, tmp_path)) == "clean: 1 file searched"
    after = pd.read_parquet(tmp_path / "a.parquet")
    assert after["user"].dtype == pd.CategoricalDtype(["cy", "bob"], ordered=True)
    assert after["user"].tolist()[:2] == ["bob", "cy"] and after["v"].tolist() == [1, 2, 3]


ODD = {
    "list": pa.table({"user": [[USER], ["bob"]]}),
    "twice": pa.Table.from_arrays([pa.array(["a", USER]), pa.array([USER, "b"])], ["user", "user"]),
    "not utf-8": pa.table({"user": texts(b"\xff", b"bob")}),
    "whole numbers": pa.table({"user": [1, 2]}),
    "truth": pa.table({"user": [True, False]}),
    "empty": pa.table({"user": pa.array([], pa.string())}),
    "struct": pa.table({"user": [{"id": USER}, {"id": "bob"}]}),
}


@pytest.mark.parametrize("user", [USER, "9" * 20, "9" * 5000, "\ud800", "a\\b\"c'", "*", "-1"])
def test_whatever_a_file_holds_the_others_are_looked_at(tmp_path, user):
    for name, table in ODD.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "list.parquet").read_bytes()[:60])
    write(tmp_path, "z.parquet", user=["bob", user.replace("\ud800", "?")], value=[1, 2])
    told = purge(user, tmp_path).set_index("file")
    assert len(told) == len(ODD) + 3
    assert told.loc["z.parquet", "removed"] == (user != "\ud800")
    assert "unreadable" in told.loc["cut.parquet", "note"]
    if user == USER:
        assert told.loc["twice.parquet", "removed"] == 2
        for name in ("list", "struct"):
            assert "is still in column user" in told.loc[f"{name}.parquet", "note"]
            assert name in told.loc["*", "note"]


@pytest.mark.parametrize("name", ["user", "User", "userId", "user_id", "USER ID", "shopper", "uid"])
@pytest.mark.parametrize("ending", [".parquet", ".PARQUET", ".pq", ".parquet.tmp", ""])
def test_columns_of_users_and_parquet_files_are_known_however_they_are_called(
    tmp_path, name, ending
):
    path = write(tmp_path, f"a{ending}", **{name: [USER, "bob"], "value": [1, 2]})
    told = purge(USER, tmp_path)
    assert told.loc[0, ["file", "removed"]].tolist() == [f"a{ending}", 1]
    assert last(told) == "clean: 1 file searched" and USER.encode() not in path.read_bytes()


def test_what_is_left_is_named_in_the_last_line(tmp_path):
    write(tmp_path, "peer.parquet", user=["bob"], peer=[USER])
    write(tmp_path, "text.parquet", user=["bob"], said=[f"as {USER} wrote"])
    write(tmp_path, "other case.parquet", user=["ANN-é 17"])
    write(tmp_path, "blank.parquet", user=[f"{USER} "])
    write(tmp_path, "wide.parquet", **{"user": ["bob"], USER: [1]})
    escaped = json.dumps({"user": USER})
    forms = {"a.html": USER, "b.json": escaped, "c.csv": f"{USER},1", "d.txt": USER}
    for name, text in forms.items():
        (tmp_path / name).write_text(text, encoding="utf-16-le" if name == "d.txt" else "utf-8")
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(USER.encode()))
    (tmp_path / f"{USER}.txt").write_text("nothing")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "peer.parquet")
    told = purge(USER, tmp_path)
    assert (told["removed"] == 0).all() and last(told).startswith("not clean: ")
    for path in tmp_path.iterdir():
        assert f"{path.name}: " in last(told), path.name


def test_rows_are_counted_past_files_that_cannot_be_read(tmp_path):
    write(tmp_path, "b/a.parquet", userId=[USER, "bob", USER])
    write(tmp_path, "c.parquet", user=[[USER]])
    (tmp_path / "a.parquet").write_bytes(b"none")
    assert count_rows(USER, tmp_path) == 2 and count_rows("cy", tmp_path) == 0


def test_a_manifest_that_is_none_stops_nothing(tmp_path):
    write(tmp_path, "result.parquet", user=[USER, "bob"])
    (tmp_path / "manifest.json").write_text("no json")
    assert purge(USER, tmp_path)["removed"].tolist() == [1, 0]
    assert (tmp_path / "manifest.json").read_text() == "no json"


def test_an_id_within_another_is_another(tmp_path):
    write(tmp_path, "a.parquet", user=["u1", "u10", "xu1"], value=[1, 2, 3])
    (tmp_path / "a.json").write_text('["u10", "xu1"]')
    told = purge("u1", tmp_path)
    assert told["removed"].tolist() == [1, 0] and last(told) == "clean: 2 files searched"


def test_a_code_is_found_in_numbers_with_gaps(tmp_path):
    write(tmp_path, "a.parquet", user=[1.0, None, 2.0], value=[1, 2, 3])
    assert "pass code=" in last(purge("u1", tmp_path))
    assert purge("u1", tmp_path, code=1)["removed"].tolist() == [1, 0]
    assert pd.read_parquet(tmp_path / "a.parquet")["value"].tolist() == [2, 3]


def test_an_id_that_is_a_number_is_not_met_in_what_parquet_counts(tmp_path):
    write(tmp_path, "a.parquet", user=["1", "22", "3"], value=[5, 6, 7])
    told = purge("1", tmp_path)
    assert told["removed"].tolist() == [1, 0]
    assert last(told).startswith("clean: 1 file searched; numbers in columns not named for users")
    assert not re.search("not clean", last(purge("007", tmp_path)))
