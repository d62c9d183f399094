"""What was predicted of the experience memory stands beside what was measured, line by line."""

import importlib.util
import sys
import tomllib

import pandas as pd
import pytest

from workbench.settings import ROOT, settings


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    path = ROOT / "benchmarks" / "experience.py"
    spec = importlib.util.spec_from_file_location("benchmarks_experience", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "benchmarks"))


def test_every_prediction_has_a_measured_number_on_the_page(benchmark):
    found = pd.read_csv(ROOT / "benchmarks" / "results" / "experience.csv", keep_default_na=False)
    page = (ROOT / "benchmarks" / "results" / "experience.md").read_text(encoding="utf-8")
    text = (settings().data / "predictions.toml").read_text(encoding="utf-8")
    predicted = tomllib.loads(text)["experience"]
    held = benchmark.verdicts(found, predicted)
    for when in ("before", "during"):
        assert {*held.loc[held["when"] == when, "number"]} == predicted[when].keys()
        assert benchmark.verdict(found, when) in page
    assert benchmark.markdown(held) in page
    assert benchmark.markdown(benchmark.shown(found)) in page
