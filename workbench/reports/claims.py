"""Claims: typed statements with the rows that carry them. Made, checked and compared; text comes
later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ModelError, check_number, typed
from workbench.reports import shopper
from workbench.reports.evidence import SHARE, Evidence
from workbench.reports.interests import shares
from workbench.reports.offers import BESIDE
from workbench.reports.rules import attempt, fact_name, rule_of, strongest
from workbench.reports.stability import LeaveOneBasketOut
from workbench.reports.statements import Executed, NotSo, Statement, Told, Unsaid, item_name

TOLERANCE = 1e-9
SLACK = 0.1
"""How much of its value a claim without a range may lose before it counts as weakened."""
INTERESTS = 3
"""At most this many interests of the list, and of each store."""
BACK = 0.5
"""A claim that rested on the removed rows by at least this share, and still stands, has come
back."""
MEASURED = ("interest", "pick", "because", "by_deletion")
"""Kinds whose value may weaken."""


def json_hash(content: Any) -> str:
    """sha256 of the canonical JSON, in hex digits."""
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True)
class Claim:
    """One checkable statement; `claim` is made from its meaning, never from its value or wording.

    kind, subject, relation, object:
      interest  user:3  list | a store              a topic           value: its share of the list, of the store
      pick      user:3  pick | cheaper | upgrade | alternative  item:5   value: score
      because   item:5  because | against           item:2 | nothing  value: share of the score's positive part
      because   item:5  rows                        user:3            value: rows that carry half of the score
      by_deletion       as because, found by leaving products out: for models whose scores are no sums
      compare   item:9  cheaper | upgrade | behind  item:5            value: difference in price, rating, score
      compare   item:5  no cheaper | no upgrade     its kind          value: NaN
      compare   item:5  usual price                 user:3            value: price − median price of the rows
      catalogue_fact  item:5  category | brand | price  the fact      value: the price, else NaN
      intent    user:3  after | or | unclear        a kind | nothing  value: visits
      deed      user:3  bought | kept | …           item:2 | a kind   value: visits; products of the kind
      link      item:2  brand | kind | …            item:5            value: NaN
      instead   item:5  had | outdone | …           item:2            value: NaN; why item:2 is not the pick
      asked     item:5  something else | no cheaper  item:2       value: price of item:2, which was too dear
      refill    user:3  again                       a kind            value: people who bought it again
      spent     user:3  had+known | …               user:3            value: products, none of which is left
      row       item:9  pick | cheaper | …          its cells         value: its price
      against   item:5  dearest | lowest rated | outdone  item:9      value: price or rating of item:5
      basis     user:3  all                         user:3            value: deeds that are known
      unsaid    user:3  unsaid                      topics            value: guesses not written
      rubric, aspect, experience, archive, differs, outside: user:3, as a store tells them, see
      `Evidence.told`
    low, high: an interval around the value (NaN where the value is no estimate), and what it is is
    said by spread: "left out", smallest and largest value when nothing or any one basket of the
    shopper is left out, a range of stability; "draws", of a share of random draws; "" without one.
    """

    kind: str
    subject: str
    relation: str
    object: str
    value: float
    low: float = np.nan
    high: float = np.nan
    spread: str = ""

    @property
    def statement(self) -> Statement:
        """Kind, subject, relation, object."""
        return self.kind, self.subject, self.relation, self.object

    @cached_property
    def claim(self) -> str:
        """The first 12 hex digits of the sha256 of the statement's canonical JSON."""
        return json_hash(self.statement)[:12]

    def to_dict(self) -> dict[str, Any]:
        """All fields, the id first."""
        return {"claim": self.claim, **asdict(self)}

    def __repr__(self) -> str:
        return (
            f"Claim({self.kind}: {self.subject} {self.relation} {self.object} = {self.value:.4g})"
        )


