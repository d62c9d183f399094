"""What the page says to a shopper, beside what the scores say: what they did, what they are after, the
rows of the table, what is left unsaid, and what stores tell. How it is proposed, and executed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.reports import reasons
from workbench.reports.deeds import intents
from workbench.reports.evidence import SHARE, Evidence
from workbench.reports.interests import shares
from workbench.reports.offers import BESIDE
from workbench.reports.reasons import code, on_deeds, opening, otherwise
from workbench.reports.statements import (
    Executed,
    NotSo,
    Statement,
    Unsaid,
    is_item,
    item_name,
    same,
)
from workbench.reports.table import cells, shown, speaks_against

TOLD = ("rubric", "aspect", "experience", "archive", "differs", "outside")
"""Kinds of statements that stores tell, see `Evidence.told`."""


# --- executed: value and rows of one statement, or `NotSo` ---


def intent(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What the shopper is after, or else after ("or"); the value is the number of visits."""
    same(subject, e.name)
    if relation == "unclear":
        same(object, "nothing")
        if e.intents or not len(e.deeds):
            raise NotSo("it is clear what they are after, or nothing is known")
        return on_deeds(e, np.ones(len(e.deeds)), e.deeds.visits(e.deeds.item >= 0))
    found = next(iter(e.intents), None) if relation == "after" else None
    found = otherwise(e) if relation == "or" else found
    if found is None or found.name != object:
        raise NotSo(f"{object!r} is not what they are {relation}")
    weights = found.weights
    return on_deeds(e, weights, e.deeds.visits(weights > 0))


def deed(e: Evidence, subject: str, verb: str, object: str) -> Executed:
    """What they did with a product, in so many visits; or how many products of a kind they left."""
    same(subject, e.name)
    rows = e.deeds.item == code(e, object) if is_item(object) else _left(e, object)
    if not is_item(object):
        if verb != "left in the cart":
            raise NotSo(f"{object!r} names no item")
        return on_deeds(e, rows, len(np.unique(e.deeds.item[rows])))
    done = e.deeds.done(verb, rows)
    return on_deeds(e, done, e.deeds.visits(done))


def row(e: Evidence, subject: str, role: str, told: str) -> Executed:
    """One row of the table: an item that is offered, and what its cells say."""
    item = code(e, subject)
    if e.offers.get(role) != item:
        raise NotSo(f"the {role} is not {subject}")
    if told != cells(e, item):
        raise NotSo(f"the catalogue says {cells(e, item)!r}")
    other = otherwise(e) if role == "alternative" else None
    if other is not None and e.catalogue.kind[item] == other.name:
        return on_deeds(e, other.weights, float(e.price[item]))
    return _shown(e, float(e.price[item]))


