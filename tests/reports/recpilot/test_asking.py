"""An agent that asks attribute by attribute: what the tool may return, gains, places, odd input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data import Catalogue
from workbench.errors import WorkbenchError
from workbench.reports.recpilot import ask, attributes_of
from workbench.reports.recpilot.asking import _shared_out

SHOP = Catalogue.from_table(
    pd.DataFrame(
        {
            "item": range(12),
            "title": [f"product {i}" for i in range(12)],
            "category": ["tea"] * 6 + ["books"] * 6,
            "kind": ["green", "green", "green", "black", "black", "black"] + ["novel"] * 6,
            "price": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, np.nan],
        }
    )
)
EVEN = np.ones(12)


def only(*items, weight=100.0):
    found = np.zeros(12)
    found[list(items)] = weight
    return found


@given(
    st.lists(st.floats(0, 50), min_size=12, max_size=12),
    st.lists(st.floats(-5, 5), min_size=12, max_size=12),
    st.integers(1, 12),
    st.sampled_from([0.5, 4.0, 64.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_pool_is_full_of_real_products_each_once(weights, scores, pool, alpha):
    found = ask(np.array(weights), EVEN, np.array(scores), SHOP, pool, alpha)
    assert len(found.pool) == len(set(found.pool)) == pool
    assert set(found.pool) <= set(range(12))
    assert (np.flatnonzero(found.scores) == np.sort(found.pool)).all()
    # a call returns what its answers allow, never more than is left
    attributes = attributes_of(SHOP)
    for call in found.calls.itertuples():
        assert len(call.items) <= call.left
        for answer in call.path.split(", ") if call.path != "anything" else []:
            name, _, value = answer.partition("=")
            assert (attributes[name].iloc[call.items] == value).all()


def test_who_did_what_everybody_did_is_asked_nothing():
    found = ask(EVEN, EVEN, np.arange(12.0), SHOP, pool=3)
    assert found.calls["path"].tolist() == ["anything"]
    assert found.pool.tolist() == [11, 10, 9]  # the other recommender's order
    # so is who did nothing: everybody's answer is all there is
    assert ask(0 * EVEN, EVEN, np.arange(12.0), SHOP, pool=3).pool.tolist() == [11, 10, 9]


def test_the_gain_is_the_divergence_by_hand():
    first = ask(only(6, 7, 8, 9, 10, 11, weight=2.0), EVEN, EVEN, SHOP, pool=2, alpha=12.0)
    # category and kind tell the same here, and the price less
    assert first.calls["path"].iloc[0].startswith("category=books")
    inner = ask(only(0, weight=4.0), EVEN, EVEN, SHOP, pool=5, alpha=4.0, least=0.44)
    # nothing tells .44 bits but the kind: half of the answer green
    told = inner.calls.set_index("path").loc["kind=green"]
    s, c = np.array([0.125, 0.625, 0.25]), np.array([0.25, 0.25, 0.5])
    assert told["gain"] == pytest.approx((s * np.log2(s / c)).sum())
    assert told["share"] == pytest.approx(0.625)
    assert len(told["items"]) == 3


def test_places_go_by_shares_and_never_beyond_what_there_is():
    assert _shared_out(6, np.array([0.5, 0.3, 0.2]), np.array([9, 9, 9])).tolist() == [3, 2, 1]
    assert _shared_out(6, np.array([0.9, 0.1, 0.0]), np.array([2, 3, 9])).tolist() == [2, 3, 1]


def test_another_shoppers_answers_give_another_pool():
    tea = ask(only(0, 1), EVEN, EVEN, SHOP, pool=3, alpha=0.1)
    books = ask(only(8, 9), EVEN, EVEN, SHOP, pool=3, alpha=0.1)
    assert set(tea.pool) <= set(range(6))
    assert set(books.pool) <= set(range(6, 12))


def test_a_catalogue_without_attributes_is_asked_nothing():
    bare = Catalogue.from_table(pd.DataFrame({"item": [0, 1], "title": ["a", "b"]}))
    found = ask(np.array([5.0, 0.0]), np.ones(2), np.array([0.0, 1.0]), bare, pool=1)
    assert found.calls["path"].tolist() == ["anything"]
    assert found.pool.tolist() == [1]


def test_a_product_without_a_kind_is_of_an_unknown_one():
    shop = pd.DataFrame({"item": [0, 1, 2], "title": ["a", "b", "c"]})
    shop["kind"] = pd.Series(["tea", None, None], dtype="str")
    found = ask(np.array([0.0, 5, 5]), np.ones(3), np.arange(3.0), Catalogue.from_table(shop), 2)
    assert set(found.pool) == {1, 2}
    assert set(found.calls["path"]) == {"kind=unknown"}


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.ones(11)},
        {"weights": np.array(["1"] * 12)},
        {"weights": np.array([None] * 12)},
        {"weights": -EVEN},
        {"weights": np.full(12, np.nan)},
        {"scores": np.full(12, np.inf)},
        {"everybody": None},
        {"catalogue": None},
        {"pool": 0},
        {"alpha": 0.0},
        {"least": -1.0},
    ],
)
def test_odd_input_is_refused_by_name(change):
    given = {"weights": EVEN, "everybody": EVEN, "scores": EVEN, "catalogue": SHOP}
    with pytest.raises(WorkbenchError, match=next(iter(change))):
        ask(**(given | change))
