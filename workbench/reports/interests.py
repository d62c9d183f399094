"""Interests: how much of what a shopper is offered, or of what is kept of them, is of a topic."""

from __future__ import annotations

from collections import Counter

from workbench.reports.evidence import Evidence
from workbench.reports.statements import NotSo


def shares(e: Evidence, relation: str) -> dict[str, float]:
    """How much of the list ("list"), or of what a store holds, is of each topic; `NotSo` for
    another relation.

    >>> shares(service.evidence(3), "list")  # doctest: +SKIP
    {'Tea': 0.45, 'Kitchen': 0.2}
    """
    if relation == "list":
        counts = Counter(t for item in e.listed for t in e.catalogue.topics_of(item))
        return {topic: count / len(e.listed) for topic, count in counts.items()}
    if relation not in e.notes:
        raise NotSo(f"no list and no store is called {relation!r}")
    topics, _, weight = e.notes[relation]
    total = max(weight.sum(), 1e-300)
    return {topic: float(weight[topics == topic].sum() / total) for topic in set(topics)}