def against(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What speaks against the pick, beside what is shown with it."""
    item = code(e, subject)
    other = speaks_against(e).get(relation)
    if e.offers.get("pick") != item or other is None:
        raise NotSo(f"{subject} is not {relation}")
    same(object, item_name(other))
    rated = relation == "lowest rated"
    values = e.catalogue.rating if rated else e.price
    value = values[item] - values[other] if relation == "between" else values[item]
    return _shown(e, float(value))


def basis(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """How many things the shopper did that we know of."""
    same(subject, e.name)
    same(object, e.name)
    same(relation, "all")
    return on_deeds(e, np.ones(len(e.deeds)), len(e.deeds))


def unsaid(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """How many guesses hold and are left unsaid; topics that share a product are one guess."""
    same(subject, e.name)
    same((relation, object), ("unsaid", "topics"))
    groups = _guesses(e)
    if not groups:
        raise NotSo("nothing is left unsaid")
    # their own rows on it, else what carries their list
    items = np.unique(np.concatenate(groups))
    own = np.isin(e.deeds.item, items)
    if own.any():
        return on_deeds(e, own, len(groups))
    weights = np.maximum(e.weights(np.intersect1d(e.listed, items)), 0.0).sum(axis=0)
    return Executed(float(len(groups)), e.history.interaction, weights, e.carrier)


def told(e: Evidence, subject: str, relation: str, object: str, kind: str) -> Executed:
    """What a store tells: the rows of its table."""
    same(subject, e.name)
    store, own = e.told.get((kind, relation, object), ("", None))
    if own is None:
        raise NotSo(f"no store says {relation} {object}")
    ids = own["interaction"].to_numpy(dtype=np.int64)
    about = e.deeds.item[np.isin(e.deeds.interaction, ids)]
    if kind in ("experience", "archive") and e.silent[about].any():
        raise Unsaid("it comes from what is left unsaid")
    return Executed(float(own["value"].iloc[0]), ids, own["weight"].to_numpy(float), store)


# --- proposed ---


def propose(e: Evidence) -> Iterator[Statement]:
    """What might be said to the shopper, in the order of the page."""
    why = reasons.spent_by(e)
    if why:
        yield "spent", e.name, ", ".join(why), e.name
    if not len(e.deeds):
        return
    if not e.intents:
        yield "intent", e.name, "unclear", "nothing"
    else:
        yield from _about_the_intent(e)
    if "pick" in e.offers:
        yield from _about_the_pick(e)
    yield from _about_another(e)
    yield "basis", e.name, "all", e.name
    if e.unsaid:
        yield "unsaid", e.name, "unsaid", "topics"
    for kind, relation, object in e.told:
        if kind in TOLD:
            yield kind, e.name, relation, object


def _about_the_intent(e: Evidence) -> Iterator[Statement]:
    """What they are after, what they last did for it, and whether people buy it again."""
    kind, last = e.intents[0].name, opening(e)
    yield "intent", e.name, "after", kind
    yield "deed", e.name, e.deeds.latest(last), item_name(last)
    if kind in e.refills.people:
        yield "refill", e.name, "again", kind


def _about_another(e: Evidence) -> Iterator[Statement]:
    """What they may be after else, where the pick is not that, and the best of it."""
    other = otherwise(e) if e.intents else None
    kind = e.catalogue.kind
    if other is None or ("pick" in e.offers and kind[e.offers["pick"]] == other.name):
        return
    yield "intent", e.name, "or", other.name
    best = e.offers.get("alternative", -1)
    if best >= 0 and kind[best] == other.name:
        yield "row", item_name(best), "alternative", cells(e, best)


def _about_the_pick(e: Evidence) -> Iterator[Statement]:
    pick = e.offers["pick"]
    yield from reasons.propose(e)
    for role in ("pick", *BESIDE):
        if role in e.offers:
            yield "row", item_name(e.offers[role]), role, cells(e, e.offers[role])
    for relation, other in speaks_against(e).items():
        yield "against", item_name(pick), relation, item_name(other)
    if e.catalogue.kind[pick] and _left(e, e.catalogue.kind[pick]).any():
        yield "deed", e.name, "left in the cart", e.catalogue.kind[pick]


# --- what they read ---


def _shown(e: Evidence, value: float) -> Executed:
    """What is shown for an intent rests on it; what the scores chose, on what carries the pick."""
    pick = e.offers["pick"]
    if e.intents and e.catalogue.kind[pick] == e.intents[0].name:
        return on_deeds(e, e.intents[0].weights, value)
    return e.carried(pick)._replace(value=value)


def _left(e: Evidence, kind: str) -> np.ndarray:
    """Mask of the rows that left products of a kind in the cart, but for those that are offered
    here, and the one that the page opens with."""
    told = [*shown(e), opening(e)]
    of_kind = e.catalogue.kind[e.deeds.item] == kind
    return e.deeds.left & of_kind & ~np.isin(e.deeds.item, told)


def _guesses(e: Evidence) -> list[np.ndarray]:
    """Items of the topics that are left unsaid and would be said, topics that share one joined."""
    named = set()
    for relation in ("list", *e.stores):
        named |= {topic for topic, share in shares(e, relation).items() if share >= SHARE}
    # what they would be said to be after
    nothing = np.zeros(len(e.catalogue), dtype=bool)
    everything = intents(e.deeds, e.catalogue, nothing, e.refills)
    after = [one.name for one in everything[:2]]
    of_them = np.flatnonzero(np.isin(e.catalogue.kind, after) & e.silent)
    groups: list[np.ndarray] = []
    topics = set(e.catalogue.topics["topic"])
    for topic in sorted(e.hushed & topics):
        items = e.catalogue.items_of(topic)
        if topic in named or np.isin(items, of_them).any():
            joined = [one for one in groups if np.isin(one, items).any()]
            groups = [one for one in groups if not np.isin(one, items).any()]
            groups.append(np.unique(np.concatenate([items, *joined])))
    return groups
