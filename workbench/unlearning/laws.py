"""Does an algorithm keep the laws of forgetting? Any function of one's own can be asked.

    sign     ℓ(removed; θ') ≥ ℓ(removed; θ)
    refit    ‖θ' − θ*‖ ≤ ⅓ ‖θ − θ*‖      θ* the refit, on a problem with one solution

A broken law is a finding, and not always an error: a method that shakes and repairs does not go to
the refit, and says so here. What no law can see is how far it stays from a retrain of a model that is
not convex; that is what `distance` is for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.laws import Findings, Law, NotOffered, hold
from workbench.recommend.collaborative.bpr import BPR, BPRConfig
from workbench.recommend.collaborative.lightgcn import LightGCN, LightGCNConfig
from workbench.recommend.protocol import check_kind, fitted_copy, must_offer
from workbench.recommend.training import Training
from workbench.unlearning.laws_bench import (
    AlgorithmBench,
    apart,
    caches,
    differs,
    people_log,
    state,
)
from workbench.unlearning.measures import percentiles
from workbench.unlearning.outcome import step_length
from workbench.unlearning.requests import Request

NEAR = 1 / 3
"""Share of the way from doing nothing to the refit that may be left."""


def _serves(b: AlgorithmBench) -> str | None:
    b.serve(b.fitted, b.log, b.request)
    return None


def _empty(b: AlgorithmBench) -> str | None:
    own = b.fitted.copy()
    with suppress(Exception):
        b.mine(own, b.log, Request(0, np.zeros(0, np.int64)), b.config, b.seed)
    found = differs(state(own, b.log), state(b.fitted, b.log))
    return f"another {found}, and no rows were asked for" if found else None


def _sign(b: AlgorithmBench) -> str | None:
    # a model that learns: removed rows become dearer; on the solved problem, so that nothing else can
    # make them cheaper
    if hasattr(b.fitted, "loss"):
        model, log = b.convex
        request = b.of(0, log=log)
        after = b.serve(model, log, request).model
        asked = model.examples(request.removed(log))
        old, new = (float(each.loss(asked).mean().detach()) for each in (model, after))
        told = f"a mean loss of removed rows of {new:.4g}, was {old:.4g}"
        return None if new >= old - 1e-6 else told
    # any other: what was removed goes down in the person's list
    remaining = b.request.remaining(b.log)
    users = b.request.users(b.log)
    after = b.serve(b.fitted, b.log, b.request).model
    gone = (b.request.removed(b.log).matrix() - remaining.matrix() > 0)[users].tocsr()
    histories = remaining.histories(users)
    old, new = (percentiles(each, histories, gone)[0] for each in (b.fitted, after))
    return None if new <= old + 1e-9 else f"percentile {new:.3f} of removed items, was {old:.3f}"


def _refit(b: AlgorithmBench) -> str | None:
    model, log = b.convex
    return _left(b, model, log, [b.of(0, log=log)])


def _one_after_another(b: AlgorithmBench) -> str | None:
    model, log = b.convex
    person = np.unique(log.frame["user"])[1]
    asked = [b.of(person, number, 2 * number, log=log) for number in range(2)]
    return _left(b, model, log, asked)


def _left(b: AlgorithmBench, model: Any, log: Interactions, asked: list[Request]) -> str | None:
    """How far the end of some requests is from the refit on what remains."""
    found, before = model, log
    for request in asked:
        found = b.serve(found, before, request).model
        before = request.remaining(before)
    want = fitted_copy(model, before)
    nothing, left = step_length(want, model), step_length(want, found)
    told = f"{left / nothing:.0%} of the way to the refit left"
    return None if left <= NEAR * nothing else told


def _callers(b: AlgorithmBench) -> str | None:
    want = state(b.fitted, b.log)
    first = b.serve(b.fitted, b.log, b.request).model
    then = state(first, b.log)
    # an algorithm may keep hold of what it was handed before
    b.serve(b.fitted, b.log, b.of(np.unique(b.log.frame["user"])[1], 1))
    if found := differs(state(b.fitted, b.log), want):
        return f"another {found} in the model that was to stay"
    found = differs(state(first, b.log), then)
    return f"another {found} in the model of an earlier request" if found else None


def _log(b: AlgorithmBench) -> str | None:
    frame, ids = b.log.frame.copy(), b.request.interactions.copy()
    b.serve(b.fitted, b.log, b.request)
    if not frame.equals(b.log.frame):
        return "another log"
    return None if np.array_equal(ids, b.request.interactions) else "another request"


def _same(b: AlgorithmBench) -> str | None:
    found = []
    for everybodys in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(everybodys)
            old = np.random.get_state(), random.getstate()
            np.random.seed(everybodys)
            random.seed(everybodys)
            made = b.serve(b.fitted, b.log, b.request).model
            np.random.set_state(old[0])
            random.setstate(old[1])
        found.append(state(made, b.log))
    odd = differs(*found)
    return f"another {odd} from the same seed: draw from a generator of `seed`" if odd else None


def _stream(b: AlgorithmBench) -> str | None:
    found, before = b.fitted, b.log
    for number, user in enumerate(np.unique(b.log.frame["user"])[:3]):
        request = b.of(user, number)
        found, before = b.serve(found, before, request).model, request.remaining(before)
    scores = np.asarray(found.score(before.histories(np.unique(before.frame["user"]))))
    return "scores that are no numbers" if np.isnan(scores).any() else None


def _whole_person(b: AlgorithmBench) -> str | None:
    user = np.unique(b.log.frame["user"])[2]
    request = b.of(user, rows=len(b.log))
    b.serve(b.fitted, b.log, request)
    return None


def _caches(b: AlgorithmBench) -> str | None:
    model = b.fitted
    if not hasattr(model, "rebuild"):
        raise NotOffered("caches")
    if not caches(model, b.log).keys() - {"n_items"}:
        model = fitted_copy(_LIGHTGCN, b.log)
    found = b.serve(model, b.log, b.request).model
    want = found.copy().rebuild(b.request.remaining(b.log))
    odd = differs(caches(found, b.log), caches(want, b.log))
    return f"a {odd} of rows that are gone: call model.rebuild(remaining)" if odd else None


_ONCE = Training(epochs=3, batch=64, learning_rate=0.02)
_LIGHTGCN = LightGCN(LightGCNConfig(embedding=4, training=_ONCE))
_BPR = BPR(BPRConfig(embedding=4, l2=0.01, training=_ONCE))

LAWS: dict[str, Law] = {
    "serves": Law("a request served without an error, all weights finite", _serves),
    "empty request": Law("a request of no rows to be refused or to change nothing", _empty),
    "sign": Law("removed rows no better known than before", _sign),
    "refit": Law("at most a third of the way to the refit left, on a convex problem", _refit),
    "one after another": Law("the same after two requests by one person", _one_after_another),
    "caller's model": Law("no other model changed", _callers),
    "caller's log": Law("log and request as they were", _log),
    "same again": Law("the same to the bit from the same seed, whatever others drew", _same),
    "three people": Law("three requests served one after another", _stream),
    "a whole person": Law("a request that leaves a person without rows served", _whole_person),
    "caches": Law("graphs and item weights made anew from what remains", _caches),
}
"""Every law: what is expected, and the question."""


def check_algorithm(
    mine: Callable[..., Any],
    config: Any = None,
    seed: int = 0,
    model: Any = None,
    log: Interactions | None = None,
) -> Findings:
    """Hold an algorithm of one's own against the laws; a broken law says what was expected and what
    was found.

    mine: `mine(model, before, request, config, seed)`. model: what it is asked on, fitted on `log`
    here unless it is already; BPR on a small log unless told. Laws that need another model (a convex
    one, one with a graph) are not asked of an algorithm that refuses it with a `ConfigError`. Raises
    `ConfigError` for what is no function, and `DataError` for a log that is too small.

    >>> check_algorithm(resolve_user)  # doctest: +SKIP
    Findings(resolve_user: 11 hold, 0 broken, 0 not asked)
    """
    if not callable(mine) or isinstance(mine, type):
        raise ConfigError(f"a {type(mine).__name__}", "mine", "a function", "pass the function")
    log = people_log(seed) if log is None else log
    check_kind(log, Interactions)
    model = _BPR if model is None else model
    must_offer(model, "fit", "score", "copy")
    fitted = fitted_copy(model, log)
    name = getattr(mine, "__name__", type(mine).__name__)

    def case() -> tuple[AlgorithmBench]:
        # what one law finds changed the next need not see
        return (AlgorithmBench(mine, config, seed, fitted.copy(), apart(log)),)

    return hold(name, LAWS, case)
