"""Run-length tokens of visits and the way back, and what visits of a log break of the grammar."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.errors import DataError, typed
from workbench.reports.recpilot.grammar import BOS, BOUGHT, EOS, FIRST, Vocabulary


@typed
def run_length(
    item: np.ndarray, action: np.ndarray, visit: np.ndarray, vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of visits, one after the other, as tokens; and for each token the row it belongs to."""
    if not item.shape == action.shape == visit.shape:
        raise DataError(f"{len(item)} products", "item", "a product, an action and a visit a row")
    if not len(item):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begins = np.append(True, visit[1:] != visit[:-1])
    ends = np.append(begins[1:], True)
    runs = begins | np.append(True, action[1:] != action[:-1])
    # a row writes: bos where its visit begins, its action where a run does, its product, eos
    size = 1 + sum(part.astype(np.int64) for part in (begins, runs, ends))
    at = np.cumsum(size) - size
    tokens = np.empty(size.sum(), np.int64)
    tokens[at[begins]] = BOS
    tokens[(at + begins)[runs]] = FIRST + action[runs]
    tokens[at + begins + runs] = vocabulary.items_from + item
    tokens[(at + begins + runs + 1)[ends]] = EOS
    return tokens, np.repeat(np.arange(len(item)), size)


def rows_of(
    tokens: np.ndarray, vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The way back: (item, action, visit) of flat tokens. Raises `DataError` for a product before
    any action of its visit."""
    kinds = vocabulary.kinds[tokens]
    place = np.arange(len(tokens))
    said = np.maximum.accumulate(np.where(kinds >= 3, place, -1))
    opened = np.maximum.accumulate(np.where(tokens == BOS, place, -1))
    products = np.flatnonzero(kinds == 2)
    if (said[products] <= opened[products]).any() or (opened[products] < 0).any():
        raise DataError("a product without an action", "tokens", "an action before its products")
    visit = np.cumsum(tokens == BOS)[products] - 1
    action = tokens[said[products]] - FIRST
    return tokens[products] - vocabulary.items_from, action, visit


@typed
def breaks(log: Interactions) -> pd.DataFrame:
    """How the visits of a log break the paper's grammar: [what, visits, share] of those with a
    purchase, after a line for how many have one (its share is of all visits).

    >>> breaks(log)  # doctest: +SKIP
    """
    frame = log.deeds.frame
    frame = frame[frame["session"].notna()]
    bought = frame["action"].astype(str).eq(BOUGHT)
    visits = frame.assign(bought=bought).groupby(["user", "session"], sort=False)["bought"]
    has, first, last = visits.any(), visits.first(), visits.last()
    # runs of purchases: a row that buys after one that does not, or first of all
    new = bought & ~visits.shift(fill_value=False).astype(bool)
    runs = new.groupby([frame["user"], frame["session"]], sort=False).sum()
    counts = {
        "buys something": has,
        "buys several products": visits.sum() > 1,
        "goes on after its last purchase": has & ~last,
        "begins with a purchase": first,
        "buys in several places": runs > 1,
    }
    table = pd.DataFrame({"what": list(counts), "visits": [int(v.sum()) for v in counts.values()]})
    whole = np.where(table.index == 0, max(len(has), 1), max(int(has.sum()), 1))
    return table.assign(share=table["visits"] / whole)
