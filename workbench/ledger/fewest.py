"""The fewest rows of a shopper whose removal ends a sentence, for every kind of claim."""

from __future__ import annotations

import pandas as pd

from workbench.ledger.memory import Service
from workbench.reports import Claim
from workbench.reports.rules import rule_of


def fewest(service: Service, user: int, claim: Claim, support: pd.DataFrame) -> list[int]:
    """Interaction ids; `support` [interaction, weight] is the claim's. How they are found is in the
    claim's rule, see `workbench.reports.rules.KINDS`.

    The pick and the interests of the list: `smallest_set`, verified by scoring again. Interests of
    a store: the heaviest notes, until the share falls below what makes an interest. Reasons: all
    rows of the product. Everything else: the rows of the heaviest products that carry half of it.
    """
    support = support.sort_values(["weight", "interaction"], ascending=[False, True])
    return rule_of(claim.statement).ended(service.evidence(user), claim.statement, support)
