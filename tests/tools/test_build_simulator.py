"""The shipped simulator: what is in its folder, and that the tool stops, goes on and writes it."""

from __future__ import annotations

import numpy as np
import pytest

from tools import build_simulator as tool
from workbench.data import load_world
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SupervisedTraining,
    last_visits,
    load_simulator,
    may_speak,
    swap_cost,
)
from workbench.settings import settings

FOLDER = settings().data / "simulator"


def test_the_folder_is_small_and_whole():
    names = {path.name for path in FOLDER.iterdir()}
    assert names == {"arrays.safetensors", "model.json", "card.toml"}
    assert (FOLDER / "arrays.safetensors").stat().st_size < 1_000_000


def test_the_card_agrees_with_the_weights():
    simulator, world = load_simulator(), load_world()
    training = simulator.card["training"]
    visit = training["columns"].index("visit")
    lines = np.array(training["lines"])
    assert lines[lines[:, visit].argmin(), 0] == training["chosen"]
    # the first test: what another shopper's history costs, on a sample
    chosen = last_visits(world.log)[1].select(np.arange(60))
    cost = swap_cost(simulator, chosen)
    assert (cost["swapped"] - cost["own"]).mean() > 0.3
    gate = simulator.card.get("gate")
    if gate is not None:
        assert may_speak(simulator)[0] == gate["open"]
        assert gate["open"] == (gate["minus_rule"][1] > 0 and gate["minus_head"][1] > 0)


def test_the_tool_writes_a_model(tmp_path, monkeypatch):
    whole = load_world()
    few = whole.log.select((whole.log.frame["user"] < 30).to_numpy())
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(
        "workbench.data.load_world", lambda: type("W", (), {"log": few, "version": 2})
    )
    small = SimulatorConfig(
        hidden=16, inner=32, head_size=8, training=SupervisedTraining(steps=2, every=1, warm_up=1)
    )
    said = tool.build_simulator(tmp_path / "model", small)
    assert "weights of step" in said
    made = Simulator.load(tmp_path / "model")
    assert made.card["training"]["steps"] == 2
    assert not (tmp_path / "runs" / "train-simulator").exists()
    assert not may_speak(made)[0]


def test_a_wrong_number_of_steps_is_one_line(capsys):
    with pytest.raises(SystemExit):
        tool.main(["--steps", "0"])
    assert "no whole number from 1 on" in capsys.readouterr().err


def test_a_folder_of_somebody_else_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(Simulator, "fit", lambda *_: pytest.fail("it was trained"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert tool.main(["--folder", str(tmp_path / "mine")]) == 2
    assert "name another folder" in capsys.readouterr().err
