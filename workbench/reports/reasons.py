"""Why the pick: a deed that speaks for it, and where the page opens with another product, why that is
not the pick. How both are proposed, and executed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.data import BUTTONS
from workbench.reports.deeds import VERBS, Intent
from workbench.reports.evidence import Evidence
from workbench.reports.offers import BESIDE, fits
from workbench.reports.statements import Executed, NotSo, Statement, item_code, item_name, same

LINKS = ("itself", "kind", "brand", "category", "together")
"""What a product that the shopper knows may have to do with the pick, the plainest first."""
NEAR = LINKS[:2]
BETTER = {(True, True): "outdone", (True, False): "cheaper", (False, True): "better rated"}
"""What the pick is beside the product that the page opens with: costs less, is better rated."""
ALIKE = {"owned": "had", "budget": "too dear", "no price": "too dear", "not offered": "unsaid"}
"""Reasons that are one where nothing is left."""
UNKNOWN = ("", "unknown")


# --- executed: value and rows of one statement, or `NotSo` ---


def link(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What a product that they know has to do with one that is offered."""
    known, item = code(e, subject), code(e, object)
    if item not in e.offers.values():
        raise NotSo(f"{object} is not offered here")
    if not linked(e, known, relation, item):
        raise NotSo(f"{subject} and {object} are not {relation}")
    return on_deeds(e, e.deeds.item == known)


