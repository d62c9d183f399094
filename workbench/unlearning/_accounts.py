"""How fake accounts are made: `spam.py` says the rules, this file keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import gamma

from workbench.data import Interactions
from workbench.errors import DataError

SHAPE = 0.8
"""Of the Weibull gaps: below 1 they come in bursts."""
LEAST, TWO = 4, 6
"""Rows that a fake session has at least, and from which on it has two targets."""


# --- whom the accounts are like


def genuine_rows(log: Interactions, task: str) -> pd.DataFrame:
    """The rows that the task asks about, and `unit`: what is counted, a user or a session."""
    frame = log.frame
    if task == "collaborative":
        return frame[~frame.duplicated(["user", "item"])].assign(unit=lambda t: t["user"])
    column, least = ("session", 2) if task == "session" else ("basket", 4)
    if frame[column].isna().all():
        raise DataError(f"no row has a {column}", "spam", f"a {column}", "take another task")
    frame = frame[frame[column].notna()]
    if task == "session":
        frame = frame.assign(unit=frame.groupby(["user", "session"], sort=False).ngroup())
        size = frame.groupby("unit")["item"].transform("size")
    else:
        frame = frame.assign(unit=frame["user"])
        size = frame.groupby("unit")["basket"].transform("nunique")
    if not (size >= least).any():
        raise DataError(f"no {task} is long enough", "spam", f"at least {least}", "a longer log")
    return frame[size >= least]


def fakes(genuine: int, share: float) -> int:
    """How many fake ones make this share of all.

    >>> fakes(99, 0.01)
    1
    """
    return max(1, int(np.ceil(share * genuine / (1 - share) - 1e-9)))


def _lengths(genuine: pd.Series, n: int, rng: np.random.Generator) -> np.ndarray:
    """Poisson lengths whose rates are log-normal: mean .8 of the genuine, as spread as they are."""
    spread = float(np.log(genuine).std()) if len(genuine) > 1 else 0.0
    centre = np.log(0.8 * genuine.mean()) - spread**2 / 2
    drawn = rng.poisson(rng.lognormal(centre, spread, n))
    return np.clip(drawn, LEAST, max(LEAST, int(genuine.max())))


# --- what they promote, and behind what


@dataclass(frozen=True)
class Hidden:
    """Targets, and the fillers that they hide among (none: a push), with how likely each is."""

    items: np.ndarray
    pool: np.ndarray
    chance: np.ndarray
    rng: np.random.Generator

    def some(self, n: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
        """Up to n different items, `targets` of them targets: (targets, fillers)."""
        targets = n if not len(self.pool) else targets
        own = self.rng.choice(self.items, min(targets, len(self.items)), replace=False)
        left = min(n - len(own), np.count_nonzero(self.chance))
        if left <= 0:
            return own, own[:0]
        return own, self.rng.choice(self.pool, left, replace=False, p=self.chance)


def promoted(popular: np.ndarray, n: int, sort: str, rng: np.random.Generator) -> np.ndarray:
    """Which items are promoted: n of those of a sort that have rows; ascending."""
    order = np.argsort(popular, kind="stable")
    order = order[popular[order] > 0]
    share = {"unpopular": 0.2, "popular": 0.05, "random": 1.0}[sort]
    among = max(1, int(share * len(order)))
    able = order[-among:] if sort == "popular" else order[:among]
    if len(able) < n:
        do = "promote fewer, or another sort"
        raise DataError(f"{len(able)} {sort} items", "n_targets", f"{n} at least", do)
    return np.sort(rng.choice(able, n, replace=False))


def fillers(popular: np.ndarray, items: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Items to hide among, and how likely each is; none for a push."""
    order = np.argsort(-popular, kind="stable")
    order = order[popular[order] > 0]
    pool = order[: max(1, int(0.2 * len(order)))] if how == "bandwagon" else order
    pool = np.setdiff1d(pool, items) if how != "push" else order[:0]
    weight = popular[pool].astype(float) if how == "average" else np.ones(len(pool))
    return pool, weight / max(weight.sum(), 1.0)


# --- the accounts: [account, step, item], steps being rows, or baskets


