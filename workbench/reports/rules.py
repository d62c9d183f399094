"""How each kind of statement is executed: its value and the rows that carry it, or `NotSo`.

A statement is (kind, subject, relation, object). Making claims and checking them both go through
here, so that nothing is written that cannot be executed again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.reports.reading import Executed, NotSo, Reading, Statement, item_code

SHARE = 0.15
"""An interest holds at least this share of the list, or of the stored profile."""
AGAINST = 0.02
"""A row speaks against a pick when it takes away at least this share of what the others add."""


def _interest(r: Reading, subject: str, relation: str, topic: str) -> Executed:
    _same(subject, r.name)
    if relation == "profile":
        entity, interaction, weight = r.notes
        ids, weights = interaction[entity == topic], weight[entity == topic]
        share = float(weights.sum() / weight.sum()) if weight.sum() > 0 else 0.0
    elif relation == "list":
        within = r.listed[r.within(topic, r.listed)]
        share = len(within) / len(r.listed) if len(r.listed) else 0.0
        ids, weights = r.history.interaction, np.maximum(r.weights(within), 0.0).sum(axis=0)
    else:
        raise NotSo(f"no relation {relation!r}")
    if share < SHARE:
        raise NotSo(f"share {share:.3f} is below {SHARE}")
    return share, ids, weights


def _pick(r: Reading, subject: str, relation: str, object: str) -> Executed:
    _same(subject, r.name)
    if r.roles.get(relation) != item_code(object):
        raise NotSo(f"the {relation} is not {object}")
    return r.carried(item_code(object))


def _because(r: Reading, subject: str, relation: str, object: str) -> Executed:
    item = item_code(subject)
    if item not in r.roles.values():
        raise NotSo(f"{subject} is not offered here")
    signed = r.weights(np.array([item]))[0]
    total = np.maximum(signed, 0.0).sum()
    if relation == "rows":
        _same(object, r.name)
        heaviest = np.sort(np.maximum(signed, 0.0))[::-1].cumsum()
        return (
            float(np.searchsorted(heaviest, total / 2 - 1e-12) + 1),
            r.history.interaction,
            np.maximum(signed, 0.0),
        )
    if relation == "against" and object == "nothing":
        if strongest(r, item, sign=-1):
            raise NotSo("some row speaks against it")
        return 0.0, r.history.interaction, np.maximum(signed, 0.0)
    if relation not in ("because", "against"):
        raise NotSo(f"no relation {relation!r}")
    sign = 1.0 if relation == "because" else -1.0
    own = np.where(r.history.item == item_code(object), signed * sign, 0.0)
    share = float(own.sum() / total) if total > 0 else 0.0
    if share < (AGAINST if sign < 0 else 1e-9):
        raise NotSo(f"{object} does not speak {'for' if sign > 0 else 'against'} {subject}")
    return share, r.history.interaction, np.maximum(own, 0.0)


def _compare(r: Reading, subject: str, relation: str, object: str) -> Executed:
    item, price = item_code(subject), r.price
    if item not in r.roles.values():
        raise NotSo(f"{subject} is not offered here")
    if relation == "usual price":
        _same(object, r.name)
        usual, known = r.usual_price()
        if not np.isfinite(price[item] - usual):
            raise NotSo("a price is unknown")
        return float(price[item] - usual), r.history.interaction, known.astype(float)
    other = item_code(object)
    if other not in r.roles.values():
        raise NotSo(f"{object} is not offered here")
    if relation == "behind":
        value, true = float(r.scores[other] - r.scores[item]), r.scores[other] >= r.scores[item]
    else:
        value = float(price[item] - price[other])
        true = {"cheaper": value < 0, "dearer": value > 0}.get(relation, False)
    if not true:
        raise NotSo(f"{subject} is not {relation} beside {object}")
    return value, *r.carried(item)[1:]


def _catalogue_fact(r: Reading, subject: str, relation: str, object: str) -> Executed:
    item = item_code(subject)
    if item not in r.roles.values():
        raise NotSo(f"{subject} is not offered here")
    if relation not in ("category", "brand", "price"):
        raise NotSo(f"no relation {relation!r}")
    fact = r.catalogue.frame[relation].iat[item]
    if fact_name(fact) != object:
        raise NotSo(f"the catalogue says {fact_name(fact)!r}")
    return (float(fact) if relation == "price" else np.nan), *r.carried(item)[1:]


KINDS: dict[str, Callable[[Reading, str, str, str], Executed]] = {
    "interest": _interest,
    "pick": _pick,
    "because": _because,
    "compare": _compare,
    "catalogue_fact": _catalogue_fact,
}


def execute(reading: Reading, statement: Statement) -> Executed:
    """Value and carrying rows of one statement, weights summing to 1; raises `NotSo`."""
    kind, subject, relation, object = statement
    if kind not in KINDS:
        raise NotSo(f"no rule for the kind {kind!r}")
    value, ids, weights = KINDS[kind](reading, subject, relation, object)
    keep = weights > 1e-12
    if not keep.any():
        raise NotSo("no row carries it")
    return value, ids[keep], weights[keep] / weights[keep].sum()


def strongest(r: Reading, item: int, sign: int = 1) -> list[int]:
    """Items of the history that speak most for (sign 1) or against (−1) an item, strongest first,
    ties by code."""
    signed = r.weights(np.array([item]))[0]
    by_item = np.bincount(r.history.item, weights=sign * signed, minlength=r.history.n_items)
    floor = 1e-9 if sign > 0 else AGAINST
    enough = np.flatnonzero(by_item >= floor * np.maximum(signed, 0.0).sum())
    enough = enough[by_item[enough] > 0]
    return enough[np.argsort(-by_item[enough], kind="stable")].tolist()


def fact_name(fact: object) -> str:
    """How claims write a catalogue fact: prices with two decimals, unknown prices as such."""
    if isinstance(fact, float):
        return f"{fact:.2f}" if np.isfinite(fact) else "unknown"
    return str(fact)


def _same(given: str, expected: str) -> None:
    if given != expected:
        raise NotSo(f"{given!r} is not {expected!r}")
