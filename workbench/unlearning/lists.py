"""How results move with the list: a topic is what somebody wrote down, and somebody else would have
written another list.

    J(A, B) = |A ∩ B| / |A ∪ B|        how much two lists share
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench import html
from workbench.data.checks import checked_codes
from workbench.data.splits import joined_logs
from workbench.errors import DataError, UnknownItem
from workbench.html import sourced
from workbench.recommend.tasks import Task


@dataclass(frozen=True)
class ListTable:
    """What each list names, and what comes of it; `frame`: one line a list."""

    frame: pd.DataFrame = field(repr=False)
    at_least: int

    def __repr__(self) -> str:
        return f"ListTable({len(self.frame)} lists)"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.frame

    def _repr_html_(self) -> str:
        caption = f"people hold at least {self.at_least} items; shared with the first list"
        return html.table(self.frame.to_dict("records"), caption)


@sourced
def compare_lists(
    task: Task,
    lists: Mapping[str, Any],
    at_least: int = 3,
    endpoint: Callable[[str, np.ndarray], float | Mapping[str, object]] | None = None,
) -> ListTable:
    """Several lists of items side by side: [list, items, people, rows, share, items J, people J, …].

    lists: name → item codes; all are held against the first. people: who hold at least `at_least`
    of the items in training and validation. rows: of theirs that a request would name; share: of
    all that is learned from. endpoint: asked for each list, `endpoint(name, codes)`; its number, or
    its dict of numbers, makes further columns. Raises `DataError` without lists, `UnknownItem` for a
    code that is none.

    >>> compare_lists(task, {"as shipped": horror, "and crime": both})  # doctest: +SKIP
    ListTable(2 lists)
    """
    if not lists:
        raise DataError("no list", "lists", "name → item codes")
    rows = joined_logs(task.train, task.valid).frame
    rows = rows.assign(person=task.people[rows["user"].to_numpy()])
    lines, first, first_people = [], None, None
    for name, given in lists.items():
        codes = np.unique(checked_codes(given, task.train.n_items, str(name), UnknownItem))
        own = rows[rows["item"].isin(codes)]
        held = own.groupby("person")["item"].nunique()
        people = held.index[held >= at_least].to_numpy()
        named = int(own["person"].isin(people).sum())
        first = codes if first is None else first
        first_people = people if first_people is None else first_people
        line = {"list": str(name), "items": len(codes), "people": len(people), "rows": named}
        line |= {"share": named / len(rows), "items J": jaccard(first, codes)}
        line |= {"people J": jaccard(first_people, people)}
        if endpoint is not None:
            found = endpoint(str(name), codes)
            line |= dict(found) if isinstance(found, Mapping) else {"endpoint": found}
        lines.append(line)
    return ListTable(pd.DataFrame(lines), at_least)


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """|A ∩ B| / |A ∪ B|; 1 for two empty ones.

    >>> jaccard([1, 2, 3], [2, 3, 4])
    0.5
    """
    union = len(np.union1d(one, other))
    return len(np.intersect1d(one, other)) / union if union else 1.0
