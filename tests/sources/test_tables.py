"""Readers: what good files become, and what is said of bad ones. All rows here are made up."""

import gzip
import pickle

import numpy as np
import pandas as pd
import pytest

from workbench.data import preview, read_movielens, read_recbole, read_table, split
from workbench.errors import ConfigError, DataError, UnknownItem, WorkbenchError
from workbench.sources.logs.lists import read_lists

CLICKS = (
    "customer,sku,when,what,stars\nann,7,2025-01-02,view,\n"
    "bob,8,2025-01-01,cart,4.5\nann,8,2025-01-03,purchase,2\n"
)
MAPPING = {
    "user": "customer",
    "item": "sku",
    "timestamp": "when",
    "action": "what",
    "value": "stars",
}
INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t5\t100\n2\t30\t3\t50\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n10\tA "
    '"Tale\t1995\tComedy War\n'
)
ITEM += "20\tNobody's\t1996\t\n30\tB\t1997\tWar\n"
USER = "user_id:token\tage:token\tzip_code:token\n1\t24\t01234\n3\t50\t99999\n"


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    data = text if isinstance(text, bytes) else text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def recbole(folder, **changed):
    for part, text in {"inter": INTER, "item": ITEM, "user": USER, **changed}.items():
        write(folder, f"tale.{part}", text)
    return folder


@pytest.mark.parametrize("name", ["clicks.csv", "clicks.csv.gz", "clicks.tsv", "clicks.parquet"])
def test_a_table_in_any_form_is_the_same_log(tmp_path, name):
    text = CLICKS.replace(",", "\t") if ".tsv" in name else CLICKS
    if name.endswith("parquet"):
        pd.read_csv(write(tmp_path, "clicks.csv", CLICKS)).to_parquet(tmp_path / name)
    else:
        write(tmp_path, name, text)
    log = read_table(tmp_path / name, MAPPING)
    assert list(log.users) == ["ann", "bob"] and list(log.items) == [7, 8]
    assert list(log.frame["action"]) == ["cart", "view", "purchase"]
    assert list(log.frame["interaction"]) == [1, 0, 2]
    assert log.frame["value"].isna().tolist() == [False, True, False]


def test_the_gzip_beside_is_found_and_ids_stay_as_written(tmp_path):
    write(tmp_path, "log.csv.gz", "user,item\n007,1\n7,2\nNA,3\n")
    log = read_table(tmp_path / "log.csv")
    assert list(log.users) == ["007", "7", "NA"] and log.items.dtype == "int64"


def test_preview_shows_rows_types_and_a_guess(tmp_path):
    found = preview(
        write(tmp_path, "x.csv", "userId,movieId,rating,Event Type,odd\n1,2,3.5,<b>view</b>,q\n"), 3
    )
    assert found.mapping == {
        "user": "userId",
        "item": "movieId",
        "action": "Event Type",
        "value": "rating",
    }
    assert list(found.columns["dtype"]) == ["int64", "int64", "float64", "str", "str"]
    assert (
        len(found.rows) == 1
        and "&lt;b&gt;view" in found._repr_html_()
        and "<b>view" not in found._repr_html_()
    )
    assert repr(found).startswith("Preview(1 rows, 5 columns; guess: user=userId")


def test_numeric_times_units_actions_and_named_sessions(tmp_path):
    path = write(
        tmp_path, "x.csv", "u,i,t,type,s\n1,1,1700000000123,1,red\n1,2,1700000000100,2,blue\n"
    )
    mapping = {"user": "u", "item": "i", "timestamp": "t", "action": "type", "session": "s"}
    log = read_table(path, mapping, time_unit="ms", actions={"1": "view", "2": "purchase"})
    assert list(log.frame["action"]) == ["purchase", "view"] and list(log.frame["session"]) == [
        1,
        0,
    ]
    assert log.frame["timestamp"].iloc[1] == pd.Timestamp("2023-11-14T22:13:20.123Z")
    with pytest.raises(
        DataError, match=r"x\.csv: .1700000000123. in line 2 is no Unix time in seconds"
    ):
        read_table(path, mapping)


