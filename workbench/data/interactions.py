"""The log: one checked table of interactions with the indexes of its users and items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import sparse

from workbench import html
from workbench.data.buttons import without_presses
from workbench.data.checks import (
    as_codes,
    as_integers,
    as_numbers,
    as_row_ids,
    check_complete,
    checked_codes,
    checked_mask,
    code_of,
    columns_of,
    name_or_number,
)
from workbench.data.histories import Histories, spans, starts, unique_ids
from workbench.data.times import TIME, as_moment, as_times, log_order
from workbench.errors import DataError, UnknownItem, UnknownUser, typed

FUNNEL = {"view": 0, "favourite": 1, "cart": 2, "purchase": 3}
"""Rank of the actions that form a shopping funnel; other actions (rating, listen) have no rank."""

COLUMNS = {
    "interaction": "int64",
    "user": "int32",
    "item": "int32",
    "timestamp": TIME,
    "position": "int64",
    "action": "category",
    "session": "Int64",
    "basket": "Int64",
    "value": "float64",
}

Column = str | int
"""What a column of a raw table may be called."""


@dataclass(frozen=True)
class Interactions:
    """The log: a frame with the columns of `COLUMNS`, sorted by `position`, and the indexes of
    users and items.

    `user` and `item` are codes into `users` and `items`. The indexes are made once and carried
    through every filter, split and deletion, so the shapes of models never change. `interaction` is
    the row's name for life, never given again (`given`: the highest in the logs that this one was
    made of); `position` its place in the log when it was first read: time order, ties in file
    order, and so the rows of a person who has one without a time. Equal rows are two interactions.
    """

    frame: pd.DataFrame
    users: pd.Index
    items: pd.Index
    given: int = -1

    @classmethod
    @typed
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        user: Column = "user",
        item: Column = "item",
        timestamp: Column | None = None,
        action: Column | None = None,
        session: Column | None = None,
        basket: Column | None = None,
        value: Column | None = None,
        interaction: Column | None = None,
        users: pd.Index | Sequence | None = None,
        items: pd.Index | Sequence | None = None,
        time_unit: str = "s",
        where: str = "table",
    ) -> Interactions:
        """Check a raw table and code it; arguments name its columns, `where` the file in error
        messages.

        Timestamps may be datetimes, dates, or numbers of a `time_unit` (s, ms, us, ns, or the form
        of the dates, "%d.%m.%Y"); a session or basket may be a name. A `value` (a rating) changes
        nothing by itself: every row counts as a like, a low one too, until `keep_at_least` drops
        it. Without `interaction`, ids are given in file order. Raises `DataError` (missing column,
        empty table, repeated ids, missing values, unreadable types), `UnknownUser` and
        `UnknownItem` (an id outside the `users` or `items` handed in).

        >>> log = Interactions.from_table(pd.DataFrame({"user": ["a", "a"], "item": ["x", "y"]}))
        >>> log.n_users, log.n_items, len(log)
        (1, 2, 2)
        """
        roles = {"user": user, "item": item, "timestamp": timestamp, "action": action}
        roles |= {"session": session, "basket": basket, "value": value, "interaction": interaction}
        raw, n = columns_of(table, roles, where), len(table)
        # one index of users and one of items, for life
        users, owner = as_codes(raw["user"], users, UnknownUser, where)
        items, thing = as_codes(raw["item"], items, UnknownItem, where)
        # every column in its type, and what is not said filled up
        rows = as_row_ids(raw.get("interaction"), n, where)
        columns = {"interaction": rows, "user": owner, "item": thing}
        columns["timestamp"] = as_times(raw.get("timestamp"), n, where, time_unit)
        columns["action"] = pd.Categorical.from_codes(np.zeros(n, np.int8), ["interaction"])
        if "action" in raw:
            columns["action"] = raw["action"].astype(str).astype("category")
        for name in ("session", "basket"):
            group = name_or_number(raw.get(name), where)
            columns[name] = as_integers(group, n, name, where, missing=True)
        columns["value"] = as_numbers(raw["value"], where) if "value" in raw else np.full(n, np.nan)
        order = log_order(owner, columns["timestamp"], where)
        columns["position"] = np.arange(n, dtype="int64")
        frame = {}
        for name in COLUMNS:
            part = getattr(columns[name], "array", columns[name])
            frame[name] = part[order] if name in ("interaction", *raw) else part
        return cls(pd.DataFrame(frame, copy=False), users, items)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"Interactions({len(self):,} rows, {self.n_users:,} users, {self.n_items:,} items)"

    @property
    def n_users(self) -> int:
        """Users in the index, those without rows included."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Items in the index, those without rows included."""
        return len(self.items)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over rows and indexes: equal for equal logs, whatever their history."""
        digest = hashlib.sha256()
        action = self.frame["action"].cat.remove_unused_categories().cat
        for names in (self.users, self.items, action.categories):
            digest.update("\x1f".join(map(str, names)).encode())
        plain = self.frame.assign(
            action=action.codes, timestamp=self.frame["timestamp"].astype("int64")
        )
        for column in COLUMNS:
            digest.update(plain[column].fillna(-1).to_numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def index_fingerprint(self) -> str:
        """Equal for all logs whose codes mean the same: 32 hexadecimal digits of the sha256 of the
        users, then 32 of that of the items. Made once: `of_rows` hands it on."""
        names = (json.dumps([*map(str, index)]).encode() for index in (self.users, self.items))
        return "".join(hashlib.sha256(name).hexdigest()[:32] for name in names)

    @cached_property
    def last_id(self) -> int:
        """The highest id ever given; −1 where there was no row."""
        return int(self.frame["interaction"].to_numpy().max(initial=self.given))

    @cached_property
    def deeds(self) -> Interactions:
        """The log without presses of buttons: all that is learned from, read and counted."""
        return without_presses(self)

    def to_frame(self) -> pd.DataFrame:
        """The table of rows."""
        return self.frame

    def head(self, n: int = 5) -> pd.DataFrame:
        """The first rows, users and items by their ids."""
        rows = self.frame.head(n)
        return rows.assign(user=self.users[rows["user"]], item=self.items[rows["item"]])

    def _repr_html_(self) -> str:
        return html.table(self.head().to_dict("records"), repr(self))

    def select(self, mask: np.ndarray | pd.Series) -> Interactions:
        """The rows where `mask` (n,) is true; indexes stay."""
        kept = checked_mask(mask, len(self))
        return self.of_rows(self.frame[kept].reset_index(drop=True))

    def of_rows(self, frame: pd.DataFrame) -> Interactions:
        """Rows of this log as a log; the indexes are the same."""
        made = replace(self, frame=frame, given=self.last_id)
        vars(made)["index_fingerprint"] = self.index_fingerprint
        return made

    def without(self, ids: Iterable[int]) -> Interactions:
        """The log without these interactions (remaining = after + others)."""
        return self.select(~self._named(ids))

    def only(self, ids: Iterable[int], digest: str | None = None) -> Interactions:
        """Only these interactions (removed).

        digest: what `log.only(ids).fingerprint` was when a request was written down. `DataError`
        where the ids name other rows by now, or none."""
        found = self.select(self._named(ids))
        if digest is not None and digest != found.fingerprint:
            what = "these ids name other rows than when the request was made"
            do = "take the log it was made for, or make the request anew"
            raise DataError(what, "ids", f"rows and indexes of digest {digest[:8]}…", do)
        return found

    def _named(self, ids: Iterable[int]) -> np.ndarray:
        ids = unique_ids(ids)
        known = np.isin(ids, self.frame["interaction"].to_numpy())
        if not known.all():
            raise DataError(
                f"interaction {int(ids[~known][0])} is not in this log",
                "ids",
                "ids from the column 'interaction'",
                "take ids from the log you call this on",
            )
        return np.isin(self.frame["interaction"].to_numpy(), ids)

    def by_session(self) -> Interactions:
        """The same rows with every session as a user of its own, named `user/session`, in the order
        sessions begin. Ids stay: a request against this log names the same rows of the other."""
        frame, do = self.deeds.frame, "map a column to session, or use the users as sequences"
        check_complete(frame, "session", "by_session", do)
        owner = self.users[frame["user"]].astype(str)
        codes, names = pd.factorize(owner + "/" + frame["session"].astype(str).to_numpy())
        frame = frame.assign(user=codes.astype("int32"))
        return replace(self, frame=frame, users=pd.Index(names))

    def rows_of(self, user: int) -> pd.DataFrame:
        """The rows of one user code, in log order."""
        self.check_user(user)
        return self.frame[self.frame["user"] == user]

    def user_code(self, user: object) -> int:
        """The code of an original user id; raises `UnknownUser`."""
        return code_of(self.users, user, UnknownUser)

    def item_code(self, item: object) -> int:
        """The code of an original item id; raises `UnknownItem`."""
        return code_of(self.items, item, UnknownItem)

    def histories(
        self, users: Sequence[int] | np.ndarray | None = None, before: object = None
    ) -> Histories:
        """Histories of user codes (all by default), only rows strictly before the time `before` if
        given, no presses. Users without rows keep an empty row. Raises `UnknownUser` for a code
        outside the index."""
        frame = self.deeds.frame
        if before is not None:
            frame = frame[frame["timestamp"] < as_moment(before, "before")]
        users = np.arange(self.n_users) if users is None else users
        users = checked_codes(users, self.n_users, "users", UnknownUser)
        if len(users) < 16:  # few users: sorting everybody's rows would cost more than the rest
            frame = frame[np.isin(frame["user"].to_numpy(), users)]
        # where the rows of each user stand once they are sorted; the frame is in log order already
        owner = frame["user"].to_numpy()
        order = np.argsort(owner, kind="stable")
        start, end = (np.searchsorted(owner[order], users, side) for side in ("left", "right"))
        take = order[spans(start, end)[1]]
        return Histories(
            user=users.astype(np.int32),
            offsets=starts(end - start),
            item=frame["item"].to_numpy()[take],
            action=frame["action"].cat.codes.to_numpy()[take],
            basket=frame["basket"].fillna(-1).to_numpy(dtype=np.int64)[take],
            session=frame["session"].fillna(-1).to_numpy(dtype=np.int64)[take],
            day=frame["timestamp"].dt.tz_localize(None).to_numpy()[take].astype("datetime64[D]"),
            position=frame["position"].to_numpy()[take],
            interaction=frame["interaction"].to_numpy()[take],
            n_items=self.n_items,
            actions=tuple(map(str, frame["action"].cat.categories)),
            bound=self.index_fingerprint,
        )

    def counts(self) -> sparse.csr_array:
        """Rows per (user, item), presses left out; float64 (n_users, n_items)."""
        frame, shape = self.deeds.frame, (self.n_users, self.n_items)
        cells = (frame["user"].to_numpy(), frame["item"].to_numpy())
        return sparse.coo_array((np.ones(len(frame)), cells), shape=shape).tocsr()

    def matrix(self) -> sparse.csr_array:
        """1 where a user has at least one row on an item; float64 (n_users, n_items)."""
        counts = self.counts()
        counts.data[:] = 1.0
        return counts

    def check_user(self, user: int) -> None:
        """Raise `UnknownUser` unless `user` is a code of this log."""
        code = isinstance(user, int | np.integer) and not isinstance(user, bool)
        if not code or not 0 <= user < self.n_users:
            want = f"a code from 0 to {self.n_users - 1}"
            raise UnknownUser(
                f"user code {user!r}", "users", want, "log.user_code(id) turns an id into its code"
            )
