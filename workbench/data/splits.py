"""Train, validation and test: six ways to divide a log, none of which loses a row or changes a
shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.checks import check_complete
from workbench.data.interactions import Interactions
from workbench.data.times import as_moment
from workbench.errors import ConfigError, DataError, typed

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Three logs that partition the rows of one; each carries the indexes of the whole."""

    train: Interactions
    valid: Interactions
    test: Interactions
    how: str = ""

    def __repr__(self) -> str:
        counts = ", ".join(f"{part} {len(getattr(self, part)):,}" for part in PARTS)
        return f"Split({self.how + ': ' if self.how else ''}{counts} rows)"

    def whole(self) -> Interactions:
        """The three parts as one log again."""
        return joined(self, PARTS)

    def to_frame(self) -> pd.DataFrame:
        """Counts [part, rows, users, items]: only users and items that have a row in the part."""
        rows = []
        for part in PARTS:
            frame = getattr(self, part).frame
            rows.append((part, len(frame), *frame[["user", "item"]].nunique()))
        return pd.DataFrame(rows, columns=["part", "rows", "users", "items"])

    def _repr_html_(self) -> str:
        return html.table(self.to_frame().to_dict("records"), caption=f"Split {self.how}".strip())


def joined(split: Split, parts: Sequence[str]) -> Interactions:
    """Some parts of a split as one log, in the order of the log they were divided from."""
    return joined_logs(*(getattr(split, part) for part in dict.fromkeys(parts)))


def joined_logs(*logs: Interactions) -> Interactions:
    """Logs with the same indexes and no row in common, as one; raises `DataError` for others."""
    if len({log.index_fingerprint for log in logs}) != 1:
        do = "read them with the same indexes: from_table(…, users=log.users, items=log.items)"
        raise DataError("logs with other indexes", "joined_logs", "parts of one log", do)
    frame = pd.concat([log.frame for log in logs]).sort_values("position", ignore_index=True)
    if not frame["interaction"].is_unique:
        raise DataError("a row is in two of the logs", "joined_logs", "parts without common rows")
    return logs[0].of_rows(frame)


@typed
def split(log: Interactions, how: str = "temporal", **options: object) -> Split:
    """Divide a log into train, valid and test; `how` is a key of `SPLITS`, the options are those of
    that function.

    Order is the order of the log (time, ties in file order). Users emptied in a part keep their
    place in the index; presses of buttons are in no part. Raises `DataError` where what the split
    goes by is absent, `ConfigError` for an unknown split or option.

    >>> split(log, "temporal", train=0.8, valid=0.1)  # doctest: +SKIP
    Split(temporal: train 43,158, valid 5,398, test 5,857 rows)
    """
    if how not in SPLITS:
        raise ConfigError(f"no split {how!r}", "how", f"one of {', '.join(SPLITS)}")
    log = log.deeds
    part = np.asarray(SPLITS[how](log, **options))
    return Split(*(log.select(part == code) for code in range(3)), how=how)


@typed
def temporal(
    log: Interactions, train: float = 0.8, valid: float = 0.1, by: str = "time"
) -> np.ndarray:
    """Per user of n rows: train the first ⌊train·n⌋, test from ⌊(train + valid)·n⌋ on, valid
    between."""
    _check_order(log, by)
    rows = log.frame.groupby("user")["user"]
    return _by_ratio(rows.cumcount(), rows.transform("size"), train, valid)


@typed
def leave_one_out(log: Interactions, by: str = "time") -> np.ndarray:
    """Per user: last row test, last but one valid; of two rows none is valid, a single row is
    train."""
    _check_order(log, by)
    rows = log.frame.groupby("user")["user"]
    return _leave_last(rows.cumcount(), rows.transform("size"))


@typed
def next_basket(log: Interactions, by: str = "time") -> np.ndarray:
    """Per user: last basket test, last but one valid; of two baskets none is valid, a single one is
    train.

    The ERASE study takes only users with four baskets or more (`keep_baskets(log, 4)` before), so
    that the last basket of the training part can be a target with a history before it too.
    """
    _check_order(log, by)
    place = _groups(log, "basket").groupby(log.frame["user"]).rank(method="dense").astype(int) - 1
    return _leave_last(place, place.groupby(log.frame["user"]).transform("max") + 1)


