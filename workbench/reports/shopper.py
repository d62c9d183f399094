"""What the page says to a shopper, beside what the scores say: what they did, what they are after, the
rows of the table, what is left unsaid, and what stores tell. How it is proposed, and executed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.reports.deeds import VERBS, intents
from workbench.reports.evidence import SHARE, Evidence
from workbench.reports.offers import BESIDE
from workbench.reports.statements import (
    Executed,
    NotSo,
    Statement,
    Unsaid,
    is_item,
    item_code,
    item_name,
    same,
)
from workbench.reports.table import cells, shown, speaks_against

LINKS = ("itself", "brand", "kind", "category", "together")
"""What a product that the shopper knows may have to do with the pick, the plainest first."""
TOLD = ("rubric", "aspect", "experience", "archive", "differs", "outside")
"""Kinds of statements that stores tell, see `Evidence.told`."""
UNKNOWN = ("", "unknown")


# --- executed: value and rows of one statement, or `NotSo` ---


def intent(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What the shopper is after, or else after ("or"); the value is the number of visits."""
    same(subject, e.name)
    if relation == "unclear":
        if e.intents or not len(e.deeds):
            raise NotSo("it is clear what they are after, or nothing is known")
        return _on(e, np.ones(len(e.deeds)), e.deeds.visits(e.deeds.item >= 0))
    place = {"after": 0, "or": 1}.get(relation, len(e.intents))
    if place >= len(e.intents) or e.intents[place].name != object:
        raise NotSo(f"{object!r} is not what they are {relation}")
    weights = e.intents[place].weights
    return _on(e, weights, e.deeds.visits(weights > 0))


def deed(e: Evidence, subject: str, verb: str, object: str) -> Executed:
    """What they did with a product, in so many visits; or how many products of a kind they left."""
    same(subject, e.name)
    rows = e.deeds.item == _code(e, object) if is_item(object) else _left(e, object)
    if not is_item(object):
        if verb != "left in the cart":
            raise NotSo(f"{object!r} names no item")
        return _on(e, rows, len(np.unique(e.deeds.item[rows])))
    done = e.deeds.done(verb, rows)
    return _on(e, done, e.deeds.visits(done))


