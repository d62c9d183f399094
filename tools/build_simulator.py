"""The shipped trajectory simulator. `python start.py train-simulator` runs this file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tools.command import answered, count
from workbench.errors import ConfigError
from workbench.reports.recpilot import Simulator, SimulatorConfig, SupervisedTraining, last_visits
from workbench.settings import settings


def build_simulator(folder: Path | None = None, config: SimulatorConfig | None = None) -> str:
    """Train the simulator on the shipped world, write it to `folder` (data/simulator), and return
    what its card says.

    The last visit with a purchase of each shopper, and all that follows it, is left out: it is what
    the simulator is tested on. A run that was stopped goes on where it was. A quarter of an hour on
    an idle core. The gate is shut until `python benchmarks/simulator.py --gate` opens or keeps it.
    """
    from workbench.data import load_world

    folder = folder or settings().data / "simulator"
    # a quarter of an hour would be lost on a folder that cannot be replaced
    if folder.exists() and not (folder.is_dir() and set(folder.iterdir()) <= written(folder)):
        what, want = "holds what was not written here", "a new folder, or an older simulator's"
        raise ConfigError(what, str(folder), want, "name another folder, or move it away")
    work = settings().runs / "train-simulator"
    work.mkdir(parents=True, exist_ok=True)
    world = load_world()
    simulator = Simulator(config).fit(last_visits(world.log)[0], work)
    simulator.card |= {
        "data": {"world": str(world.version), "left_out": "last visits with a purchase"}
    }
    simulator.save(folder, half=True)
    (work / "checkpoint.pt").unlink()
    with suppress(OSError):  # what somebody else put there stays
        work.rmdir()
    facts = simulator.card["training"]
    lines = [" ".join(facts["columns"])]
    lines += [" ".join(map(str, line)) for line in facts["lines"]]
    return "\n".join([*lines, f"weights of step {facts['chosen']} written to {folder}"])


def written(folder: Path) -> set[Path]:
    """The files of a simulator in this folder, where there is one."""
    names = ("arrays.safetensors", "card.toml", "model.json")
    return {folder / name for name in names if (folder / "model.json").is_file()}


def main(arguments: Sequence[str] | None = None) -> int:
    """`train-simulator`: a quarter of an hour on an idle core; resumes where it was stopped."""
    parser = argparse.ArgumentParser(prog="start.py train-simulator")
    parser.add_argument("--folder", type=Path, help="where it goes; data/simulator unless told")
    parser.add_argument("--steps", type=count, help="optimiser steps at most; 3,000 unless told")
    asked = parser.parse_args(arguments)
    told = SupervisedTraining(steps=asked.steps) if asked.steps else SupervisedTraining()
    return answered(lambda: build_simulator(asked.folder, SimulatorConfig(training=told)))


if __name__ == "__main__":
    raise SystemExit(main())
