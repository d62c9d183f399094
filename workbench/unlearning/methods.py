"""The rows of the table: every method under the name that a table shows, and which models it fits.

    requests per retrain = seconds of one retrain / seconds a request

A method with less than n of them is dearer than one retrain for n requests that wait for each other.
A row opens its algorithm when it is first read, so that who asks for one loads no other. A row of
one's own is one line more: `methods_for(model) | {"mine": Method("mine", mine)}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, check_number
from workbench.unlearning import algorithms
from workbench.unlearning.outcome import FAILED
from workbench.unlearning.stream import Method

Need = Literal["any", "trained", "users", "counted"]
"""What a base must be: any recommender; one with weights; with vectors of users (BPR, LightGCN, SGL);
one that counts, and forgets by itself."""
BATCH = 10
"""Requests that wait for each other where methods serve many at once."""
FORK, CORRECTED, RETUNED = "as in the fork", "corrected", "later re-tuning"
_SEVEN = {
    "SCIF": {},
    "Kookmin": {"init_rate": 0.001},
    "Fanchuan": {"temperature": 0.07},
    "SEIF": {"noise": 0.06},
    "GIF": {},
    "CEU": {},
    "IDEA": {},
}
"""Those of the study, and what its authors changed later."""


class Methods(Mapping[str, Method]):
    """Methods by name, in order; what is read once stays.

    made: under each name a method, or a function that makes one. `|` joins two, or one and a dict.

    >>> rows = Methods({"mine": lambda: Method("mine", print)}) | {"yours": Method("yours", print)}
    >>> list(rows), rows["mine"] is rows["mine"]
    (['mine', 'yours'], True)
    """

    def __init__(self, made: Mapping[str, Method | Callable[[], Method]]) -> None:
        self._made = dict(made)

    def __getitem__(self, name: str) -> Method:
        row = self._made[name]
        if not isinstance(row, Method):
            row = self._made[name] = row()
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __or__(self, other: Mapping[str, Any]) -> Methods:
        return Methods(self._made | _unopened(other))

    def __ror__(self, other: Mapping[str, Any]) -> Methods:
        return Methods(_unopened(other) | self._made)

    def __repr__(self) -> str:
        return f"Methods({', '.join(self)})"


def _unopened(rows: Mapping[str, Any]) -> dict[str, Any]:
    return rows._made if isinstance(rows, Methods) else dict(rows)


class Unopened(NamedTuple):
    """A row before it is opened: names in `workbench.unlearning.algorithms`.

    config: its class, None for the algorithm's defaults; told: the settings that are not default.
    """

    need: Need
    algorithm: str
    config: str | None = None
    told: dict[str, Any] | None = None
    prepare: str | None = None
    batch: int = 1

    def opened(self, name: str, batch: int) -> Method:
        """The row, its algorithm imported."""
        config = getattr(algorithms, self.config)(**self.told or {}) if self.config else None
        prepare = getattr(algorithms, self.prepare) if self.prepare else None
        own = getattr(algorithms, self.algorithm)
        return Method(name, own, config, prepare, batch if self.batch > 1 else 1)


def _seven() -> dict[str, Unopened]:
    """The rows of the study's seven."""
    found = {}
    for name, tuned in _SEVEN.items():
        modes = {FORK: {"mode": "as_in_fork"}, CORRECTED: {}} | ({RETUNED: tuned} if tuned else {})
        for how, told in modes.items():
            found[f"{name}, {how}"] = Unopened("trained", name.lower(), f"{name}Config", told)
    return found


_CONTROLS = {
    "no-op": Unopened("any", "no_op"),
    "sign flip (SCIF)": Unopened("trained", "sign_flip"),
    "noise and tune": Unopened("trained", "noise_and_tune"),
    "fine-tune": Unopened("trained", "fine_tune"),
    "bounded ascent": Unopened("trained", "ascent"),
    "half-way (planted)": Unopened("trained", "half_way"),
}
_ITEMS = {"items": True}
UNOPENED: dict[str, Unopened] = {
    **_seven(),
    "exact": Unopened("counted", "exact"),
    "retrain, batched": Unopened("any", "retrain", batch=BATCH),
    "tombstone": Unopened("any", "tombstone", prepare="buried"),
    "warm start, batched": Unopened("trained", "warm_start", batch=BATCH),
    "warm start, items too, batched": Unopened(
        "trained", "warm_start", "WarmStartConfig", _ITEMS, batch=BATCH
    ),
    "SISA": Unopened("trained", "exact", prepare="sharded"),
    "re-solve the user": Unopened("users", "resolve_user"),
    "re-solve user, items, user": Unopened("users", "resolve_user", "ResolveUserConfig", _ITEMS),
    **_CONTROLS,
}
"""Every row, unopened."""
METHODS = Methods({name: partial(line.opened, name, BATCH) for name, line in UNOPENED.items()})
"""Every method by its name."""
NEEDS: dict[str, Need] = {name: line.need for name, line in UNOPENED.items()}
"""What the base of each must be."""
CONTROLS = tuple(_CONTROLS)
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


def methods_for(model: Any, batch: int = BATCH) -> Methods:
    """The methods that fit a base, by name. batch: requests that wait for each other, where a
    method serves many at once.

    >>> from workbench.recommend import EASE
    >>> list(methods_for(EASE()))
    ['exact', 'retrain, batched', 'tombstone', 'no-op']
    """
    check_number(1, batch=batch)
    has = offers(model)
    fitting = {name: line for name, line in UNOPENED.items() if line.need in has}
    return Methods({name: partial(line.opened, name, batch) for name, line in fitting.items()})


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
