"""From somebody's file to a notebook: what is guessed, doubted and said, and that remedies work."""

import re
import warnings

import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench import data
from workbench.cli import app
from workbench.data import open_data, preview, read_items, read_movielens, read_recbole, read_table
from workbench.errors import ConfigError, DataError
from workbench.settings import settings
from workbench.sources import commands

CLICKS = "customer_id,sku,when,stars\na,p1,2019-01-01,5\na,p2,2019-01-02,1\nb,p1,2019-01-03,4\n"
SHELF = (
    "sku,name,genres,price,maker\np1,Pot,Kitchen|Metal,3.5,x\np2,Pan,Kitchen,cheap,y\np9,Z,,1,z\n"
)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A reader's data folder, and a folder of files."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.delenv("WORKBENCH_TEST_DATA", raising=False)
    return tmp_path


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def command(*words):
    """What the command says, and its error."""
    said = CliRunner().invoke(app, ["data", *map(str, words)])
    return said.stdout, said.exception


@pytest.mark.parametrize(
    ("time", "unit", "doubt", "cure"),
    [
        ("1546300800", "ms", "all times fall in 1970", "s"),
        ("0829", "s", "all times fall in 1970", "%m%d"),
        ("43466", "s", "the day of a spreadsheet", None),
        ("201901", "s", "times such as 201901 look like dates", "%Y%m"),
        ("20190131", "s", "look like dates", "%Y%m%d"),
        ("20190131123000", "ms", "look like dates", "%Y%m%d%H%M%S"),
        ("4102444801", "s", "times up to 2100-01-01", None),
    ],
)
def test_times_that_look_wrong_are_doubted_at_every_door(own, time, unit, doubt, cure):
    path = write(own, "x.csv", f"user,item,time\na,b,{time}\n")
    with pytest.warns(UserWarning, match=doubt):
        read_table(path, time_unit=unit)
    assert any(doubt in note for note in preview(path, time_unit=unit).notes)
    added = commands.add(path, time_unit=unit)
    assert any(doubt in note for note in added.notes) and doubt in str(added)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = commands.check("x").set_index("check")
    assert "times from" in found.loc["times", "found"]
    if "1970" in doubt:
        assert doubt in found.loc["times", "found"] and pd.isna(found.loc["times", "ok"])
    inter = write(
        own, "r/r.inter", f"user_id:token\titem_id:token\ttimestamp:token\na\tb\t{time}\n"
    )
    with pytest.warns(UserWarning, match=doubt):
        read_recbole(inter.parent, time_unit=unit)
    if cure:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_table(path, time_unit=cure).frame["timestamp"].iloc[0].year in (2019, 1900)


