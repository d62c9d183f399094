"""Arguments of a wrong kind are refused at every door, with the argument's name; nothing is cast."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import Catalogue, Interactions, keep_actions, keep_at_least, keep_core, split
from workbench.data.splits import joined_logs
from workbench.errors import ConfigError, DataError, UnknownItem, typed
from workbench.sources.steps import cut_sessions, prepare

TABLE = pd.DataFrame(
    {
        "user": ["a", "a", "b", "b"],
        "item": ["x", "y", "x", "z"],
        "when": ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"],
        "stars": [1, 5, 4, 4],
    }
)
LOG = Interactions.from_table(TABLE, timestamp="when", value="stars")
SHOP = Catalogue.from_table(pd.DataFrame({"item": [0, 1, 2], "title": ["X", "Y", "Z"]}))


@typed
def half(n: int, of: float | None = None, names: dict[str, str] | None = None) -> float:
    return n / 2


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"n": "4"}, "n: a str cannot be used"),
        ({"n": True}, "n: a bool cannot be used"),
        ({"n": 4.0}, "n: a float"),
        ({"n": 4, "of": float("nan")}, "of: a float"),
        ({"n": 4, "names": ["a"]}, "names: a list"),
        ({"n": 4, "off": 1}, "no option 'off'. Expected: some of n, of, names"),
        ({}, "missing a required argument: 'n'"),
    ],
)
def test_a_typed_function_takes_what_its_annotations_say(given, what):
    assert half(np.int64(4)) == 2 and half(4, np.float32(1), {"a": "b"}) == 2
    with pytest.raises(ConfigError, match=what):
        half(**given)


@pytest.mark.parametrize(
    ("door", "what"),
    [
        (lambda: Interactions.from_table(TABLE.to_dict("list")), "table: a dict"),
        (lambda: Interactions.from_table(TABLE, users="ab"), "users: a str"),
        (lambda: Interactions.from_table(TABLE, timestamp="when", time_unit=5), "time_unit: a int"),
        (lambda: split(LOG, "temporal", train="0.8"), "train: a str"),
        (lambda: split(LOG, "random", seed=None), "seed: a NoneType"),
        (lambda: split(LOG, "random", seed=-1), "seed: -1"),
        (lambda: split(LOG, "global_time", quantiles=("a", "b")), "two rising numbers"),
        (lambda: split(keep_core(LOG, 1, 1)), r"log: a Filtered.*What to do: pass its \.log"),
        (lambda: keep_core(split(LOG)), "log: a Split"),
        (lambda: keep_core(LOG, "5"), "users: a str"),
        (lambda: keep_at_least(LOG, "4"), "value: a str"),
        (lambda: keep_actions(LOG, 5), "actions: a int"),
        (lambda: cut_sessions(LOG, float("nan")), "minutes: a float"),
        (lambda: prepare(LOG, [{"step": "keep_actions"}]), "missing a required argument"),
        (lambda: prepare(LOG, ["keep_core"]), "steps: a list"),
        (lambda: SHOP.title(0.5), "0.5"),
        (lambda: SHOP.topics_of(True), "True"),
    ],
)
def test_doors_refuse_what_they_would_have_to_cast(door, what):
    with pytest.raises(ConfigError, match=what):
        door()


def test_a_topic_or_code_that_is_not_there_is_unknown():
    for door in (lambda: SHOP.topics_of(3), lambda: SHOP.title(-1), lambda: SHOP.items_of(["X"])):
        with pytest.raises(UnknownItem):
            door()


def test_a_number_is_no_moment():
    assert list(LOG.histories(before="2020-01-03").user) == [0, 1]
    assert len(LOG.histories(before=np.datetime64("2020-01-03")).item) == 2
    for moment in (1577836800, ["2020-01-03"], None, True, "soon"):
        with pytest.raises(ConfigError, match="at: unreadable time"):
            split(LOG, "global_time", at=[moment, "2020-01-03"])
    with pytest.raises(ConfigError, match="before: unreadable time 1577836800"):
        LOG.histories(before=1577836800)


@pytest.mark.parametrize(
    "values",
    [[1 + 2j, 3], pd.to_datetime(["2020", "2021"]), pd.to_timedelta([1, 2])],
    ids=["complex", "dates", "durations"],
)
def test_a_value_is_a_real_number(values):
    table = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "value": values})
    with pytest.raises(DataError, match="in row 0 is not a number"):
        Interactions.from_table(table, value="value")


def test_a_form_that_spells_no_dates_and_a_session_of_lists_are_named():
    with pytest.raises(ConfigError, match="time_unit: '%Q' spells no dates"):
        Interactions.from_table(TABLE, timestamp="when", time_unit="%Q")
    with pytest.raises(DataError, match="lists in 'session'"):
        Interactions.from_table(TABLE.assign(session=[[1]] * 4), session="session")


def test_a_catalogue_names_what_is_wrong_with_its_tables():
    items = pd.DataFrame({"item": ["x", "x"], "title": ["X", "Y"]})
    with pytest.raises(DataError, match=r"item 'x' is repeated in row 1.*drop_duplicates"):
        Catalogue.from_table(items, items=LOG.items)
    once = items.drop_duplicates("item")
    with pytest.raises(DataError, match="topics of catalogue: no column 'topic'"):
        Catalogue.from_table(once, once[["item"]], items=LOG.items)
    with pytest.raises(DataError, match="no item is one of the log"):
        Catalogue.from_table(once[:0], items=LOG.items)
    mixed = Catalogue.from_table(once.assign(item=[0]), pd.DataFrame({"item": [0], "topic": [5]}))
    with pytest.raises(UnknownItem, match="one of 5, …"):
        mixed.items_of("6")


def test_logs_that_share_a_row_are_not_joined():
    assert len(joined_logs(LOG.only([0]), LOG.only([1]))) == 2
    with pytest.raises(DataError, match="a row is in two of the logs"):
        joined_logs(LOG, LOG.only([1]))
    with pytest.raises(DataError, match="parts of one log"):
        joined_logs()
