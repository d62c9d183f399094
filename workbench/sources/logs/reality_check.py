"""Baskets with a future, and who may learn from them: `<name>_history.json`, `<name>_future.json` and
keysets, as the Next-basket Reality Check publishes them (Li et al., TOIS 2023).

A user's baskets are `[[-1], [items], …, [-1]]`, without times: pass `by="position"` where a split
or model goes by order.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.splits import Split
from workbench.errors import DataError
from workbench.sources.files import found, read_json
from workbench.sources.logs._divided import divided, flat

BASKETS = "copy or download the file again, or repair this user"
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
    for user, baskets in future.items():
        if len(baskets) != 1:
            what = f"user {user} has {len(baskets)} baskets"
            raise DataError(what, where, "one basket a user, between [-1] and [-1]", BASKETS)
    # every basket with its user, its number, and its part
    baskets, told = [], []
    for user, before in past.items():
        baskets += before + future[user]
        told += [(user, number, 0) for number in range(len(before))]
        told.append((user, len(before), 2))
    table = flat(baskets, range(len(baskets)))
    facts = pd.DataFrame(told, columns=["user", "basket", "part"])
    return divided(table.join(facts, on="row").assign(action="purchase"), f"{name}_*.json")


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
    for user, baskets in content.items():
        lists = isinstance(baskets, list) and len(baskets) >= 3
        framed = lists and baskets[0] == [-1] == baskets[-1]
        if not framed or not all(isinstance(basket, list) and basket for basket in baskets):
            what = f"the baskets of user {user} are broken"
            raise DataError(what, path.name, "[[-1], [items], …, [-1]]", BASKETS)
    return {user: baskets[1:-1] for user, baskets in content.items()}
