"""The page as it is meant to be served: own actions as the base ranking, the agent's offers, all that
remembers beside the log, and sensitive topics left unsaid."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.data import Catalogue, Interactions
from workbench.errors import ConfigError, typed
from workbench.ledger import Service
from workbench.recommend import OwnActions
from workbench.reports import EntityStore, Store, recpilot


@typed
def served(
    log: Interactions,
    catalogue: Catalogue,
    unsaid: Iterable[str] = (),
    stores: Iterable[type[Store]] | None = None,
) -> Service:
    """A service that writes such pages; `unsaid` and `stores` as in `Service.build`, the stores being
    all there are unless told. What somebody had is offered again only where people have things
    again, see `once`; `service.mask_seen` says so.

    >>> print(served(world.log, world.catalogue).report(3).text)  # doctest: +SKIP
    """
    if stores is None:
        stores = (EntityStore, recpilot.Rubric, recpilot.Experience, recpilot.Archive)
    rules = {"stores": stores, "unsaid": unsaid, "agent": recpilot.agent, "mask_seen": once(log)}
    return Service.build(log, catalogue, OwnActions(), **rules)


ONCE = "Nobody here has anything twice: what somebody had is not offered to them again."
"""What is said of such a log."""


def once(log: Interactions) -> bool:
    """Whether no user of a log has an item twice, as with films: presses of buttons do not count."""
    return not log.deeds.frame.duplicated(["user", "item"]).any()


def unnamed(catalogue: Catalogue, name: str) -> list[str] | None:
    """Topics that no page names unasked: those all of whose products the rules for a data set call
    sensitive. None where there are no rules."""
    from workbench.sources import find_sensitive, load_rules

    try:
        rules = load_rules(name)
    except ConfigError:
        return None
    own = set(find_sensitive(catalogue, rules)["item"].tolist())
    topics = catalogue.topics.groupby("topic", sort=True)["item"].agg(set)
    return [topic for topic, items in topics.items() if items <= own]
