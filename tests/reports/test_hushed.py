"""What stands near a topic that is left unsaid, on a shop small enough to read."""

import numpy as np
import pandas as pd

from tests.reports.test_page import page_of
from workbench.data import Catalogue, load_world
from workbench.reports import Evidence, write
from workbench.reports.hushed import hushed, silenced, words
from workbench.reports.recpilot._told import quiet

# title, kind, category, topics
BOOKS = [
    ("The Attic", "ghost novel", "Horror novels", "Haunted houses"),
    ("The Cellar", "ghost novel", "Horror novels", "Haunted houses"),
    ("The Deep", "sea novel", "Horror novels", "Ships"),
    ("The Bar", "courtroom novel", "Crime novels", "Ships"),
    ("The Jury", "courtroom novel", "Crime novels", "Courts"),
    ("The Bench", "courtroom novel", "Crime novels", "Courts"),
    ("Mansion", "horror game", "Board games", "Evenings"),
    ("Meadow", "field game", "Board games", "Evenings"),
]


def shelf():
    frame = pd.DataFrame(BOOKS, columns=["title", "kind", "category", "topic"])
    frame.insert(0, "item", range(len(frame)))
    return Catalogue.from_table(
        frame[["item", "title", "kind", "category"]], frame[["item", "topic"]]
    )


def test_the_same_products_and_words_that_tell_are_hushed():
    catalogue = shelf()
    found = hushed(catalogue, frozenset(["Horror novels"]))
    # the same books, half of them the same, and what says the word; novels there are others
    near = {"Haunted houses", "ghost novel", "sea novel", "Ships", "horror game"}
    assert found == {"Horror novels"} | near
    # what is of a hushed kind is never offered; the other ship is no secret
    silent = silenced(catalogue, frozenset(["Horror novels"]))
    assert np.flatnonzero(silent).tolist() == [0, 1, 2, 6]
    assert (
        hushed(catalogue, frozenset()) == frozenset() and not silenced(catalogue, frozenset()).any()
    )
    assert words("Horror novels & the sea") == {"horror", "novel"}


def test_neighbours_of_a_topic_of_the_shop_are_not_named_and_are_counted():
    world = load_world()
    catalogue = world.catalogue
    found = hushed(catalogue, frozenset(["Horror novels"]))
    assert {"Haunted houses", "Sea", "sea-horror novel"} <= found
    assert not {"Crime novels", "courtroom novel", "Tea & coffee"} & found
    # by hand: half of the products, or the word
    own = set(catalogue.items_of("Horror novels").tolist())
    for topic in set(catalogue.topics["topic"]):
        items = set(catalogue.items_of(topic).tolist())
        says = "horror" in topic.casefold()
        assert (topic in found) == (len(items & own) >= len(items) / 2 or says)


def test_a_page_counts_what_a_neighbour_would_say():
    rows = [(5, "view", 1), (4, "view", 2), (4, "view", 3), (4, "cart", 3)]
    kinds = ["kettle"] * 3 + ["samovar"] * 2 + ["pan"]
    category = ["Kitchen"] * 3 + ["Russian samovars"] * 2 + ["Kitchen"]
    said, report = page_of(rows, kind=kinds, category=category)
    assert "samovar" in report.text and "left out" not in report.text
    evidence, report = page_of(rows, kind=kinds, category=category, unsaid=["Russian samovars"])
    assert evidence.hushed == {"Russian samovars", "samovar"}
    assert "amovar" not in report.text + report.margin
    assert "We left out one guess" in report.text
    assert not set(evidence.offers.values()) & {3, 4} and said.offers["pick"] in (3, 4)
    assert isinstance(evidence, Evidence) and write(evidence).hash == report.hash
    # nor does a store speak of them
    assert quiet([2, 3], evidence) and not quiet([2], evidence)


def test_a_store_names_no_product_whose_kind_would_say_it():
    rows = [(5, "view", 1), (4, "view", 2), (4, "cart", 3)]
    kinds = ["kettle"] * 3 + ["samovar"] * 2 + ["pan"]
    # most samovars are of the topic, item 4 is one that is not
    topics = ["Kitchen"] * 3 + ["Russian samovars", "Kitchen", "Kitchen"]
    evidence, _ = page_of(rows, kind=kinds, category=topics, unsaid=["Russian samovars"])
    assert evidence.silent[4] and quiet([4], evidence)