@typed
def make_claims(
    evidence: Evidence, seed: int = 0, *, ranges: bool = True
) -> tuple[list[Claim], pd.DataFrame]:
    """All claims about the shopper and support[claim, interaction, weight], weights summing to 1 a
    claim.

    `ranges=False` leaves low and high out; of more than 64 baskets, `seed` draws those that are
    left out. A shopper without rows gets no claims. Raises `ModelError` without a model.
    """
    check_number(0, seed=seed)
    left_out = None
    if ranges and len(evidence.history.item):
        left_out = LeaveOneBasketOut(evidence, seed)
    claims = []
    carried = []
    for statement, found in tried(evidence):
        if not isinstance(found, NotSo):
            interval = _interval(left_out, statement, found.value)
            claims.append(Claim(*statement, found.value, *interval))
            carried.append(found)
    # a row of support for each claim and row that carries it
    names = np.array([claim.claim for claim in claims], dtype=str)
    columns = {
        "claim": np.repeat(names, [len(found.ids) for found in carried]),
        "interaction": np.concatenate([np.zeros(0, np.int64), *(one.ids for one in carried)]),
        "weight": np.concatenate([np.zeros(0), *(one.weights for one in carried)]),
    }
    return claims, pd.DataFrame(columns)


def _interval(
    left_out: LeaveOneBasketOut | None, statement: Statement, value: float
) -> tuple[float, float, str]:
    """Low, high and spread: over the whole history and every part of it."""
    measure = rule_of(statement).range
    if left_out is None or measure is None:
        return np.nan, np.nan, ""
    values = np.append(measure(left_out, statement), value)
    return float(np.nanmin(values)), float(np.nanmax(values)), LeaveOneBasketOut.SPREAD


def count_unsaid(evidence: Evidence) -> int:
    """How many statements hold and are not made, because they name a topic that is left unsaid."""
    return sum(isinstance(found, Unsaid) for _, found in tried(evidence))


def tried(evidence: Evidence) -> list[tuple[Statement, Executed | NotSo]]:
    """What might be said, and what came of executing it; made once for an evidence, which never
    changes."""
    known = vars(evidence)
    if "_tried" not in known:
        known["_tried"] = [(one, attempt(evidence, one)) for one in propose(evidence)]
    return known["_tried"]


def propose(evidence: Evidence) -> list[Statement]:
    """What might be said, in the order of the page; executing decides what may be said."""
    if evidence.model is None:
        do = "Evidence.of(log, catalogue, model, user)"
        raise ModelError("no model to make claims from", "evidence", "a fitted model", do)
    offers = evidence.offers
    picks = [("pick", evidence.name, role, item_name(item)) for role, item in offers.items()]
    about = []
    # a pick of a model that does not add up may rest on no row: then nothing is said about it
    if "pick" in offers and (evidence.additive or evidence.carried(offers["pick"]).weights.any()):
        about = list(_about_the_pick(evidence))
    made = [*picks, *about, *_interests(evidence), *shopper.propose(evidence)]
    return list(dict.fromkeys(made))


def _about_the_pick(e: Evidence) -> Iterator[Statement]:
    pick = e.offers["pick"]
    name = item_name(pick)
    # what the catalogue knows of it; its price in any case
    row = {fact: e.catalogue.frame[fact].iat[pick] for fact in ("category", "brand", "price")}
    for fact, known in row.items():
        if fact == "price" or known not in ("", "unknown"):
            yield "catalogue_fact", name, fact, fact_name(known)
    # what speaks for it
    reason = "because" if e.additive else "by_deletion"
    for item in strongest(e, pick)[:2]:
        yield reason, name, "because", item_name(item)
    # what stands beside it
    for role, item in e.offers.items():
        if role != "pick":
            relation = role if role in BESIDE else "behind"
            yield "compare", item_name(item), relation, name
    for role in BESIDE:
        if role not in e.offers:
            yield "compare", name, f"no {role}", e.catalogue.kind[pick]
    yield "compare", name, "usual price", e.name
    # what speaks against it, and what is not known
    against = strongest(e, pick, sign=-1)[:1]
    yield reason, name, "against", item_name(against[0]) if against else "nothing"
    yield reason, name, "rows", e.name


def _interests(e: Evidence) -> Iterator[Statement]:
    """The largest topics of the list, and of each store."""
    for relation in ("list", *e.stores):
        found = shares(e, relation)
        large = [topic for topic, share in found.items() if share >= SHARE]
        best = sorted(large, key=lambda topic, found=found: (-found[topic], topic))
        for topic in best[:INTERESTS]:
            yield "interest", e.name, relation, str(topic)


