"""Laws of every recommender: fit and score."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.data import Histories
from workbench.errors import WorkbenchError
from workbench.laws import Law
from workbench.recommend.laws.bench import Bench, apart, far


def _fit(b: Bench) -> str | None:
    model = b.make()
    return None if model.fit(apart(b.log)) is model else "something else returned"


def _shape(b: Bench) -> str | None:
    found, want = b.model.score(b.histories), (len(b.histories), b.log.n_items)
    if not isinstance(found, np.ndarray):
        return f"a {type(found).__name__}"
    return None if found.shape == want else f"shape {found.shape} for {want}"


def _dtype(b: Bench) -> str | None:
    return None if b.scores.dtype in (np.float32, np.float64) else str(b.scores.dtype)


def _masks(b: Bench) -> str | None:
    scores, seen = b.scores.astype(float), b.histories.matrix().toarray() > 0
    if (out := np.isneginf(scores) & (seen | (not b.partial))).any():
        return f"−inf for {int(out.sum())} items"
    far_below = []
    for own, held in zip(scores, seen, strict=True):
        if held.any() and not held.all():
            below, rest = own[held], own[~held]
            gap = rest.min() - below.max()
            far_below.append(gap > 0 and (np.ptp(below) == 0 or gap > np.ptp(rest)))
    masked = far_below and all(far_below)
    return "all items of every history far below all others" if masked else None


def _finite(b: Bench) -> str | None:
    bad = ~np.isfinite(b.scores) & ~np.isneginf(b.scores)
    return f"{int(bad.sum())} scores that are NaN or infinite" if bad.any() else None


def _unchanged(b: Bench) -> str | None:
    log = apart(b.log)
    model, histories = b.make(), log.histories(b.histories.user)
    before = vars(copy.deepcopy(histories))
    model.fit(log)
    model.score(histories)
    if not log.frame.equals(b.log.frame):
        return "a log that fit or score has changed"
    for name in ("user", "offsets", "item", "action", "interaction"):
        if not np.array_equal(before[name], getattr(histories, name)):
            return f"histories whose {name} score has changed"
    return None


def _repeat(b: Bench) -> str | None:
    return b.drawn or b.drawn_in_fit


def _afresh(b: Bench) -> str | None:
    b.lean(fits=True)
    model = b.fitted(b.other)
    model.fit(apart(b.log))
    return b.differs(model)


def _alone(b: Bench) -> str | None:
    b.lean()
    some = range(0, len(b.histories), max(1, len(b.histories) // 8))
    alone = [b.model.score(b.histories.select([row])) for row in some]
    return far(np.concatenate(alone), b.scores[list(some)])


def _order(b: Bench) -> str | None:
    back = np.arange(len(b.histories))[::-1]
    return b.differs(b.model, b.histories.select(back), b.scores[back])


def _number_or_error(b: Bench, model: Any, histories: Histories) -> str | None:
    try:
        found = np.asarray(model.score(histories))
    except WorkbenchError:
        return None
    want = (len(histories), histories.n_items)
    if found.shape != want:
        return f"shape {found.shape} for {want}"
    return None if b.numbers(found).all() else "scores that are no numbers"


def _unknown(b: Bench) -> str | None:
    few = b.histories.select([0, 1])
    strangers = np.array([-1, b.log.n_users], few.user.dtype)
    return _number_or_error(b, b.model, replace(few, user=strangers))


def _empty(b: Bench) -> str | None:
    few = b.histories.select([0, 1])
    return _number_or_error(b, b.model, few.without(few.interaction))


def _one_item(b: Bench) -> str | None:
    frame = b.log.frame.assign(item=np.zeros(len(b.log), b.log.frame["item"].dtype))
    log = replace(b.log, frame=frame, items=b.log.items[:1])
    try:
        model = b.fitted(log)
    except WorkbenchError:
        return None
    return _number_or_error(b, model, log.histories(b.histories.user))


SCORING: dict[str, Law] = {
    "fit": Law("fit(log) to return the model itself", _fit),
    "shape": Law("scores as an array (histories, items)", _shape),
    "dtype": Law("float64 or float32", _dtype),
    "nothing masked": Law("a score for every item, also for those of the history", _masks),
    "finite": Law("numbers for every history and item", _finite),
    "input unchanged": Law("log and histories to be left as they were", _unchanged),
    "same again": Law("equal scores from two scorings and from two fits on one log", _repeat),
    "fit starts afresh": Law("a second fit to forget the first", _afresh),
    "alone or together": Law("a history's scores not to depend on those beside it", _alone),
    "any order": Law("scores to follow their histories in any order", _order),
    "unknown user": Law("numbers or a WorkbenchError for users outside the index", _unknown),
    "empty history": Law("numbers or a WorkbenchError", _empty),
    "one item": Law("numbers or a WorkbenchError for a catalogue of one item", _one_item),
}
