"""The steps that a rubric keeps: what was bought, beside what, and what each taught."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.errors import DataError
from workbench.reports.recpilot._learning import Learnt, RubricConfig, Seen
from workbench.reports.recpilot._visible import Visible
from workbench.reports.recpilot.aspects import ATTRIBUTES, aspects_of, gains, name_of

BOUGHT = "purchase"


class Step(NamedTuple):
    """A purchase: interaction id, position in the log, item code, and how often others had bought
    each of its candidates by then, int (n_candidates,)."""

    interaction: int
    position: int
    item: int
    sold: np.ndarray


def steps_of(log: Interactions, shelf: Visible) -> dict[int, tuple[Step, ...]]:
    """The purchases of every shopper who made one, in log order; `DataError` for a shelf of other
    items."""
    if len(shelf.group) != log.n_items:
        what = f"{len(shelf.group)} items in the catalogue, {log.n_items} in the log"
        raise DataError(what, "catalogue", do="make it of log.items, one row per code")
    rows = log.frame.loc[(log.frame["action"] == BOUGHT).to_numpy()]
    columns = [rows[name].tolist() for name in ("user", "item", "interaction", "position")]
    # all purchases so far, and each shopper's own among them
    sold = np.zeros(log.n_items, dtype=np.int64)
    own: dict[int, list[int]] = defaultdict(list)
    steps: dict[int, list[Step]] = defaultdict(list)
    for user, item, interaction, position in zip(*columns, strict=True):
        beside = shelf.candidates(item)
        mine = (np.array(own[user], dtype=np.int64)[:, None] == beside).sum(axis=0)
        steps[user].append(Step(interaction, position, item, sold[beside] - mine))
        sold[item] += 1
        own[user].append(item)
    return {user: tuple(part) for user, part in steps.items()}


def seen_by(
    steps: Sequence[Step], shelf: Visible, struck: frozenset[int] = frozenset()
) -> list[Seen | None]:
    """What each step of a shopper learns from; None where it was struck, or where nothing is known
    of what it was chosen among."""
    found: list[Seen | None] = []
    brands = shelf.brand[np.array([step.item for step in steps], dtype=np.int64)]
    for place, step in enumerate(steps):
        items = shelf.candidates(step.item)
        if not len(items) or step.interaction in struck:
            found.append(None)
            continue
        # the brands of what was bought before
        scores = shelf.scores(items, step.sold, brands[:place])
        found.append(Seen(scores, int(np.searchsorted(items, step.item))))
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
        if seen is not None:
            both[n] = gains(learnt.weights[n : n + 2] @ seen.scores.T, seen.chosen)
    table = {
        "interaction": np.array([step.interaction for step in steps], dtype=np.int64),
        "item": np.array([step.item for step in steps], dtype=np.int32),
        "candidates": [len(step.sold) for step in steps],
        "best": np.where(np.isfinite(ndcg), best, ""),
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
        theirs = begun[0] != user
        position = np.array([step.position for step in own])[:, None]
        group = shelf.group[np.array([step.item for step in own])][:, None]
        counted = (position > begun[1]) & (group == beside) & (group >= 0) & theirs
        found += bool(counted.any())
    return found
