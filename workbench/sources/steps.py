"""Filters that the card of a data set names: those of `data.filters`, and two that only studies take."""

from __future__ import annotations

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
from workbench.errors import ConfigError, DataError, typed
from workbench.sources.notes import least_liked


@typed
def drop_equal(log: Interactions | Filtered) -> Filtered:
    """One of every set of rows that are equal but for their interaction id: the first."""
    state = start(log)
    again = state.log.frame.drop(columns=["interaction", "position"]).duplicated()
    return rows_kept(state, "equal rows but one", ~again.to_numpy())


@typed
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


RATINGS, ITEMS = 20, 3_000
"""Different values that still are ratings, and items that a laptop inverts in seconds."""


@typed
def keep_enough(log: Interactions | Filtered) -> Filtered:
    """What a notebook shows of any log: of ratings those that say liked (4 and more of 5), then
    users and items with at least five rows each, and more an item until there are no more than
    3,000; new indexes. A log too small or too thin for that keeps its rows, but for those on other
    than the 3,000 items with most rows.

    >>> keep_enough(open_data("ml-100k").log).dropped  # doctest: +SKIP
    """
    state = start(log)
    values = state.log.frame["value"].dropna()
    if 1 < values.nunique() <= RATINGS:
        state = keep_at_least(state, least_liked(values))
    least, enough = 5, None
    while enough is None or enough.log.n_items > ITEMS:
        try:
            enough = keep_core(state, 5, least, reindex=True)
        except DataError:  # nobody is left
            break
        least *= 2
    enough = enough or keep_core(state, 1, 1, reindex=True)
    return enough if enough.log.n_items <= ITEMS else _most_bought(enough)


def _most_bought(state: Filtered) -> Filtered:
    """The `ITEMS` items with most rows, of equals those of the lower codes; new indexes."""
    item = state.log.frame["item"].to_numpy()
    most = np.argsort(-np.bincount(item, minlength=state.log.n_items), kind="stable")[:ITEMS]
    state = rows_kept(state, f"the {ITEMS:,} items with most rows", np.isin(item, most))
    try:
        return keep_core(state, 5, 5, reindex=True)
    except DataError:
        return keep_core(state, 1, 1, reindex=True)


FILTERS = (keep_at_least, keep_actions, keep_core, keep_baskets, drop_equal, cut_sessions)
STEPS = {function.__name__: function for function in FILTERS}
"""Filters that a card may name."""


@typed
def prepare(log: Interactions | Filtered, steps: Iterable[dict[str, object]]) -> Filtered:
    """Apply filters one after the other; each step is {"step": name in `STEPS`, argument: value,
    …}.

    >>> prepare(log, [{"step": "keep_at_least", "value": 3.5}, {"step": "keep_core"}])  # doctest: +SKIP
    """
    state = start(log)
    for step in steps:
        name = step.get("step") if isinstance(step, dict) else repr(step)
        if name not in list(STEPS):
            expected = f"one of {', '.join(STEPS)}"
            raise ConfigError(f"no filter {name!r}", "prepare", expected, "correct the card")
        options = {key: value for key, value in step.items() if key != "step"}
        state = STEPS[name](state, **options)
    return state
