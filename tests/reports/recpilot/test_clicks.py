"""Simulated readers press what the truth suggests, and the page of results says what was measured."""

import importlib.util
import itertools
import sys

import numpy as np
import pandas as pd
import pytest

from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.settings import ROOT
from workbench.worlds.shop import ShopConfig, generate

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def clicks():
    """The benchmark, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("clicks", ROOT / "benchmarks" / "clicks.py")
        module = sys.modules["clicks"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def world():
    return generate(ShopConfig(shoppers=40, texts=0, seed=9))


@pytest.fixture(scope="module")
def service(world):
    return Service.build(world.log, world.catalogue, EASE(), stores=())


def test_worth_is_the_worlds_own_choice(clicks, world):
    shelf = world.shelf
    for reader in clicks.readers_of(world, 12):
        again = np.array([*shelf.again, ""], dtype=object)
        rows = world.log.rows_of(reader.user)
        bought = rows.loc[rows["action"] == "purchase", "item"].to_numpy()
        late = 0 <= shelf.drift_day[reader.user] <= reader.day
        choice = shelf.choice["after" if late else "before"][reader.user]
        enough = np.isin(shelf.kind, [k for k in shelf.kind[bought] if again[k] == ""])
        twice = np.isin(np.arange(len(choice)), bought) & (again[shelf.kind] == "other")
        expected = np.where(twice, 0, np.where(enough, 0.15, 1.0) * choice)
        assert np.allclose(reader.worth, expected)
        assert not np.isin(reader.untouched, rows["item"]).any()


def test_the_best_place_is_one_and_the_worst_is_none(clicks, world):
    reader = clicks.readers_of(world, 1)[0]
    among = reader.untouched
    order = among[np.argsort(reader.worth[among], kind="stable")]
    assert reader.place(int(order[-1]), among) == 1.0 and reader.content(int(order[-1]))
    assert reader.place(int(order[0]), among) < 0.1 and not reader.content(int(order[0]))
    places = [reader.place(int(item), among) for item in among]
    assert np.isclose(np.mean(places), 0.5)


def test_the_truth_suggests_a_button(clicks, world):
    shelf, said = world.shelf, set()
    for reader in clicks.readers_of(world, 12):
        for item in reader.untouched.tolist():
            own = [i for i in shelf.members[shelf.kind[item]] if reader.state.open[i]]
            cheaper = [i for i in own if shelf.price[i] < shelf.price[item]]
            better = any(reader.worth[i] > reader.worth[item] for i in cheaper)
            kind = int(shelf.kind[item])
            has = kind in reader.state.bought and not shelf.again[kind]
            expected = "owned" if has else "budget" if better else "dislike"
            assert reader.button(item) == expected
            said.add(expected)
    assert said == {"owned", "budget", "dislike"}


def test_a_reader_presses_until_content(clicks, world, service):
    for reader in clicks.readers_of(world, 6):
        picks = [page["pick"] for page in clicks.ARMS["buttons"](service, reader)]
        content = [reader.content(pick) for pick in picks]
        assert len(picks) == clicks.PRESSES + 1
        for turn in range(clicks.PRESSES):
            assert (picks[turn + 1] == picks[turn]) == content[turn]
        # next, without end: the list as it stands
        always = [page["pick"] for page in clicks.ARMS["next, always"](service, reader)]
        assert always == service.listed(reader.user, clicks.PRESSES + 1).tolist()
        # somebody who presses what this reader would press sees the same pages
        own = clicks.repeated(service, reader, clicks.presses_of(service, reader))
        assert [page["pick"] for page in own] == picks


def test_kind_by_kind_leaves_kinds_behind(clicks, world, service):
    kind = world.catalogue.kind
    for reader in clicks.readers_of(world, 6):
        arm = clicks.ARMS["buttons, kind by kind"](service, reader)
        picks = [page["pick"] for page in arm]
        for was, now in itertools.pairwise(picks):
            left = not reader.content(was) and reader.button(was) != "budget"
            assert not left or kind[was] != kind[now]


def test_differences_are_paired_and_signed(clicks):
    rows = []
    for user in range(30):
        for turn in range(2):
            for arm, value in (("buttons", 0.5 + 0.1 * turn), ("random button", 0.5)):
                rows.append((arm, user, turn, "pick", value + 0.01 * user))
    columns = ["arm", "user", "presses", "measure", "value"]
    found = clicks.differences(pd.DataFrame(rows, columns=columns))
    found = found.set_index(["minus", "presses"])
    assert np.isclose(found.loc[("random button", 1), ["estimate", "low", "high"]], 0.1).all()
    assert np.isclose(found.loc[("random button", 0), "estimate"], 0)
    assert np.isclose(found.loc[("no press", 1), ["estimate", "low", "high"]], 0.1).all()


def test_the_page_compares_every_line_with_the_committed_numbers(clicks):
    table = pd.read_csv(RESULTS / "clicks.csv")
    numbers = clicks.numbers_of(table, clicks.differences(table))
    assert set(numbers) == set(clicks.predicted())
    page = (RESULTS / "clicks.md").read_text(encoding="utf-8")
    assert clicks.markdown(clicks.judged(numbers)) in page
    assert table["user"].nunique() >= 150 and not table["value"].isna().any()
