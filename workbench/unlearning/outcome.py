"""One request, one algorithm, one model: what came of it.

An algorithm is `algorithm(model, before, request, config, seed)`. It changes the copy that it is
handed and returns None, or a dict of what it has to say for itself. Everything else is done here,
for all of them alike: the copy, the clock, the memory, the checks, and the way back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from pydantic import BaseModel

from workbench.data import Interactions
from workbench.errors import ConfigError, ModelError
from workbench.recommend.protocol import check_bound, check_kind, must_offer
from workbench.unlearning.requests import Request

Algorithm = Callable[[Any, Interactions, Request, Any, int], dict[str, Any] | None]
NOTHING = 1e-6
"""A step shorter than this share of the weights is none."""
DONE, NO_OP, FAILED = STATUSES = ("done", "no-op", "failed")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a request.

    model: a model of its own; where status is *failed* that before the request, bit for bit.
    status: done; no-op where nothing moved (less than `NOTHING`); failed. step: ‖θ' − θ‖ / ‖θ‖ over
    all weights, NaN for a model without. seconds, peak_bytes: what the algorithm took, memory above
    what stood before. notes: what the algorithm says, and `error` where it failed.
    """

    model: Any = field(repr=False)
    status: str
    step: float
    seconds: float
    peak_bytes: int
    notes: dict[str, Any]

    def __repr__(self) -> str:
        why = f": {self.notes['error']}" if self.status == FAILED else ""
        return f"Outcome({self.status}, step {self.step:.2g}{why})"


def unlearn(
    algorithm: Algorithm,
    model: Any,
    before: Interactions,
    request: Request,
    config: BaseModel | None = None,
    seed: int = 0,
) -> Outcome:
    """Let an algorithm forget a request in a copy of the model; the model itself stays as it is.

    before: the log that the model stands for, the rows of earlier requests taken out. config: of
    the algorithm; None takes its defaults. What the algorithm raises, weights that are no numbers
    and tables of another shape are recorded as *failed*, so that a stream of requests goes on from
    the model there was. Raises `DataError` for a request of which `before` has no row (unknown, or
    forgotten already), `ModelError` for a log that the model was not fitted on, and `ConfigError`
    for what is no algorithm or answers with anything but None or a dict.

    >>> unlearn(scif, model, log, Request(0, ids))  # doctest: +SKIP
    Outcome(done, step 0.031)
    """
    # nothing begins that cannot end well
    must_offer(model, "score", "copy")
    check_kind(before, Interactions)
    check_kind(request, Request)
    check_bound(before.index_fingerprint, getattr(model, "bound", None) or None)
    request.removed(before)
    if not callable(algorithm):
        raise ConfigError(f"a {type(algorithm).__name__}", "algorithm", "a function")
    # the copy, under a clock
    own, notes, cost = model.copy(), {}, {}
    try:
        with watched(cost):
            said = algorithm(own, before, request, config, seed)
        _check_sound(own, model)
    except Exception as error:
        notes, own = {"error": f"{type(error).__name__}: {error}"}, model.copy()
        return Outcome(own, FAILED, 0.0, cost["seconds"], cost["bytes"], notes)
    if not isinstance(said, dict | None):
        what = f"{type(said).__name__} was returned"
        raise ConfigError(
            what, "algorithm", "None, or a dict of notes", "change the model in place"
        )
    # how far it went
    step = step_length(model, own)
    status = NO_OP if step < NOTHING else DONE
    return Outcome(own, status, step, cost["seconds"], cost["bytes"], said or {})


def weights(model: Any) -> dict[str, np.ndarray]:
    """All weights and buffers of a trained model, float64; of a model without, none."""
    module = getattr(model, "module", None)
    if module is None:
        return {}
    return {
        name: value.detach().cpu().numpy().astype(np.float64)
        for name, value in module.state_dict().items()
    }


def step_length(one: Any, other: Any) -> float:
    """‖θ' − θ‖ / ‖θ‖ of two models of one shape; NaN for models without weights."""
    have, found = weights(one), weights(other)
    if not have:
        return float("nan")
    apart = sum(np.square(found[name] - value).sum() for name, value in have.items())
    return float(
        np.sqrt(apart / max(sum(np.square(value).sum() for value in have.values()), 1e-300))
    )


def _check_sound(changed: Any, model: Any) -> None:
    """Raise `ModelError` for weights that are no numbers, or of another shape than there were."""
    have = weights(model)
    for name, value in weights(changed).items():
        if name in have and value.shape != have[name].shape:
            what = f"{name} is {value.shape}, was {have[name].shape}"
            raise ModelError(what, "algorithm", "weights of the same shape")
        if not np.isfinite(value).all():
            raise ModelError(f"{name} is not finite", "algorithm", "finite weights")


@contextmanager
def watched(cost: dict[str, Any]) -> Iterator[None]:
    """Within the block time runs and memory is looked at; `cost` then holds `seconds` and `bytes`,
    the most that the process held above what it held before."""
    process, over = psutil.Process(), threading.Event()
    start = most = process.memory_info().rss

    def look() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=look, daemon=True)
    begun = time.perf_counter()
    watcher.start()
    try:
        yield
    finally:
        cost["seconds"] = time.perf_counter() - begun
        over.set()
        watcher.join()
        cost["bytes"] = max(most, process.memory_info().rss) - start
