"""Files in any shape: each is the table, or a sentence whose remedy works. All rows are made up."""

import bz2
import gzip
import lzma
import threading
import warnings
import zipfile

import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import preview, read_table
from workbench.errors import DataError
from workbench.sources import files, packed, quick
from workbench.sources.files import read_frame

TEXT = "user,item,rating\na,x,1\nb,y,2\n"
FRAME = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "rating": [1, 2]})
LINES = '{"user": "a", "item": "x", "rating": 1}\n{"user": "b", "item": "y", "rating": 2}\n'


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("_", "."), text)


def zstandard(path):
    with pyarrow.output_stream(str(path), compression="zstd") as file:
        file.write(TEXT.encode())


def parts(path):
    path.mkdir()
    for row in (0, 1):
        FRAME.iloc[[row]].to_parquet(path / f"part-{row}.parquet")
    (path / "_SUCCESS").write_text("")


def hive(path):
    FRAME.to_parquet(path, partition_cols=["rating"])


FORMS = {
    "t.zip": lambda path: zipped(path, t_csv=TEXT),
    "t.csv.xz": lambda path: path.write_bytes(lzma.compress(TEXT.encode())),
    "t.csv.bz2": lambda path: path.write_bytes(bz2.compress(TEXT.encode())),
    "t.csv.zst": zstandard,
    "t.csv": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),  # gzip by content
    "T.CSV": lambda path: path.write_text(TEXT),
    "t.txt": lambda path: path.write_text(TEXT),
    "s.csv": lambda path: path.write_text(TEXT.replace(",", ";")),
    "p.txt": lambda path: path.write_text(TEXT.replace(",", "|")),
    "b.txt": lambda path: path.write_text(TEXT.replace(",", " ")),
    "c.dat": lambda path: path.write_text(TEXT.replace(",", "::")),
    "t.tsv": lambda path: path.write_text(TEXT.replace(",", "\t")),
    "crlf.csv": lambda path: path.write_bytes(TEXT.replace("\n", "\r\n").encode()),
    "quoted.csv": lambda path: path.write_text(
        '"user","item","rating"\n"a","x","1"\n"b","y","2"\n'
    ),
    "t.jsonl": lambda path: path.write_text(LINES),
    "t.json": lambda path: path.write_text(f"[{LINES.replace(chr(10), ',').rstrip(',')}]"),
    "l.json": lambda path: path.write_text("[\n" + LINES.replace("}\n{", "},\n{") + "]\n"),
    "t.jsonl.gz": lambda path: path.write_bytes(gzip.compress(LINES.encode())),
    "t.feather": FRAME.to_feather,
    "t.pq": FRAME.to_parquet,
    "T.PARQUET": FRAME.to_parquet,
    "no_ending": FRAME.to_parquet,
    "parts": parts,
    "hive": hive,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_is_the_same_log(tmp_path, name):
    FORMS[name](tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log = read_table(tmp_path / name)
    assert list(log.users[log.frame["user"]]) == ["a", "b"]
    assert list(log.items[log.frame["item"]]) == ["x", "y"]
    assert log.frame["value"].tolist() == [1.0, 2.0]
    seen = preview(tmp_path / name)
    assert seen.mapping == {"user": "user", "item": "item", "value": "rating"}
    assert len(seen.rows) == 2


def refused(path, content, **options):
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(path, **options)
    return caught.value


def test_the_remedy_of_an_encoding_works(tmp_path):
    error = refused(tmp_path / "a.csv", "user,item\n1,café\n".encode("latin-1"))
    assert "encoding='latin-1'" in error.do
    assert list(read_table(tmp_path / "a.csv", encoding="latin-1").items) == ["café"]
    for encoding in ("utf-16", "utf-16-le"):
        error = refused(tmp_path / "b.csv", "user,item\n1,é\n".encode(encoding))
        assert f"encoding='{encoding}'" in error.do
        assert list(read_table(tmp_path / "b.csv", encoding=encoding).items) == ["é"]


def test_the_remedy_of_an_archive_works(tmp_path):
    zipped(tmp_path / "two.zip", a_csv=TEXT, b_csv=TEXT)
    with pytest.raises(DataError, match=r"2 files are in it \(a\.csv, b\.csv\).*unpack it"):
        read_table(tmp_path / "two.zip")
    zipfile.ZipFile(tmp_path / "two.zip").extractall(tmp_path)
    assert len(read_table(tmp_path / "a.csv")) == 2


def test_the_remedy_of_json_in_columns_works(tmp_path):
    path = tmp_path / "q.json"
    error = refused(path, b'{"user": ["a", "b"], "item": ["x", "y"]}')
    assert "to_json(…, orient='records', lines=True)" in error.do
    pd.read_json(path).to_json(tmp_path / "r.json", orient="records", lines=True)
    assert len(read_table(tmp_path / "r.json")) == 2


def test_a_broken_line_of_json_is_named(tmp_path):
    error = refused(tmp_path / "a.jsonl", LINES.encode() + b'{"user": \n')
    assert error.what.startswith("line 3 is no JSON")
    error = refused(tmp_path / "b.jsonl", LINES.encode() + b'{"user": "", "rating": 1}\n')
    assert error.what == "no item in line 3"
    error = refused(tmp_path / "c.json", b'[{"user": "a", "item": "x"}, 5]')
    assert error.what == "object 1 is no row"


def test_the_remedy_of_a_folder_works(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    with pytest.raises(DataError, match=r"a folder of parquet parts; found: a\.csv.*name the file"):
        read_table(tmp_path)
    assert len(read_table(tmp_path / "a.csv")) == 2


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x80\x04K\x01.", "a pickle, which is never opened"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of Excel"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
    ],
)
def test_what_is_no_table_is_called_by_its_name(tmp_path, content, what):
    error = refused(tmp_path / "a.csv", content)
    assert what in error.what and "CSV or parquet" in error.do


