"""What was predicted of pages is what the benchmark is held against."""

import importlib
import tomllib

import pandas as pd
import pytest

from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def benchmark(monkeypatch):
    """The script, which is no part of the package and imports its neighbours by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("page_evaluation")


def test_every_line_is_compared_with_the_committed_numbers(benchmark):
    text = (ROOT / "data" / "predictions.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)["page_evaluation"]
    assert said["test"] == "benchmarks/page_evaluation.py"
    rows = pd.read_csv(RESULTS / "page_evaluation.csv")
    lines = benchmark.verdicts(rows)
    parts = [part for part in said.values() if isinstance(part, dict)]
    assert len(lines) == sum(map(len, parts)) == 29
    page = (RESULTS / "page_evaluation.md").read_text(encoding="utf-8")
    assert benchmark.markdown(lines) in page


def test_what_was_not_measured_is_not_as_predicted(benchmark):
    numbers = {"absent": float("nan"), "low": -1.0, "high": 2.0, "inside": 1.0}
    told = benchmark.predicted.judged(numbers, dict.fromkeys(numbers, (0, 1)), "g", ".1f")
    assert told["verdict"].tolist() == ["not measured", "lower", "higher", "as predicted"]


def test_visits_are_counted_from_the_last(benchmark):
    sessions = pd.Series([4, 4, 7, 4, 9])
    # a visit stands where its last row does
    assert benchmark._visits_ago(sessions).tolist() == [1, 1, 2, 1, 0]


def test_what_is_held_out_is_not_known(benchmark):
    for cell in benchmark.people(5):
        known = set(benchmark.service(3).log.rows_of(cell.user)["interaction"])
        after = set(benchmark.later(cell.user, 3)["interaction"])
        every = set(benchmark.world().log.rows_of(cell.user)["interaction"])
        assert after and not known & after and known | after == every
        assert cell.user != cell.other
