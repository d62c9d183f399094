"""What is asked to be forgotten: some rows, why, and when.

    removed = the rows that a request names,  before = the log it finds,  remaining = before − removed

A request is made of rows, not of a person: a shopper's rows of a topic, those of a family account, or
a ring of spammers, are one request each. Whose they are is read from the log. It names the rows of
*all* parts that something is learned from (training and validation); what is asked at the test stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.data.histories import unique_ids
from workbench.errors import DataError


@dataclass(frozen=True, eq=False)
class Request:
    """Rows to be forgotten together.

    request: its number in the stream, from 0. interactions: ids, ascending, of every part that
    names them. reason: `sensitive`, `mistake`, `placebo`, `spam`, `flood`, or a word of one's own.
    time: when it was made; NaT where requests have an order only.

    >>> Request(0, [7, 3]).interactions.tolist()
    [3, 7]
    """

    request: int
    interactions: np.ndarray = field(repr=False)
    reason: str = "sensitive"
    time: pd.Timestamp | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "interactions", unique_ids(self.interactions))

    def __repr__(self) -> str:
        return f"Request({self.request}: {len(self)} rows, {self.reason})"

    def __len__(self) -> int:
        return len(self.interactions)

    def within(self, log: Interactions) -> np.ndarray:
        """The ids of the request that stand in this log, perhaps none; ascending."""
        return np.intersect1d(self.interactions, log.frame["interaction"].to_numpy())

    def removed(self, log: Interactions) -> Interactions:
        """The rows of this log that the request names; raises `DataError` where it has none."""
        ids = self.within(log)
        if not len(ids):
            what = f"none of the {len(self)} rows of request {self.request} is in this log"
            do = "each row is forgotten once; make requests of ids of the log that the model stands for"
            raise DataError(what, "request", "rows of the log", do)
        return log.only(ids)

    def remaining(self, log: Interactions) -> Interactions:
        """The log without them; the log itself where it has none."""
        ids = self.within(log)
        return log.without(ids) if len(ids) else log

    def users(self, log: Interactions) -> np.ndarray:
        """Whose rows these are in this log: user codes, ascending. Of `log.by_session()` they are
        sessions."""
        return np.unique(self.removed(log).frame["user"].to_numpy())

    def items(self, log: Interactions) -> np.ndarray:
        """The items of the rows: codes, ascending."""
        return np.unique(self.removed(log).frame["item"].to_numpy())


def merged(requests: Iterable[Request], size: int) -> list[Request]:
    """Requests that wait for each other: every `size` of them are one, made when the last of them
    was, under the number of the last.

    >>> [r.request for r in merged([Request(i, [i]) for i in range(5)], 2)]
    [1, 3, 4]
    """
    requests = list(requests)
    groups = [requests[start : start + size] for start in range(0, len(requests), size)]
    ids = [np.concatenate([one.interactions for one in group]) for group in groups]
    return [
        replace(group[-1], interactions=found) for group, found in zip(groups, ids, strict=True)
    ]
