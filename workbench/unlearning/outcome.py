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
from workbench.recommend.protocol import check_bound, check_kind, copied, must_offer
from workbench.recommend.ranking import scores_or_none
from workbench.unlearning.receipt_rows import fingerprint
from workbench.unlearning.requests import Request

Algorithm = Callable[[Any, Interactions, Request, Any, int], dict[str, Any] | None]
NOTHING = 1e-6
"""A step shorter than this share of the weights is none."""
DONE, NO_OP, FAILED = STATUSES = ("done", "no-op", "failed")
OWN = {"request", "status", "step", "seconds", "peak_bytes", "rows", "error"}
"""What an algorithm says nothing about."""


class Stopped(ModelError):
    """An algorithm stopped where it had come to: no model, but notes of how far it came."""

    def __init__(self, *told: str, notes: dict[str, Any]) -> None:
        super().__init__(*told)
        self.notes = notes


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a request.

    model: a model of its own; where status is *failed* that before the request, bit for bit, with
    its graph and buffers. status: done; no-op where nothing moved (less than `NOTHING`; of a model
    without weights, where all that it saves is the same, ids of rows too); failed.
    step: ‖θ' − θ‖ / ‖θ‖ over parameters, NaN for a model without; caches made of a log (graphs, item
    weights) are no step. seconds, peak_bytes: what the algorithm took, memory above what stood
    before. notes: what the algorithm says, of where it stopped (`Stopped`) too, and `error` where it
    failed.
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
    the algorithm; None takes its defaults. What the algorithm raises (memory that does not suffice
    too), weights or buffers that are no numbers, tables of another shape, and a network left in
    training mode are recorded as *failed*, so that a stream of requests goes on from the model
    there was. Raises `DataError` for a request of which `before` has no row (unknown, or forgotten
    already), `ModelError` for a model that is not fitted, or on another log, and `ConfigError` for
    what is no algorithm or answers with anything but None or a dict of notes.

    >>> unlearn(scif, model, log, Request(0, ids))  # doctest: +SKIP
    Outcome(done, step 0.031)
    """
    # nothing begins that cannot end well
    must_offer(model, "score")
    check_kind(before, Interactions)
    check_kind(request, Request)
    check_bound(before.index_fingerprint, getattr(model, "bound", None) or None)
    if getattr(model, "bound", None) == "":
        raise ModelError(f"{type(model).__name__} has not been fitted", "unlearn", "a fitted model")
    request.removed(before)
    if not callable(algorithm) or isinstance(algorithm, type):
        kind = "class" if isinstance(algorithm, type) else type(algorithm).__name__
        raise ConfigError(f"a {kind}", "algorithm", "a function", "pass the function itself")
    # the copy, under a clock
    own, cost = _copied(model), {}
    try:
        with watched(cost):
            said = algorithm(own, before, request, config, seed)
        _check_sound(own, model)
        step = step_length(model, own)
        moved = step >= NOTHING if weights(model) else _differs(model, own, before, request)
    except Exception as error:
        told = error.notes if isinstance(error, Stopped) else {}
        _check_notes(told)
        notes = told | {"error": f"{type(error).__name__}: {error}"}
        return Outcome(_copied(model), FAILED, 0.0, cost["seconds"], cost["bytes"], notes)
    _check_notes(said)
    return Outcome(own, DONE if moved else NO_OP, step, cost["seconds"], cost["bytes"], said or {})


def weights(model: Any, buffers: bool = False) -> dict[str, np.ndarray]:
    """All parameters of a trained model, and its buffers if asked, float64; of a model without,
    none."""
    module = getattr(model, "module", None)
    if module is None:
        return {}
    named = module.state_dict() if buffers else dict(module.named_parameters())
    return {name: value.detach().cpu().numpy().astype(np.float64) for name, value in named.items()}


def step_length(one: Any, other: Any) -> float:
    """‖θ' − θ‖ / ‖θ‖ of two models of one shape; NaN for models without weights."""
    have, found = weights(one), weights(other)
    if not have:
        return float("nan")
    apart = sum(np.square(found[name] - value).sum() for name, value in have.items())
    length = sum(np.square(value).sum() for value in have.values())
    return float(np.sqrt(apart / max(length, 1e-300)))


def _differs(one: Any, other: Any, before: Interactions, request: Request) -> bool:
    """Whether two models without weights keep other things, to the bit; of models that cannot be
    saved, whether they answer the people of the request otherwise."""
    if all(hasattr(each, "save") for each in (one, other)):
        return fingerprint(one) != fingerprint(other)
    histories = before.histories(request.users(before))
    scores = [scores_or_none(each, histories) for each in (one, other)]
    return not np.array_equal(*scores, equal_nan=True)


def _copied(model: Any) -> Any:
    """A copy that is another model."""
    own = copied(model)
    if own is model or own is None:
        what = f"copy returned {'nothing' if own is None else 'the model itself'}"
        raise ModelError(what, type(model).__name__, "a model of its own")
    return own


def _check_sound(changed: Any, model: Any) -> None:
    """Raise `ModelError` for weights that are no numbers, or of another shape than there were, and
    for a network that would draw when it is asked."""
    have, found = weights(model, buffers=True), weights(changed, buffers=True)
    if have.keys() != found.keys():
        odd = ", ".join(sorted(have.keys() ^ found.keys()))
        raise ModelError(f"{odd} in one of the two", "algorithm", "the parameters there were")
    for name, value in found.items():
        if value.shape != have[name].shape:
            what = f"{name} is {value.shape}, was {have[name].shape}"
            raise ModelError(what, "algorithm", "weights of the same shape")
        if not np.isfinite(value).all():
            raise ModelError(f"{name} is not finite", "algorithm", "finite weights")
    if not have:
        return
    if changed.module.training:
        do = "end with model.module.eval()"
        raise ModelError("left in training mode", "algorithm", "a network that draws nothing", do)
    changed.module.zero_grad(set_to_none=True)


def _check_notes(said: Any) -> None:
    """Raise `ConfigError` for an answer that is no dict of notes, or says what is said here."""
    if not isinstance(said, dict | None):
        what, do = f"a {type(said).__name__} was returned", "change the model in place"
        raise ConfigError(what, "algorithm", "None, or a dict of notes", do)
    if taken := OWN & (said or {}).keys():
        what = f"notes named {', '.join(sorted(taken))}"
        raise ConfigError(what, "algorithm", "other names: these are measured, not told")


@contextmanager
def watched(cost: dict[str, Any]) -> Iterator[None]:
    """Within the block time runs and memory is looked at; `cost` then holds `seconds` and `bytes`,
    the most that the process held above what it held before: a lower bound, as what had been freed and
    not given back is used first.
    """
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
