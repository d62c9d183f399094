"""The one table of what may be said: how a statement is executed, where its range comes from, what
ends it.

A statement is (kind, subject, relation, object). Making claims and checking them both go through
`execute`, so that nothing is written that cannot be executed again. A new kind of claim is one more
line of `KINDS` and a section of `sentences.toml`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from workbench.reports import reasons, shopper, smallest, stability
from workbench.reports.evidence import SHARE, Evidence
from workbench.reports.interests import shares
from workbench.reports.offers import BESIDE, differences, fits, has_none
from workbench.reports.stability import LeaveOneBasketOut
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

AGAINST = 0.02
"""A row speaks against a pick when it takes away at least this share of what the others add."""


def _interest(e: Evidence, subject: str, relation: str, topic: str) -> Executed:
    same(subject, e.name)
    share = shares(e, relation).get(topic, 0.0)
    if share < SHARE:
        raise NotSo(f"share {share:.3f} is below {SHARE}")
    if relation == "list":
        items = e.listed[e.within(topic, e.listed)]
        weights = np.maximum(e.weights(items), 0.0).sum(axis=0)
        return Executed(share, e.history.interaction, weights, e.carrier)
    notes = e.notes[relation]
    own = notes.topic == topic
    return Executed(share, notes.interaction[own], notes.weight[own], relation)


def _pick(e: Evidence, subject: str, role: str, object: str) -> Executed:
    same(subject, e.name)
    item = item_code(object)
    if e.offers.get(role) != item:
        raise NotSo(f"the {role} is not {object}")
    if role in BESIDE:
        _substitute(e, role, item, e.offers.get("pick", item))
    return e.carried(item)


def _because(
    e: Evidence, subject: str, relation: str, object: str, additive: bool = True
) -> Executed:
    if e.additive != additive:
        raise NotSo(f"the model's scores are {'' if e.additive else 'not '}sums over rows")
    item = _offered(e, subject)
    signed = e.weights(np.array([item]))[0]
    carried = e.carried(item)
    total = carried.weights.sum()
    if relation == "rows":
        # how many rows, heaviest first, carry half of it
        same(object, e.name)
        heaviest = np.sort(carried.weights)[::-1].cumsum()
        return carried._replace(value=float(np.searchsorted(heaviest, total / 2 - 1e-12) + 1))
    if relation == "against" and object == "nothing":
        if strongest(e, item, sign=-1):
            raise NotSo("some row speaks against it")
        return carried._replace(value=0.0)
    if relation not in ("because", "against"):
        raise NotSo(f"no relation {relation!r}")
    # the share of one product's rows, those that speak the way the relation says
    sign = 1.0 if relation == "because" else -1.0
    own = np.where(e.history.item == item_code(object), signed * sign, 0.0)
    share = float(own.sum() / total) if total > 0 else 0.0
    if share < (AGAINST if sign < 0 else 1e-9):
        raise NotSo(f"{object} does not speak {'for' if sign > 0 else 'against'} {subject}")
    return carried._replace(value=share, weights=np.maximum(own, 0.0))


def _compare(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    item = _offered(e, subject)
    if relation == "usual price":
        same(object, e.name)
        prices = e.price[e.history.item]
        known = np.isfinite(prices)
        usual = float(np.median(prices[known])) if known.any() else np.nan
        value = float(e.price[item] - usual)
        if not np.isfinite(value):
            raise NotSo("a price is unknown")
        return Executed(value, e.history.interaction, known.astype(float), "history")
    role = relation.removeprefix("no ")
    if role in BESIDE and role != relation:
        # that there is no substitute of its kind
        same(object, e.catalogue.kind[item])
        left = e.offered if e.chosen is None else e.offerable
        if not has_none(role, left, item, e.catalogue):
            raise NotSo(f"it is not so that there is no {role} {object}")
        return e.carried(item)._replace(value=np.nan)
    other = _offered(e, object)
    if relation in BESIDE:
        return e.carried(item)._replace(value=_substitute(e, relation, item, other))
    value = float(e.scores[other] - e.scores[item])
    if relation != "behind" or value < 0:
        raise NotSo(f"{subject} is not {relation} beside {object}")
    return e.carried(item)._replace(value=value)


def _substitute(e: Evidence, role: str, item: int, other: int) -> float:
    """The difference in price or rating between an item and another whose substitute it is."""
    beside = np.array([item])
    if not fits(role, beside, other, e.catalogue)[0]:
        raise NotSo(f"{item_name(item)} is no {role} of the kind of {item_name(other)}")
    return float(differences(role, beside, other, e.catalogue)[0])


def _catalogue_fact(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    item = _offered(e, subject)
    if relation not in ("category", "brand", "price"):
        raise NotSo(f"no relation {relation!r}")
    fact = e.catalogue.frame[relation].iat[item]
    if fact_name(fact) != object:
        raise NotSo(f"the catalogue says {fact_name(fact)!r}")
    return e.carried(item)._replace(value=float(fact) if relation == "price" else np.nan)


@dataclass(frozen=True)
class Rule:
    """What can be done with one kind of statement."""

    execute: Callable[[Evidence, str, str, str], Executed]
    """(evidence, subject, relation, object): its value and the rows that carry it, or `NotSo`."""
    range: Callable[[LeaveOneBasketOut, Statement], np.ndarray] | None
    """Its value with each basket left out; None where the value is no estimate."""
    ended: Callable[[Evidence, Statement, pd.DataFrame], list[int]]
    """The fewest rows whose removal ends it, out of its support (heaviest first)."""
    portable: bool
    """Whether a mailed file can make it again by itself (`views/static/claims.js` knows it)."""


KINDS: dict[str, Rule] = {
    "interest": Rule(_interest, stability.stored_shares, smallest.heaviest_notes, True),
    "interest list": Rule(_interest, stability.listed_shares, smallest.scored_again, True),
    "pick": Rule(_pick, stability.offered_scores, smallest.heaviest_products, True),
    "pick pick": Rule(_pick, stability.offered_scores, smallest.scored_again, True),
    "because": Rule(_because, None, smallest.named_product, True),
    "by_deletion": Rule(partial(_because, additive=False), None, smallest.named_product, False),
    "compare": Rule(_compare, None, smallest.heaviest_products, True),
    "catalogue_fact": Rule(_catalogue_fact, None, smallest.heaviest_products, True),
    # what the page says to the shopper: none of it is known to a mailed file
    "intent": Rule(shopper.intent, None, smallest.heaviest, False),
    "intent after": Rule(shopper.intent, None, smallest.other_intent, False),
    "intent or": Rule(shopper.intent, None, smallest.other_intent, False),
    "deed": Rule(shopper.deed, None, smallest.all_rows, False),
    "link": Rule(reasons.link, None, smallest.all_rows, False),
    "instead": Rule(reasons.instead, None, smallest.all_rows, False),
    "asked": Rule(reasons.asked, None, smallest.all_rows, False),
    "spent": Rule(reasons.spent, None, smallest.all_rows, False),
    "refill": Rule(reasons.refill, None, smallest.all_rows, False),
    "row": Rule(shopper.row, None, smallest.heaviest, False),
    "against": Rule(shopper.against, None, smallest.heaviest, False),
    "basis": Rule(shopper.basis, None, smallest.heaviest, False),
    "unsaid": Rule(shopper.unsaid, None, smallest.heaviest, False),
}
KINDS |= {
    kind: Rule(partial(shopper.told, kind=kind), None, smallest.heaviest, False)
    for kind in shopper.TOLD
}
"""A kind, or a kind and a relation where that relation has a rule of its own."""
PORTABLE_SOURCES = ("history", "profile")
"""What a mailed file holds of a shopper."""


def rule_of(statement: Statement) -> Rule:
    """The rule of a statement; raises `NotSo` for a kind that nobody knows."""
    kind, _, relation, _ = statement
    rule = KINDS.get(f"{kind} {relation}", KINDS.get(kind))
    if rule is None:
        raise NotSo(f"no rule for the kind {kind!r}")
    return rule


def execute(evidence: Evidence, statement: Statement) -> Executed:
    """Value and carrying rows of one statement, weights summing to 1; raises `NotSo`, and `Unsaid`
    for what holds and is not said."""
    value, ids, weights, source = rule_of(statement).execute(evidence, *statement[1:])
    keep = weights > 1e-12
    if not keep.any():
        raise NotSo("no row carries it")
    for name in (statement[1], statement[3]) if evidence.unsaid else ():
        if _hushed(evidence, name):
            raise Unsaid(f"{name} is of a topic that is left unsaid")
    return Executed(value, ids[keep], weights[keep] / weights[keep].sum(), source)


def _hushed(e: Evidence, name: str) -> bool:
    """Whether an item, a topic or a kind is one that is left unsaid."""
    if is_item(name):
        return bool(e.silent[item_code(name)])
    return name in e.hushed or bool(e.silent[e.catalogue.kind == name].any())


def attempt(evidence: Evidence, statement: Statement) -> Executed | NotSo:
    """A statement executed, or why it does not hold."""
    try:
        return execute(evidence, statement)
    except NotSo as wrong:
        return wrong


def portable(evidence: Evidence, statement: Statement) -> bool:
    """Whether a mailed file can make this statement again by itself: it knows the kind, and holds
    what was read."""
    source = execute(evidence, statement).source
    # what an agent offers, the file cannot choose
    by_scores = evidence.chosen is None or statement[0] == "interest"
    return rule_of(statement).portable and source in PORTABLE_SOURCES and by_scores


def strongest(e: Evidence, item: int, sign: int = 1) -> list[int]:
    """Items of the history that speak most for (sign 1) or against (−1) an item, strongest first,
    ties by code."""
    signed = e.weights(np.array([item]))[0]
    by_item = np.bincount(e.history.item, weights=sign * signed, minlength=e.history.n_items)
    floor = 1e-9 if sign > 0 else AGAINST
    enough = np.flatnonzero(by_item >= floor * np.maximum(signed, 0.0).sum())
    enough = enough[by_item[enough] > 0]
    return enough[np.argsort(-by_item[enough], kind="stable")].tolist()


def fact_name(fact: object) -> str:
    """How claims write a catalogue fact: prices with two decimals, unknown prices as such."""
    if isinstance(fact, float):
        return f"{fact:.2f}" if np.isfinite(fact) else "unknown"
    return str(fact)


def _offered(e: Evidence, name: str) -> int:
    """The code of an item that is offered here."""
    item = item_code(name)
    if item not in e.offers.values():
        raise NotSo(f"{name} is not offered here")
    return item
