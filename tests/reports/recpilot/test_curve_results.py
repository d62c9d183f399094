"""The curve over visits: what is interpolated, what is said of cells that were not run, and the page."""

import importlib
import sys

import numpy as np
import pandas as pd
import pytest

from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def curve_page(monkeypatch):
    """The page's script, which is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("curve_page")
    sys.modules.pop("curve_page")


def values(what, row, visits, ndcg, seed=1, part="all"):
    """A cell's lines: thirty shoppers, every second one with .1 more."""
    users = np.arange(30)
    line = {"what": what, "row": row, "visits": visits, "seed": seed, "steps": 0, "part": part}
    gained = ndcg + 0.1 * (users % 2)
    return pd.DataFrame(line | {"user": users, "ndcg": gained, "recall": 0.0, "seconds": 2.0})


def measured(*t5):
    """Popularity .1, a ceiling of .5, and a T5 at points."""
    parts = [values("ceiling", "ceiling", 0, 0.5)]
    for visits, ndcg in t5:
        parts += [values("rules", "popularity of purchases", visits, 0.1)]
        parts += [values("rules", "EASE + own actions", visits, 0.2)]
        parts += [values("T5", "16 visits", visits, ndcg)]
    return pd.concat(parts, ignore_index=True).assign(identity="0123")


def test_visits_needed_lie_between_the_points_on_either_side_of_half_way(curve_page):
    found = curve_page.table_of(measured((100, 0.2), (10_000, 0.4)))
    # half way is .3: in the middle of the logarithms
    assert curve_page.needed(found) == pytest.approx(1_000)
    short = curve_page.table_of(measured((100, 0.2), (10_000, 0.29)))
    assert curve_page.needed(short) == np.inf
    assert np.isnan(curve_page.needed(curve_page.table_of(measured((100, 0.2)))))


def test_differences_are_paired_and_seeds_are_averaged_a_shopper(curve_page):
    again = values("T5", "16 visits", 100, 0.4, seed=2).assign(identity="4567")
    table = pd.concat([measured((100, 0.2)), again], ignore_index=True)
    found = curve_page.table_of(table).set_index(["row", "visits", "part"])
    row = found.loc[(curve_page.T5, 100, "all")]
    assert row["seeds"] == 2 and row["spread"] == pytest.approx(0.2 / np.sqrt(2))
    assert row["value"] == pytest.approx(0.35)
    assert row[["less", "less_low", "less_high"]].tolist() == pytest.approx([0.1] * 3)
    told = curve_page.apart(table)
    null = told[told["difference"].str.startswith("null")]
    assert null["NDCG@10, paired"].tolist() == ["+0.200 [+0.200, +0.200]"]


def test_a_cell_that_was_not_run_is_said(curve_page):
    curve = pytest.importorskip("curve")
    table = measured((1_300, 0.2))
    cells = curve_page.cells_of(table, curve.plan(0)).set_index(["cell", "visits", "seed"])
    assert cells.loc[("T5", 1_300, 1), "identity"] == "0123"
    assert cells.loc[("T5", 40_000, 1), "identity"] == "not run"
    assert cells.loc[("GRPO", 1_300, 3), "identity"] == "not run"
    # ends with one seed, the point between, then more seeds
    order = [(c.visits, c.seed) for c in curve.plan(0) if c.what == "T5"]
    assert order[:3] == [(1_300, 1), (40_000, 1), (7_200, 1)] and order[3][1] == 2


def test_less_is_not_written_over_more(curve_page, tmp_path):
    curve = pytest.importorskip("curve")
    more = curve_page.table_of(measured((100, 0.2), (10_000, 0.4)))
    more.to_csv(tmp_path / "curve.csv", index=False)
    assert curve.covers(more, tmp_path / "curve.csv")
    assert not curve.covers(more[more["visits"] != 100], tmp_path / "curve.csv")
    assert not curve.covers(more.assign(seeds=0), tmp_path / "curve.csv")


@pytest.mark.skipif(not (RESULTS / "curve.csv").exists(), reason="the benchmark was not run")
def test_the_page_says_what_the_file_says(curve_page):
    found = pd.read_csv(RESULTS / "curve.csv")
    page = (RESULTS / "curve.md").read_text(encoding="utf-8")
    points = sorted(set(found["visits"]) - {0})
    assert curve_page.answer(found, points) in page
    top = found[found["part"] == "all"].set_index("row")["value"].idxmax()
    assert top == "ceiling"
    assert ("not run" in page) == ("| not run |" in page)
