"""What was predicted, beside what was measured: the table at the end of a page of results."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pandas as pd

from workbench.settings import settings


def expected(*parts: str) -> dict[str, list[float]]:
    """The ranges of these parts, as they were written before the run."""
    written = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))
    return {name: span for part in parts for name, span in written[part]["expected"].items()}


def word(value: float, low: float, high: float) -> str:
    """What a measured number says of its predicted range; one that was not measured says nothing."""
    if value != value:
        return "not measured"
    return "lower" if value < low else "higher" if value > high else "as predicted"


def judged(
    numbers: Mapping[str, float], ranges: Mapping[str, list[float]], span: str, digits: str
) -> pd.DataFrame:
    """Every prediction beside what was measured. span, digits: how ends and numbers are written."""
    rows = []
    for name, (low, high) in ranges.items():
        value = numbers[name]
        told = f"{low:{span}} to {high:{span}}"
        rows.append((name, told, f"{value:{digits}}", word(value, low, high)))
    return pd.DataFrame(rows, columns=["number", "predicted", "measured", "verdict"])