def test_times_out_of_order_are_sorted_and_absent_ones_keep_the_file_order(tmp_path):
    text = "user,item,time\n1,1,300\n1,2,100\n1,3,{}\n"
    assert list(read_table(write(tmp_path, "a.csv", text.format(200))).frame["interaction"]) == [
        1,
        2,
        0,
    ]
    log = read_table(write(tmp_path, "b.csv", text.format("")))
    assert list(log.frame["interaction"]) == [0, 1, 2]
    with pytest.raises(DataError, match="1 of 3 rows have no time"):
        split(log, "temporal")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv: the file is empty.*What to do"),
        ("a.csv", "user,item\n", r"a\.csv: the table is empty"),
        ("a.csv", "user,thing\n1,2\n", r"a\.csv: no column 'item'.*found: user, thing"),
        ("a.csv", "user,item\n1,2\n3,4,5\n", r"a\.csv: line 3 is broken: 3 fields, not 2"),
        ("a.csv", "user,item\n1,2,9\n3,4,5\n", r"a\.csv: .*broken"),
        (
            "a.csv",
            "user,item,time\n1,2,3\n4,5\n",
            r"a\.csv: line 3 is broken: 2 fields. Expected: 3 fields",
        ),
        ("a.csv", "user,item\n1,2\n,4\n", r"a\.csv: no user in line 3"),
        ("a.csv", "user,item,time\n1,2,noon\n", r"unreadable time 'noon' in line 2"),
        (
            "a.csv",
            "user,item,time\n1,2,5\n1,2,noon\n",
            r"a\.csv: 'noon' in line 3 is not a number",
        ),
        ("a.csv", "user,item,rating\n1,2,3\n1,2,good\n", r"'good' in line 3 is not a number"),
        ("a.csv", "user,item,rating\n1,2,inf\n", r"'inf' in line 2 is not a number"),
        ("a.csv", "user,item,action\n1,2,view\n1,2,\n", r"no action in line 3"),
        (
            "a.csv",
            "user,item\n1,caf\xe9\n".encode("latin-1"),
            r"a\.csv: line 2 is not utf-8.*latin-1",
        ),
        ("a.csv", 'user,item\n1,2\n"3,4\n', r"a\.csv: broken lines"),
        ("a.csv", "user,item,rating\n\n1,2,3\n\n1,2,x\n", "'x' in line 5 is not a number"),
        (
            "a.csv",
            'user,item,title,rating\n1,2,"a\nb",3\n1,2,c,x\n',
            "'x' in line 4 is not a number",
        ),
        (
            "a.csv",
            "user,item,title\n1,2," + "x" * 200_000 + "\n1,2\n",
            r"a\.csv: line 3 is broken: 2 fields",
        ),
        (
            "a.csv",
            "user,item,session\n1,2,99999999999999999999\n",
            "'99999999999999999999' in line 2 is no session id",
        ),
        ("a.csv", "user,item,basket\n1,2,3\n1,2,-1\n", "'-1' in line 3 is no basket id"),
        (
            "a.csv",
            "user,item,time\n1,2,99999999999999999999\n",
            "in line 2 is no Unix time in seconds",
        ),
        ("a.parquet", b"PAR1 no more", r"a\.parquet: unreadable"),
    ],
)
def test_bad_files_are_named_with_the_line(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, name, content))