def test_a_workbook_in_a_zip_is_called_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "x")
        archive.writestr("xl/workbook.xml", "x")
    with pytest.raises(DataError, match="an Excel workbook"):
        read_table(tmp_path / "a.xlsx")


def test_two_columns_of_one_name_are_refused_where_one_is_wanted_and_named_elsewhere(tmp_path):
    for name, text in (
        ("a.csv", "user,item,item\na,x,1\n"),
        ("b.csv", 'user,item,item\n"a",x,1\n'),
    ):
        error = refused(tmp_path / name, text.encode())
        assert error.what == "2 columns are called 'item'" and "different names" in error.do
        (tmp_path / name).write_text(text.replace("item,item", "item,other"))
        with pytest.warns(UserWarning, match="columns that nobody reads: other"):
            assert list(read_table(tmp_path / name).items) == ["x"]
    (tmp_path / "c.csv").write_text("user,item,z,z\na,x,1,2\n")
    with pytest.warns(UserWarning, match="columns that nobody reads: z, z"):
        read_table(tmp_path / "c.csv")
    assert "z (1)" in preview(tmp_path / "c.csv")._repr_html_()


def test_a_long_cell_is_a_cell(tmp_path):
    text = "user,item,title,note\n1,2," + "x" * 200_000 + ",\n1,3,c,d\n"
    (tmp_path / "a.csv").write_text(text)
    frame = read_frame(tmp_path / "a.csv")
    assert frame["title"].str.len().tolist() == [200_000, 1] and frame["note"].isna()[2]


def test_bombs_are_refused_and_a_look_reads_little(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "FLOOR", 2_000_000)
    rows = b"user,item\n" + b"1,2\n" * 600_000
    for name, pack in (
        ("a.csv.gz", gzip.compress),
        ("a.xz", lzma.compress),
        ("a.bz2", bz2.compress),
    ):
        error = refused(tmp_path / name, pack(rows))
        assert "it unpacks to more than" in error.what and "unpack it yourself" in error.do
        assert len(preview(tmp_path / name).rows) == 5  # five rows are there
    (tmp_path / "a.csv").write_bytes(rows)  # the remedy
    assert len(read_table(tmp_path / "a.csv")) == 600_000
    monkeypatch.setattr(packed.open_file, "__defaults__", (None, 50_000))
    for name, pack in (("z.csv.gz", gzip.compress), ("z.csv", bytes)):
        (tmp_path / name).write_bytes(pack(b"user,item\n1,2\n" + b"\0" * 150_000))
        for look in (read_table, preview):
            with pytest.raises(DataError, match="line 3 has more than 50,000 bytes"):
                look(tmp_path / name)


