"""What was predicted of GRPO is what the benchmark is held against, and its page says what was measured."""

import importlib
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest

from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture
def benchmark(monkeypatch):
    """The script, which is no part of the package and imports its neighbours by name."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    module = importlib.import_module("grpo")
    yield module
    sys.modules.pop("grpo")


@pytest.fixture
def table():
    return pd.read_csv(RESULTS / "grpo.csv")


def test_every_line_is_compared_with_the_committed_numbers(benchmark, table):
    text = (ROOT / "data" / "predictions.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)["grpo"]
    assert said["test"] == "benchmarks/grpo.py"
    log = pd.read_csv(RESULTS / "grpo_log.csv")
    lines = benchmark.verdicts(table, log, said)
    there = set(table["run"])
    asked = [name for part in said.values() if isinstance(part, dict) for name in part]
    asked = [n for n in asked if not n.startswith("without") or n.rsplit("_", 1)[0] in there]
    assert set(lines["number"]) == {*asked, "order", "outcome_moves", "ndcg_follows"}
    page = (RESULTS / "grpo.md").read_text(encoding="utf-8")
    assert benchmark.markdown(lines) in page
    # verdicts are of one seed; whether the ranking follows is said of every run
    all_runs = table[(table["measure"] == "ndcg") & (table["decoding"] == "free")]
    whole = all_runs[all_runs["run"].isin(["all", "all, seed 2", "shipped, all"])]
    follows = (whole["less_low"] > 0).sum()
    assert f"above 0 in {follows} of {len(whole)} runs" in page
    assert benchmark.of_all_runs(table) in page
    for decoding in benchmark.DECODING:
        assert benchmark.markdown(benchmark.side_by_side(table, decoding)) in page


def test_the_terms_of_a_difference_add_up_to_that_of_the_total(benchmark, table):
    for decoding in benchmark.DECODING:
        less = {
            m: benchmark.value_of(table, "all", m, decoding)["less"] for m in benchmark.MEASURES
        }
        terms = sum(less[name] for name in benchmark.TERMS)
        assert less["total"] == pytest.approx(terms, abs=3e-4)
        assert less["format"] == pytest.approx(-less["violations"], abs=3e-4)


def test_by_the_grammar_nothing_is_earned_by_format(table):
    rows = table[(table["decoding"] == "grammar") & (table["measure"] == "violations")]
    assert len(rows) >= 2 and not rows["value"].any()


def test_differences_are_paired(benchmark):
    """Two people who differ by ten and gain one each: the difference has no width."""
    rows = [("a", 0.0, 1.0), ("b", 10.0, 11.0)]
    values = [(u, "total", v, run) for u, *both in rows for v, run in zip(both, RUNS, strict=True)]
    frame = pd.DataFrame(values, columns=["user", "measure", "value", "run"])
    found = benchmark.against(frame.assign(decoding="free")).set_index("run")
    assert found.loc["all", ["minus", "less"]].tolist() == ["supervised", 1.0]
    assert found.at["all", "less_low"] == found.at["all", "less_high"] == 1.0


RUNS = ("supervised", "all")


def test_a_visit_that_took_place_is_measured_like_an_imagined_one(benchmark):
    from workbench.reports.recpilot import Held

    held = Held(*(np.array(part) for part in ([[1, 1, 0]], [[1, 0, 0]], [4], [True])))
    found = benchmark.shapes(Held(held.seen > 0, held.bought > 0, *held[2:]), np.eye(3)[[0]] > 0, 1)
    assert {k: v.tolist() for k, v in found.items()} == {
        "rows": [4], "distinct": [0.5], "known": [0.5], "bought": [1]
    }  # fmt: skip