def test_options_that_nothing_can_do_are_named(tmp_path):
    path = write(tmp_path, "a.csv", "user,item,time\n1,2,3\n")
    for option, message in (
        ({"encoding": "klingon"}, "encoding: no encoding 'klingon'"),
        ({"sep": ""}, "sep: nothing. Expected: a character"),
        ({"names": []}, "names: nothing. Expected: .* a name"),
        ({"time_unit": "h"}, "time_unit: no unit of time 'h'. Expected: one of s, ms, us, ns"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_table(path, **option)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    assert list(read_table(write(tmp_path, "a.csv", "user,item\n1,2\n", "utf-8-sig")).users) == [1]
    assert list(read_lists(write(tmp_path, "a.txt", "1 2\n", "utf-8-sig")).users) == [1]
    assert list(read_recbole(recbole(tmp_path, inter="\ufeff" + INTER)).log.users) == [1, 2, 3]


def test_large_ids_keep_every_digit(tmp_path):
    text = f"user,item,session,id\n1,2,{2**53 + 1},{2**53 + 1}\n{'9' * 30},3,,{2**53}\n"
    roles = {"user": "user", "item": "item", "session": "session", "interaction": "id"}
    log = read_table(write(tmp_path, "a.csv", text), roles)
    assert list(log.users) == ["1", "9" * 30] and log.frame["session"].iloc[0] == 2**53 + 1
    assert list(log.frame["interaction"]) == [2**53 + 1, 2**53]


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-12], lambda raw: b"not gzip", lambda raw: raw[:12] + b"\xff" * 9]
)
def test_broken_gzip_is_named(tmp_path, damage):
    whole = gzip.compress((CLICKS + "ann,9,2025-01-04,view,1\n" * 500).encode())
    (tmp_path / "clicks.csv.gz").write_bytes(damage(whole))
    with pytest.raises(DataError, match=r"clicks\.csv\.gz: broken gzip.*download it again"):
        read_table(tmp_path / "clicks.csv", MAPPING)


def test_repeated_interaction_ids_missing_files_and_unknown_roles(tmp_path):
    path = write(tmp_path, "a.csv", "user,item,id\n1,2,5\n1,3,5\n")
    with pytest.raises(DataError, match=r"a\.csv: interaction id 5 is repeated"):
        read_table(path, {"user": "user", "item": "item", "interaction": "id"})
    with pytest.raises(ConfigError, match="no role 'buyer'"):
        read_table(path, {"buyer": "user"})
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(UnknownItem, match="3 in line 3 is not in the index"):
        read_table(path, {"user": "user", "item": "item"}, items=pd.Index([2]))


