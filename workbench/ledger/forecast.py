"""A forecast of fates: what a request will do to each sentence, said before, from lineage and rules.

With d(F) the share of a claim's support on the rows F, and s(F) the share that is left of a note's
topic when they are gone:

    no row of it leaves                                          kept
    a note whose other rows still make it large, s(F) ≥ SHARE    back where d(F) ≥ ½; weakened below its
                                                                 range; else kept
    d(F) ≥ ½, and it is no note                                  gone
    it is about a pick that is forecast to go                    gone
    else                                                         kept

No model is asked. `scored` holds the forecast against what a run brought, beside the forecast that
everything is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.data.histories import unique_ids
from workbench.errors import DataError, typed
from workbench.html import content_id, escape, table
from workbench.ledger.memory import Service
from workbench.reports.claims import BACK, Claim, dependence
from workbench.reports.evidence import SHARE, Evidence

FATES = ("kept", "weakened", "back", "gone")
PICK = "pick"
WEAK = 1e-9


@dataclass(frozen=True, repr=False)
class Forecast:
    """What is expected of every claim of a shopper's report: [claim, kind, sentence, dependence,
    fate, rule]."""

    user: int
    rows: int
    table: pd.DataFrame = field(repr=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a claim."""
        return self.table

    def __repr__(self) -> str:
        counts = self.table["fate"].value_counts()
        told = ", ".join(f"{counts[fate]} {fate}" for fate in FATES if fate in counts)
        return f"Forecast(user {self.user}, {self.rows} rows: {told or 'no claims'})"

    def _repr_html_(self) -> str:
        some = self.table[self.table["fate"] != "kept"].drop(columns="claim")
        name = content_id("forecast", repr(self), self.table.to_csv())
        told = table(some.to_dict("records"), caption="what is not forecast to be kept")
        return f'<div id="{name}"><p>{escape(repr(self))}</p>{told}</div>'


@typed
def forecast(service: Service, user: int, interactions: Iterable[int], seed: int = 0) -> Forecast:
    """What a request that reaches every place will do to the shopper's report; nothing is taken away.

    Raises `UnknownUser`.

    >>> forecast(service, 72, ids)  # doctest: +SKIP
    Forecast(user 72, 29 rows: 44 kept, 5 gone)
    """
    ids = unique_ids(interactions)
    evidence, report = service.evidence(user), service.report(user, seed)
    rested = dependence(report.support, ids)
    going = _offers_that_go(report.claims, rested)
    lines = []
    for claim in report.claims:
        share = float(rested.get(claim.claim, 0.0))
        fate, rule = _foretold(claim, share, evidence, ids, going)
        lines.append((claim.claim, claim.kind, share, fate, rule))
    found = pd.DataFrame(lines, columns=["claim", "kind", "dependence", "fate", "rule"])
    said = report.single.set_index("claim")["text"].reindex(found["claim"])
    found.insert(2, "sentence", said.to_numpy())
    return Forecast(int(user), len(ids), found)


def _offers_that_go(claims: Iterable[Claim], rested: pd.Series) -> set[str]:
    """The items offered whose own claim rests by half or more on the rows."""
    picks = [claim for claim in claims if claim.kind == PICK]
    return {claim.object for claim in picks if rested.get(claim.claim, 0.0) >= BACK}


def _foretold(
    claim: Claim, share: float, evidence: Evidence, ids: np.ndarray, going: set[str]
) -> tuple[str, str]:
    """The fate of one claim, and the rule that says so."""
    if claim.kind != PICK and {claim.subject, claim.object} & going:
        return "gone", "about a pick that goes"
    if share <= WEAK:
        return "kept", "no row of it leaves"
    if claim.kind == "interest" and claim.relation in evidence.notes:
        left = _left(evidence, claim.relation, claim.object, ids)
        if left < SHARE:
            return "gone", "too few notes are left"
        if share >= BACK:
            return "back", "other notes say so"
        weak = left < claim.low - WEAK
        return ("weakened", "fewer notes") if weak else ("kept", "enough notes are left")
    if share >= BACK:
        return "gone", "rested by half or more"
    return "kept", "rested by less than half"


def _left(evidence: Evidence, store: str, topic: str, ids: np.ndarray) -> float:
    """The share of a topic among the notes of a store, the rows left out."""
    topics, rows, weights = evidence.notes[store]
    stays = ~np.isin(rows, ids)
    total = weights[stays].sum()
    return float(weights[stays & (topics == topic)].sum() / total) if total > 0 else 0.0


@typed
def scored(forecasts: Mapping[int, Forecast], fates: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """One line a shopper: [user, claims, right, kept, went, found_gone, back, found_back].

    fates: by shopper, as `Forgetting.fates` has them; what is new was said by nobody before and is
    left out. right: share of the claims whose fate was forecast; kept: share that was kept, which is
    how often *everything is kept* is right. went, back: how many; found_: how many of them were
    forecast. Raises `DataError` where a forecast is of another report.
    """
    lines = []
    for user, one in forecasts.items():
        came = fates[user].set_index("claim")["fate"]
        came = came[came != "new"]
        said = one.table.set_index("claim")["fate"]
        if set(came.index) != set(said.index):
            what = f"the forecast of user {user} is of another report"
            raise DataError(what, "fates", "those of the report that was forecast")
        said = said.reindex(came.index)
        line = {"user": user, "claims": len(came), "right": float((said == came).mean())}
        line["kept"] = float((came == "kept").mean())
        for name, fate in (("went", "gone"), ("back", "back")):
            line[name] = int((came == fate).sum())
            line[f"found_{fate}"] = int(((came == fate) & (said == fate)).sum())
        lines.append(line)
    return pd.DataFrame(lines)


@typed
def agreement(forecasts: Mapping[int, Forecast], fates: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    """How many claims were forecast (rows) and came (columns), over all shoppers."""
    pairs = [
        fates[user].merge(one.table, on="claim", suffixes=("_came", "_said"))
        for user, one in forecasts.items()
    ]
    both = pd.concat(pairs)
    counts = pd.crosstab(both["fate_said"], both["fate_came"])
    order = [*FATES]
    counts = counts.reindex(index=order, columns=order, fill_value=0)
    return counts.rename_axis(index="forecast", columns="came")
