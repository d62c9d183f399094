"""Odd files and arguments: a sentence in place of a foreign traceback, and nothing read by half."""

import warnings

import pandas as pd
import pytest

from workbench.data import preview, read_items, read_recbole, read_table
from workbench.errors import ConfigError, DataError
from workbench.sources.adding import add
from workbench.sources.cards import find_card
from workbench.sources.sensitive import load_rules
from workbench.sources.texts import read_aloe, read_longlamp, read_personas, read_reviews

TEXT = "user,item,rating\na,x,1\nb,y,2\n"
DEEP = "[" * 100_000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"mapping": "user"}, "mapping: a str"),
        ({"mapping": {"user": ["user"]}}, "mapping: a dict"),
        ({"mapping": {"who": "user"}}, "no role 'who'"),
        ({"encoding": "rot13"}, "no encoding 'rot13'"),
        ({"encoding": None}, "encoding: a NoneType"),
        ({"sep": 5}, "sep: a int"),
        ({"names": 5}, "names: a int"),
        ({"time_unit": None}, "time_unit: a NoneType"),
        ({"users": 5}, "users: a int"),
        ({"actions": {"buy": "purchase"}}, "no column is the action"),
        ({"colour": 1}, "no option 'colour'"),
    ],
)
def test_arguments_of_readers_are_looked_at(file, options, what):
    with pytest.raises(ConfigError, match=what):
        read_table(file, **options)


@pytest.mark.parametrize("path", [None, 5, ["t.csv"]])
def test_what_is_no_path_is_refused(path):
    for door in (read_table, preview, load_rules):
        with pytest.raises(ConfigError, match="cannot be used"):
            door(path)
    with pytest.raises(ConfigError):
        find_card(path)


def test_a_role_given_as_nothing_is_left_out_at_every_door(file):
    said = {"user": "user", "item": "item", "value": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = read_table(file, said)
    assert log.frame["value"].isna().all() and preview(file, mapping=said).mapping == {
        "user": "user",
        "item": "item",
    }


def test_names_for_other_columns_say_so(file):
    with pytest.raises(DataError, match="more fields than there are names"):
        read_table(file, names=["user", "item"])


def test_an_action_that_no_row_has_is_told(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("user,item,action\na,x,buy\n")
    with pytest.warns(UserWarning, match="no action is called by"):
        log = read_table(path, actions={"by": "purchase"})
    assert log.frame["action"].tolist() == ["buy"]


def test_a_folder_is_a_table_only_where_nothing_else_lies_in_it(tmp_path):
    pd.DataFrame({"user": [1], "item": [2]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"user": [3], "item": [4]}).to_parquet(tmp_path / "b.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert len(read_table(tmp_path)) == 2
    (tmp_path / "other.csv").write_text(TEXT)
    with pytest.raises(DataError, match="with nothing beside them"):
        read_table(tmp_path)


def test_parts_with_other_columns_are_named(tmp_path):
    pd.DataFrame({"user": [1], "item": [2]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"user": [3], "item": [4], "stars": [5]}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet has other columns \(stars\)"):
        read_table(tmp_path)


def test_json_without_end_is_named(tmp_path):
    path = tmp_path / "deep.jsonl"
    path.write_text(DEEP)
    for door in (read_table, read_personas, read_reviews):
        with pytest.raises(DataError, match="nested without end"):
            door(path)


@pytest.mark.parametrize(
    ("door", "text"),
    [
        (read_aloe, '{"conversations": 5}'),
        (read_reviews, '{"user_id": "u", "category": "c", "history": 5, "heldout": {}}'),
        (lambda p: read_longlamp(p, "topic"), '{"input": "a", "output": "b", "profile": 5}'),
        (lambda p: read_longlamp(p, "abstract"), '{"input": "a", "output": "b", "profile": [5]}'),
    ],
)
def test_texts_whose_lists_are_none_name_the_row(tmp_path, door, text):
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=r"t\.jsonl row 0"):
        door(path)


def test_a_review_whose_rating_is_no_number_names_the_row(tmp_path):
    path = tmp_path / "t.jsonl"
    review = '{"parent_asin": "a", "rating": "x", "timestamp_ms": 1, "review_full": "r", '
    row = '{"user_id": "u", "category": "c", "history": [], "heldout": '
    path.write_text(row + review + '"product": 5}}')
    with pytest.raises(DataError, match=r"row 0: rating or timestamp_ms is no number"):
        read_reviews(path)


def test_what_a_file_calls_its_columns_cannot_steer_a_terminal(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("user,item,\x1b[2J\na,x,1\n")
    with pytest.warns(UserWarning) as told:
        read_table(path)
    assert all("\x1b" not in str(warning.message) for warning in told)


def test_items_need_a_log_and_a_table_of_their_own(tmp_path, file, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    with pytest.raises(ConfigError, match="log: a NoneType"):
        read_items(file, None)
    with pytest.raises(ConfigError, match="no table of items"):
        add(file, topic_sep="|")
    with pytest.raises(ConfigError, match=r"name: String should match pattern") as told:
        add(file, name="A name")
    assert "https" not in str(told.value)
    with pytest.raises(ConfigError, match="mapping: a int"):
        read_recbole(tmp_path, mapping=5)


def test_a_card_holds_actions_named_by_numbers(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("user,item,action\na,x,1\n")
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    assert add(path, actions={1: "view"}).card.options["actions"] == {"1": "view"}
