"""The same template, filled from somebody else: what a page says of the writing, and what of the
finding.

Model, catalogue, rules and words stay; the rows alone are other ones. A page made so is well-formed
and true of the rows that it was made from, and of nobody whom it is shown to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from workbench.errors import DataError, ModelError
from workbench.reports.evidence import Evidence

Agent = Callable[[Evidence], Mapping[str, int]]
OWN, OTHER, POPULAR = "this shopper", "another shopper", "popular products"
"""Where the rows of a page come from."""


def filled(evidence: Evidence, rows: pd.DataFrame, agent: Agent | None = None) -> Evidence:
    """The evidence as it would be if these rows of the log were all that the shopper ever did.

    Stores are built from the rows alone; `agent` chooses anew (without one, the scores do). What is
    known of other people, the weights and what people buy again, stays as it was. Raises
    `ModelError` for a model that looks its users up and would go on knowing them.

    >>> filled(evidence, evidence.log.rows_of(7), agent)  # doctest: +SKIP
    Evidence(user 3, 44 rows, profile)
    """
    if hasattr(evidence.model, "forget_user_vector"):
        want = "one that scores from the rows of a history, such as OwnActions"
        raise ModelError(f"{evidence.model!r} looks its users up", "evidence.model", want)
    owner = np.full(len(rows), evidence.user, dtype=np.int32)
    log = evidence.log.of_rows(rows.assign(user=owner).reset_index(drop=True))
    built = {
        name: type(store).build(log, evidence.catalogue) for name, store in evidence.stores.items()
    }
    made = replace(evidence, log=log, stores=built, chosen=None, stale=None)
    # counted from everybody's rows, which this log does not have
    vars(made)["refills"] = evidence.refills
    return made if agent is None else made.choosing(agent(made))


def as_popular(evidence: Evidence) -> pd.DataFrame:
    """The shopper's rows with every product swapped: the one they had most often for the one that
    most people bought, the next for the next; ties by code. Actions, visits and days stay."""
    rows = evidence.log.rows_of(evidence.user)
    frame = evidence.log.deeds.frame
    bought = frame.loc[frame["action"].astype(str) == "purchase", ["user", "item"]]
    people = bought.drop_duplicates()["item"].value_counts()
    counts = people.reindex(range(evidence.log.n_items), fill_value=0).to_numpy()
    popular = np.argsort(-counts, kind="stable")
    own = np.bincount(rows["item"], minlength=evidence.log.n_items)
    had = np.argsort(-own, kind="stable")
    swapped = np.zeros(evidence.log.n_items, dtype=np.int32)
    swapped[had] = popular
    return rows.assign(item=swapped[rows["item"].to_numpy()])


def sources(evidence: Evidence, other: int, agent: Agent | None = None) -> dict[str, Evidence]:
    """Three evidences for the seat of one shopper: their own rows, those of another user code, and
    their own with popular products in them. Raises `UnknownUser`, and `DataError` where the other is
    the shopper."""
    if other == evidence.user:
        raise DataError(f"user {other} twice", "other", "another shopper")
    rows = {
        OWN: evidence.log.rows_of(evidence.user),
        OTHER: evidence.log.rows_of(other),
        POPULAR: as_popular(evidence),
    }
    return {name: filled(evidence, part, agent) for name, part in rows.items()}
