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
from workbench.reports.recpilot.grammar import BOUGHT, Vocabulary

AGAIN = "save the model again"
TABLE = "module.t5.shared.weight"
LAYER = ".layer.0.SelfAttention.q.weight"
"""Of each layer there is one."""
SIZES = {LAYER: "heads", ".DenseReluDense.wi.weight": "inner"}
"""Weights that say how wide a layer is."""


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
        """Read the file; raises `ModelError` where it is missing or no card."""
        try:
            facts = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            what = f"no card ({error})"
            raise ModelError(what, str(path), "a card in TOML", AGAIN) from error
        loose = [name for name, section in facts.items() if not isinstance(section, dict)]
        if loose:
            what = f"{loose[0]!r:.80} stands in no section"
            raise ModelError(what, str(path), "facts by section", AGAIN)
        return cls(facts)


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
    names = ("actions", "n_items", TABLE)
    config, arrays = load_arrays(folder, "Simulator", SimulatorConfig, names)
    for name, value in arrays.items():
        if name.startswith("module.") and value.dtype.kind != "f":
            raise ModelError(f"{name} is of {value.dtype}", str(folder), "floats", AGAIN)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelError(f"{name} holds what is no number", str(folder), "finite weights")
    vocabulary = _vocabulary(arrays, folder)
    # before a network of these sizes is made: they may be any
    have, want = arrays[TABLE].shape, (vocabulary.size, config.hidden)
    layers = sum(name.endswith(LAYER) for name in arrays)
    _same(have, want, "the table of tokens", folder)
    _same(layers, 2 * config.layers, "layers of encoder and decoder", folder)
    for end, wide in SIZES.items():
        size = config.inner if wide == "inner" else config.heads * config.head_size
        shapes = {value.shape for name, value in arrays.items() if name.endswith(end)}
        _same(shapes, {(size, config.hidden)}, end, folder)
    return config, arrays, vocabulary, saved_bound(folder), Card.load(folder / "card.toml").facts


def _vocabulary(arrays: dict[str, np.ndarray], folder: Path) -> Vocabulary:
    """Actions and number of products, as they are written; raises `ModelError` for others."""
    items, told = arrays["n_items"], arrays["actions"]
    text = told.tobytes().decode("utf-8", "replace")
    names = tuple(text.split("\x1f"))
    whole = items.size == 1 and items.dtype.kind in "iu" and items.max(initial=0) > 0
    if not whole or "\ufffd" in text or len({*names}) < max(len(names), 2) or BOUGHT not in names:
        expected = "a number of products, and names of actions, each once, purchase among them"
        raise ModelError("no vocabulary", str(folder), expected, AGAIN)
    return Vocabulary(names, items.item())


def _same(have: object, want: object, name: str, folder: Path) -> None:
    if have != want:
        what = f"{name}: {have}, by its config {want}"
        do = "load it with the config it was saved with"
        raise ModelError(what, str(folder), "weights of the sizes of the config", do)
