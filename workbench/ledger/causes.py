"""What made a claim go, stay or come: found by switching one thing at a time, the places and the
mask on what the log has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.ledger.removal import Removal
from workbench.ledger.tiers import LOG, TOMBSTONE
from workbench.reports import Claim

OTHERS = "implied by other rows"
AGAIN = "deleted products offered again"
"""The mask opened: a product whose rows left the log is no longer known as seen."""
TOLERANCE = 1e-9


def causes(removal: Removal, user: int, on: frozenset[str], fates: pd.DataFrame) -> pd.DataFrame:
    """[claim, cause]: what made it so, found by switching one thing at a time; several are joined
    by " + ".

    gone, new, weakened: the switches without which it would not have happened (each turned off
    alone); where any one would have sufficed, the first that suffices alone. back: the places off
    whose cleaning alone would end it; where it takes several, those; `OTHERS` where the claim
    stands although every place is clean. And for all of them `AGAIN` where a tombstone, added
    alone, would undo it: in place of the log and of other rows, or beside them where only a part
    would be undone.
    """
    ablation = Ablation(removal, user, on)
    changed = fates[fates["fate"] != "kept"].reset_index(drop=True)
    found = [" + ".join(ablation.why(row)) for row in changed.itertuples()]
    return changed[["claim"]].assign(cause=pd.Series(found, dtype=str))


class Ablation:
    """What the shopper's claims would be if the request reached other tiers; each answer made
    once, and kept by the removal."""

    def __init__(self, removal: Removal, user: int, on: frozenset[str]) -> None:
        self.removal = removal
        self.user = user
        # the order in which a cause is looked for; the tombstone, the last, is no place to clean
        self.order = [tier.name for tier in removal.service.tiers if tier.enabled]
        self.places = self.order[:-1]
        self.on = on.intersection(self.order)

    def claims(self, tiers: frozenset[str]) -> dict[str, Claim]:
        """The claims that stand when the request reaches these tiers."""
        return self.removal.at(tiers).claims(self.user)

    def why(self, row: Any) -> list[str]:
        """The causes of one claim's fate; row: claim, fate, delta."""
        back = row.fate == "back"
        # what is to be undone of what came back is that it stands
        delta = self.claims(self.on)[row.claim].value if back else row.delta
        names = self.why_back(row.claim) if back else self.why_changed(row.claim, delta)
        # a shop that masks nothing had offered the products before
        if not (back or self.removal.service.mask_seen):
            return names
        undone = self.undone(row.claim, self.on | {TOMBSTONE.name}, delta)
        if undone > 1 - TOLERANCE:
            names = [name for name in names if name not in (LOG.name, OTHERS)]
        return [*names, AGAIN] if undone > TOLERANCE else names

    def why_back(self, claim: str) -> list[str]:
        """Why a claim stands although the rows it rested on are gone."""
        everywhere = self.on.union(self.places)
        if claim in self.claims(everywhere):
            return [OTHERS]
        off = [tier for tier in self.places if tier not in self.on]
        alone = [tier for tier in off if claim not in self.claims(self.on | {tier})]
        together = [tier for tier in off if claim in self.claims(everywhere - {tier})]
        return alone[:1] or together or off

    def why_changed(self, claim: str, delta: float) -> list[str]:
        """Why a claim went, came, or weakened by `delta`: what undoes more than half of it."""
        on = [tier for tier in self.order if tier in self.on]
        needed = [tier for tier in on if abs(self.undone(claim, self.on - {tier}, delta)) > 0.5]
        # any one of several would have sufficed: the first
        alone = (tier for tier in on if not abs(self.undone(claim, frozenset({tier}), delta)) > 0.5)
        return needed or [next(alone, "together")]

    def undone(self, claim: str, tiers: frozenset[str], delta: float) -> float:
        """Share of a change by `delta` that would be undone if the request reached these tiers
        instead; 1 where the claim itself would go, or return."""
        now, then = (self.claims(reached).get(claim) for reached in (self.on, tiers))
        if now is None or then is None:
            return float(now is not then)
        return (now.value - then.value) / (delta or np.nan)
