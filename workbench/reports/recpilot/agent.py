"""The agent of the page, by rule: what it offers follows from what the shopper is after.

    intent = argmax over kinds of Σ (1 + rank of the action) · ½ ^ (visits since / HALF)      see deeds.py
    pick   = the best-ranked product of the intent's kind that may be offered and that no other of its
             kind outdoes, which costs less and is better rated; where the kind has none to offer, of
             its category; where that has none, of the kinds of which they did not just buy one
    cheaper, upgrade = the best-ranked of the pick's kind that cost less, that are rated better

What may be offered: nothing that is masked or left unsaid, and nothing that was bought in one visit
alone (who bought twice may want a third).

RecPilot (arXiv 2603.07605) lets a language model read the trajectories and choose; what remains of it
here is the order: first what they are after, then the products.
"""

from __future__ import annotations

import numpy as np

from workbench.data import Catalogue
from workbench.reports.evidence import Evidence
from workbench.reports.offers import BESIDE, fits, roles


def agent(evidence: Evidence) -> dict[str, int]:
    """What to offer, role → item code; nothing where nothing may be offered.

    >>> Service.build(log, catalogue, EASE(), agent=agent).report(3)  # doctest: +SKIP
    """
    offered = evidence.offerable
    catalogue = evidence.catalogue
    # what they are after, kind by kind, until one has something left
    for mask in within(evidence):
        fitting = offered[mask[offered]]
        if len(fitting):
            first = fitting[~outdone(fitting, offered, catalogue)][:1]
            rest = offered[offered != first[0]]
            return roles(np.concatenate([first, rest]), catalogue)
    return {}


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
    # kinds of which they just bought one come last
    just_bought = np.isin(kind, kind[evidence.deeds.bought_once])
    return [*found, ~just_bought, np.ones(len(kind), dtype=bool)]
