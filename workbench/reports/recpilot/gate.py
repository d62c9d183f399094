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
import json
import math
from typing import Any

import numpy as np

from workbench.errors import DataError, typed
from workbench.recommend.protocol import fitted
from workbench.recommend.saving import weights
from workbench.reports.recpilot.simulator import Simulator
from workbench.statistics import bootstrap_mean

SWAP = 0.3
"""Nats a first look that another shopper's history must cost."""
OTHERS = ("rule", "head")
"""What it has to be better than."""
ROUNDED = 2e-4
"""How far numbers of four digits may be from their difference."""


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
    weights, and for values that are missing, of other shoppers, or no numbers.

    valid, test: NDCG@10 of each shopper by scorer: "simulator", "head", and rules. swap: nats.
    """
    if simulator.card.get("gate", {}).get("weights") == digest(simulator):
        what, do = "the gate was opened for these weights", "read it from the card"
        raise DataError(what, "card", "a simulator without a gate", do)
    rules = [name for name in valid if name not in ("simulator", "head")]
    _check_values("valid", valid, rules)
    best = max(rules, key=lambda name: float(valid[name].mean()))
    _check_values("test", test, [best])
    facts: dict[str, Any] = {"date": date, "weights": digest(simulator)}
    facts |= {"shoppers": len(test[best]), "validation_shoppers": len(valid[best])}
    facts["best_rule"] = best
    values = {"simulator": test["simulator"], "rule": test[best], "head": test["head"]}
    facts |= {f"{name}_ndcg": round(float(one.mean()), 4) for name, one in values.items()}
    for name in OTHERS:
        apart = test["simulator"] - values[name]
        found = bootstrap_mean(apart, shares=False)
        facts[f"minus_{name}"] = [round(float(value), 4) for value in found]
        facts[f"spread_{name}"] = round(float(apart.std(ddof=1)), 4)
    facts["swap_nats"] = round(float(swap), 3)
    facts["open"] = _earned(facts)
    return facts | {"seal": seal(facts)}


def seal(facts: dict[str, Any]) -> str:
    """sha256 of facts as JSON: what was edited since is seen, unless another seal was made of it."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_values(told: str, part: dict[str, np.ndarray], rules: list[str]) -> None:
    """Raise `DataError` for values that are missing, of several lengths, or no numbers."""
    values = [np.asarray(part.get(name)) for name in ("simulator", "head", *rules)]
    if not rules or {one.shape for one in values} != {(values[0].size,)}:
        raise DataError("no values, or of others", told, "simulator, head, rules: one a shopper")
    if not np.isfinite(values).all():
        raise DataError("a value that is no number", told, "NDCG of every shopper")


@typed
def may_speak(simulator: Simulator) -> tuple[bool, str]:
    """Whether a page may quote this simulator, and the margin's sentence that says why."""
    card = simulator.card
    gate = card.get("gate") if isinstance(card, dict) else None
    ruled = "What else you might be after comes from a rule"
    if not _whole(gate) or gate["weights"] != digest(simulator):
        return False, f"{ruled}: these weights were not tested."
    estimate, low, high = gate["minus_rule"]
    interval = f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}] against {gate['best_rule']}"
    earned = _earned(gate)
    facts = {name: value for name, value in gate.items() if name != "seal"}
    if gate["open"] is not earned or (earned and gate.get("seal") != seal(facts)):
        return False, f"{ruled}: the numbers on these weights' card do not agree."
    if earned:
        return True, f"What else you might be after comes from imagined visits: NDCG@10 {interval}."
    said = f"{ruled}; imagined visits did not earn the place"
    return False, f"{said}: NDCG@10 {interval}, tested {gate['date']}."


def _earned(gate: dict[str, Any]) -> bool:
    """What the numbers say, whatever was written beside them: the end of each interval, and the end
    that follows from the spread over shoppers, lie above 0, and the history counts."""
    for name in OTHERS:
        estimate, low, high = gate[f"minus_{name}"]
        apart = gate["simulator_ndcg"] - gate[f"{name}_ndcg"]
        if abs(estimate - apart) > ROUNDED or not low <= estimate <= high:
            return False
        spread = gate.get(f"spread_{name}", math.inf)
        if min(low, estimate - 1.96 * spread / math.sqrt(gate["shoppers"])) <= 0:
            return False
    return gate["swap_nats"] >= SWAP


def _whole(gate: Any) -> bool:
    """Whether a card, which anybody may have written, holds what `decide` writes."""
    if not isinstance(gate, dict) or type(gate.get("open")) is not bool:
        return False
    if not all(isinstance(gate.get(name), str) for name in ("weights", "best_rule", "date")):
        return False
    apart = [gate.get(f"minus_{name}") for name in OTHERS]
    if not all(isinstance(one, list) and len(one) == 3 for one in apart):
        return False
    shares = [gate.get(f"{name}_ndcg") for name in ("simulator", *OTHERS)]
    spreads = [gate.get(f"spread_{name}", 0.0) for name in OTHERS]
    numbers = [*apart[0], *apart[1], *shares, *spreads, gate.get("swap_nats")]
    shoppers = gate.get("shoppers")
    if type(shoppers) is not int or shoppers < 2 or not all(map(_is_number, numbers)):
        return False
    return all(0 <= one <= 1 for one in shares) and min(spreads) >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
