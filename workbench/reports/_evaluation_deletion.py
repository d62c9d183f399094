"""Necessity and sufficiency: the rows under a page taken away, or kept alone.

Rows under a sentence are the heaviest that carry `share` of each of its claims. Taken away, a sentence
that needs them goes; kept alone, one for which they are enough stays. Beside both the same with as
many *other* rows of the shopper: what goes without any rows at all says nothing of these.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.errors import check_number
from workbench.reports._evaluation_controls import Agent, filled
from workbench.reports.claims import TOLERANCE
from workbench.reports.evidence import Evidence
from workbench.reports.rules import attempt
from workbench.reports.statements import NotSo
from workbench.reports.writer import Report

PAGE = "the page"
"""What the last line of `deletion` is about."""


def rows_under(report: Report, share: float = 0.5) -> list[np.ndarray]:
    """For each sentence of the page the interactions under it: of each of its claims the heaviest
    rows (ties by id) that carry `share` of it, at least one; 1.0: all of them."""
    check_number(0.0, 1.0, share=share)
    under = {}
    ordered = report.support.sort_values(["weight", "interaction"], ascending=[False, True])
    for name, part in ordered.groupby("claim", sort=False):
        n = int(np.searchsorted(part["weight"].cumsum(), share - TOLERANCE)) + 1
        under[name] = part["interaction"].to_numpy()[:n]
    return [
        np.unique(np.concatenate([under[name] for name in names]))
        for names in report.sentences["claims"]
    ]


def still_said(report: Report, evidence: Evidence) -> np.ndarray:
    """Which sentences (n,) could be said by this evidence: all their statements hold. Their numbers
    may be others."""
    statement = {claim.claim: claim.statement for claim in report.claims}
    names = {name for names in report.sentences["claims"] for name in names}
    holds = {one: not isinstance(attempt(evidence, statement[one]), NotSo) for one in names}
    return np.array([all(holds[one] for one in names) for names in report.sentences["claims"]])


def deletion(
    report: Report,
    evidence: Evidence,
    agent: Agent | None = None,
    share: float = 0.5,
    seed: int = 0,
    each: bool = True,
) -> pd.DataFrame:
    """Necessity and sufficiency of the rows under each sentence: [sentence, section, rows, goes,
    goes_other, stays, stays_other]; the last line, section "the page", is about all sentences but
    those that count the rows, and gives shares; the only one without `each`.

    goes: without these rows the sentence is no longer said. stays: with nothing else it is. The
    columns *other* do the same with as many rows drawn from those not under it; NaN where there
    are not as many. The weights of the model stay, so that rows are taken from what it reads;
    `agent` chooses anew.

    >>> deletion(page, evidence, agent)[["goes", "goes_other"]].mean()  # doctest: +SKIP
    """
    rng = np.random.default_rng(seed)
    own = evidence.log.rows_of(evidence.user)
    ids = own["interaction"].to_numpy()

    def said(kept: np.ndarray) -> np.ndarray:
        return still_said(report, filled(evidence, own[kept], agent)).astype(float)

    def tried(rows: np.ndarray, of: list[int]) -> list[float]:
        inside = np.isin(ids, rows)
        drawn = np.zeros(len(ids), dtype=bool)
        drawn[rng.permutation(np.flatnonzero(~inside))[: inside.sum()]] = True
        fair = drawn.sum() == inside.sum()
        goes, stays = (1 - said(~inside)[of].mean(), said(inside)[of].mean())
        if not fair:
            return [goes, np.nan, stays, np.nan]
        return [goes, 1 - said(~drawn)[of].mean(), stays, said(drawn)[of].mean()]

    under = rows_under(report, share)
    sections = report.sentences["section"].tolist()
    numbered = enumerate(under if each else [])
    table = [(n, sections[n], len(r), *tried(r, [n])) for n, r in numbered]
    # all of them at once; a sentence that counts the rows rests on every one
    counting = {claim.claim for claim in report.claims if claim.kind == "basis"}
    left = [n for n, names in enumerate(report.sentences["claims"]) if not counting & {*names}]
    if left:
        rows = np.unique(np.concatenate([under[n] for n in left]))
        table.append((-1, "the page", len(rows), *tried(rows, left)))
    columns = ["sentence", "section", "rows", "goes", "goes_other", "stays", "stays_other"]
    return pd.DataFrame(table, columns=columns)
