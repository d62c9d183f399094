"""For each claim of a report, the fewest rows found whose removal from the input would end it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pandas as pd

from workbench.data import Histories
from workbench.errors import DataError
from workbench.ledger.memory import Service
from workbench.recommend import top_k
from workbench.reports import Claim, Reading, smallest_set
from workbench.reports.rules import SHARE


def fewest(service: Service, user: int, claim: Claim, support: pd.DataFrame) -> list[int]:
    """Interaction ids; `support` [interaction, weight] is the claim's.

    The pick and the interests of the list: `smallest_set`, verified by scoring again. Interests of
    the profile: the heaviest notes, until the share falls below what makes an interest. Reasons:
    all rows of the product. Everything else: the rows of the heaviest products that carry half of
    it (one row of a product left keeps all it says).
    """
    support = support.sort_values(["weight", "interaction"], ascending=[False, True])
    ids = support["interaction"].tolist()
    if claim.kind == "because" and claim.relation != "rows" and claim.object != "nothing":
        return ids
    if (claim.kind, claim.relation) == ("interest", "profile"):
        return _notes(service, user, claim, ids)
    if (claim.kind, claim.relation) in (("pick", "pick"), ("interest", "list")):
        # a stale vector: what is left of the log would not say it
        with contextlib.suppress(DataError):
            return _verified(service, user, claim, support)
    return _half(service, user, support)


def _verified(service: Service, user: int, claim: Claim, support: pd.DataFrame) -> list[int]:
    reading = Reading(user, service.log, service.catalogue, service.model, **service.reads(user))

    def holds(histories: Histories) -> np.ndarray:
        nobody = replace(histories, user=np.full(len(histories), -1, dtype=np.int32))
        # stays masked, so that only the scores move
        seen = np.repeat(reading.seen, len(histories), axis=0)
        best = top_k(reading.adjusted(nobody), len(reading.listed), seen)
        if claim.kind == "pick":
            return best[:, 0] == reading.roles["pick"]
        return reading.within(claim.object, best).mean(axis=1) >= SHARE

    return list(
        smallest_set(
            service.model, reading.history, support=support, holds=holds, prove=1
        ).interactions
    )


def _half(service: Service, user: int, support: pd.DataFrame) -> list[int]:
    rows = pd.concat([log.rows_of(user) for log in (service.log, *service.stale.values())])
    item = support["interaction"].map(dict(zip(rows["interaction"], rows["item"], strict=True)))
    sums = support["weight"].groupby(item).sum().sort_values(ascending=False, kind="stable")
    chosen = sums.index[: int(np.searchsorted(sums.cumsum(), 0.5 - 1e-12)) + 1]
    return support.loc[item.isin(chosen), "interaction"].tolist()


def _notes(service: Service, user: int, claim: Claim, ids: list[int]) -> list[int]:
    notes = service.profile.lineage(user)
    notes = notes[notes["kind"] == "topic"]
    own = (notes["entity"] == claim.object).to_numpy()
    weight, row = notes["weight"].to_numpy(), notes["interaction"].to_numpy()
    for n in range(1, len(ids) + 1):
        left = ~np.isin(row, ids[:n])
        if weight[left & own].sum() < SHARE * max(weight[left].sum(), 1e-300):
            return ids[:n]
    return ids
