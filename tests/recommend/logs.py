"""Random logs, and requests against them."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from workbench.data import Interactions

USERS, ITEMS = 6, 7
BLANK = Interactions.from_table(
    pd.DataFrame({"user": np.zeros(200), "item": 0}),
    users=pd.Index(range(USERS)),
    items=pd.Index(range(ITEMS)),
)


def make(table: list[tuple[int, int]]) -> Interactions:
    """A log of (user, item) rows over six users and seven items; cells may hold several rows.

    As `from_table` makes it (rows are numbered alike in every log), five times sooner: laws ask for
    hundreds of logs.
    """
    users, items = np.array(table, dtype=np.int32).reshape(-1, 2).T
    return replace(BLANK, frame=BLANK.frame.iloc[: len(table)].assign(user=users, item=items))


row = st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1))
# alone, most would be short
rows = st.lists(row, min_size=1, max_size=10) | st.lists(row, min_size=20, max_size=40)
logs = rows.map(make)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Interactions, list[np.ndarray]]:
    """A log and a sequence of disjoint requests: possibly empty, possibly whole users, possibly
    everything."""
    log = draw(logs)
    ids = draw(st.permutations(list(log.frame["interaction"])))
    cuts = sorted(draw(st.lists(st.integers(0, len(ids)), min_size=1, max_size=4)))
    parts = [np.array(ids[a:b], dtype=np.int64) for a, b in zip([0, *cuts], cuts, strict=False)]
    return log, parts


def random_log(
    seed: int = 0, users: int = 60, items: int = 40, n: int = 900, zipf: float = 1.0
) -> Interactions:
    """A larger log with popular and rare items, some cells with several rows."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, items + 1) ** zipf
    frame = pd.DataFrame(
        {"user": rng.integers(0, users, n), "item": rng.choice(items, n, p=weight / weight.sum())}
    )
    return Interactions.from_table(
        frame, users=pd.Index(range(users)), items=pd.Index(range(items))
    )


class Counts:
    """Items by their rows; `fit(log)` alone, no copy."""

    def fit(self, log):
        self.counts = np.bincount(log.frame["item"], minlength=log.n_items).astype(float)
        return self

    def score(self, histories):
        return np.tile(self.counts, (len(histories), 1))
