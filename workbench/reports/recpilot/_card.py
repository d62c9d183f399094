"""A simulator in a folder: weights, settings, and a card in TOML, which says what is known of its
training and its gate."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import ModelError
from workbench.recommend.saving import load_arrays, save_arrays, saved_bound
from workbench.reports.recpilot._sizes import SimulatorConfig
from workbench.reports.recpilot.grammar import Vocabulary


@dataclass(frozen=True)
class Card:
    """Facts by section: {section: {name: text, number, truth value, or a list of these}}.

    >>> print(Card({"gate": {"open": False}}).text())
    [gate]
    open = false
    """

    facts: dict[str, dict[str, Any]]

    def text(self) -> str:
        """As TOML."""
        lines = []
        for section, facts in self.facts.items():
            found = [f"{name} = {_said(value)}" for name, value in facts.items()]
            lines += [f"[{section}]", *found, ""]
        return "\n".join(lines).rstrip()

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(self.text() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Card:
        """Read the file; raises `ModelError` where it is missing or no TOML."""
        try:
            return cls(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            what = f"no card ({error})"
            raise ModelError(what, str(path), "a card in TOML", "save the model again") from error


def _said(value: Any) -> str:
    """A fact in TOML: as JSON has it, but for what is no number."""
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{float(value)}"
    return json.dumps(value)


def write_simulator(
    folder: Path,
    config: SimulatorConfig,
    arrays: dict[str, np.ndarray],
    vocabulary: Vocabulary,
    bound: str | None,
    card: dict[str, dict[str, Any]],
    half: bool,
) -> None:
    """Write all of a simulator, in place of nothing but an older one; `half`: weights in 16 bit."""
    arrays = {name: value.astype("f2") if half else value for name, value in arrays.items()}
    names = "\x1f".join(vocabulary.actions).encode()
    arrays |= {"actions": np.frombuffer(names, np.uint8), "n_items": np.array(vocabulary.n_items)}
    save_arrays(folder, "Simulator", config, arrays, bound, {"card.toml": Card(card)})


def read_simulator(
    folder: Path,
) -> tuple[SimulatorConfig, dict[str, np.ndarray], Vocabulary, str | None, dict[str, Any]]:
    """What `write_simulator` wrote; raises `ModelError` for another or damaged model, or weights
    that are no numbers."""
    config, arrays = load_arrays(folder, "Simulator", SimulatorConfig, ("actions", "n_items"))
    actions = tuple(arrays["actions"].tobytes().decode().split("\x1f"))
    for name, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelError(f"{name} holds what is no number", str(folder), "finite weights")
    vocabulary = Vocabulary(actions, arrays["n_items"].item())
    return config, arrays, vocabulary, saved_bound(folder), Card.load(folder / "card.toml").facts
