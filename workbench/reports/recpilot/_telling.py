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
from workbench.reports.recpilot.aspects import ATTRIBUTES, aspects_of, rank_aspects
from workbench.reports.stores import COLUMNS

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
    notes, weights = rubric.lineage(user), rubric.weights(user)
    notes = notes[notes["weight"] > 0]
    values = dict(zip(ATTRIBUTES, weights - weights.mean(), strict=True))
    rubric_rows = notes.rename(columns={"entity": "object"}).assign(
        kind="rubric", relation="weighs", value=notes["entity"].map(values)
    )
    parts = [rubric_rows.sort_values(["object", "interaction"])[SAID]]
    items = sorted({int(item) for item in evidence.offers.values()}) if len(notes) else []
    for item in items:
        parts.append(_places(rubric, evidence, item, notes))
    return pd.concat(parts, ignore_index=True)


def _places(rubric: Any, evidence: Evidence, item: int, notes: pd.DataFrame) -> pd.DataFrame:
    """The place of one item under every aspect, carried by what moved the aspect's attributes."""
    kind = evidence.catalogue.kind
    # nobody says what it is: it stands alone
    beside = np.flatnonzero(kind == kind[item]) if kind[item] else np.array([item])
    scores = rubric.shelf.scores(
        beside, sold_to_others(evidence)[beside], _brands(rubric, evidence)
    )
    c = rubric.config
    ranked = rank_aspects(beside, rubric.weights(evidence.user), scores, c.largest, c.delta)
    wide = notes.pivot(index="interaction", columns="entity", values="weight")
    wide = wide.reindex(columns=list(ATTRIBUTES)).fillna(0.0)
    parts = []
    for aspect, (name, place) in zip(
        aspects_of(c.largest), ranked.places(item).items(), strict=True
    ):
        weight = wide.to_numpy()[:, aspect].sum(axis=1)
        carried = pd.DataFrame({"interaction": wide.index.to_numpy(), "weight": weight})
        said = carried[carried["weight"] > 0].assign(kind="aspect", relation=name)
        parts.append(said.assign(object=f"item:{item}", value=float(place)))
    return pd.concat(parts, ignore_index=True)[SAID]


def sold_to_others(evidence: Evidence) -> np.ndarray:
    """How often others bought each item, by the log at hand, (n_items,)."""
    rows = evidence.log.frame
    theirs = (rows["action"] == BOUGHT).to_numpy() & (rows["user"] != evidence.user).to_numpy()
    return np.bincount(rows["item"].to_numpy()[theirs], minlength=evidence.log.n_items)


def _brands(rubric: Any, evidence: Evidence) -> np.ndarray:
    items = [step.item for step in rubric.steps.get(evidence.user, ())]
    return rubric.shelf.brand[np.array(items, dtype=np.int64)]