def test_a_zero_among_times_is_doubted_and_true_times_are_not(own):
    path = write(own, "x.csv", "user,item,time\na,b,0\na,c,1546300800\n")
    with pytest.warns(UserWarning, match="1 times are 1970-01-01 00:00: a 0 where no time"):
        read_table(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_table(write(own, "y.csv", "user,item,time\na,b,1546300801\na,c,1546300800\n"))
    assert preview(own / "y.csv").notes == (
        "the first 2 rows: times from 2019-01-01 00:00 to 2019-01-01 00:00 (UTC)",
    )


def test_check_ticks_no_log_without_times(own):
    commands.add(write(own, "x.csv", "user,item,time\na,b,\na,c,2019-01-01\n"))
    with pytest.warns(UserWarning, match="1 of 2 rows have no time"):
        found = commands.check("x").set_index("check")
    assert pd.isna(found.loc["rows without time", "ok"])
    assert found.loc["times", "found"].endswith("(UTC); 1 rows have no time")


def test_a_date_and_a_time_of_day_are_one_time(own):
    path = write(
        own, "x.csv", "user,item,date,time\na,b,2019-01-01,12:30\na,c,2019-01-01,12:15:01\n"
    )
    assert preview(path).mapping["timestamp"] == "date+time"
    log = read_table(path)
    assert log.frame["timestamp"].tolist() == [
        pd.Timestamp("2019-01-01T12:15:01Z"),
        pd.Timestamp("2019-01-01T12:30:00Z"),
    ]
    commands.add(path)
    assert open_data("x").log.fingerprint == log.fingerprint


def test_a_file_without_a_header_loses_no_row(own):
    rows = "A1,B1,5.0,1341100800\nA2,B2,4.0,1341100900\n"
    path = write(own, "n.csv", rows)
    with pytest.raises(DataError, match=r"line 1 holds values \(5\.0, 1341100800\)") as caught:
        read_table(path, {"user": "A1", "item": "B1"})
    assert "pass names=['user', 'item', …]" in caught.value.do
    assert any("line 1 holds values" in note for note in preview(path).notes)
    log = read_table(path, names=["user", "item", "rating", "time"])
    assert list(log.users) == ["A1", "A2"] and log.frame["value"].tolist() == [5.0, 4.0]
    # words alone: the name of a column is one of its values
    write(own, "w.csv", "ann,x\nbob,y\nann,y\n")
    with pytest.raises(DataError, match=r"holds values \(ann\)"):
        read_table(own / "w.csv", {"user": "ann", "item": "x"})
    # at the command, and through a card
    error = command("add", path, "--yes")[1]
    assert "--names user,item,…" in error.do
    _, error = command("add", path, "--yes", "--names", "user,item,rating,time")
    assert error is None and open_data("n").log.fingerprint == log.fingerprint


def test_movielens_1m_is_read_with_its_titles(own):
    write(own, "ml/ratings.dat", "1::1193::5::978300760\n2::5::3::978300700\n")
    with pytest.raises(DataError, match=r"line 1 holds values .*pass names"):
        read_table(own / "ml" / "ratings.dat", sep="::")
    text = '1193::Café, the "Blue" One (1990)::Drama|War\n5::Tom; Sid::Horror\n'
    for encoding in ("latin-1", "utf-8"):
        (own / "ml" / "movies.dat").write_bytes(text.encode(encoding))
        log, catalogue, _ = read_movielens(own / "ml")
        assert catalogue.title(1) == 'Café, the "Blue" One (1990)'
        assert catalogue.topics_of(1) == ["Drama", "War"] and catalogue.title(0) == "Tom; Sid"
    assert list(log.frame["value"]) == [3.0, 5.0] and list(log.users) == [1, 2]
    names = ["user", "item", "rating", "time"]
    assert len(read_table(own / "ml" / "ratings.dat", names=names)) == 2
    with pytest.raises(DataError, match=r"u\.data and u\.item, ratings\.dat and movies\.dat"):
        read_movielens(own)


def recbole(folder, header, *rows):
    text = "\n".join([header, *rows]).replace(" ", "\t") + "\n"
    return write(folder, "r/r.inter", text).parent


def test_recbole_files_of_other_names_units_and_labels(own):
    folder = recbole(own, "user_id:token item_id:token time:float", "1 5 30", "1 6 10", "1 7 20")
    log = read_recbole(folder).log
    assert list(log.items[log.frame["item"]]) == [6, 7, 5]
    folder = recbole(own, "user_id:token item_id:token label:float", "1 5 0", "1 6 1")
    with pytest.warns(UserWarning, match=r"label is read as a value; keep_at_least\(log, 1\)"):
        log = read_recbole(folder).log
    assert len(data.keep_at_least(log, 1).log) == 1
    folder = recbole(own, "user_id:token item_id:token timestamp:float", "1 5 1588687728923")
    with pytest.raises(DataError, match=r"time_unit='ms'"):
        read_recbole(folder)
    log = read_recbole(folder, time_unit="ms").log
    assert log.frame["timestamp"].iloc[0] == pd.Timestamp("2020-05-05T14:08:48.923Z")
    folder = recbole(own, "who:token what:token odd:float", "1 5 3")
    with pytest.raises(DataError, match=r"pass mapping=\{'user': '…'\}"):
        read_recbole(folder)
    with pytest.warns(UserWarning, match=r"r\.inter: columns that nobody reads: odd"):
        log = read_recbole(folder, mapping={"user": "who", "item": "what"}).log
    assert list(log.items) == [5]


@pytest.mark.parametrize(
    ("role", "name"),
    [
        *(("item", name) for name in ("business_id", "book_id", "game", "artist", "venueId")),
        ("session", "user_session"),
        ("timestamp", "t_dat"),
    ],
)
def test_names_of_well_known_logs_are_guessed(own, role, name):
    first = "user_id" if role == "item" else "user_id,item"
    path = write(
        own,
        "x.csv",
        f"{first},{name}\n1,2,2019-01-01\n" if role != "item" else f"{first},{name}\n1,2\n",
    )
    assert preview(path).mapping[role] == name


def test_an_order_that_is_a_position_is_no_basket(own):
    place = write(own, "x.csv", "user,item,order\n1,5,1\n1,6,2\n2,5,1\n")
    seen = preview(place)
    assert "basket" not in seen.mapping and "mapping={'basket': 'order'}" in seen.notes[0]
    with pytest.warns(UserWarning, match="nobody reads: order"):
        assert read_table(place).frame["basket"].isna().all()
    bought = write(own, "y.csv", "user,item,order\n1,5,1\n1,6,1\n2,5,2\n")
    assert list(read_table(bought).frame["basket"]) == [1, 1, 2]


def test_ids_that_differ_in_a_blank_are_two_and_named(own):
    path = write(own, "x.csv", "user,item\n a,x\na,x\nb,y\n")
    with pytest.warns(UserWarning, match="and are not the user without: ' a' and 'a'"):
        assert list(read_table(path).users) == [" a", "a", "b"]
    assert any("' a' and 'a'" in note for note in preview(path).notes)
    assert any("' a' and 'a'" in note for note in commands.add(path).notes)


def test_ids_take_the_type_of_the_index_they_are_coded_by(own):
    first = read_table(write(own, "x.csv", "user,item\n007,10\n10,11\n"))
    assert list(first.users) == ["007", "10"]
    second = read_table(
        write(own, "y.csv", "user,item\n10,11\n"), users=first.users, items=first.items
    )
    assert second.users[second.frame["user"]].tolist() == ["10"]


def test_actions_are_named_and_may_be_mapped_or_left_out(own):
    path = write(own, "x.csv", "user,item,event\n1,5,view\n1,6,buy\n1,6,return\n2,5,buy\n")
    said = str(commands.add(path))
    assert "actions: buy 2, return 1, view 1" in said
    assert "counted as any row: buy, return; actions={'buy': '…'}" in said
    out, error = command(
        "add", path, "--yes", "--name", "y", "--action", "buy=purchase", "--action", "return="
    )
    assert error is None and "1 rows of actions that are to be left out are left out" in out
    log = open_data("y").log
    assert sorted(log.frame["action"]) == ["purchase", "purchase", "view"]
    assert list(log.frame["interaction"]) == [0, 1, 3]  # a row keeps its number in the file


def test_add_says_that_ratings_need_a_threshold(own):
    added = commands.add(write(own, "clicks.csv", CLICKS))
    assert "values from 1 to 5: every row counts as a like" in str(added)
    assert "keep_at_least(log, 4) leaves out those below 4" in str(added)
    assert "keep_at_least" in read_table.__doc__ and "keep_at_least" in commands.add.__doc__


def test_add_ends_with_the_notebook_that_opens_it_and_the_line_to_type(own):
    out, error = command("add", write(own, "shop.csv", CLICKS), "--yes")
    assert error is None
    line, name = out.splitlines()[-2:]
    folder, notebook = re.search(r"python start\.py lab (\S+) +then run (\S+)", line).groups()
    assert (settings().data.parent / folder / notebook).is_file()
    # the first of its folder, which is where the command goes
    assert notebook == min(path.name for path in (settings().data.parent / folder).glob("*.ipynb"))
    assert 'name = "shop"' in name and data.latest() == "shop"


def test_a_table_of_items_is_read_by_original_ids(own):
    log = read_table(write(own, "clicks.csv", CLICKS))
    path = write(own, "shelf.csv", SHELF)
    with pytest.warns(UserWarning) as caught:
        catalogue = read_items(path, log, {"item": "sku"})
    said = [str(warning.message) for warning in caught]
    assert said == [
        "shelf.csv: 1 rows are of items that the log does not name",
        "shelf.csv: price: 1 prices are no numbers ('cheap' in line 3), and unknown",
    ]
    assert [catalogue.title(code) for code in (0, 1)] == ["Pot", "Pan"]
    assert catalogue.topics_of(0) == ["Kitchen", "Metal"]
    assert catalogue.frame["price"].tolist()[0] == 3.5 and list(catalogue.frame["maker"]) == [
        "x",
        "y",
    ]
    few = write(own, "few.jsonl", '{"sku": "p2", "title": "Pan", "topics": ["A", "B, C"]}\n')
    with pytest.warns(UserWarning, match="1 of 2 items have no row"):
        catalogue = read_items(few, log)
    assert catalogue.title(0) == "item p1" and catalogue.topics_of(1) == ["A", "B, C"]
    with pytest.raises(DataError, match="no item is one of the log"):
        read_items(write(own, "no.csv", "sku,title\nq,Q\n"), log)


def test_the_remedies_of_add_work_at_the_command(own):
    path = write(own, "x.csv", "user,ware13,stars\na,b1,3\n")
    error = command("add", path, "--yes")[1]
    assert "--column item=…" in error.do
    assert command("add", path, "--yes", "--column", "item=ware13")[1] is None
    error = command("add", path, "--yes", "--column", "item=ware13")[1]
    assert "--name '…'" in error.do
    shelf = write(own, "elsewhere/shelf.csv", "label,code\nPot,b1\n")
    words = ("add", path, "--yes", "--column", "item=ware13", "--name", "y", "--items", shelf)
    error = command(*words, "--item-column", "item=code")[1]
    assert "--copy" in error.do
    assert "--item-column item=…" in command(*words, "--copy")[1].do
    columns = ("--item-column", "item=code", "--item-column", "title=label")
    assert command(*words, "--copy", *columns)[1] is None
    assert open_data("y").catalogue.title(0) == "Pot"
    line = write(own, "z.csv", "user+item+stars\na+b1+3\n")
    assert "--sep ';'" in command("add", line, "--yes")[1].do
    assert command("add", line, "--yes", "--sep", "+")[1] is None


def test_add_looks_for_the_folder_before_it_asks(own, monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA")
    out, error = command("add", write(own, "clicks.csv", CLICKS))
    assert isinstance(error, ConfigError) and "WORKBENCH_DATA is not set" in error.what
    assert out == "" and re.search(r"WORKBENCH_DATA=~/data", error.do)


def test_a_tilde_is_the_readers_home(own, monkeypatch):
    monkeypatch.setenv("HOME", str(own))
    monkeypatch.setenv("USERPROFILE", str(own))
    monkeypatch.setenv("WORKBENCH_DATA", "~/mine")
    write(own, "clicks.csv", CLICKS)
    added = commands.add("~/clicks.csv")
    assert added.path == own / "mine" / "cards" / "clicks.toml" and added.path.is_file()
    assert len(read_table("~/clicks.csv")) == 3 and settings().own_data == own / "mine"


def test_parts_of_a_table_are_added_as_one(own):
    (own / "parts").mkdir()
    table = pd.DataFrame({"user": [1, 2], "item": [3, 4]})
    for row in (0, 1):
        table.iloc[[row]].to_parquet(own / "parts" / f"{row}.parquet")
    added = commands.add(own / "parts", name="whole", copy=True)
    assert added.card.rows == 2 and len(added.card.files) == 2
    assert len(open_data("whole").log) == 2 and commands.check("whole")["ok"].all()


def test_a_file_that_was_moved_away_says_what_brings_it_back(own):
    path = write(own, "clicks.csv", CLICKS)
    commands.add(path)
    path.rename(own / "moved.csv")
    with pytest.raises(DataError, match=r"put it back, or remove the card .*clicks\.toml and"):
        open_data("clicks")
    (own / "own" / "cards" / "clicks.toml").unlink()
    commands.add(own / "moved.csv", name="clicks")
    assert len(open_data("clicks").log) == 3


def test_a_json_file_of_events_is_opened_through_its_card(own):
    lines = '{"user": "007", "item": 7, "time": 1546300800}\n{"user": "7", "item": 8, "time": 1546300801}\n'
    commands.add(write(own, "events.jsonl", lines))
    log = open_data("events").log
    assert list(log.users) == ["007", "7"] and list(log.items) == [7, 8]
