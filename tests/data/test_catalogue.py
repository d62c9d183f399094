"""The catalogue: topics, unknowns, refusals."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import Catalogue
from workbench.errors import DataError, UnknownItem


def small() -> Catalogue:
    items = pd.DataFrame(
        {"item": [1, 0], "title": ["Kettle", "Dracula"], "category": ["Kitchen", "Horror"]}
    )
    return Catalogue.from_table(
        items, pd.DataFrame({"item": [0, 0], "topic": ["Classics", "Horror"]})
    )


def test_category_is_always_a_topic_and_topics_do_not_repeat():
    assert small().topics_of(0) == ["Classics", "Horror"] and small().topics_of(1) == ["Kitchen"]
    assert list(small().items_of("Horror")) == [0]


def test_what_the_source_does_not_say_is_unknown_not_invented():
    assert small().frame["brand"].tolist() == ["", ""] and np.isnan(small().frame["price"]).all()


def test_refusals():
    with pytest.raises(UnknownItem, match="Romance"):
        small().items_of("Romance")
    with pytest.raises(UnknownItem):
        small().title(2)
    with pytest.raises(DataError, match="item codes"):
        Catalogue.from_table(pd.DataFrame({"item": [0, 2], "title": ["a", "b"]}))
    with pytest.raises(DataError, match="no column 'title'"):
        Catalogue.from_table(pd.DataFrame({"item": [0]}))
    with pytest.raises(DataError, match="'cheap' in row 0 is not a number"):
        Catalogue.from_table(pd.DataFrame({"item": [0], "title": ["a"], "price": ["cheap"]}))
    with pytest.raises(DataError, match="a topic of an item that is not there"):
        Catalogue.from_table(
            pd.DataFrame({"item": [0], "title": ["a"]}), pd.DataFrame({"item": [1], "topic": ["x"]})
        )
    assert Catalogue.from_table(pd.DataFrame({"item": [0], "title": [None]})).title(0) == ""


def test_original_ids_become_codes_where_the_index_is_handed_in():
    table = pd.DataFrame({"item": ["b", "z", "a"], "title": ["Pan", "Zip", "Pot"]})
    topics = pd.DataFrame({"item": ["a", "z", "b"], "topic": ["Metal", "Cloth", "Iron"]})
    with pytest.raises(DataError, match=r"item codes are not.*items=log\.items"):
        Catalogue.from_table(table, topics)
    made = Catalogue.from_table(table, topics, items=["a", "b", "c"])
    assert [made.title(code) for code in range(3)] == ["Pot", "Pan", ""]
    assert made.topics_of(0) == ["Metal"] and made.topics_of(2) == []
    with pytest.raises(DataError, match="item 'b' is repeated in row 0"):
        Catalogue.from_table(pd.concat([table, table]), items=["a", "b"])
    numbers = table.assign(item=["1", "2", "3"])
    with pytest.raises(DataError, match=r"no item is one of the log.*\.astype\('int64'\)"):
        Catalogue.from_table(numbers, items=[1, 2, 3])
    assert len(Catalogue.from_table(numbers.astype({"item": "int64"}), items=[1, 2, 3])) == 3


def test_what_to_do_about_a_missing_title_works():
    table = pd.DataFrame({"item": [0], "name": ["Pan"]})
    with pytest.raises(DataError, match=r"table\.rename\(columns=\{'…': 'title'\}\)"):
        Catalogue.from_table(table)
    assert Catalogue.from_table(table.rename(columns={"name": "title"})).title(0) == "Pan"


def test_the_fingerprint_is_that_of_the_content():
    table = pd.DataFrame({"item": [0, 1], "title": ["Copper pan", "Tin pan"], "price": [9.5, 3.0]})
    one, two = Catalogue.from_table(table), Catalogue.from_table(table[::-1])
    assert one.fingerprint == two.fingerprint
    dearer = Catalogue.from_table(table.assign(price=[9.5, 3.1]))
    topics = pd.DataFrame({"item": [1], "topic": ["Gift"]})
    others = {dearer.fingerprint, Catalogue.from_table(table, topics).fingerprint}
    assert len(others | {one.fingerprint}) == 3
