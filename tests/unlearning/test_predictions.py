"""What was predicted of unlearning on ml-100k is what the benchmark is held against."""

import importlib.util
import sys

import numpy as np
import pandas as pd
import pytest

from workbench.settings import ROOT
from workbench.unlearning.endpoints import MARGIN, margin_of

NAME = "benchmarks/unlearning_ml100k.py"
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def benchmark():
    """What the benchmark asks, which is no part of the package."""
    path = ROOT / "benchmarks" / "unlearning_ml100k_predicted.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(section, test="", name=""):
    """(section, line) of every range or word, where the nearest `test` names this benchmark alone."""
    test = section.get("test", test)
    for key, value in section.items():
        if isinstance(value, dict):
            yield from written(value, test, f"{name}.{key}".lstrip("."))
        elif test == NAME and key not in ("test", "why", "written", "study", "ours"):
            yield name, key


def results():
    return pd.read_csv(RESULTS / "unlearning_ml100k.csv", dtype={"l2": str})


def test_the_margin_that_the_benchmark_reads_is_the_one_that_was_written(benchmark):
    said = benchmark.predicted()
    margins = said["margins"]
    assert benchmark.margin() == margins["ml100k"] == margins["most"] == said["margin"] == MARGIN
    far = 1.0
    assert margin_of(far, benchmark.margin()) == margins["most"]
    near = 0.01
    assert margin_of(near, benchmark.margin()) == margins["share_of_no_op"] * near


def test_every_margin_in_the_results_follows_from_that_rule(benchmark):
    table = results()
    first = table[table["measure"] == "deleted"]
    at = ["model", "scenario", "l2", "checkpoint"]
    nothing = first[first["method"] == "no-op"].set_index(at)["estimate"]
    assert len(nothing)
    for key, part in first.groupby(at):
        rule = margin_of(nothing[key], benchmark.margin())
        assert np.allclose(part["margin"], rule, rtol=1e-3), key


def test_every_line_that_names_the_benchmark_is_asked(benchmark):
    asked = {(name, line) for name, lines in benchmark.ASKED.items() for line in lines}
    lines = set(written(benchmark.predicted()))
    assert ("ml100k", "no_op") in lines and ("hypotheses.three", "scif_ndcg_minus_base") in lines
    assert lines <= asked


def test_the_page_compares_every_line_with_the_committed_numbers(benchmark):
    page = (RESULTS / "unlearning_ml100k.md").read_text(encoding="utf-8")
    assert benchmark.predictions(results()) in page


@pytest.mark.parametrize(
    "said, came, word",
    [
        ([0.1, 0.2], 0.15, "as predicted"),
        ([0.1, 0.2], 0.25, "more"),
        ([0.1, 0.2], -0.2, "less"),
        ([0.1, 0.2], None, "not run"),
        ("different or undecided", "undecided", "as predicted"),
        ("equivalent", "undecided", "not so"),
    ],
    ids=["inside", "above", "below", "not run", "one of two words", "another word"],
)
def test_a_line_is_judged_by_where_the_number_lies(benchmark, said, came, word):
    assert benchmark.judged(said, came) == word
