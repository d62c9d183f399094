"""What the counted session models share: the rows they hold, POP where a model has nothing to say,
and files.

A sequence is one row of `log.histories()`; pass `log.by_session()` for sessions. A model keeps
*all* its rows and all postings. Limits such as "the m most recent sessions" apply when a question
is asked, never when the index is made: where a deletion makes a session older, or takes it out, the
one that was cut off before moves up as in a refit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.errors import DataError, ModelError
from workbench.recommend.saving import Config, load_arrays, save_arrays

KEPT = ("offsets", "item", "position", "interaction")


def without(rows: Histories, removed: Interactions) -> tuple[Histories, np.ndarray]:
    """Take rows out by their interaction ids; also the sequences they were in (ascending).

    Raises `DataError` for an id that is not held, or that names a row of another user or item.
    """
    ids, users, items = (removed.frame[name].to_numpy() for name in ("interaction", "user", "item"))
    at = np.flatnonzero(np.isin(rows.interaction, ids))
    order = np.argsort(ids, kind="stable")
    mine = at[np.argsort(rows.interaction[at], kind="stable")]
    held = ((rows.rows, users), (rows.item, items))
    if len(mine) != len(ids) or any(
        not np.array_equal(own[mine], asked[order]) for own, asked in held
    ):
        raise DataError(
            f"{len(ids):,} rows to remove, of which the model does not hold all",
            "removed",
            "rows the model was fitted on and has not forgotten yet",
            "pass log.only(ids) of that log (of log.by_session() where sessions "
            "were fitted), each row once",
        )
    left = np.ones(len(rows.item), dtype=bool)
    left[at] = False
    return rows.keep(left), np.unique(rows.rows[at])


def popularity(rows: Histories) -> np.ndarray:
    """POP: rows per item; float64 (n_items,)."""
    return np.bincount(rows.item, minlength=rows.n_items).astype(np.float64)


def or_popular(scores: sparse.csr_array, rows: Histories) -> np.ndarray:
    """Scores as float64 (B, n_items); a history for which every score is 0 gets the counts of POP
    instead."""
    scores.eliminate_zeros()
    dense = scores.toarray()
    dense[np.diff(scores.indptr) == 0] = popularity(rows)
    return dense


def then_popular(first: sparse.csr_array, rows: Histories) -> np.ndarray:
    """Ranked by the whole numbers of `first` (B, n_items), then by POP, in one score: (1 + max POP)
    · first + POP.

    Whole numbers below 2⁵³, so the order is exact.
    """
    counts = popularity(rows)
    return (first * step(rows)).toarray() + counts


def step(rows: Histories) -> float:
    """1 + the largest count of POP: what one unit of `then_popular`'s first key adds to a score."""
    return 1.0 + popularity(rows).max(initial=0.0)


def last_rows(histories: Histories) -> np.ndarray:
    """Which rows are the last of their history; bool (N,)."""
    last = np.zeros(len(histories.item), dtype=bool)
    last[histories.offsets[1:][np.diff(histories.offsets) > 0] - 1] = True
    return last


def last_items(histories: Histories) -> sparse.csr_array:
    """1 at the last item of each history that is not empty; float64 (B, n_items)."""
    return histories.keep(last_rows(histories)).counts()


def last_positions(histories: Histories) -> sparse.csr_array:
    """The last position of each item of each history, from 1; float64 (B, n_items), columns
    ascending."""
    place = np.arange(len(histories.item)) - histories.offsets[histories.rows] + 1.0
    cell = histories.rows * histories.n_items + histories.item
    # of equal cells the first in reverse: the last
    cell, back = np.unique(cell[::-1], return_index=True)
    where = (cell // histories.n_items, cell % histories.n_items)
    return sparse.coo_array(
        (place[::-1][back], where), shape=(len(histories), histories.n_items)
    ).tocsr()


def cells(matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Some cells of a sparse matrix as a plain array."""
    return np.asarray(matrix[rows, columns]).reshape(-1) if len(rows) else np.zeros(0)


def row_weights(
    histories: Histories, items: np.ndarray, weight: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """Contributions [row, item, interaction, weight]: `weight(targets, at)` is what the row at
    index `at` adds."""
    targets = np.asarray(items, dtype=np.int64).reshape(len(histories), -1 if np.size(items) else 0)
    at = np.repeat(np.arange(len(histories.item)), targets.shape[1])
    target = targets[histories.rows].reshape(-1)
    at, target = at[target >= 0], target[target >= 0]
    table = pd.DataFrame(
        {"row": histories.rows[at], "item": target, "interaction": histories.interaction[at]}
    )
    table["weight"] = np.asarray(weight(target, at), dtype=np.float64)
    return table.sort_values(["row", "item"], kind="stable", ignore_index=True)


def save_rows(folder: Path, model: object, config: BaseModel, rows: Histories) -> None:
    """Write a model whose whole state follows from its rows."""
    arrays = {name: getattr(rows, name) for name in KEPT} | {"n_items": np.array([rows.n_items])}
    save_arrays(folder, type(model).__name__, config, arrays)


def load_rows(folder: Path, kind: str, config: type[Config]) -> tuple[Config, Histories]:
    """Read what `save_rows` wrote; raises `ModelError` for rows that fit no catalogue."""
    settings, arrays = load_arrays(folder, kind, config, (*KEPT, "n_items"))
    offsets, item, n_items = arrays["offsets"], arrays["item"], int(arrays["n_items"][0])
    lengths = {len(arrays[name]) for name in KEPT[1:]} | set(offsets[-1:].tolist())
    rising = len(offsets) > 0 and offsets[0] == 0 and (np.diff(offsets) >= 0).all()
    if len(lengths) > 1 or not rising or not (0 <= item.min(initial=0) <= item.max(initial=0)):
        raise ModelError(
            "the rows do not fit each other",
            str(folder),
            "offsets and rows of one length",
            "save again",
        )
    if item.max(initial=-1) >= n_items:
        raise ModelError(
            f"item {item.max()} of {n_items}",
            str(folder),
            "codes below n_items",
            "save the model again",
        )
    none = np.full(len(item), -1)
    user = np.arange(len(offsets) - 1, dtype=np.int32)
    kept = {name: arrays[name] for name in KEPT}
    return settings, Histories(
        user=user, action=none, basket=none, n_items=n_items, actions=(), **kept
    )
