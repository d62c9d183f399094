"""Lines `user item item …`, in the order of events: the form of many published logs and splits."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.sources.columns import as_ids
from workbench.sources.files import found, lines_of
from workbench.sources.logs._divided import divided, together


def read_lists(path: str | Path, encoding: str = "utf-8") -> Interactions:
    """Read lines `user item item …` in the order of events (no times): the form of many published
    splits."""
    path = found(path)
    return Interactions.from_table(_list_table(path, encoding).apply(as_ids), where=path.name)


def lists_split(folder: str | Path) -> Split:
    """`train.txt` and `test.txt` with a line `user item item …` a user: train and test, no
    validation part.

    >>> lists_split("gowalla-lightgcn")  # doctest: +SKIP
    Split(published: train 810,128, valid 0, test 217,242 rows)
    """
    tables = []
    for part, name in ((0, "train.txt"), (2, "test.txt")):
        tables.append(_list_table(found(Path(folder) / name)).assign(part=part))
    return divided(together(tables), "train.txt, test.txt", user="user", item="item")


def _list_table(path: Path, encoding: str = "utf-8") -> pd.DataFrame:
    """Lines `user item item …` as a table [user, item] of text, one row per item; its index is the
    line."""
    users, items, lines = [], [], []
    for number, text in lines_of(path, encoding):
        user, *rest = text.split()
        users.append(user)
        items.append(rest)
        lines.append(number)
    lengths = list(map(len, items))
    index = pd.Index(np.repeat(np.array(lines, dtype=np.int64), lengths), name="line")
    columns = {"user": pd.array(users, dtype="str").repeat(lengths)}
    return pd.DataFrame(
        columns | {"item": pd.array(list(chain.from_iterable(items)), dtype="str")}, index=index
    )