def instead(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """Why the pick is not the product that the page opens with; a press carries it, else what they
    did with that product."""
    pick, named = code(e, subject), opening(e)
    same(object, item_name(named))
    if e.offers.get("pick") != pick or relation != _why_not(e, named, pick):
        raise NotSo(f"{object} is not {relation}")
    if e.catalogue.kind[pick] != e.intents[0].name and not e.carried(pick).weights.any():
        raise NotSo(f"nothing carries {subject}")
    if relation == "too dear":
        return _on_presses(e, _wishes(e, named))
    if relation == "no price":
        return _on_presses(e, _presses(e, "budget", named) | _presses(e, "budget", e.dear))
    if relation in BUTTONS:
        return _on_presses(e, _presses(e, relation, named))
    return on_deeds(e, e.deeds.item == named)


def asked(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """What became of a wish for something cheaper, where no other of the kind is: the pick is
    "something else" that costs less, or is "no cheaper"."""
    same(object, item_name(e.dear))
    if e.offers.get("pick") != code(e, subject) or relation != _found(e):
        raise NotSo(f"{subject} is not {relation}")
    return _on_presses(e, _presses(e, "budget", e.dear), float(e.price[e.dear]))


def spent(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """That nothing is left to offer, and why; the value is the number of products."""
    same((subject, object), (e.name, e.name))
    same(relation, ", ".join(spent_by(e)) or None)
    rows = np.ones(len(e.rows("presses")), dtype=bool)
    return _on_presses(e, rows, len(e.catalogue))


def refill(e: Evidence, subject: str, relation: str, object: str) -> Executed:
    """How many people bought again of a kind that they bought."""
    same((subject, relation), (e.name, "again"))
    if object not in e.refills.people:
        raise NotSo(f"{object!r} is nothing that people buy again")
    own = e.deeds.bought & (e.catalogue.kind[e.deeds.item] == object)
    return on_deeds(e, own, e.refills.people[object])


# --- proposed ---


def propose(e: Evidence) -> Iterator[Statement]:
    """Why the pick, and why not what the page opens with."""
    pick, named = e.offers["pick"], opening(e)
    reason = _reason(e, pick)
    if reason is not None:
        known, verb, relation = reason
        yield "deed", e.name, verb, item_name(known)
        yield "link", item_name(known), relation, item_name(pick)
    found = _found(e)
    if found:
        yield "asked", item_name(pick), found, item_name(e.dear)
    # what was said of a wish is not said twice
    if named not in (-1, pick) and not (found and named == e.dear):
        yield "instead", item_name(pick), _why_not(e, named, pick), item_name(named)


def _reason(e: Evidence, pick: int) -> tuple[int, str, str] | None:
    """The deed that speaks most plainly for a pick: a product, what they did with it, and what it
    has to do with the pick."""
    best = None
    named = opening(e)
    for known in np.unique(e.deeds.item[~e.silent[e.deeds.item]]).tolist():
        rows = e.deeds.item == known
        verb = e.deeds.strongest(rows)
        relation = next((name for name in LINKS if linked(e, known, name, pick)), None)
        if not verb or relation is None:
            continue
        # the pick's own kind before its category and its maker, and a look at it before what
        # other people have; something new before what the page begins with; then the plainer link,
        # the stronger deed, the later one
        place = VERBS.index(verb) if verb in VERBS else 0
        first = _distance(e, known, relation, pick, verb), known == named != pick
        key = (*first, LINKS.index(relation), place, int(e.deeds.ago[rows].min()))
        if best is None or key < best[0]:
            best = key, (known, verb, relation)
    return best and best[1]


def _distance(e: Evidence, known: int, relation: str, pick: int, verb: str) -> int:
    """How far a reason is from the pick: a deed on its kind, of its category, a look at its kind, of
    its maker, another look; owning what nobody needs twice; what other people have."""
    near, looked = relation in NEAR, verb == "looked at"
    if near and verb in VERBS[:2] and e.catalogue.kind[known] not in e.refills.people:
        return 5
    if relation == "together":
        return 6
    if looked:
        return 2 if near else 4
    return 0 if near else 1 if linked(e, known, "category", pick) else 3


# --- what they read ---


def opening(e: Evidence) -> int:
    """The product that the page opens with: what they did most with, for what they are after; −1:
    none."""
    return e.intents[0].product if e.intents else -1


def otherwise(e: Evidence) -> Intent | None:
    """What they may be after else: the next of which there is something to offer."""
    kinds = set(e.catalogue.kind[e.offerable].tolist())
    return next((one for one in e.intents[1:] if one.name in kinds), None)


def _why_not(e: Evidence, named: int, pick: int) -> str:
    """Why a product is not the pick: a button that was pressed on it, taken out, had, known, none
    of what is offered; or what the pick is beside it."""
    own = e.log.rows_of(e.user)
    own = own[own["action"].isin(BUTTONS)]
    pressed = own.loc[own["item"] == named, "action"].astype(str)
    if len(pressed):
        unknown = pressed.iloc[-1] == "budget" and np.isnan(e.price[named])
        return "no price" if unknown else pressed.iloc[-1]
    if len(own) and _wishes(e, named).any():
        return "too dear"
    if np.isneginf(e.scores[named]):
        return "taken out"
    if named in e.offerable:
        less, higher = (fits(role, np.array([pick]), named, e.catalogue)[0] for role in BESIDE)
        return BETTER.get((bool(less), bool(higher)), "ranked")
    if named in e.offered:
        # else a wish took it out, as nobody knows that it costs less
        had = named in e.deeds.had(e.catalogue, e.refills)
        return "had" if had else "no price"
    return "known" if e.seen[0, named] else "not offered"


def spent_by(e: Evidence) -> list[str]:
    """Why nothing is left to offer; [] where something is, or where the model ranks nothing."""
    out = e.silent | e.seen[0] | np.isneginf(e.scores)
    if e.chosen is not None:
        out[e.deeds.had(e.catalogue, e.refills)] = True
    if "pick" in e.offers or not out.all():
        return []
    why = {_why_not(e, item, item) for item in range(len(out))}
    return sorted({ALIKE.get(one, one) for one in why})


def _found(e: Evidence) -> str:
    """What came of a wish for something cheaper, where the pick does not cost less, or is of another
    kind than what was too dear; "" without such a wish."""
    if e.dear < 0:
        return ""
    pick, kind, dear = e.offers["pick"], e.catalogue.kind, e.price[e.dear]
    # an agent picks from what they do not have, the scores from everything
    among = e.offered if e.chosen is None else e.offerable
    less = among[e.price[among] < dear]
    if not len(less):
        return "no cheaper"
    # an agent may have left those of its kind out
    alike = (kind[[*less, pick]] == kind[e.dear]).any() and kind[e.dear] != ""
    return "something else" if e.price[pick] < dear and not alike else ""


def linked(e: Evidence, known: int, relation: str, pick: int) -> bool:
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


def _wishes(e: Evidence, named: int) -> np.ndarray:
    """Mask of the rows that ask for something cheaper, and so keep a product from being offered: on
    one of its kind that costs no more, and the last wish."""
    item, kind = e.log.rows_of(e.user)["item"].to_numpy(), e.catalogue.kind
    alike = (kind[item] == kind[named]) & (kind[named] != "")
    last = (item == e.dear) & (named not in e.offerable)
    less = e.price[item] <= e.price[named]
    return _presses(e, "budget") & less & (alike | last)


def _presses(e: Evidence, button: str, item: int | None = None) -> np.ndarray:
    """Mask of the rows that are presses of a button, on one product if told."""
    own = e.log.rows_of(e.user)
    of_button = (own["action"].astype(str) == button).to_numpy()
    return of_button if item is None else of_button & (own["item"] == item).to_numpy()


def _on_presses(e: Evidence, rows: np.ndarray, value: float = np.nan) -> Executed:
    """Presses that carry a statement."""
    return Executed(value, e.rows("presses"), rows.astype(float), "presses")


def on_deeds(e: Evidence, weights: np.ndarray, value: float = np.nan) -> Executed:
    """Rows of the log, each with what it carries."""
    weights = np.asarray(weights, dtype=np.float64)
    return Executed(float(value), e.deeds.interaction, weights, "log")


def code(e: Evidence, name: str) -> int:
    """The code of an item of the catalogue."""
    item = item_code(name)
    if item >= len(e.catalogue):
        raise NotSo(f"{name} is no item of the catalogue")
    return item
