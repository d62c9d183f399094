"""The committed results of the simulator agree with the shipped card and with each other."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from workbench.reports.recpilot import load_simulator, may_speak

RESULTS = Path(__file__).resolve().parents[3] / "benchmarks" / "results"
BASE = "simulator, 16 visits"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """NDCG@10 over all purchases, by row."""
    found = pd.read_csv(RESULTS / "simulator.csv")
    found = found[(found["part"] == "all") & (found["measure"] == "ndcg")]
    return found.set_index("row")


def test_the_gate_says_what_the_table_says(table):
    simulator = load_simulator()
    gate = simulator.card["gate"]
    assert gate["simulator_ndcg"] == pytest.approx(table.loc[BASE, "value"], abs=1e-4)
    assert gate["head_ndcg"] == pytest.approx(table.loc["encoder's head alone", "value"], abs=1e-4)
    assert gate["rule_ndcg"] == pytest.approx(table.loc[gate["best_rule"], "value"], abs=1e-4)
    assert -table.loc[gate["best_rule"], "less"] == pytest.approx(gate["minus_rule"][0], abs=1e-4)
    text = (RESULTS / "simulator.md").read_text(encoding="utf-8")
    assert f"The gate is {'open' if may_speak(simulator)[0] else 'shut'} ({gate['date']})" in text


def test_nothing_beats_the_generator(table):
    assert table["value"].idxmax() == "ceiling"
    assert table.loc[BASE, "less"] == 0


def test_what_was_read_of_the_history():
    found = pd.read_csv(RESULTS / "simulator_reads.csv").set_index(["model", "compared"])["value"]
    card = load_simulator().card["gate"]
    assert found["simulator", "swapped less own"] == pytest.approx(card["swap_nats"], abs=1e-3)
    less = found["simulator"] - found["as published"]  # paired: the mean of the differences
    assert less.to_dict() == pytest.approx(found["simulator less as published"].to_dict(), abs=2e-4)
    text = (RESULTS / "simulator.md").read_text(encoding="utf-8")
    for model, part in found.groupby(level="model"):
        row = next(
            line for line in text.splitlines() if line.startswith((f"| {model} |", f"| {model} ("))
        )
        assert f" {part[model, 'own']:.3f} [" in row
        assert f"{part[model, 'swapped less own']:+.3f} [" in row
