"""What a store tells a page: one table for all of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from workbench.reports.evidence import Evidence

COLUMNS = ["kind", "relation", "object", "value", "interaction", "weight"]
TYPES = {"object": object, "value": float, "interaction": np.int64, "weight": float}


def told(
    kind: str, relation: str, rows: Iterable[tuple[str, float, int, float]] = ()
) -> pd.DataFrame:
    """[kind, relation, object, value, interaction, weight] of rows (object, value, interaction,
    weight): one a statement and interaction that carries it."""
    table = pd.DataFrame(list(rows), columns=[*TYPES]).astype(TYPES)
    return table.assign(kind=kind, relation=relation)[COLUMNS]


def quiet(items: Iterable[int], evidence: Evidence) -> bool:
    """Whether one of the items is of a topic that is left unsaid, or of a kind that would say it."""
    return bool(evidence.silent[list(items)].any())