def _profiles(rows: pd.DataFrame, share: float, hidden: Hidden) -> list[pd.DataFrame]:
    """Users who each met some items once."""
    lengths = rows.groupby("unit").size()
    drawn = _lengths(lengths, fakes(len(lengths), share), hidden.rng)
    lines = []
    for account, length in enumerate(drawn.tolist()):
        own = np.concatenate(hidden.some(length, min(len(hidden.items), length // 2)))
        own = hidden.rng.permutation(own)
        lines.append(pd.DataFrame({"account": account, "step": np.arange(len(own)), "item": own}))
    return lines


def _sessions(rows: pd.DataFrame, share: float, hidden: Hidden) -> list[pd.DataFrame]:
    """Sessions with a target or two where most of a session is still to come or just over."""
    lengths, rng = rows.groupby("unit").size(), hidden.rng
    lines = []
    for account, length in enumerate(_lengths(lengths, fakes(len(lengths), share), rng).tolist()):
        wanted = min(1 if length < TWO else 2, len(hidden.items))
        if len(hidden.pool):
            own = rng.choice(hidden.pool, length, p=hidden.chance)
            inside = np.arange(np.ceil(0.2 * length), np.floor(0.9 * length) + 1).astype(int)
            own[rng.choice(inside, wanted, replace=False)] = hidden.some(wanted, wanted)[0]
        else:
            own = rng.choice(hidden.items, length)
        lines.append(pd.DataFrame({"account": account, "step": np.arange(length), "item": own}))
    return lines


def _baskets(rows: pd.DataFrame, share: float, hidden: Hidden) -> list[pd.DataFrame]:
    """Users with some baskets, a target or two in each."""
    rng = hidden.rng
    count = rows.groupby("unit")["basket"].nunique()
    size = rows.groupby(["unit", "basket"])["item"].nunique()
    n, mean = fakes(len(count), share), count.mean()
    most, largest = max(LEAST, int(1.5 * mean)), max(2, int(0.8 * size.max()))
    baskets = np.clip(np.rint(rng.normal(0.8 * mean, 0.2 * mean, n)), LEAST, most)
    lines = []
    for account, number in enumerate(baskets.astype(int).tolist()):
        sizes = rng.normal(0.9 * size.mean(), size.std(ddof=0), number)
        sizes = np.clip(np.rint(sizes), 2, largest).astype(int)
        for step, items in enumerate(sizes.tolist()):
            wanted = min(int(rng.integers(1, 3)), items - 1)
            own = np.concatenate(hidden.some(items, wanted))
            lines.append(pd.DataFrame({"account": account, "step": step, "item": own}))
    return lines


MAKERS = {"collaborative": _profiles, "session": _sessions, "basket": _baskets}


# --- rows of a log


def planted_rows(
    log: Interactions,
    rows: pd.DataFrame,
    lines: pd.DataFrame,
    items: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The accounts' rows, in the columns of the log, with ids and positions behind all others."""
    n, frame = len(lines), log.frame
    place = np.arange(n)
    basket = rows["basket"].notna().all()
    group = lines.groupby(["account", "step"] if basket else "account").ngroup().to_numpy()
    made = lines[["item"]].assign(
        interaction=frame["interaction"].max() + 1 + place,
        user=log.n_users + lines["account"],
        timestamp=_times(rows, lines, rng),
        position=frame["position"].max() + 1 + place,
        action=rows["action"].mode()[0],
        session=pd.NA,
        basket=pd.NA,
    )
    for name in ("session", "basket"):
        if rows[name].notna().all():
            made[name] = frame[name].max() + 1 + group
    # where all is rated, an item is rated as it always is, and what is promoted as high as anything
    made["value"] = np.nan
    if rows["value"].notna().all():
        made["value"] = lines["item"].map(rows.groupby("item")["value"].mean())
        if not basket:  # of what is bought a value is a price
            made.loc[lines["item"].isin(items), "value"] = rows["value"].max()
    return made[frame.columns].astype(frame.dtypes.to_dict())


def _times(rows: pd.DataFrame, lines: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Begun when some genuine unit began, gaps between steps Weibull; none after the last row."""
    if rows["timestamp"].isna().any():
        return pd.Series(pd.NaT, index=lines.index, dtype=rows["timestamp"].dtype)
    begins = rows.groupby("unit")["timestamp"].min()
    gaps = rows.groupby("unit")["timestamp"].diff().dt.total_seconds()
    mean = 0.7 * np.nan_to_num(gaps[gaps > 0].mean())
    # a step's gap is that before it: none before the first
    steps = lines.drop_duplicates(["account", "step"])[["account", "step"]]
    gap = rng.weibull(SHAPE, len(steps)) * mean / gamma(1 + 1 / SHAPE)
    steps["after"] = np.where(steps["step"] == 0, 0.0, gap)
    steps["after"] = steps.groupby("account")["after"].cumsum()
    after = lines.merge(steps, on=["account", "step"])["after"]
    start = begins.iloc[rng.integers(len(begins), size=lines["account"].max() + 1)]
    first = start.reset_index(drop=True).loc[lines["account"]].reset_index(drop=True)
    times = first + pd.to_timedelta(after.round(3), unit="s")
    return times.clip(upper=rows["timestamp"].max())


def new_names(users: pd.Index, n: int) -> list[object]:
    """Names that nobody has, of the kind that people have."""
    if pd.api.types.is_integer_dtype(users):
        return list(range(int(users.max()) + 1, int(users.max()) + 1 + n))
    taken, free = set(users), []
    number = 0
    while len(free) < n:
        name, number = f"spam-{number}", number + 1
        free += [name] if name not in taken else []
    return free