def test_a_look_at_a_large_file_stops_early(tmp_path, monkeypatch):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"user,item\n" + b"1,22222\n" * 1_000_000))
    passed = []
    plain = packed.Watched.readinto
    monkeypatch.setattr(
        packed.Watched, "readinto", lambda self, b: passed.append(plain(self, b)) or passed[-1]
    )
    assert len(preview(tmp_path / "a.csv.gz").rows) == 5 and sum(passed) < 5_000_000


def test_a_parquet_file_that_promises_more_than_memory_is_refused(tmp_path, monkeypatch):
    FRAME.to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("workbench.sources.quick.physical_memory", lambda: 40)
    with pytest.raises(DataError, match="2 rows of 3 columns do not fit"):
        read_table(tmp_path / "a.parquet")


cells = st.text(st.sampled_from('a0 -.,"\n\r\té'), max_size=4)
written = st.one_of(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=6).map(
        lambda rows: "".join(f"{one},{two}\n" for one, two in rows)
    ),
    st.lists(st.tuples(cells, cells), min_size=1, max_size=6).map(
        lambda rows: "".join(
            '"' + one.replace('"', '""') + '","' + two.replace('"', '""') + '"\n'
            for one, two in rows
        )
    ),
)


@given(written)
def test_the_quick_way_reads_what_pandas_reads(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("quick") / "a.csv"
    path.write_bytes(("user,item\n" + text).encode())

    def read():
        try:
            return read_frame(path)
        except DataError as error:
            return str(error)

    fast = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "read_quick", lambda *_, **__: None)
        slow = read()
    assert type(fast) is type(slow)
    if isinstance(slow, str):
        assert fast == slow
    else:
        pd.testing.assert_frame_equal(fast, slow, check_index_type=False, check_column_type=False)


@pytest.mark.parametrize("end", ["\n", ""])
def test_pieces_of_a_text_are_the_whole(tmp_path, monkeypatch, end):
    path = tmp_path / "a.csv"
    path.write_text("user,item\n" + "\n".join(f"{n * 7},b{n}" for n in range(200)) + end)
    whole = quick.read_quick(path, ["user", "item"], ",", True)
    for size in (1, 2, 9, 10, 11, 100):
        monkeypatch.setattr(quick, "PIECE", size)
        found = quick.read_quick(path, ["user", "item"], ",", True)
        pd.testing.assert_frame_equal(found, whole)


def test_no_thread_of_arrow_holds_a_file_of_python(tmp_path, monkeypatch):
    """One that lets go of it after Python has ended aborts the process."""
    path, readers = tmp_path / "a.csv", set()
    path.write_text("user,item\n1,2\n")
    read = packed.Watched.readinto

    def seen(self, buffer):
        readers.add(threading.current_thread())
        return read(self, buffer)

    monkeypatch.setattr(packed.Watched, "readinto", seen)
    assert len(quick.read_quick(path, ["user", "item"], ",", True)) == 1
    assert readers == {threading.current_thread()}


@given(st.lists(st.from_regex(r"-?(0x)?[0-9]{1,20}|\+1|1\.0|NA|nan|", fullmatch=True), min_size=1))
def test_ids_become_numbers_only_where_all_are_as_written(ids):
    from workbench.sources.columns import as_ids

    column = pd.Series(ids, dtype="str").replace("", None)
    made, told = as_ids(column), [name for name in ids if name]
    whole = told and all(str(int(n)) == n for n in told if n.lstrip("-").isdecimal())
    whole = whole and all(n.lstrip("-").isdecimal() and len(n) <= 18 for n in told)
    assert [n if isinstance(n, str) else int(n) for n in made.dropna()] == [
        int(n) if whole else n for n in told
    ]
