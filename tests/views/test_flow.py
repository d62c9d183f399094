"""Imagined visits as a flow, and why a product is on no list: what is drawn is what was counted."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest

from tests.views.states import IMG, SCRIPT
from workbench.data import Catalogue, load_world
from workbench.errors import ConfigError, DataError
from workbench.reports.recpilot import Trajectories, bought_in, draw, load_simulator
from workbench.views import Flow, WhyNot, show

KINDS = ["tea", "tea", "balm", "rope", "lamp"]
ACTIONS = ("cart", "purchase", "view")


def goods(kinds=KINDS) -> Catalogue:
    titles = [f"thing {i}" for i in range(len(kinds))]
    frame = pd.DataFrame({"item": range(len(kinds)), "title": titles, "kind": kinds})
    return Catalogue.from_table(frame)


def visits(*told: str, n_items: int = 5) -> Trajectories:
    """Visits as "v0 v2 p1": action and product."""
    rows = [one.split() for one in told]
    flat = [row for one in rows for row in one]
    codes = {"c": 0, "p": 1, "v": 2}
    none = np.full(len(rows), -1)
    return Trajectories(
        user=none,
        session=none,
        offsets=np.cumsum([0, *map(len, rows)]),
        item=np.array([int(row[1:]) for row in flat]),
        action=np.array([codes[row[0]] for row in flat]),
        n_items=n_items,
        actions=ACTIONS,
    )


THREE = visits("v0 v1 v2 c2 p2", "v0 p0 p3", "v3 v0 v3 v2 v4 p1")


def test_paths_are_those_walked_by_hand():
    found = Flow(THREE, goods()).paths.to_numpy().tolist()
    assert found == [
        ["tea", "balm", "balm", "balm"],  # two teas are one stop, and the last kind stays
        ["tea", "tea", "tea", "tea"],
        ["rope", "tea", "rope", "tea"],  # a kind that was left is a stop again
    ]


def test_every_stop_counts_every_visit_and_ribbons_as_many():
    rng = np.random.default_rng(0)
    told = [
        " ".join([*(f"v{i}" for i in rng.integers(0, 5, rng.integers(1, 7))), f"p{b}"])
        for b in rng.integers(0, 5, 40)
    ]
    view = Flow(visits(*told), goods(), kinds=2)
    table = view.to_frame().set_index("kind")
    assert (table.sum() == 40).all() and "other kinds" in table.index
    drawn = unescape(view._repr_html_())
    ribbons = re.findall(r"<title>(.+?) → (.+?): (\d+)</title>", drawn)
    into = pd.DataFrame(ribbons, columns=["one", "other", "n"]).astype({"n": int})
    assert into["n"].sum() == 40 * view.stops
    # bars are as high as their counts
    high = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', drawn)]
    shown = [n for name in view.columns for n in table[name] if n]
    np.testing.assert_allclose(np.array(high) / np.array(shown), high[0] / shown[0], rtol=0.05)


def test_one_line_says_where_they_end():
    assert repr(Flow(THREE, goods())) == "Flow(3 visits: 2 buy tea, 1 balm)"


def test_a_visit_of_a_purchase_alone_begins_with_it():
    assert Flow(visits("p3"), goods()).paths.to_numpy().tolist() == [["rope"] * 4]


def test_names_from_data_are_text_and_equal_flows_equal_pages():
    view = Flow(THREE, goods([IMG, IMG, SCRIPT, "", "x" * 500]), source=IMG)
    said = show(view).static
    assert IMG not in said and SCRIPT not in said and "<script" not in said
    assert said == show(replace(view)).static
    assert "x" * 300 not in said


def test_live_and_static_are_one():
    view = show(Flow(THREE, goods()))
    assert view.widget().value == view.static


def test_a_flow_of_nothing_is_refused():
    with pytest.raises(DataError, match="no visit"):
        Flow(THREE.select(np.array([], dtype=int)), goods())
    with pytest.raises(DataError, match="catalogue"):
        Flow(THREE, goods(KINDS[:4]))
    for wrong in (0, 2.5, "3"):
        with pytest.raises(ConfigError):
            Flow(THREE, goods(), stops=wrong)


# --- why not this one -----------------------------------------------------------------------------

WORLD = load_world()
USER = WORLD.log.user_code("shopper 72")
HISTORY = WORLD.log.histories([USER])
SCORES = np.linspace(1, 0, 240)


def why(item: int = 17, scores=None, **more) -> WhyNot:
    return WhyNot(item, scores or {"down": SCORES}, HISTORY, WORLD.catalogue, **more)


def test_places_are_counted_ties_by_the_lower_index():
    up = SCORES[::-1].copy()
    tied = np.round(SCORES, 1)
    never = np.where(np.arange(240) == 17, -np.inf, SCORES)
    scores = {"down": SCORES, "up": up, "tied": tied, "never": never, "flat": np.zeros(240)}
    found = why(scores=scores).to_frame().set_index("scorer")
    higher = (tied > tied[17]).sum() + (tied[:17] == tied[17]).sum()
    assert found["place"].to_dict() == {
        "down": 18,
        "up": 223,
        "tied": higher + 1,
        "never": None,
        "flat": None,
    }
    step = 1 / 239
    assert found.at["down", "missing"] == pytest.approx((17 - 9) * step / (9 * step))
    assert np.isnan(found.at["never", "missing"]) and np.isnan(found.at["flat", "missing"])
    assert (why(3).to_frame()["missing"] < 0).all()


def test_facts_are_those_of_the_rows_and_the_visits():
    simulator = load_simulator()
    drawn = draw(simulator, HISTORY, 16, seed=1)
    item = int(bought_in(drawn)[0].sum(axis=0).argmax())
    told = " ".join(why(item, drawn=drawn).facts())
    rows = WORLD.log.rows_of(USER)
    kind = WORLD.catalogue.kind
    same = sum(kind[i] == kind[item] and i != item for i in rows["item"])
    assert f"in {(rows['item'] == item).sum()} of the shopper's {len(rows)} rows" in told
    assert f"({kind[item]}) stand in {same} of them" in told
    assert f"{bought_in(drawn)[0, :, item].sum()} buy it" in told


def test_the_drawing_has_every_place_and_says_what_is_missing():
    view = why(scores={"down": SCORES, IMG: SCORES[::-1].copy()}, source=SCRIPT)
    said = show(view)
    assert said.static.count("<circle") == 2 and ">18</text>" in said.static
    assert IMG not in said.static and "<script" not in said.static
    assert said.widget().value == said.static
    assert "on the list" in show(why(3)).static
    assert "never" in show(why(scores={"none": np.full(240, -np.inf)})).static


def test_what_is_no_question_is_refused():
    for wrong in (SCORES[:5], np.full(240, np.nan)):
        with pytest.raises(DataError, match="240 numbers"):
            why(scores={"bad": wrong})
    with pytest.raises(ConfigError, match="item"):
        why(240)
    with pytest.raises(DataError, match="one shopper"):
        WhyNot(3, {"down": SCORES}, WORLD.log.histories([1, 2]), WORLD.catalogue)
    with pytest.raises(DataError, match="no scorer"):
        WhyNot(3, {}, HISTORY, WORLD.catalogue)
