"""What changed since a page of the archive, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.reports.claims import Claim
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._past import PastPage, day_of
from workbench.reports.recpilot._told import quiet, told
from workbench.reports.rules import attempt, rule_of
from workbench.reports.sentences import shorten
from workbench.reports.statements import NotSo, Unsaid, is_item, item_code

SAID = {
    "pick pick": "our pick was {object}",
    "intent after": "you seemed to be after {object}",
    "pick cheaper": "{object} was the one that cost less",
    "pick upgrade": "{object} was the better rated one",
}
"""What may be said of a page, by kind and relation of its claims; the first things first."""
MOST = 2
WORDS = 8
"""Words of a title, at most."""


def changed(page: PastPage, evidence: Evidence) -> pd.DataFrame:
    """What held then and does not now, see `told`; what carries it is what had carried the claim."""
    carried = page.support.groupby("claim")[["interaction", "weight"]]
    ended = [
        (words, claim)
        for manner, words in SAID.items()
        for claim in page.claims
        if manner == f"{claim.kind} {claim.relation}" and _ended(claim, evidence)
    ]
    rows = []
    for words, claim in ended[:MOST]:
        said = words.format(object=_quoted(claim.object, evidence))
        text = f"On {day_of(page.made)} {said}"
        for row in carried.get_group(claim.claim).itertuples(index=False):
            rows.append((text, np.nan, *row))
    return told("archive", "changed", rows)


def _ended(claim: Claim, evidence: Evidence) -> bool:
    """Whether a claim of a past page holds no more; what is left unsaid is not asked."""
    of_kind = np.flatnonzero(evidence.catalogue.kind == claim.object).tolist()
    items = [item_code(claim.object)] if is_item(claim.object) else of_kind
    if claim.object in evidence.hushed or quiet(items, evidence):
        return False
    try:
        rule_of(claim.statement)
    except NotSo:  # of a kind that nobody knows any more
        return False
    found = attempt(evidence, claim.statement)
    return isinstance(found, NotSo) and not isinstance(found, Unsaid)


def _quoted(name: str, evidence: Evidence) -> str:
    """How a page calls what a claim is about."""
    title = evidence.catalogue.title(item_code(name)) if is_item(name) else name
    return f"“{shorten(title, WORDS)}”"
