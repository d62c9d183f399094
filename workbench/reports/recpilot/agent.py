"""The agent of the page, by rule: what it offers follows from what the shopper is after.

    intent = argmax over kinds of Σ (1 + rank of the action) · ½ ^ (visits since / HALF)      see deeds.py
    pick   = what they did most with on their last visit for it, if more than a look; else the best-ranked
             product of the intent's kind; where another of the kind outdoes it, which costs less and is
             better rated, that one. Where the kind has none to offer, of its category; where that has
             none, of the kinds of which they have none
    cheaper, upgrade = the best-ranked of the pick's kind that cost less, that are rated better
    alternative      = the same choice, for what else they may be after

What may be offered: nothing that is masked or left unsaid, and nothing that they bought, but for what
people buy again, once it is time for more.

RecPilot (arXiv 2603.07605) lets a language model read the trajectories and choose; what remains of it
here is the order: first what they are after, then the products.
"""

from __future__ import annotations

import numpy as np

from workbench.data import Catalogue
from workbench.errors import typed
from workbench.reports.deeds import Intent
from workbench.reports.evidence import Evidence
from workbench.reports.offers import BESIDE, fits, roles
from workbench.reports.reasons import otherwise


@typed
def agent(evidence: Evidence) -> dict[str, int]:
    """What to offer, role → item code; nothing where nothing may be offered.

    >>> Service.build(log, catalogue, EASE(), agent=agent).report(3)  # doctest: +SKIP
    """
    offered = evidence.offerable
    kind = evidence.catalogue.kind
    # what they are after, kind by kind, until one has something left
    for mask in within(evidence):
        fitting = offered[mask[offered]]
        if not len(fitting):
            continue
        first = _best(evidence, fitting, evidence.intents[:1])
        found = roles(np.append(first, offered[offered != first]), evidence.catalogue)
        # what else they may be after, the best of it
        other = otherwise(evidence)
        if other is not None and other.name != kind[first]:
            fitting = offered[kind[offered] == other.name]
            found["alternative"] = _best(evidence, fitting, [other])
        return found
    return {}


def _best(evidence: Evidence, fitting: np.ndarray, intents: list[Intent]) -> int:
    """The product to offer for an intent, of those that fit it, best first."""
    offered, catalogue = evidence.offerable, evidence.catalogue
    for intent in intents:
        looked = evidence.deeds.latest(intent.product) == "looked at"
        if intent.product in fitting and not looked:
            # what they did most with; of those that outdo it, the best
            fitting = fitting[np.argsort(fitting != intent.product, kind="stable")]
            better = np.logical_and(*(fits(r, fitting, intent.product, catalogue) for r in BESIDE))
            fitting = fitting[better] if better.any() else fitting
    return int(fitting[~outdone(fitting, offered, catalogue)][0])


def outdone(items: np.ndarray, offered: np.ndarray, catalogue: Catalogue) -> np.ndarray:
    """Which of the items cost more, and are rated lower, than another that is offered of their
    kind. Of a kind never all: its cheapest is not outdone."""
    both = [
        np.logical_and(*(fits(role, offered, item, catalogue) for role in BESIDE)).any()
        for item in items.tolist()
    ]
    return np.array(both, dtype=bool)


def within(evidence: Evidence) -> list[np.ndarray]:
    """Masks (n_items,) of where the pick is looked for, the narrowest first."""
    kind = evidence.catalogue.kind
    category = evidence.catalogue.facts["category"]
    found = []
    for intent in evidence.intents[:1]:
        of_kind = kind == intent.name
        found += [of_kind, np.isin(category, category[of_kind])]
    # kinds of which they have one come last
    has = np.isin(kind, kind[evidence.deeds.had(evidence.catalogue, evidence.refills)])
    return [*found, ~has, np.ones(len(kind), dtype=bool)]
