"""Baskets published already divided, without times: pass `by="position"` where a split or model goes by
order.

The Next-basket Reality Check (Li et al., TOIS 2023) has `<name>_history.json`, `<name>_future.json`,
a user's baskets `[[-1], [items], …, [-1]]`, and keysets: who may learn from them. DNNTSP (Yu et al.,
KDD 2020) has one file of people who teach, choose and are asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.splits import Split
from workbench.errors import DataError
from workbench.sources.files import found, read_json
from workbench.sources.logs._divided import divided

BASKETS = "copy or download the file again, or repair this user"
PEOPLE = (
    "{train, validate, test: {user: [[items], …]}}: a user in one part, baskets of whole numbers"
)
KEYS = "take the keyset that was published with these baskets"


class Keyset(NamedTuple):
    """User codes (int64, in file order) of the three parts of a user split."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    def __repr__(self) -> str:
        return (
            f"Keyset({len(self.train):,} train, {len(self.valid):,} valid, "
            f"{len(self.test):,} test users)"
        )


def baskets_split(folder: str | Path, name: str = "tafeng") -> Split:
    """`<name>_history.json` and `<name>_future.json`: train = the baskets so far, test = the basket
    to predict.

    Baskets are numbered per user from 0, the future one last; actions are purchases. Every user of
    the history must have one future basket. Which users a model may learn from is another matter:
    `read_keyset`.

    >>> baskets_split("nbr-tafeng-reality-check")  # doctest: +SKIP
    Split(published: train 480,611, valid 0, test 91,322 rows)
    """
    past = _baskets(Path(folder) / f"{name}_history.json")
    where = f"{name}_future.json"
    future = _baskets(Path(folder) / where)
    if past.keys() != future.keys():
        some = sorted(past.keys() ^ future.keys())[0]
        what = f"user {some} is in only one of the two files"
        raise DataError(what, where, "the same users in both", "copy both files again")
    told = []
    for user, before in past.items():
        asked = future[user]
        if len(asked) != 1:
            what = f"user {user} has {len(asked)} baskets"
            raise DataError(what, where, "one basket a user, between [-1] and [-1]", BASKETS)
        for number, items in enumerate(before + asked):
            told.append((user, number, 2 * (number == len(before)), items))
    return _split(told, f"{name}_*.json")


def people_split(folder: str | Path, name: str = "TaFeng") -> Split:
    """`<name>.json`: each part holds all baskets of its own users; to be asked for is the last one.

    Baskets are numbered per user from 0; actions are purchases. Raises `DataError` for a part that
    is absent, a user in two parts, an empty basket, an item that is no whole number.

    >>> people_split("nbr-tafeng-dnntsp")  # doctest: +SKIP
    Split(published: train 278,830, valid 39,278, test 78,675 rows)
    """
    path = found(Path(folder) / f"{name}.json")
    content = read_json(path)
    told, where = [], {}
    for part, group in enumerate(("train", "validate", "test")):
        users = content.get(group) if isinstance(content, dict) else None
        if not users or not isinstance(users, dict):
            raise DataError(f"no users of {group!r}", path.name, PEOPLE, BASKETS)
        for user, own in users.items():
            if where.setdefault(user, part) != part:
                raise DataError(f"user {user} is in two parts", path.name, PEOPLE, BASKETS)
            if not own or not isinstance(own, list) or not all(map(_whole, own)):
                what = f"the baskets of user {user} are broken"
                raise DataError(what, path.name, PEOPLE, BASKETS)
            told += [(user, number, part, items) for number, items in enumerate(own)]
    return _split(told, path.name)


def read_keyset(path: str | Path, users: pd.Index) -> Keyset:
    """The user split of a keyset file, `{"train": [ids], "val": …, "test": …}`, as codes into
    `users` (a log's index).

    Raises `DataError` for users that the log does not have or that stand in two parts.

    >>> read_keyset("nbr-unlearning-splits/tafeng_keyset_0.json", log.users)  # doctest: +SKIP
    Keyset(9,977 train, 1,109 valid, 2,772 test users)
    """
    path = found(path)
    content = read_json(path)
    parts = []
    for part in ("train", "val", "test"):
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            expected = "lists train, val and test of user ids"
            raise DataError(f"no list {part!r}", path.name, expected, KEYS)
        names = pd.Series(content[part], dtype="object").astype("str")
        codes = users.astype("str").get_indexer(names)
        if (codes < 0).any():
            what = f"user {names[codes < 0].iloc[0]!r} of {part} is not in the log"
            raise DataError(what, path.name, "users of the log", KEYS)
        parts.append(codes.astype(np.int64))
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    if (counts > 1).any():
        what = f"user '{users[values[counts > 1][0]]}' stands twice"
        raise DataError(what, path.name, "every user once", "leave the user in one part")
    return Keyset(*parts)


def _baskets(path: Path) -> dict[str, list[list[int]]]:
    """User → baskets, the [-1] at both ends taken off."""
    path = found(path)
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise DataError("no users", path.name, "{user: [[-1], [items], …, [-1]]}", BASKETS)
    for user, own in content.items():
        framed = isinstance(own, list) and len(own) >= 3 and own[0] == [-1] == own[-1]
        if not framed or not all(map(_whole, own)):
            what = f"the baskets of user {user} are broken"
            raise DataError(what, path.name, "[[-1], [items], …, [-1]]", BASKETS)
    return {user: own[1:-1] for user, own in content.items()}


def _whole(basket: object) -> bool:
    """A list of at least one whole number."""
    return isinstance(basket, list) and {*map(type, basket)} == {int}


def _split(told: list[tuple], where: str) -> Split:
    """The Split of (user, number, part, items) of every basket, whose actions are purchases."""
    table = pd.DataFrame(told, columns=["user", "basket", "part", "item"])
    table = table.assign(action="purchase").explode("item").astype({"item": "str"})
    return divided(table.rename_axis("line"), where)
