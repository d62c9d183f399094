"""Tiers: the places where a service remembers a shopper, in the one list that switches, ladder,
canaries, causes and the screen read. On the screen a tier is called a place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, StrictBool

from workbench.errors import ConfigError, typed
from workbench.reports import Store


class Tier(NamedTuple):
    """One place where memory lives; the fields are those of `Store`."""

    name: str
    label: str
    help: str
    causes: tuple[str, str]
    enabled: bool = True
    """Whether the service at hand has it."""


LOG = Tier(
    "log",
    "the log",
    "Delete the rows from the log: what the model is given to read, and what it knows you have "
    "seen.",
    ("the rows left the log", "the log still holds the rows"),
)
USER_VECTOR = Tier(
    "user_vector",
    "the stored user vector",
    "Compute the stored user vector anew. Only models that store one; a refit of the item weights "
    "does it, too.",
    ("the user vector was computed anew", "the stored user vector still says so"),
)
NO_VECTOR = USER_VECTOR._replace(
    help="No user vector apart from the weights: what the weights hold goes with them.",
    enabled=False,
)
ITEM_WEIGHTS = Tier(
    "item_weights",
    "the item weights",
    "Take the rows out of the weights that everybody shares: exact for counted models, a refit for "
    "others.",
    ("the item weights were cleaned", "the item weights still remember"),
)
TOMBSTONE = Tier(
    "tombstone",
    "a tombstone: never offer again",
    "Never offer the deleted products again. The list of tombstones is itself a memory.",
    ("the tombstone keeps deleted products out", "the tombstone lets it stand"),
)
RESERVED = {
    "log",
    "user_vector",
    "item_weights",
    "tombstone",
    "list",
    "rest",
    "others",
    "caches",
    "way",
}
"""Names that no store may have."""


def tiers_of(stores: Iterable[Store], vectors: bool) -> tuple[Tier, ...]:
    """Every tier of a service with these stores, whose model keeps a vector per user or does not,
    in the order of the screen."""
    named = [Tier(store.name, store.label, store.help, store.causes) for store in stores]
    return (LOG, *named, USER_VECTOR if vectors else NO_VECTOR, ITEM_WEIGHTS, TOMBSTONE)


class Switches(BaseModel):
    """Where a request to forget reaches: a tier each, by name.

    Tiers that are not named are cleaned, and the tombstone is set only where it is named. Which
    tiers there are is for the service to say: see `Service.reach`, which refuses other names.

    >>> Switches(profile=False, tombstone=True).on("profile")
    False
    >>> Switches.only(["log"]).on("profile")
    False
    """

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, StrictBool]

    rest: StrictBool = True
    """Whether tiers that are not named are cleaned, too."""

    def on(self, tier: str) -> bool:
        """Whether the request reaches this tier."""
        return self.model_extra.get(tier, self.rest and tier != TOMBSTONE.name)

    @classmethod
    def only(cls, names: Iterable[str]) -> Switches:
        """These on, the others off."""
        return cls(rest=False, **dict.fromkeys(names, True))


@typed
def rungs(tiers: Sequence[Tier]) -> dict[str, Switches]:
    """Settings of growing reach over `service.tiers`, and one that goes at it backwards.

    >>> list(rungs([LOG, USER_VECTOR, ITEM_WEIGHTS, TOMBSTONE]))
    ['nothing', 'log', 'log, vector', 'everything', 'everything, tombstone', 'weights only']
    """
    settings = {"nothing": Switches.only([])}
    # the shopper's own places, one more each time
    own = [tier.name for tier in tiers if tier not in (ITEM_WEIGHTS, TOMBSTONE)]
    for n in range(1, len(own) + 1):
        name = ", ".join(tier.removeprefix("user_") for tier in own[:n])
        settings[name] = Switches.only(own[:n])
    # what everybody shares
    settings["everything"] = Switches()
    settings["everything, tombstone"] = Switches(tombstone=True)
    settings["weights only"] = Switches.only([ITEM_WEIGHTS.name])
    return settings


def check_stores(stores: Iterable[Store]) -> dict[str, Store]:
    """The stores by name; raises `ConfigError` for a name that is taken or is no name."""
    found: dict[str, Store] = {}
    for store in stores:
        name = store.name
        if name in RESERVED or name in found or not name.isidentifier():
            raise ConfigError(f"a store called {name!r}", "stores", "a name of its own, one word")
        found[name] = store
    return found
