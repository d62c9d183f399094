"""The steps that a rubric keeps: what was bought, beside what, and what each taught."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.data.histories import unique_ids
from workbench.errors import DataError
from workbench.reports.recpilot._learning import (
    Asked,
    Learnt,
    Lesson,
    RubricConfig,
    Seen,
)
from workbench.reports.recpilot._visible import Visible
from workbench.reports.recpilot.aspects import ATTRIBUTES, aspects_of, gains, name_of

BOUGHT = "purchase"
ASKED = {"budget": "price"}
"""Buttons that say what a shopper weighs: *cheaper, please*. *Not for me* and *have it already* say
nothing of why."""


class Step(NamedTuple):
    """A purchase: interaction id, position in the log, item code, and how often others had bought
    each of its candidates by then, int (n_candidates,); or a button, of which `asked` says the
    attribute, with no candidates."""

    interaction: int
    position: int
    item: int
    sold: np.ndarray
    asked: str = ""


def steps_of(log: Interactions, shelf: Visible) -> dict[int, tuple[Step, ...]]:
    """The purchases and buttons of every shopper who has some, in log order; `DataError` for a shelf of other
    items."""
    if len(shelf.group) != log.n_items:
        what = f"{len(shelf.group)} items in the catalogue, {log.n_items} in the log"
        raise DataError(what, "catalogue", do="make it of log.items, one row per code")
    rows = log.frame.loc[log.frame["action"].isin([BOUGHT, *ASKED]).to_numpy()]
    names = ("user", "item", "interaction", "position", "action")
    columns = [rows[name].tolist() for name in names]
    # all purchases so far, and each shopper's own among them
    sold = np.zeros(log.n_items, dtype=np.int64)
    own: dict[int, list[int]] = defaultdict(list)
    steps: dict[int, list[Step]] = defaultdict(list)
    for user, item, interaction, position, action in zip(*columns, strict=True):
        if action in ASKED:
            steps[user].append(Step(interaction, position, item, sold[:0], ASKED[action]))
            continue
        beside = shelf.candidates(item)
        mine = (np.array(own[user], dtype=np.int64)[:, None] == beside).sum(axis=0)
        steps[user].append(Step(interaction, position, item, sold[beside] - mine))
        sold[item] += 1
        own[user].append(item)
    return {user: tuple(part) for user, part in steps.items()}


def named_step(steps: dict[int, tuple[Step, ...]], step: int) -> int:
    """The id of a step; `DataError` for what is none."""
    (found,) = unique_ids([step]).tolist()
    if not any(one.interaction == found for own in steps.values() for one in own):
        do = "take one from the column 'interaction' of ledger(user)"
        raise DataError(f"{found} is no step", "step", "the id of a purchase", do)
    return found


def seen_by(
    steps: Sequence[Step], shelf: Visible, struck: frozenset[int] = frozenset()
) -> list[Lesson]:
    """What each step of a shopper teaches; None where it was struck, or where nothing is known of
    what it was chosen among."""
    found: list[Lesson] = []
    had: list[int] = []
    for step in steps:
        items = shelf.candidates(step.item)
        if step.interaction in struck or not (len(items) or step.asked):
            found.append(None)
        elif step.asked:
            found.append(Asked(ATTRIBUTES.index(step.asked)))
        else:
            # beside the brands of what was bought before
            scores = shelf.scores(items, step.sold, shelf.brand[np.array(had, dtype=np.int64)])
            found.append(Seen(scores, int(np.searchsorted(items, step.item))))
        had += [] if step.asked else [step.item]
    return found


def table_of(
    steps: Sequence[Step], learnt: Learnt, shelf: Visible, config: RubricConfig, struck: frozenset
) -> pd.DataFrame:
    """A line a step: [interaction, item, candidates, best (aspect), ndcg_best, ndcg_before,
    ndcg_after (of the ranking by all weights, before and after it), undone, and the weight of each
    attribute after it]."""
    names = np.array([name_of(aspect) for aspect in aspects_of(config.largest)], dtype=object)
    ndcg = learnt.aspects.max(axis=1)
    best = names[np.argmax(np.round(learnt.aspects, 12), axis=1)]
    # how the ranking by all weights did, without and with what the step taught
    both = np.full((len(steps), 2), np.nan)
    for n, seen in enumerate(seen_by(steps, shelf, struck)):
        if isinstance(seen, Seen):
            both[n] = gains(learnt.weights[n : n + 2] @ seen.scores.T, seen.chosen)
    table = {
        "interaction": np.array([step.interaction for step in steps], dtype=np.int64),
        "item": np.array([step.item for step in steps], dtype=np.int32),
        "candidates": [len(step.sold) for step in steps],
        "best": np.where(np.isfinite(ndcg), best, [step.asked for step in steps]),
        "ndcg_best": ndcg,
        "ndcg_before": both[:, 0],
        "ndcg_after": both[:, 1],
        "undone": [step.interaction in struck for step in steps],
    }
    weights = dict(zip(ATTRIBUTES, learnt.weights[1:].T, strict=True))
    return pd.DataFrame(table | weights)


def counting(steps: dict[int, tuple[Step, ...]], shelf: Visible, removed: Interactions) -> int:
    """How many shoppers have a later step beside which a purchase of somebody else, one of these
    rows, was counted."""
    rows = removed.frame.loc[(removed.frame["action"] == BOUGHT).to_numpy()]
    begun = [rows[name].to_numpy() for name in ("user", "position")]
    beside, found = shelf.group[rows["item"].to_numpy()], 0
    for user, own in steps.items():
        position = np.array([step.position for step in own])[:, None]
        # a button was held against nothing
        held = [-1 if step.asked else shelf.group[step.item] for step in own]
        group = np.array(held)[:, None]
        counted = (position > begun[1]) & (group == beside) & (group >= 0) & (begun[0] != user)
        found += bool(counted.any())
    return found