@typed
def random(log: Interactions, train: float = 0.8, valid: float = 0.1, seed: int = 0) -> np.ndarray:
    """Per user of n rows, drawn at random: valid ⌊valid·n⌋, test ⌊(1 − train − valid)·n⌋, the rest
    train.

    The sizes are those of RecBole 1.2.1 (order RO, split RS, grouped by user), read from its code:
    where a part that is wanted would be empty it takes one row from train, test before valid, as
    long as train keeps one. (So 8, 9 and 10 rows become 6/1/1, 7/1/1 and 8/1/1.) The draw itself is
    ours, by `seed`: expect agreement on average.
    """
    _check_ratios(train, valid)
    user = log.frame["user"].to_numpy()
    if seed < 0:
        raise ConfigError(f"{seed}", "seed", "a number from 0 on")
    order = np.lexsort((np.random.default_rng(seed).random(len(user)), user))
    n = np.bincount(user, minlength=log.n_users)
    shares = (max(0.0, 1 - train - valid), valid)  # of test and valid, whose sizes follow
    sizes = [np.floor(share * n + 1e-9).astype(np.int64) for share in shares]
    left = n - sum(sizes)
    for size, share in zip(sizes, shares, strict=True):
        extra = (size == 0) & (share * n > 1e-9) & (left > 1)
        size += extra
        left -= extra
    test, begins = sizes[0], np.cumsum(n) - n
    place = np.empty(len(user), np.int64)
    place[order] = np.arange(len(user)) - begins[user[order]]
    return (place >= left[user]).astype(int) + (place >= (n - test)[user])


@typed
def session(
    log: Interactions, train: float = 0.8, valid: float = 0.1, by: str = "time"
) -> np.ndarray:
    """Whole sessions, of all users together, in the order they begin: first train, then valid, then
    test."""
    _check_order(log, by)
    place = _groups(log, "session").rank(method="dense").astype(int) - 1
    return _by_ratio(place, place.max() + 1 if len(place) else 0, train, valid)


@typed
def global_time(
    log: Interactions, at: Sequence[object] | None = None, quantiles: Sequence[float] = (0.8, 0.9)
) -> np.ndarray:
    """Cut everybody at two times: valid from the first, test from the second on.

    at: two dates or datetimes (UTC where they name no zone); without it the times found at
    `quantiles` of the rows. Rows of one time stay together.
    """
    _check_order(log, "time", "give the rows times, or use another split")
    times = log.frame["timestamp"]
    if at is None:
        shares = pd.to_numeric(pd.Series(quantiles), errors="coerce").tolist()
        if len(shares) != 2 or not 0 < shares[0] <= shares[1] < 1:
            raise ConfigError(f"{quantiles!r}", "quantiles", "two rising numbers between 0 and 1")
        places = [int(np.floor(share * len(times) + 1e-9)) for share in shares]
        cuts = times.sort_values().iloc[places if len(times) else []]
    else:
        cuts = [as_moment(cut, "at") for cut in at]
        if len(cuts) != 2 or not cuts[0] <= cuts[1]:
            raise ConfigError(f"{at!r}", "at", "two times, the earlier first")
    return sum(((times >= cut).to_numpy().astype(int) for cut in cuts), np.zeros(len(log), int))


WAYS = (temporal, leave_one_out, session, global_time, next_basket, random)
SPLITS = {way.__name__: way for way in WAYS}


def _check_order(
    log: Interactions, by: str, do: str = "pass by='position' to take the order of the log"
) -> None:
    if by not in ("time", "position"):
        raise ConfigError(f"{by!r}", "by", "'time' or 'position'")
    if by == "time":
        check_complete(log.frame, "timestamp", "split", do)


def _by_ratio(place: pd.Series, n: pd.Series | int, train: float, valid: float) -> np.ndarray:
    _check_ratios(train, valid)
    place, n = np.asarray(place), np.asarray(n)
    # 1e-9: .7 · 10 must not fall below 7 for want of a binary digit
    cuts = (np.floor(ratio * n + 1e-9) for ratio in (train, train + valid))
    return sum((place >= cut).astype(int) for cut in cuts)


def _check_ratios(train: float, valid: float) -> None:
    if not (0 < train < 1 and valid >= 0 and train + valid <= 1 + 1e-9):
        raise ConfigError(
            f"train={train}, valid={valid}", "split", "0 < train < 1, 0 ≤ valid ≤ 1 − train"
        )


def _leave_last(place: pd.Series, n: pd.Series) -> np.ndarray:
    left = (n - 1 - place).to_numpy()
    return np.where((left == 0) & (n >= 2), 2, np.where((left == 1) & (n >= 3), 1, 0))


def _groups(log: Interactions, column: str) -> pd.Series:
    """For every row the position at which its session or basket of this user begins: a name that
    sorts by time."""
    do = f"map a column to {column} when reading, or use another split"
    check_complete(log.frame, column, "split", do)
    return log.frame.groupby(["user", column])["position"].transform("min")
