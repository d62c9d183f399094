"""Filters that count what they drop. They chain: a filter takes a log or what another filter
returned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.catalogue import Catalogue
from workbench.data.checks import check_complete
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError, typed


@dataclass(frozen=True)
class Filtered:
    """A filtered log, and per filter what it dropped: [filter, rows, users, items].

    users, items in `dropped`: those that lost their last row. `items`: for every item code of `log`
    its code in the log before the first filter (the two differ only after `reindex`).
    """

    log: Interactions
    dropped: pd.DataFrame
    items: np.ndarray

    def __repr__(self) -> str:
        return f"Filtered({len(self.log):,} rows kept, {int(self.dropped['rows'].sum()):,} dropped)"

    def to_frame(self) -> pd.DataFrame:
        """What each filter dropped."""
        return self.dropped

    def _repr_html_(self) -> str:
        caption = f"Dropped; {len(self.log):,} rows are left"
        return html.table(self.dropped.to_dict("records"), caption=caption)

    @typed
    def match(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue of the unfiltered log, cut down and recoded to the items of this one."""
        return Catalogue.from_table(catalogue.frame, catalogue.topics, items=self.items)


@typed
def keep_at_least(log: Interactions | Filtered, value: float) -> Filtered:
    """Rows whose value (a rating) is at least this; rows without a value go.

    >>> keep_at_least(log, 4).dropped  # doctest: +SKIP
    """
    state = start(log)
    if state.log.frame["value"].isna().all():
        raise DataError(
            "no row has a value", "keep_at_least", "ratings", "map a column to value when reading"
        )
    return rows_kept(state, f"value >= {value:g}", (state.log.frame["value"] >= value).to_numpy())


@typed
def keep_actions(log: Interactions | Filtered, actions: str | Iterable[str]) -> Filtered:
    """Rows of these actions (`"purchase"`, or several names)."""
    state, names = start(log), [actions] if isinstance(actions, str) else list(actions)
    known = list(map(str, state.log.frame["action"].cat.categories))
    for name in names:
        if name not in known:
            raise ConfigError(f"no action {name!r}", "keep_actions", f"some of {', '.join(known)}")
    return rows_kept(
        state, f"action in {', '.join(names)}", state.log.frame["action"].isin(names).to_numpy()
    )


@typed
def keep_core(
    log: Interactions | Filtered, users: int = 5, items: int = 5, reindex: bool = False
) -> Filtered:
    """Drop users with fewer than `users` rows and items with fewer than `items`, again until all
    have enough.

    reindex: make new indexes of only the users and items left; shapes change, so do it before
    anything is fitted.
    """
    state = start(log)
    user, item = (state.log.frame[name].to_numpy() for name in ("user", "item"))
    keep, before = np.ones(len(user), bool), -1
    while before != (before := int(keep.sum())):
        of_user = np.bincount(user[keep], minlength=state.log.n_users)
        of_item = np.bincount(item[keep], minlength=state.log.n_items)
        keep &= (of_user[user] >= users) & (of_item[item] >= items)
    state = rows_kept(state, f"core of {users} per user, {items} per item", keep)
    return _reindex(state) if reindex else state


@typed
def keep_baskets(log: Interactions | Filtered, at_least: int = 4) -> Filtered:
    """Rows of users with at least this many baskets (4 in the ERASE study); all others go whole."""
    state = start(log)
    frame = state.log.frame
    check_complete(frame, "basket", "keep_baskets")
    count = frame.groupby("user")["basket"].transform("nunique")
    return rows_kept(
        state, f"users with {at_least} baskets or more", (count >= at_least).to_numpy()
    )


def start(log: Interactions | Filtered) -> Filtered:
    """A log before its first filter."""
    if isinstance(log, Filtered):
        return log
    kinds = {"filter": str} | dict.fromkeys(COUNTS, int)
    nothing = pd.DataFrame(columns=[*kinds]).astype(kinds)
    return Filtered(log, nothing, np.arange(log.n_items))


COUNTS = ("rows", "users", "items")


def rows_kept(state: Filtered, name: str, mask: np.ndarray) -> Filtered:
    """The rows where `mask` is true, and what the filter of this name dropped."""
    old, new = state.log, state.log.select(mask)
    if not len(new):
        raise DataError(
            f"no row is left after '{name}'", "filter", "at least one row", "filter less"
        )
    left = ["user", "item"]
    lost = old.frame[left].nunique() - new.frame[left].nunique()
    row = pd.DataFrame([(name, len(old) - len(new), *lost)], columns=["filter", *COUNTS])
    return replace(state, log=new, dropped=pd.concat([state.dropped, row], ignore_index=True))


def _reindex(state: Filtered) -> Filtered:
    log = state.log
    users, user = np.unique(log.frame["user"], return_inverse=True)
    items, item = np.unique(log.frame["item"], return_inverse=True)
    frame = log.frame.assign(user=user.astype("int32"), item=item.astype("int32"))
    log = replace(log, frame=frame, users=log.users[users], items=log.items[items])
    return replace(state, log=log, items=state.items[items])
