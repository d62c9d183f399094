"""What was predicted of rubrics is what the benchmark is held against."""

import importlib
import tomllib

import numpy as np
import pandas as pd
import pytest

from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def benchmark(monkeypatch):
    """The script, which is no part of the package and imports its neighbours by name."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("rubric")


def test_every_line_is_compared_with_the_committed_numbers(benchmark):
    text = (ROOT / "data" / "predictions.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)["rubric"]
    assert said["test"] == "benchmarks/rubric.py"
    table = pd.read_csv(RESULTS / "rubric.csv")
    lines = benchmark.verdicts(table, said)
    parts = [part for part in said.values() if isinstance(part, dict)]
    assert len(lines) == sum(map(len, parts)) == 36
    page = (RESULTS / "rubric.md").read_text(encoding="utf-8")
    assert benchmark.markdown(lines) in page
    assert benchmark.markdown(benchmark.goals(table)) in page


def test_ties_count_as_nothing(benchmark):
    truth = np.array([[0.4, 0.3, 0.2, 0.1]] * 3)
    found = np.array([[0.25] * 4, [4.0, 3, 2, 1], [1.0, 2, 3, 4]])
    assert benchmark.spearman(found, truth).round(12).tolist() == [0.0, 1.0, -1.0]
