"""Which place made a claim go, stay or come: found by switching one place at a time."""

from __future__ import annotations

import pandas as pd

from workbench.ledger.memory import Removal
from workbench.ledger.tiers import TOMBSTONE
from workbench.reports import Claim


def causes(removal: Removal, user: int, on: frozenset[str], fates: pd.DataFrame) -> pd.DataFrame:
    """[claim, cause]: which place made it so, found by switching one at a time.

    gone, new, weakened: the switches without which it would not have happened (each turned off
    alone); where any one would have sufficed, the first that suffices alone. back: the places off
    whose cleaning alone would end it; where it takes several, those; "implied by other rows" where
    the claim stands although every place is clean.
    """
    ablation = Ablation(removal, user, on)
    changed = fates[fates["fate"] != "kept"].reset_index(drop=True)
    found = []
    for claim, fate, delta in zip(changed["claim"], changed["fate"], changed["delta"], strict=True):
        if fate == "back":
            found.append(ablation.why_back(claim))
        else:
            found.append(ablation.why_changed(claim, delta))
    return changed[["claim"]].assign(cause=pd.Series(found, dtype=str))


class Ablation:
    """What the shopper's claims would be if the request reached other tiers; each answer made
    once, and kept by the removal."""

    def __init__(self, removal: Removal, user: int, on: frozenset[str]) -> None:
        self.removal = removal
        self.user = user
        # the order in which a cause is looked for; a tombstone is no place that could be cleaned
        self.order = [tier.name for tier in removal.service.tiers if tier.enabled]
        self.places = [name for name in self.order if name != TOMBSTONE.name]
        self.on = on.intersection(self.order)

    def claims(self, tiers: frozenset[str]) -> dict[str, Claim]:
        """The claims that stand when the request reaches these tiers."""
        return self.removal.at(tiers).claims(self.user)

    def why_back(self, claim: str) -> str:
        """Why a claim stands although the rows it rested on are gone."""
        everywhere = self.on.union(self.places)
        if claim in self.claims(everywhere):
            return "implied by other rows"
        off = [tier for tier in self.places if tier not in self.on]
        alone = [tier for tier in off if claim not in self.claims(self.on | {tier})]
        together = [tier for tier in off if claim in self.claims(everywhere - {tier})]
        return " + ".join(alone[:1] or together or off)

    def why_changed(self, claim: str, delta: float) -> str:
        """Why a claim went, came, or weakened by `delta`."""
        on = [tier for tier in self.order if tier in self.on]
        needed = [tier for tier in on if not self._same(claim, self.on - {tier}, delta)]
        if needed:
            return " + ".join(needed)
        # any one of several would have sufficed: the first
        sufficient = (tier for tier in on if self._same(claim, frozenset({tier}), delta))
        return next(sufficient, "together")

    def _same(self, claim: str, tiers: frozenset[str], delta: float) -> bool:
        """Whether the claim would be what it is now: there or not, and within half of what it
        changed by."""
        now = self.claims(self.on).get(claim)
        then = self.claims(tiers).get(claim)
        if now is None or then is None:
            return now is then
        return not abs(then.value - now.value) > abs(delta) / 2
