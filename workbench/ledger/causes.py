"""Which place made a claim go, stay or come: found by switching one place at a time."""

from __future__ import annotations

import pandas as pd

from workbench.ledger.memory import TIERS, Removal, Switches


def causes(removal: Removal, user: int, switches: Switches, fates: pd.DataFrame) -> pd.DataFrame:
    """[claim, cause]: which place made it so, found by switching one at a time.

    gone, new, weakened: the switches without which it would not have happened (each turned off
    alone); where any one would have sufficed, the first that suffices alone. back: the places off
    whose cleaning alone would end it; where it takes several, those; "implied by other rows" where
    the claim stands although every place is clean.
    """
    usable = [tier for tier in TIERS if tier != "user_vector" or removal.service.stores_vectors]
    on, kept = switches.on & {*usable, "tombstone"}, {}

    def values(tiers: frozenset[str]) -> dict[str, float]:
        if tiers not in kept:
            kept[tiers] = {
                name: claim.value for name, claim in removal.at(tiers).claims(user).items()
            }
        return kept[tiers]

    def cause(claim: str, fate: str, delta: float) -> str:
        if fate == "back":
            off, everywhere = [tier for tier in usable if tier not in on], on | set(usable)
            if claim in values(everywhere):
                return "implied by other rows"
            alone = [tier for tier in off if claim not in values(on | {tier})]
            together = [tier for tier in off if claim in values(everywhere - {tier})]
            return " + ".join(alone[:1] or together or off)
        now = values(on).get(claim)

        def same(tiers: frozenset[str]) -> bool:
            value = values(tiers).get(claim)
            near = now is None or value is None or not abs(value - now) > abs(delta) / 2
            return (value is None) == (now is None) and near

        order = [*usable, "tombstone"]
        needed = [tier for tier in order if tier in on and not same(on - {tier})]
        return (
            " + ".join(
                needed or [tier for tier in order if tier in on and same(frozenset({tier}))][:1]
            )
            or "together"
        )

    changed = fates[fates["fate"] != "kept"]
    found = [
        cause(*row)
        for row in changed[["claim", "fate", "delta"]].itertuples(index=False, name=None)
    ]
    return pd.DataFrame(
        {"claim": changed["claim"].to_numpy(), "cause": pd.Series(found, dtype=str)}
    )
