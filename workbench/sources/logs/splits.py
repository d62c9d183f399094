"""Data that is published already divided: one reader a layout, each returns a `Split` whose parts
share their indexes.

* `lists_split`: `train.txt` and `test.txt`, lines `user item item …` (LightGCN, NGCF, BARS:
  Gowalla, Yelp2018)
* `pairs_split`: `sessions_train.txt`, a session a line, and `test_pairs.tsv`, lines
  `prefix<TAB>next item` (SR-GNN)
* `clicks_split`: four files of clicks with times (session-rec: RSC15)
* `baskets_split`: `<name>_history.json`, `<name>_future.json`: `{user: [[-1], [items], …, [-1]]}`
  (Next-basket Reality Check, Li et al., TOIS 2023); `read_keyset` reads which users a model may
  learn from

None of them but `clicks_split` has times: pass `by="position"` where a split or model goes by
order. Lines are cut and joined as whole lists, so that a million clicks take a second or two;
nothing here loops over single clicks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.checks import as_times
from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.errors import DataError
from workbench.sources.files import as_ids, found, open_file, read_frame, readable, require
from workbench.sources.readers import list_table

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


def lists_split(folder: str | Path) -> Split:
    """`train.txt` and `test.txt` with a line `user item item …` a user: train and test, no
    validation part.

    >>> lists_split("gowalla-lightgcn")  # doctest: +SKIP
    Split(published: train 810,128, valid 0, test 217,242 rows)
    """
    tables = []
    for part, name in ((0, "train.txt"), (2, "test.txt")):
        tables.append(list_table(found(Path(folder) / name)).assign(part=part))
    return _divide(_together(tables), "train.txt, test.txt", user="user", item="item")


def pairs_split(folder: str | Path) -> Split:
    """`sessions_train.txt` and `test_pairs.tsv`: train sessions and test sessions, every session a
    user of its own.

    The pairs of one test session follow each other with prefixes that get shorter by one item down
    to a single one, as the usual preparation writes them; so `next_items(split.test)` asks exactly
    the pairs of the file. Sessions are numbered: those of the training file by line, then those of
    the test file in its order. Raises `DataError` for a line that is no pair, or a pair that does
    not continue the one above it.

    >>> pairs_split("sessions-diginetica")  # doctest: +SKIP
    Split(published: train 906,140, valid 0, test 76,821 rows)
    """
    path = found(Path(folder) / "sessions_train.txt")
    sessions = [line.split() for line in _text(path).splitlines()]
    train = _flat(sessions, "item").assign(part=0)
    train["user"] = np.repeat(np.arange(len(sessions)), list(map(len, sessions)))
    path = found(Path(folder) / "test_pairs.tsv")
    lines = _text(path).splitlines()
    pairs = [line.split("\t") for line in lines]
    wrong = [
        n
        for n, pair in enumerate(pairs, 1)
        if len(pair) != 2 or not pair[0].strip() or len(pair[1].split()) != 1
    ]
    if wrong:
        raise DataError(
            f"line {wrong[0]} is no pair",
            path.name,
            "prefix items, a tab, one next item",
            "repair the line",
        )
    prefixes = [" ".join(pair[0].split()) for pair in pairs]
    short = np.array([" " not in prefix for prefix in prefixes], dtype=bool)
    # a session ends with the prefix of a single item
    first = np.append(True, short[:-1]) if len(short) else short
    for n in np.flatnonzero(~first):
        if f"{prefixes[n]} {pairs[n][1].strip()}" != prefixes[n - 1]:
            do = "write the pairs of a session from the longest prefix to the shortest"
            raise DataError(
                f"line {n + 1} does not continue line {n}",
                path.name,
                "the pair one item shorter",
                do,
            )
    if len(short) and not short[-1]:
        raise DataError(
            f"line {len(lines)} ends amid a session",
            path.name,
            "a prefix of one item",
            "copy it again",
        )
    rows = [f"{prefixes[n]} {pairs[n][1]}".split() for n in np.flatnonzero(first)]
    test = _flat(rows, "item", np.flatnonzero(first) + 1).assign(part=2)
    test["user"] = len(sessions) + np.repeat(np.arange(len(rows)), list(map(len, rows)))
    roles = {"user": "user", "session": "user", "item": "item"}
    return _divide(_together([train, test]), "sessions_train.txt, test_pairs.tsv", **roles)


def clicks_split(folder: str | Path, name: str = "", tune: bool = False) -> Split:
    """Four files of clicks `SessionId ItemId Time` (tab separated, Unix seconds): session-rec's
    train and test.

    name: what stands before `_train_full.txt`; found where there is one such file. tune: train on
    `train_tr` and validate on `train_valid`, which leaves out the items that only the latter has;
    otherwise train on `train_full` with no validation part. Items and sessions of all four files
    are in the indexes either way, so shapes agree.

    >>> clicks_split("rsc15-100k-session-rec")  # doctest: +SKIP
    Split(published: train 70,278, valid 0, test 13,568 rows)
    """
    folder = Path(folder)
    stems = sorted({p.name.split("_train_full.txt")[0] for p in folder.glob("*_train_full.txt*")})
    if not name and len(stems) != 1:
        what = (
            f"{len(stems)} files end in _train_full.txt"
            if stems
            else "no file ends in _train_full.txt"
        )
        raise DataError(what, str(folder), "one data set", "pass its name")
    name, tables = name or stems[0], []
    parts = {"train_tr": 0, "train_valid": 1, "train_full": 3} if tune else {"train_full": 0}
    for end, part in (parts | {"test": 2}).items():
        path = found(folder / f"{name}_{end}.txt")
        table = read_frame(path, sep="\t")
        require(table, ["SessionId", "ItemId", "Time"], path)
        tables.append(table.assign(part=part, Time=as_times(table["Time"], len(table), path.name)))
    table = _together(tables)
    roles = {"user": "SessionId", "session": "SessionId", "item": "ItemId", "timestamp": "Time"}
    return _divide(table, f"{name}_*.txt", **roles)  # part 3 is in the indexes, and in no part


def baskets_split(folder: str | Path, name: str = "tafeng") -> Split:
    """`<name>_history.json` and `<name>_future.json`: train = the baskets so far, test = the basket
    to predict.

    Baskets are numbered per user from 0, the future one last; actions are purchases. Every user of
    the history must have one future basket. Which users a model may learn from is another matter:
    `read_keyset`.

    >>> baskets_split("nbr-tafeng-reality-check")  # doctest: +SKIP
    Split(published: train 480,611, valid 0, test 91,322 rows)
    """
    past, future = (
        _baskets(Path(folder) / f"{name}_{part}.json") for part in ("history", "future")
    )
    if past.keys() != future.keys():
        some = sorted(past.keys() ^ future.keys())[0]
        what = f"user {some} is in only one of the two files"
        raise DataError(
            what, f"{name}_future.json", "the same users in both", "copy both files again"
        )
    wrong = [user for user, baskets in future.items() if len(baskets) != 1]
    if wrong:
        what = f"user {wrong[0]} has {len(future[wrong[0]])} baskets"
        raise DataError(
            what, f"{name}_future.json", "one basket a user, between [-1] and [-1]", BASKETS
        )
    whole = [past[user] + future[user] for user in past]
    counts, sizes = list(map(len, whole)), [len(basket) for baskets in whole for basket in baskets]
    rows = np.repeat(np.repeat(np.arange(len(whole)), counts), sizes)
    number = np.arange(sum(counts)) - np.repeat(np.cumsum(counts) - counts, counts)
    table = pd.DataFrame(
        {"user": np.array(list(past), dtype=object)[rows], "basket": np.repeat(number, sizes)}
    )
    table["item"] = list(chain.from_iterable(chain.from_iterable(whole)))
    table["part"] = np.where(table["basket"].to_numpy() == np.array(counts)[rows] - 1, 2, 0)
    table["user"], table["action"] = as_ids(table["user"].astype("str")), "purchase"
    return _divide(
        table, f"{name}_*.json", user="user", item="item", basket="basket", action="action"
    )


def read_keyset(path: str | Path, users: pd.Index) -> Keyset:
    """The user split of a keyset file, `{"train": [ids], "val": …, "test": …}`, as codes into
    `users` (a log's index).

    Raises `DataError` for users that the log does not have or that stand in two parts.

    >>> read_keyset("nbr-unlearning-splits/tafeng_keyset_0.json", log.users)  # doctest: +SKIP
    Keyset(9,977 train, 1,109 valid, 2,772 test users)
    """
    path = found(path)
    content = _json(path)
    parts = []
    for part in ("train", "val", "test"):
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            raise DataError(
                f"no list {part!r}", path.name, "lists train, val and test of user ids", KEYS
            )
        names = pd.Series(content[part], dtype="object").astype("str")
        codes = users.astype("str").get_indexer(names)
        if (codes < 0).any():
            what = f"user {names[codes < 0].iloc[0]!r} of {part} is not in the log"
            raise DataError(what, path.name, "users of the log", KEYS)
        parts.append(codes.astype(np.int64))
    every = np.concatenate(parts)
    if len(np.unique(every)) != len(every):
        values, counts = np.unique(every, return_counts=True)
        what = f"user '{users[values[counts > 1][0]]}' stands twice"
        raise DataError(what, path.name, "every user once", "leave the user in one part")
    return Keyset(*parts)


def _divide(table: pd.DataFrame, where: str, **roles: str) -> Split:
    """One log of the whole table, and the Split by its column `part` (0 train, 1 valid, 2 test,
    else none)."""
    ids = {roles[role]: as_ids(table[roles[role]]) for role in ("user", "item")}
    log = Interactions.from_table(table.assign(**ids), where=where, **roles)
    part = table["part"].to_numpy()[log.frame["interaction"].to_numpy()]
    return Split(*(log.select(part == code) for code in range(3)), how="published")


def _together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables).rename_axis(index="line")


def _flat(rows: list[list[str]], name: str, lines: np.ndarray | None = None) -> pd.DataFrame:
    """Lists as one column, indexed by the line each stands in."""
    lines = np.arange(1, len(rows) + 1) if lines is None else lines
    index = pd.Index(np.repeat(lines, list(map(len, rows))), name="line")
    return pd.DataFrame({name: pd.array(list(chain.from_iterable(rows)), dtype="str")}, index=index)


def _text(path: Path) -> str:
    with readable(path, "utf-8"), open_file(path, "utf-8") as file:
        return file.read()


def _json(path: Path) -> object:
    text = _text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, character {error.colno} is no JSON ({error.msg})"
        raise DataError(
            what, path.name, "a whole JSON file", "copy or download it again"
        ) from error


def _baskets(path: Path) -> dict[str, list[list[int]]]:
    """User → baskets, the [-1] at both ends taken off."""
    path = found(path)
    content = _json(path)
    if not isinstance(content, dict) or not content:
        raise DataError("no users", path.name, "{user: [[-1], [items], …, [-1]]}", BASKETS)
    for user, baskets in content.items():
        framed = (
            isinstance(baskets, list) and len(baskets) >= 3 and baskets[0] == [-1] == baskets[-1]
        )
        if not framed or not all(isinstance(basket, list) and basket for basket in baskets):
            raise DataError(
                f"the baskets of user {user} are broken",
                path.name,
                "[[-1], [items], …, [-1]]",
                BASKETS,
            )
    return {user: baskets[1:-1] for user, baskets in content.items()}
