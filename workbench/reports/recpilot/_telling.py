"""What a rubric tells a page: statements [kind, relation, object, value, interaction, weight], a row
for each purchase that carries one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._learning import Learnt
from workbench.reports.recpilot._steps import BOUGHT, Step
from workbench.reports.recpilot.aspects import ATTRIBUTES, rank_aspects
from workbench.reports.stores import COLUMNS

Line = tuple[str, str, str, float, np.ndarray]
"""A statement, and how far each step moved what it rests on, (n_steps,)."""
SAID = ["kind", "relation", "object", "value", "interaction", "weight"]


def notes_of(steps: Sequence[Step], learnt: Learnt) -> pd.DataFrame:
    """[kind, entity, interaction, weight]: how far each step moved each attribute."""
    moved = np.abs(np.diff(learnt.weights, axis=0))
    ids = np.array([step.interaction for step in steps], dtype=np.int64)
    table = pd.DataFrame({"entity": np.tile(np.array(ATTRIBUTES, dtype=object), len(steps))})
    table["interaction"] = ids.repeat(len(ATTRIBUTES))
    return table.assign(kind="step", weight=moved.ravel())[COLUMNS]


def said_of(rubric: Any, evidence: Evidence) -> pd.DataFrame:
    """The statements of a rubric about one shopper; none about one whose purchases taught nothing.

    rubric: "weighs" an attribute: its weight less the mean weight, 0 for no preference. aspect: an
    attribute set gives an offered item a place among the products of its kind, 1 the best.
    """
    user = evidence.user
    steps, learnt = rubric.steps.get(user, ()), rubric.learnt(user)
    ids = np.array([step.interaction for step in steps], dtype=np.int64)
    moved, weights = np.abs(np.diff(learnt.weights, axis=0)), learnt.weights[-1]
    lines: list[Line] = []
    for name, weight, by in zip(ATTRIBUTES, weights - weights.mean(), moved.T, strict=True):
        lines.append(("rubric", "weighs", name, weight, by))
    # without a model and an agent nothing is offered
    offered = evidence.chosen is not None or evidence.model is not None
    items = sorted({int(item) for item in evidence.offers.values()}) if offered else []
    sold = sold_to_others(evidence)
    for item in items:
        lines += _places(rubric, evidence, item, moved, sold)
    # a row for every purchase that moved something
    table = {name: [line[k] for line in lines] for k, name in enumerate(SAID[:4])}
    table = {name: np.repeat(np.array(values), len(ids)) for name, values in table.items()}
    table["interaction"] = np.tile(ids, len(lines))
    table["weight"] = np.concatenate([line[4] for line in lines])
    said = pd.DataFrame(table).astype(dict.fromkeys(SAID[:3], object))
    return said[said["weight"] > 0].reset_index(drop=True)


def _places(
    rubric: Any, evidence: Evidence, item: int, moved: np.ndarray, sold: np.ndarray
) -> list[Line]:
    """The place of one item under every aspect, carried by what moved the aspect's attributes."""
    kind, c = evidence.catalogue.kind, rubric.config
    # where nobody says what it is, it stands alone
    beside = np.flatnonzero(kind == kind[item]) if kind[item] else np.array([item])
    scores = seen_of(rubric, evidence, beside, sold)
    ranked = rank_aspects(beside, rubric.weights(evidence.user), scores, c.largest, c.delta)
    places, name = ranked.places(item), f"item:{item}"
    carried = moved @ ranked.aspects.T
    return [
        ("aspect", aspect, name, float(place), by)
        for (aspect, place), by in zip(places.items(), carried.T, strict=True)
    ]


def seen_of(rubric: Any, evidence: Evidence, items: np.ndarray, sold: np.ndarray) -> np.ndarray:
    """What the shopper sees of items (m,) today, (m, n_attributes); sold (n_items,): see below."""
    owned = [step.item for step in rubric.steps.get(evidence.user, ()) if not step.asked]
    brands = rubric.shelf.brand[np.array(owned, dtype=np.int64)]
    return rubric.shelf.scores(items, sold[items], brands)


def sold_to_others(evidence: Evidence) -> np.ndarray:
    """How often others bought each item, by the log at hand, (n_items,)."""
    rows = evidence.log.frame
    theirs = (rows["action"] == BOUGHT).to_numpy() & (rows["user"] != evidence.user).to_numpy()
    return np.bincount(rows["item"].to_numpy()[theirs], minlength=evidence.log.n_items)
