"""The laws of training examples: every row asked once, every loss named, nothing moved by a removal
that does not read it.

They are listed in `hooks.py`; each returns nothing where it holds, or what was found instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.recommend.laws.weights import double, losses_of


def targets(b: Any) -> str | None:
    """Every row that can be asked is asked once, and every loss is named."""
    examples = b.model.examples(b.log)
    loss, interaction = examples.targets()
    n = len(b.model.loss(examples))
    if loss.shape != interaction.shape or (np.diff(loss) < 0).any():
        return "losses that are not named one after the other"
    if not np.array_equal(np.unique(loss), np.arange(n)):
        return f"rows for {len(np.unique(loss))} of {n} losses"
    if len(np.unique(interaction)) < len(interaction):
        return "a row that is asked twice"
    want = _askable(getattr(b.model, "config", None), b.log)
    absent = want ^ set(interaction.tolist())
    if absent:
        return f"{len(absent)} rows too many or too few, interaction {min(absent)} for instance"
    some = b.histories.user[::3]
    own = b.log.frame.loc[b.log.frame["user"].isin(some), "interaction"]
    of_some = b.model.examples(b.log, some).targets()[1]
    wrong = want & set(own.tolist()) ^ set(of_some.tolist())
    return f"{len(wrong)} rows of others, or too few" if wrong else None


def _askable(config: Any, log: Interactions) -> set[int]:
    """Which rows can be targets, by the task that the config tells: a next basket, a next row, or
    (pairs) any row whose user does not hold every item."""
    frame = log.frame
    owner = frame["user"]
    if hasattr(config, "targets"):
        begun = frame.groupby(["user", "basket"])["position"].transform("min")
        asked = begun > begun.groupby(owner).transform("min")
        if config.targets == "last":
            asked &= begun == begun.groupby(owner).transform("max")
    elif hasattr(config, "stride"):
        asked = frame.groupby("user").cumcount() > 0
    else:
        asked = frame.groupby("user")["item"].transform("nunique") < log.n_items
    return set(frame.loc[asked, "interaction"].tolist())


def named_rows(b: Any) -> str | None:
    """A loss changes with the row that it names, and with no row before it."""
    model = double(b.model)
    before = model.examples(b.log)
    old = by_row(model, before)
    begun = b.log.frame.set_index("interaction")["position"]
    owner = b.log.frame.set_index("interaction")["user"]
    for row, swapped in _swaps(b, old.index):
        new = by_row(model, model.examples(swapped, like=before))
        if new.index.difference(old.index).size or not np.isfinite(new.get(row, np.nan)):
            return "other rows asked when a row has another item"
        if new[row] == old[row]:
            return f"the same loss about interaction {row} when it has another item"
        # of its own basket, all are named by one loss
        loss, named = before.targets()
        together = named[loss == loss[named == row]]
        earlier = (owner[old.index] != owner[row]) | (begun[old.index] < begun[together].min())
        moved = (new[old.index] - old).abs()[earlier.to_numpy()]
        if moved.max() > 1e-9:
            return f"another loss about interaction {moved.idxmax()}, from before {row}"
    return None


def like_kept(b: Any) -> str | None:
    """With `like=`, losses that do not read a removed row stay."""
    model = double(b.model)
    before = model.examples(b.log)
    old = by_row(model, before)
    if not by_row(model, model.examples(b.log, like=before)).equals(old):
        return "other losses of the same log"
    for row, swapped in _swaps(b, b.log.frame["interaction"]):
        # what knows nothing of the row: in a model that reads no history all but its own loss, else
        # what another item of the row does not move
        blind = old.index.drop(row, errors="ignore")
        if _reads(b, model, row, swapped):
            other = by_row(model, model.examples(swapped, like=before))
            blind = blind[(other[blind] - old[blind]).abs() <= 1e-12]
        left = by_row(model, model.examples(b.log.without([row]), like=before))
        if row in left.index:
            return f"a loss about interaction {row}, which is gone"
        if blind.difference(left.index).size:
            return f"{blind.difference(left.index).size} losses gone that do not read {row}"
        moved = (left[blind] - old[blind]).abs()
        if moved.max() > 1e-9:
            return f"another loss about {moved.idxmax()}, which does not read {row}"
    return None


def _reads(b: Any, model: Any, row: int, swapped: Interactions) -> bool:
    """Whether the scores of a history that ends with this row know of another item in it."""
    own = b.log.only([row]).frame
    scores = []
    for log in (b.log, swapped):
        history = log.histories(own["user"].to_numpy())
        scores.append(model.score(history.keep(history.position <= own["position"].iloc[0])))
    return not np.array_equal(*scores)


def _swaps(b: Any, rows: Any) -> Iterator[tuple[int, Interactions]]:
    """A few of these rows, of people with long histories, and the log in which each has another
    item of its user, from another basket."""
    frame = b.log.frame
    for user in frame["user"].value_counts().index[:4]:
        own = frame[frame["user"] == user]
        basket = own["basket"].fillna(-1)
        asked = own.index[own["interaction"].isin(rows)]
        for at in asked[1 :: max(1, len(asked) // 2)]:
            together = own.loc[basket == basket[at], "item"]
            other = own.loc[~own["item"].isin(together), "item"]
            if len(other):
                changed = frame.copy()
                changed.loc[at, "item"] = other.iloc[0]
                yield int(own.at[at, "interaction"]), replace(b.log, frame=changed)


def epochs(b: Any) -> str | None:
    """The same rows are asked in every epoch; epoch 0 unless told."""
    first, again, later = (b.model.examples(b.log, **at) for at in ({}, {"epoch": 0}, {"epoch": 1}))
    if not np.array_equal(losses_of(b.model, first), losses_of(b.model, again)):
        return "other examples than those of epoch 0"
    same = map(np.array_equal, first.targets(), later.targets())
    return None if all(same) else "other rows asked in another epoch"


def by_row(model: Any, examples: Any) -> pd.Series:
    """The loss about each row, by its interaction id."""
    loss, interaction = examples.targets()
    return pd.Series(losses_of(model, examples)[loss], index=interaction).sort_index()
