"""Does a recommender keep the protocol's laws? Any object with `fit` and `score` can be asked, one
law at a time.

A law about something that the object does not offer (copy, save, forget, …) is not asked, nor one
that compares two scorings, or two fits, of a model that is not the same twice: that is one fault,
which *same again* finds. torch is imported only for a trained model.
"""

from __future__ import annotations

import copy
from typing import Any

from workbench.data import Interactions
from workbench.errors import ConfigError, DataError
from workbench.laws import Findings, hold
from workbench.recommend.laws.bench import Bench, apart, small_log
from workbench.recommend.laws.forgetting import FORGETTING
from workbench.recommend.laws.hooks import HOOKS
from workbench.recommend.laws.identity import IDENTITY
from workbench.recommend.laws.scoring import SCORING
from workbench.recommend.laws.training import TRAINING
from workbench.recommend.protocol import check_kind, must_offer
from workbench.recommend.ranking import cutoffs

__all__ = ["LAWS", "apart", "check_recommender", "small_log"]

LAWS = SCORING | FORGETTING | IDENTITY | TRAINING | HOOKS
"""Every law: what is expected, the question, and what a model must offer to be asked."""
ADDITIVE = "not offered: a score that is a sum over the history"


def check_recommender(
    mine: Any,
    log: Interactions | None = None,
    seed: int = 0,
    *,
    additive: bool = True,
    partial: bool = False,
    fits: int = 3,
) -> Findings:
    """Hold a recommender against the laws of the protocol; a broken law says what was expected and
    what was found.

    mine: an object with `fit(log)`, which may take `valid` too and returns the object, and
    `score(histories)`; not fitted or fitted (it is copied and left alone), or a class or function
    without arguments that makes one. log: what to fit on,
    `small_log(seed)` unless told. additive: the score claims to be a sum over the history, up to
    what an empty history scores, so that contributions must sum to it. partial: the model offers
    some items only and may score others, never those of the history, −inf. fits: refits that
    `forget` is compared with. Raises `ConfigError` for an object without `fit` or `score`, and
    `DataError` for a log of which too little is left to ask about.

    >>> check_recommender(Popularity)  # doctest: +SKIP
    Findings(Popularity: 20 hold, 0 broken, 19 not asked)
    """
    instance = not isinstance(mine, type) and hasattr(mine, "fit")
    if not instance and not callable(mine):
        raise ConfigError(
            f"{mine!r} has no fit", "mine", "an object with fit and score, or what makes one"
        )
    make = (lambda: copy.deepcopy(mine)) if instance else mine
    first = make()
    must_offer(first, "fit", "score", where="mine")
    log = small_log(seed) if log is None else log
    check_kind(log, Interactions)
    cutoffs(fits, several=False, where="fits")
    if (log.frame["user"].value_counts() > 1).sum() < 2:
        do = "leave it out: a small log is made"
        raise DataError("too few rows to ask", "log", "two people with two rows each", do)
    bench = Bench(make, log, seed, partial, fits)
    unasked = {} if additive else {"contributions sum": ADDITIVE}
    return hold(type(first).__name__, LAWS, lambda: (bench,), of=first, unasked=unasked)