def link(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What a product that they know has to do with one that is offered."""
    known, item = _code(e, subject), _code(e, object)
    if item not in e.offers.values():
        raise NotSo(f"{object} is not offered here")
    if not _linked(e, known, relation, item):
        raise NotSo(f"{subject} and {object} are not {relation}")
    return _on(e, e.deeds.item == known)


def row(e: Evidence, subject: str, role: str, told: str) -> Executed:
    """One row of the table: an item that is offered, and what its cells say."""
    item = _code(e, subject)
    if e.offers.get(role) != item:
        raise NotSo(f"the {role} is not {subject}")
    if told != cells(e, item):
        raise NotSo(f"the catalogue says {cells(e, item)!r}")
    return _shown(e, float(e.price[item]))


def against(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What speaks against the pick, beside what is shown with it."""
    item = _code(e, subject)
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
    return _on(e, np.ones(len(e.deeds)), len(e.deeds))


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
        return _on(e, own, len(groups))
    weights = np.maximum(e.weights(np.intersect1d(e.listed, items)), 0.0).sum(axis=0)
    return Executed(float(len(groups)), e.history.interaction, weights, e.carrier)


def told(e: Evidence, subject: str, relation: str, object: str, kind: str) -> Executed:
    """What a store tells: the rows of its table."""
    same(subject, e.name)
    for store, table in e.told.items():
        own = table[table["kind"].eq(kind) & table["relation"].eq(relation)]
        own = own[own["object"].eq(object)]
        if len(own):
            ids = own["interaction"].to_numpy(dtype=np.int64)
            about = e.deeds.item[np.isin(e.deeds.interaction, ids)]
            if kind in ("experience", "archive") and e.silent[about].any():
                raise Unsaid("it comes from what is left unsaid")
            return Executed(float(own["value"].iloc[0]), ids, own["weight"].to_numpy(float), store)
    raise NotSo(f"no store says {relation} {object}")


# --- proposed ---


def propose(e: Evidence) -> Iterator[Statement]:
    """What might be said to the shopper, in the order of the page."""
    if not len(e.deeds):
        return
    for relation, found in zip(("after", "or"), e.intents, strict=False):
        yield "intent", e.name, relation, found.name
    if not e.intents:
        yield "intent", e.name, "unclear", "nothing"
    else:
        yield "deed", e.name, e.deeds.latest(_last(e)), item_name(_last(e))
    if "pick" in e.offers:
        yield from _about_the_pick(e)
    yield "basis", e.name, "all", e.name
    if e.unsaid:
        yield "unsaid", e.name, "unsaid", "topics"
    for table in e.told.values():
        kinds = table.drop_duplicates(["kind", "relation", "object"])
        for one in kinds[kinds["kind"].isin(TOLD)].itertuples():
            yield one.kind, e.name, one.relation, one.object


def _about_the_pick(e: Evidence) -> Iterator[Statement]:
    pick = e.offers["pick"]
    reason = _reason(e, pick)
    if reason is not None:
        known, verb, relation = reason
        yield "deed", e.name, verb, item_name(known)
        yield "link", item_name(known), relation, item_name(pick)
    for role in ("pick", *BESIDE):
        if role in e.offers:
            yield "row", item_name(e.offers[role]), role, cells(e, e.offers[role])
    for relation, other in speaks_against(e).items():
        yield "against", item_name(pick), relation, item_name(other)
    if e.catalogue.kind[pick] and _left(e, e.catalogue.kind[pick]).any():
        yield "deed", e.name, "left in the cart", e.catalogue.kind[pick]


def _reason(e: Evidence, pick: int) -> tuple[int, str, str] | None:
    """The deed that speaks most plainly for a pick: a product, what they did with it, and what it
    has to do with the pick."""
    best = None
    for known in np.unique(e.deeds.item[~e.silent[e.deeds.item]]).tolist():
        rows = e.deeds.item == known
        verb = e.deeds.strongest(rows)
        relation = next((name for name in LINKS if _linked(e, known, name, pick)), None)
        if not verb or relation is None:
            continue
        # a deed before a look, what one can see before what people have together, something new
        # before what the page begins with; then the plainer link, the stronger deed, the later one
        place = VERBS.index(verb) if verb in VERBS else 0
        first = verb == "looked at", relation == "together", known == _last(e) != pick
        key = (*first, LINKS.index(relation), place, int(e.deeds.ago[rows].min()))
        if best is None or key < best[0]:
            best = key, (known, verb, relation)
    return best and best[1]


# --- what they read ---


def _last(e: Evidence) -> int:
    """The product that they last did something with, for what they are after; −1: nothing."""
    rows = np.flatnonzero(e.intents[0].weights) if e.intents else []
    return int(e.deeds.item[rows[-1]]) if len(rows) else -1


def _on(e: Evidence, weights: np.ndarray, value: float = np.nan) -> Executed:
    """Rows of the log, each with what it carries."""
    weights = np.asarray(weights, dtype=np.float64)
    return Executed(float(value), e.deeds.interaction, weights, "log")


def _shown(e: Evidence, value: float) -> Executed:
    """What is shown for an intent rests on it; what the scores chose, on what carries the pick."""
    pick = e.offers["pick"]
    if e.intents and e.catalogue.kind[pick] == e.intents[0].name:
        return _on(e, e.intents[0].weights, value)
    return e.carried(pick)._replace(value=value)


def _left(e: Evidence, kind: str) -> np.ndarray:
    """Mask of the rows that left products of a kind in the cart, those offered here apart."""
    rows = np.zeros(len(e.deeds), dtype=bool)
    own = (e.catalogue.kind[e.deeds.item] == kind) & ~np.isin(e.deeds.item, shown(e))
    for item in np.unique(e.deeds.item[own]).tolist():
        rows |= e.deeds.done("left in the cart", e.deeds.item == item)
    return rows


def _linked(e: Evidence, known: int, relation: str, pick: int) -> bool:
    """Whether a product has this to do with the pick."""
    if relation == "itself" or known == pick:
        return relation == "itself" and known == pick
    if relation == "together":
        # what people have together, by the model
        rows = e.history.item == known
        weights = e.weights(np.array([pick]))[0]
        return bool(weights[rows].sum() > 1e-9 * np.maximum(weights, 0.0).sum())
    if relation == "kind":
        values = e.catalogue.kind
    elif relation in ("brand", "category"):
        values = e.catalogue.facts[relation]
    else:
        return False
    return values[known] == values[pick] and values[pick] not in UNKNOWN


def _guesses(e: Evidence) -> list[np.ndarray]:
    """Items of the topics that are left unsaid and would be said, topics that share one joined."""
    named = set()
    for relation in ("list", *e.stores):
        named |= {topic for topic, share in e.shares(relation).items() if share >= SHARE}
    # what they would be said to be after
    everything = intents(e.deeds, e.catalogue, np.zeros(len(e.catalogue), dtype=bool))
    after = [one.name for one in everything[:2]]
    of_them = np.flatnonzero(np.isin(e.catalogue.kind, after) & e.silent)
    groups: list[np.ndarray] = []
    for topic in sorted(e.unsaid):
        items = e.catalogue.items_of(topic)
        if topic in named or np.isin(items, of_them).any():
            joined = [one for one in groups if np.isin(one, items).any()]
            groups = [one for one in groups if not np.isin(one, items).any()]
            groups.append(np.unique(np.concatenate([items, *joined])))
    return groups


def _code(e: Evidence, name: str) -> int:
    """The code of an item of the catalogue."""
    item = item_code(name)
    if item >= len(e.catalogue):
        raise NotSo(f"{name} is no item of the catalogue")
    return item
