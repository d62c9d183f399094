"""What is asked to be forgotten: some rows, why, and when.

    removed = the rows that a request names,  before = the log it finds,  remaining = before − removed

A request is made of rows, not of a person: a shopper's rows of a topic, those of a family account, or
a ring of spammers, are one request each. Whose they are is read from the log. It names the rows of
*all* parts that something is learned from (training and validation); what is asked at the test stays.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, ValidationError

from workbench.data import Interactions
from workbench.data.histories import unique_ids
from workbench.data.splits import joined_logs
from workbench.data.times import as_moment
from workbench.errors import DataError
from workbench.settings import Frozen

LONGEST = 32_000_000
"""Bytes of a request in writing: about three million rows."""
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Request:
    """Rows to be forgotten together.

    request: its number in the stream, from 0. interactions: ids, ascending, of every part that
    names them. reason: `sensitive`, `mistake`, `account`, `placebo`, `spam`, `flood`, or a word of one's own.
    time: when it was made; None where requests have an order only. digest: of the rows and the
    indexes when it was signed; None before.

    >>> Request(0, [7, 3]).interactions.tolist()
    [3, 7]
    """

    request: int
    interactions: np.ndarray = field(repr=False)
    reason: str = "sensitive"
    time: pd.Timestamp | None = None
    digest: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "interactions", unique_ids(self.interactions))

    def __repr__(self) -> str:
        return f"Request({self.request}: {len(self)} rows, {self.reason})"

    def __len__(self) -> int:
        return len(self.interactions)

    def within(self, log: Interactions) -> np.ndarray:
        """The ids of the request that stand in this log, perhaps none; ascending."""
        ids = log.frame["interaction"].to_numpy()
        # asked some forty times a request: two hundred times faster than sorting the log's ids
        return self.interactions[np.isin(self.interactions, ids)]

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

    def frame(self, log: Interactions) -> pd.DataFrame:
        """The rows for people to read, by their original ids: [interaction, user, item, timestamp,
        action, value]."""
        rows = self.removed(log).frame
        names = {"user": log.users[rows["user"]], "item": log.items[rows["item"]]}
        return rows[["interaction", "user", "item", "timestamp", "action", "value"]].assign(**names)

    def signed(self, where: Any) -> Request:
        """The same with the digest of the rows it names in a log, or in all parts of a task or
        split; raises `DataError` for an id that is in none."""
        rows = _whole(parts_of(where)).only(self.interactions)
        return replace(self, digest=rows.fingerprint)

    def check(self, where: Any) -> pd.DataFrame:
        """In which part its rows stand: [part, rows, users, items], a line for each part of a task
        or split, one for a log.

        Raises `DataError` for an id that is in no part, and where the request was signed and the
        ids name other rows by now.
        """
        parts = parts_of(where)
        rows = _whole(parts).only(self.interactions, self.digest)
        lines = []
        for name, log in parts.items():
            found = rows.frame[rows.frame["interaction"].isin(self.within(log))]
            counts = {"users": found["user"].nunique(), "items": found["item"].nunique()}
            lines.append({"part": name, "rows": len(found)} | counts)
        return pd.DataFrame(lines)

    def to_json(self) -> str:
        """The request in writing, one line."""
        time = None if self.time is None or pd.isna(self.time) else self.time.isoformat()
        said = {"format": "workbench request 1", "request": self.request, "reason": self.reason}
        said |= {"time": time, "digest": self.digest, "interactions": self.interactions.tolist()}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Request:
        """Read what `to_json` wrote; raises `DataError` for anything else: too long, no JSON, a
        field too many or too few or twice, a value of another kind, ids twice or out of order."""
        expected = "what Request.to_json wrote"
        if len(text) > LONGEST:
            raise DataError(f"{len(text):,} bytes", "request", f"at most {LONGEST:,}")
        try:
            said = _Written.model_validate(json.loads(text, object_pairs_hook=_once))
        except (ValueError, RecursionError) as error:
            what = _first(error) if isinstance(error, ValidationError) else "no JSON"
            raise DataError(what, "request", expected) from error
        if np.any(np.diff(said.interactions) <= 0):
            raise DataError("ids twice or out of order", "request", expected)
        time = None if said.time is None else as_moment(said.time, "request")
        return cls(said.request, said.interactions, said.reason, time, said.digest)


class _Written(Frozen):
    """A request in writing."""

    model_config = ConfigDict(strict=True)
    format: Literal["workbench request 1"]
    """What this is, and its version."""
    request: int = Field(ge=0)
    """Its number."""
    reason: str = Field(min_length=1, max_length=200)
    """Why."""
    time: str | None = Field(max_length=40)
    """When, ISO 8601."""
    digest: str | None = Field(pattern="^[0-9a-f]{64}$")
    """Of the rows."""
    interactions: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(min_length=1)
    """Ids, ascending."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a JSON object; raises `ValueError` for one that is there twice."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a field is there twice")
    return dict(pairs)


def _first(error: ValidationError) -> str:
    """The first complaint, with its field."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def parts_of(where: Any) -> dict[str, Interactions]:
    """The parts of a task or split that have rows to show, by name; a log is one, `log`."""
    if isinstance(where, Interactions):
        return {"log": where}
    found = {name: getattr(where, name, None) for name in PARTS}
    return {name: log for name, log in found.items() if log is not None}


def _whole(parts: dict[str, Interactions]) -> Interactions:
    logs = list(parts.values())
    return logs[0] if len(logs) == 1 else joined_logs(*logs)


def overlaps(requests: Iterable[Request]) -> pd.DataFrame:
    """Pairs of requests that name the same rows: [one, other, rows, same], numbers of requests; same:
    they name no other row. A row is forgotten once: serve such requests as one, or drop one."""
    lines = []
    for one, other in combinations(requests, 2):
        common = len(np.intersect1d(one.interactions, other.interactions, assume_unique=True))
        if common:
            same = common == len(one) == len(other)
            lines.append((one.request, other.request, common, same))
    return pd.DataFrame(lines, columns=["one", "other", "rows", "same"])


def check_apart(requests: Iterable[Request]) -> None:
    """Raise `DataError` where two requests name the same row."""
    requests = list(requests)
    ids = np.concatenate([np.zeros(0, np.int64), *(one.interactions for one in requests)])
    if len(np.unique(ids)) == len(ids):
        return
    pair = overlaps(requests).iloc[0]
    what = f"requests {pair['one']} and {pair['other']} share {pair['rows']} rows"
    if pair["same"]:
        what = f"requests {pair['one']} and {pair['other']} are the same request twice"
    raise DataError(what, "requests", "each row once", "overlaps(requests) shows them all")


def numbered(requests: Iterable[Request], by_time: bool = False) -> list[Request]:
    """Requests with numbers from 0 on, as they stand or by time; those of one time as they stand."""
    requests = list(requests)
    if by_time:
        requests.sort(key=lambda one: one.time)
    return [replace(one, request=number) for number, one in enumerate(requests)]


def merged(requests: Iterable[Request], size: int) -> list[Request]:
    """Requests that wait for each other: every `size` of them are one, made when the last of them
    was, under the number of the last.

    >>> [r.request for r in merged([Request(i, [i]) for i in range(5)], 2)]
    [1, 3, 4]
    """
    requests = list(requests)
    found = []
    for start in range(0, len(requests), size):
        group = requests[start : start + size]
        ids = np.concatenate([one.interactions for one in group])
        one = group[-1] if len(group) == 1 else replace(group[-1], interactions=ids, digest=None)
        found.append(one)
    return found
