"""The rows of the table: every method under the name that a table shows, and which models it fits.

    requests per retrain = seconds of one retrain / seconds a request

A method with less than n of them is dearer than one retrain for n requests that wait for each other.
`METHODS` is a dict; a row of one's own is one line more: `methods_for(model) | {"mine": Method("mine",
mine)}`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, check_number
from workbench.unlearning.algorithms import controls
from workbench.unlearning.algorithms.ascent import ascent
from workbench.unlearning.algorithms.ceu import CEUConfig, ceu
from workbench.unlearning.algorithms.exact import exact
from workbench.unlearning.algorithms.fanchuan import FanchuanConfig, fanchuan
from workbench.unlearning.algorithms.gif import GIFConfig, gif
from workbench.unlearning.algorithms.idea import IDEAConfig, idea
from workbench.unlearning.algorithms.kookmin import KookminConfig, kookmin
from workbench.unlearning.algorithms.resolve_user import ResolveUserConfig, resolve_user
from workbench.unlearning.algorithms.retrain import retrain
from workbench.unlearning.algorithms.scif import SCIFConfig, scif
from workbench.unlearning.algorithms.seif import SEIFConfig, seif
from workbench.unlearning.algorithms.sisa import sharded
from workbench.unlearning.algorithms.tombstone import buried, tombstone
from workbench.unlearning.algorithms.warm_start import WarmStartConfig, warm_start
from workbench.unlearning.outcome import FAILED
from workbench.unlearning.stream import Method

Need = Literal["any", "trained", "users", "counted"]
"""What a base must be: any recommender; one with weights; with vectors of users (BPR, LightGCN, SGL);
one that counts, and forgets by itself."""
BATCH = 10
"""Requests that wait for each other where methods serve many at once."""
FORK, CORRECTED, RETUNED = "as in the fork", "corrected", "later re-tuning"


def _modes(name: str, algorithm: Any, config: Any, retuned: Any = None) -> list[Method]:
    """The rows of one of the seven."""
    made = {FORK: config(mode="as_in_fork"), CORRECTED: config()}
    if retuned is not None:
        made[RETUNED] = retuned
    return [Method(f"{name}, {how}", algorithm, told) for how, told in made.items()]


_SEVEN = [
    *_modes("SCIF", scif, SCIFConfig),
    *_modes("Kookmin", kookmin, KookminConfig, KookminConfig(init_rate=0.001)),
    *_modes("Fanchuan", fanchuan, FanchuanConfig, FanchuanConfig(temperature=0.07)),
    *_modes("SEIF", seif, SEIFConfig, SEIFConfig(noise=0.06)),
    *_modes("GIF", gif, GIFConfig),
    *_modes("CEU", ceu, CEUConfig),
    *_modes("IDEA", idea, IDEAConfig),
]
_ITEMS = ResolveUserConfig(items=True)
_ROWS: tuple[tuple[Need, list[Method]], ...] = (
    ("trained", _SEVEN),
    ("counted", [Method("exact", exact)]),
    (
        "any",
        [
            Method("retrain, batched", retrain, batch=BATCH),
            Method("tombstone", tombstone, prepare=buried),
        ],
    ),
    (
        "trained",
        [
            Method("warm start, batched", warm_start, batch=BATCH),
            Method(
                "warm start, items too, batched",
                warm_start,
                WarmStartConfig(items=True),
                batch=BATCH,
            ),
            Method("SISA", exact, prepare=sharded),
        ],
    ),
    (
        "users",
        [
            Method("re-solve the user", resolve_user),
            Method("re-solve user, items, user", resolve_user, _ITEMS),
        ],
    ),
    ("any", [Method("no-op", controls.no_op)]),
    (
        "trained",
        [
            Method("sign flip (SCIF)", controls.sign_flip),
            Method("noise and tune", controls.noise_and_tune),
            Method("fine-tune", controls.fine_tune),
            Method("bounded ascent", ascent),
            Method("half-way (planted)", controls.half_way),
        ],
    ),
)
_CONTROLS = {
    controls.no_op,
    controls.sign_flip,
    controls.noise_and_tune,
    controls.fine_tune,
    ascent,
    controls.half_way,
}
METHODS: dict[str, Method] = {row.name: row for _, rows in _ROWS for row in rows}
"""Every method by its name."""
NEEDS: dict[str, Need] = {row.name: need for need, rows in _ROWS for row in rows}
"""What the base of each must be."""
CONTROLS = tuple(row.name for _, rows in _ROWS for row in rows if row.algorithm in _CONTROLS)
"""Those that no method may look like."""


def offers(model: Any) -> set[Need]:
    """What a base is."""
    found: set[Need] = {"any"}
    if hasattr(model, "forget"):
        found.add("counted")
    if hasattr(model, "tune") and hasattr(model, "examples"):
        found.add("trained")
        if getattr(model, "per_user", None):
            found.add("users")
    return found


def methods_for(model: Any, batch: int = BATCH) -> dict[str, Method]:
    """The methods that fit a base, by name. batch: requests that wait for each other, where a
    method serves many at once.

    >>> from workbench.recommend import EASE
    >>> list(methods_for(EASE()))
    ['exact', 'retrain, batched', 'tombstone', 'no-op']
    """
    check_number(1, batch=batch)
    has = offers(model)
    fitting = [row for name, row in METHODS.items() if NEEDS[name] in has]
    return {row.name: replace(row, batch=batch if row.batch > 1 else 1) for row in fitting}


def requests_per_retrain(retrain_seconds: float, outcomes: pd.DataFrame) -> float:
    """At how many requests a method costs as much as one retrain.

    outcomes: of `Stream`, or of several below each other. Failed requests cost and are not served; inf
    where requests take no time, 0 where none was served. What a method was prepared with (shards) is
    not counted.

    >>> lines = pd.DataFrame({"request": [0, 1], "status": "done", "seconds": [0.5, 1.5]})
    >>> requests_per_retrain(20.0, lines)
    20.0
    """
    check_number(0.0, retrain_seconds=retrain_seconds)
    absent = {"request", "status", "seconds"} - set(outcomes.columns)
    if absent:
        want = "the outcomes of a stream"
        raise ConfigError(f"no column {', '.join(sorted(absent))}", "outcomes", want)
    n = requests_asked(outcomes)[(outcomes["status"] != FAILED).to_numpy()].sum()
    seconds = float(outcomes["seconds"].sum())
    with np.errstate(divide="ignore"):
        return float(np.divide(retrain_seconds * n, seconds))


def requests_asked(outcomes: pd.DataFrame) -> np.ndarray:
    """How many requests each line stands for: a batch is a line, for all since the line before;
    (lines,).

    >>> requests_asked(pd.DataFrame({"request": [2, 4, 0, 1]})).tolist()
    [3, 2, 1, 1]
    """
    ends = outcomes["request"].to_numpy()
    n = np.diff(ends, prepend=-1)
    # the first line of the next stream
    return np.where(n > 0, n, ends + 1)