def test_a_pickle_is_refused_unopened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    for name in ("a.csv", "a.parquet", "a.csv.gz", "a.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        with pytest.raises(WorkbenchError):
            read_table(tmp_path / name)


def test_recbole_becomes_log_catalogue_and_users(tmp_path):
    log, catalogue, users = read_recbole(recbole(tmp_path))
    assert list(log.users) == [1, 2, 3] and list(log.items) == [10, 20, 30]
    assert list(log.frame["user"]) == [1, 0] and set(log.frame["action"]) == {"rating"}
    assert [catalogue.title(code) for code in range(3)] == ['A "Tale', "Nobody's", "B"]
    assert catalogue.topics_of(0) == ["Comedy", "War"] and catalogue.topics_of(1) == []
    assert list(catalogue.frame["release_year"]) == [1995, 1996, 1997]
    assert users["zip_code"].tolist()[::2] == ["01234", "99999"] and list(users["user"]) == [
        0,
        1,
        2,
    ]
    assert np.isnan(users["age"].iloc[1])
    assert read_recbole(tmp_path / "tale").log.fingerprint == log.fingerprint


def test_recbole_without_items_and_users_still_has_titles(tmp_path):
    write(tmp_path, "tale.inter.gz", INTER)
    data = read_recbole(tmp_path)
    assert data.catalogue.title(0) == "item 10" and len(data.users) == 2
    assert "2 rows, 2 users, 2 items" in repr(data)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inter": INTER.replace("rating:float", "rating")}, "column 'rating' has no type"),
        (
            {"inter": INTER.replace("\t3\t", "\tbad\t")},
            r"tale\.inter: 'bad' in line 3 is not a number",
        ),
        ({"inter": INTER.replace("user_id", "person")}, "no column user_id or item_id"),
        ({"inter": INTER + "3\t30\n"}, r"tale\.inter: line 4 is broken: 2 fields"),
        ({"item": ITEM + "10\tTwice\t1999\tWar\n"}, r"tale.*item_id 10 in line 5 is repeated"),
        ({"item": "thing:token\n10\n"}, r"tale\.inter: no column 'item_id'"),
        ({"user": "age:token\n24\n"}, r"tale\.inter: no column 'user_id'"),
        (
            {"item": "item_id:token\tprice:token\n10\tcheap\n"},
            r"tale\.inter: 'cheap' in row 0 is not a number",
        ),
    ],
)
def test_bad_atomic_files(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        read_recbole(recbole(tmp_path, **changed))


def test_recbole_folder_with_none_or_two_logs(tmp_path):
    with pytest.raises(DataError, match=r"no file ends in \.inter"):
        read_recbole(tmp_path)
    recbole(tmp_path)
    write(tmp_path, "other.inter", INTER)
    with pytest.raises(DataError, match=r"2 files end in \.inter"):
        read_recbole(tmp_path)


def test_movielens_in_both_layouts(tmp_path):
    (new := tmp_path / "new").mkdir()
    (old := tmp_path / "old").mkdir()
    write(new, "ratings.csv.gz", "userId,movieId,rating,timestamp\n1,5,4.5,100\n2,6,3.0,90\n")
    write(
        new,
        "movies.csv",
        'movieId,title,genres\n5,"One, The",Horror|War\n6,Zwei,(no genres listed)\n',
    )
    log, catalogue, _ = read_movielens(new)
    assert catalogue.title(0) == "One, The" and catalogue.topics_of(0) == ["Horror", "War"]
    assert catalogue.topics_of(1) == [] and list(log.frame["value"]) == [3.0, 4.5]

    flags = ["0"] * 19
    flags[11] = flags[17] = "1"
    write(old, "u.data", "1\t5\t4\t100\n2\t5\t3\t90\n")
    write(old, "u.item", f"5|Caf\xe9 (1990)|01-Jan-1990||http://x|{'|'.join(flags)}\n", "latin-1")
    log, catalogue, _ = read_movielens(old)
    assert catalogue.title(0) == "Café (1990)" and catalogue.topics_of(0) == ["Horror", "War"]
    assert list(log.frame["user"]) == [1, 0]
    with pytest.raises(DataError, match="no such file"):
        read_movielens(tmp_path)
    write(new, "movies.csv", "movieId,name\n5,One\n")
    with pytest.raises(DataError, match=r"movies\.csv: no column 'title'"):
        read_movielens(new)


def test_lists_keep_the_order_of_the_line(tmp_path):
    log = read_lists(write(tmp_path, "a.txt.gz", "3 9 8 9\n1 7\n"))
    assert list(log.users) == [1, 3] and list(log.items[log.frame["item"]]) == [9, 8, 9, 7]
    with pytest.raises(DataError, match="the table is empty"):
        read_lists(write(tmp_path, "b.txt", "1\n2\n"))


@pytest.mark.real
def test_real_movielens_counts(real_data):
    log, catalogue, users = read_recbole(real_data / "ml-100k-recbole")
    assert (log.n_users, log.n_items, len(log), len(users)) == (943, 1_682, 100_000, 943)
    assert log.frame["value"].value_counts().sort_index().tolist() == [
        6_110,
        11_370,
        27_145,
        34_174,
        21_201,
    ]
    assert len(catalogue.items_of("Horror")) == 92 and catalogue.topics["topic"].nunique() == 19
    log, catalogue, _ = read_movielens(real_data / "ml-latest-small-2016")
    assert (log.n_users, len(catalogue), len(log)) == (671, 9_125, 100_004)