@typed
def check(claims: Iterable[Claim], evidence: Evidence, support: pd.DataFrame) -> pd.DataFrame:
    """Execute every claim again: [claim, ok, reason], one row a claim, in order.

    A claim is ok when its statement holds, its value is the one found again (to 1e-9), its range
    holds the value, and its support names rows that exist where the claim read them, belong to the
    user, and carry it with these weights. Without a model nothing that rests on scores can be ok.

    >>> bool(check(claims, evidence, support)["ok"].all())  # doctest: +SKIP
    True
    """
    rows = support.groupby("claim", sort=False).indices
    ids = support["interaction"].to_numpy()
    weights = support["weight"].to_numpy(dtype=float)
    told = []
    for claim in claims:
        own = rows.get(claim.claim, [])
        told.append((claim.claim, _refute(claim, evidence, ids[own], weights[own])))
    table = pd.DataFrame(told, columns=["claim", "reason"])
    table.loc[table["claim"].duplicated(), "reason"] = "stands twice"
    table.insert(1, "ok", table["reason"] == "")
    return table


def _refute(claim: Claim, evidence: Evidence, ids: np.ndarray, weights: np.ndarray) -> str:
    """Why a claim does not hold on these rows; empty when it does."""
    if not len(ids):
        return "no row carries it"
    found = attempt(evidence, claim.statement)
    if isinstance(found, NotSo):
        return str(found)
    value, true_ids, true_weights, source = found
    foreign = ids[~np.isin(ids, evidence.rows(source))]
    if len(foreign):
        return f"interaction {foreign[0]} is not a row of {evidence.name}"
    if not np.isclose(claim.value, value, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        return f"value {claim.value:.6g} is {value:.6g}"
    if not (np.isnan(claim.low) or claim.low - TOLERANCE <= value <= claim.high + TOLERANCE):
        return f"value {value:.6g} lies outside its range"
    # the same rows, with the same weights, in whatever order
    given = np.argsort(ids, kind="stable")
    true = np.argsort(true_ids, kind="stable")
    same = np.array_equal(ids[given], true_ids[true])
    if not same or np.abs(weights[given] - true_weights[true]).max() > TOLERANCE:
        return "other rows carry it, or with other weights"
    return ""


@typed
def dependence(support: pd.DataFrame, interactions: Iterable[int]) -> pd.Series:
    """Share of each claim's support that lies on these rows; index: claim."""
    on = support["weight"].where(support["interaction"].isin(list(interactions)), 0.0)
    total = support.groupby("claim", sort=False)["weight"].sum()
    return (on.groupby(support["claim"], sort=False).sum() / total).rename("dependence")


@typed
def diff(before: Told, after: Told, removed: Iterable[int] = ()) -> pd.DataFrame:
    """What became of every claim between two reports: [claim, fate, delta, dependence], those of
    `before` first, in their order.

    gone: no longer there. new: was not there. back: rested on `removed` by half or more and yet
    stands. weakened: the value of an interest, pick or reason fell below its range (where it has
    none: by more than a tenth). kept: the rest. delta = value after − value before, absence
    counting as 0; NaN for facts that have no value. dependence: see there; 0 for new claims.
    """
    old = {claim.claim: claim for claim in before.claims}
    new = {claim.claim: claim for claim in after.claims}
    rested = dependence(before.support, removed)
    rows = []
    for name in old | new:
        was, now = old.get(name), new.get(name)
        delta = (now.value if now else 0.0) - (was.value if was else 0.0)
        share = rested.get(name, 0.0)
        rows.append((name, _fate(was, now, share), delta, share))
    return pd.DataFrame(rows, columns=["claim", "fate", "delta", "dependence"])


def _fate(was: Claim | None, now: Claim | None, rested: float) -> str:
    """What became of one claim of which this share rested on the removed rows."""
    if was is None:
        return "new"
    if now is None:
        return "gone"
    if rested >= BACK:
        return "back"
    bound = (1 - SLACK) * was.value if np.isnan(was.low) else was.low
    measured = was.kind in MEASURED and was.relation != "rows"
    return "weakened" if measured and now.value < bound - TOLERANCE else "kept"
