"""Is a page true, cited, carried by its rows, and about what comes next? Counted, not judged.

    claim precision     claims that hold when executed on these rows / claims said
    citation precision  mean over claims of |cited ∩ carrying| / |cited|;  0 for a claim that does not hold
    citation recall     mean over claims that hold of |cited ∩ carrying| / |carrying|
    necessity           share of sentences that go when the rows under them are taken away
    sufficiency         share of sentences that stay when only the rows under them are kept
    coverage            share of what is bought later whose product, kind, category, brand the page offers

Necessity and sufficiency: `deletion`; whether what is forecast comes true: `calibration`. After FACT of
DeepResearch Bench (citation accuracy, by re-execution in place of a judge) and ERASER (DeYoung et al.,
ACL 2020: comprehensiveness and sufficiency, with whole sentences in place of probabilities).

A template is true of the rows it was filled from: claim precision 1 there is a test, not a finding.
`sources` fills it from somebody else; held against the shopper's own rows, such a page says how much
of it anybody could be told.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.reports._evaluation_controls import filled, sources
from workbench.reports._evaluation_deletion import deletion
from workbench.reports._evaluation_forecasts import calibration, forecast
from workbench.reports.claims import TOLERANCE
from workbench.reports.evidence import Evidence
from workbench.reports.rules import attempt
from workbench.reports.statements import NotSo, item_code
from workbench.reports.writer import Report

__all__ = ["calibration", "coverage", "deletion", "filled", "forecast", "held_against", "offers_of"]
__all__ += ["precision", "sources"]


def offers_of(report: Report) -> dict[str, int]:
    """What a page offers, role → item code."""
    picks = (claim for claim in report.claims if claim.kind == "pick")
    return {claim.relation: item_code(claim.object) for claim in picks}


def held_against(report: Report, evidence: Evidence) -> pd.DataFrame:
    """Every claim that the page says, executed on the rows of `evidence`: [claim, kind, holds,
    reason, cited, carrying, both], the last three in rows.

    What the page offers is taken as offered. Raises `DataError` for a page of another user code.
    """
    if report.user != evidence.user:
        raise DataError(f"a page for user {report.user}", "report", f"one for {evidence.name}")
    offers = offers_of(report)
    if offers != dict(evidence.offers):
        evidence = evidence.choosing(offers)
    said = {name for names in report.sentences["claims"] for name in names}
    cited = report.support.groupby("claim")["interaction"].agg(set).to_dict()
    rows = []
    for claim in report.claims:
        if claim.claim not in said:
            continue
        found = attempt(evidence, claim.statement)
        # a claim holds with its number, or not at all
        why, carrying = str(found), set()
        if not isinstance(found, NotSo):
            same = np.isclose(claim.value, found.value, TOLERANCE, TOLERANCE, equal_nan=True)
            why = "" if same else f"value {claim.value:.6g} is {found.value:.6g}"
            carrying = set(found.ids.tolist()) if same else set()
        own = cited.get(claim.claim, set())
        counts = (len(own), len(carrying), len(own & carrying))
        rows.append((claim.claim, claim.kind, not why, why, *counts))
    columns = ["claim", "kind", "holds", "reason", "cited", "carrying", "both"]
    return pd.DataFrame(rows, columns=columns)


def precision(held: pd.DataFrame) -> dict[str, float]:
    """Claim precision, citation precision and citation recall of what `held_against` found; NaN
    where there is nothing to count."""
    cited = held["both"] / held["cited"].clip(lower=1)
    true = held[held["holds"].astype(bool)]
    return {
        "claim precision": float(held["holds"].mean()),
        "citation precision": float(cited.mean()),
        "citation recall": float((true["both"] / true["carrying"].clip(lower=1)).mean()),
    }


def coverage(report: Report, evidence: Evidence, bought: Iterable[int]) -> dict[str, float]:
    """Share of the products bought later (item codes) that the page offers, and whose kind,
    category and brand are those of something it offers, or is after; NaN where none was bought."""
    later = np.fromiter(bought, dtype=np.int64)
    offered = np.array([*offers_of(report).values()], dtype=np.int64)
    facts = {"product": np.arange(len(evidence.catalogue)), "kind": evidence.catalogue.kind}
    facts |= {name: evidence.catalogue.facts[name] for name in ("category", "brand")}
    named = {claim.object for claim in report.claims if claim.kind == "intent"}
    shares = {}
    for name, values in facts.items():
        told = set(values[offered].tolist()) | (named if name == "kind" else set())
        shares[name] = float(np.mean([one in told for one in values[later].tolist()] or [np.nan]))
    return shares
