"""Lines `user item item …`, in the order of events: the form of many published logs and splits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.interactions import Interactions
from workbench.data.splits import Split
from workbench.sources.columns import as_ids, log_of
from workbench.sources.files import found, lines_of
from workbench.sources.logs._divided import divided, flat, together


def read_lists(path: str | Path) -> Interactions:
    """Read lines `user item item …` in the order of events (no times): the form of many published
    splits."""
    path = found(path)
    return log_of(_list_table(path).apply(as_ids), path.name)


def lists_split(folder: str | Path) -> Split:
    """`train.txt` and `test.txt` with a line `user item item …` a user: train and test, no
    validation part.

    >>> lists_split("gowalla-lightgcn")  # doctest: +SKIP
    Split(published: train 810,128, valid 0, test 217,242 rows)
    """
    tables = []
    for part, name in ((0, "train.txt"), (2, "test.txt")):
        tables.append(_list_table(found(Path(folder) / name)).assign(part=part))
    return divided(together(tables), "train.txt, test.txt")


def _list_table(path: Path) -> pd.DataFrame:
    """Lines `user item item …` as a table [user, item] of text, one row per item; its index is the
    line."""
    users, items, lines = [], [], []
    for number, text in lines_of(path):
        user, *rest = text.split()
        users.append(user)
        items.append(rest)
        lines.append(number)
    table = flat(items, lines)
    return table.assign(user=pd.array(users, dtype="str")[table["row"]])
