"""Filters that the card of a data set names: those of `data.filters`, and two that only studies take."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from workbench.data.checks import check_complete
from workbench.data.filters import (
    Filtered,
    keep_actions,
    keep_at_least,
    keep_baskets,
    keep_core,
    rows_kept,
    start,
)
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError


def drop_equal(log: Interactions | Filtered) -> Filtered:
    """One of every set of rows that are equal but for their interaction id: the first."""
    state = start(log)
    again = state.log.frame.drop(columns=["interaction", "position"]).duplicated()
    return rows_kept(state, "equal rows but one", ~again.to_numpy())


def cut_sessions(log: Interactions | Filtered, minutes: float = 60) -> Filtered:
    """Number the sessions of every user anew: one ends where more than this passes until the user's
    next row."""
    state = start(log)
    frame = state.log.frame
    check_complete(frame, "timestamp", "cut_sessions")
    gap = frame.groupby("user")["timestamp"].diff() > pd.Timedelta(minutes=minutes)
    session = gap.groupby(frame["user"]).cumsum().astype("Int64")
    state = replace(state, log=replace(state.log, frame=frame.assign(session=session)))
    return rows_kept(state, f"sessions cut at {minutes:g} minutes", np.ones(len(frame), bool))


STEPS = {
    function.__name__: function
    for function in (keep_at_least, keep_actions, keep_core, keep_baskets)
}
STEPS |= {function.__name__: function for function in (drop_equal, cut_sessions)}
"""Filters that a card may name."""


def prepare(log: Interactions | Filtered, steps: Iterable[dict[str, object]]) -> Filtered:
    """Apply filters one after the other; each step is {"step": name in `STEPS`, argument: value,
    …}.

    >>> prepare(log, [{"step": "keep_at_least", "value": 3.5}, {"step": "keep_core"}])  # doctest: +SKIP
    """
    state = start(log)
    for step in steps:
        options = {key: value for key, value in step.items() if key != "step"}
        function = STEPS.get(step.get("step"))
        known = list(inspect.signature(function).parameters)[1:] if function else []
        unknown = sorted(set(options) - set(known))
        if function is None or unknown:
            what = (
                f"no filter {step.get('step')!r}"
                if function is None
                else f"{step['step']} has no {unknown[0]!r}"
            )
            raise ConfigError(
                what, "prepare", f"one of {', '.join(known or STEPS)}", "correct the card"
            )
        state = function(state, **options)
    return state
