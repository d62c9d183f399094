"""Whether a simulator may speak on a shopper's page: chosen on validation shoppers, opened once.

    open  ⟺  low(simulator − best rule) > 0  and  low(simulator − head alone) > 0
             and  swapped history − own history ≥ .3 nats a first look

low: the lower end of the 95 % interval of the paired difference in NDCG@10 over test shoppers. The
best rule is the one that was best on the validation shoppers. Where the gate is shut the page says
what else one might be after from the rule, and its margin says so. The numbers stand in the
simulator's card beside a digest of its weights: a simulator that was trained again starts shut.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from workbench.errors import DataError, typed
from workbench.recommend.protocol import fitted
from workbench.recommend.saving import weights
from workbench.reports.recpilot.simulator import Simulator
from workbench.statistics import bootstrap_mean

SWAP = 0.3
"""Nats a first look that another shopper's history must cost."""


def digest(simulator: Simulator) -> str:
    """sha256 of the weights in 16 bit, as they are shipped; 16 hexadecimal digits."""
    found = hashlib.sha256()
    for name, value in sorted(weights(fitted(simulator.module, simulator)).items()):
        found.update(name.encode() + value.astype("f2").tobytes())
    return found.hexdigest()[:16]


@typed
def decide(
    simulator: Simulator,
    valid: dict[str, np.ndarray],
    test: dict[str, np.ndarray],
    swap: float,
    date: str,
) -> dict[str, Any]:
    """The gate's facts for the card. Raises `DataError` where it was opened before for the same
    weights.

    valid, test: NDCG@10 of each shopper by scorer: "simulator", "head", and rules. swap: nats.
    """
    if simulator.card.get("gate", {}).get("weights") == digest(simulator):
        what, do = "the gate was opened for these weights", "read it from the card"
        raise DataError(what, "card", "a simulator without a gate", do)
    rules = {
        name: float(v.mean()) for name, v in valid.items() if name not in ("simulator", "head")
    }
    best = max(rules, key=rules.__getitem__)
    facts: dict[str, Any] = {
        "date": date,
        "weights": digest(simulator),
        "shoppers": len(test[best]),
    }
    facts |= {"validation_shoppers": len(valid[best]), "best_rule": best}
    for name, values in (
        ("simulator", test["simulator"]),
        ("rule", test[best]),
        ("head", test["head"]),
    ):
        facts[f"{name}_ndcg"] = round(float(values.mean()), 4)
    lows = []
    for name, other in (("rule", test[best]), ("head", test["head"])):
        found = bootstrap_mean(test["simulator"] - other, shares=False)
        facts[f"minus_{name}"] = [round(float(value), 4) for value in found]
        lows.append(found[1])
    facts["swap_nats"] = round(float(swap), 3)
    return facts | {"open": bool(min(lows) > 0 and swap >= SWAP)}


@typed
def may_speak(simulator: Simulator) -> tuple[bool, str]:
    """Whether a page may quote this simulator, and the margin's sentence that says why."""
    gate = simulator.card.get("gate")
    if not _whole(gate) or gate["weights"] != digest(simulator):
        return (
            False,
            "What else you might be after comes from a rule: these weights were not tested.",
        )
    low, high = gate["minus_rule"][1:]
    interval = f"{gate['minus_rule'][0]:+.3f} [{low:+.3f}, {high:+.3f}] against {gate['best_rule']}"
    # a card that says open beside numbers that do not is not believed
    lows = (gate["minus_rule"][1], gate["minus_head"][1])
    if gate["open"] is True and min(lows) > 0 and gate["swap_nats"] >= SWAP:
        return True, f"What else you might be after comes from imagined visits: NDCG@10 {interval}."
    said = "What else you might be after comes from a rule; imagined visits did not earn the place"
    return False, f"{said}: NDCG@10 {interval}, tested {gate['date']}."


def _whole(gate: Any) -> bool:
    """Whether a card, which anybody may have written, holds what `decide` writes."""
    if not isinstance(gate, dict) or not {"weights", "open", "best_rule", "date"} <= set(gate):
        return False
    apart = [gate.get(name) for name in ("minus_rule", "minus_head")]
    if not all(isinstance(one, list) and len(one) == 3 for one in apart):
        return False
    numbers = [*apart[0], *apart[1], gate.get("swap_nats")]
    return all(isinstance(one, int | float) and np.isfinite(one) for one in numbers)
