"""Claims: typed statements with the rows that carry them. Made, checked and compared; text comes
later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.reports.reading import NotSo, Reading, Statement, item_name
from workbench.reports.rules import SHARE, execute, fact_name, strongest
from workbench.reports.stability import LeftOut

TOLERANCE = 1e-9
SLACK = 0.1
"""How much of its value a claim without a range may lose before it counts as weakened."""
INTERESTS = 3
"""At most this many interests of either relation."""
BACK = 0.5
"""A claim that rested on the removed rows by at least this share, and still stands, has come
back."""


@dataclass(frozen=True)
class Claim:
    """One checkable statement; `claim` is made from its meaning, never from its value or wording.

    kind, subject, relation, object:
      interest  user:3  list | profile              a topic           value: its share of the list, of the profile
      pick      user:3  pick | cheaper | upgrade | alternative | second alternative   item:5   value: score
      because   item:5  because | against           item:2 | nothing  value: share of the score's positive part
      because   item:5  rows                        user:3            value: rows that carry half of the score
      compare   item:9  cheaper | dearer | behind   item:5            value: difference in price, in score
      compare   item:5  usual price                 user:3            value: price − median price of the rows
      catalogue_fact  item:5  category | brand | price  the fact      value: the price, else NaN
    low, high: smallest and largest value when nothing or any one basket of the shopper is left out
    (NaN where the value is no estimate): a range of stability, not a confidence interval.
    """

    kind: str
    subject: str
    relation: str
    object: str
    value: float
    low: float = np.nan
    high: float = np.nan

    @property
    def statement(self) -> Statement:
        """Kind, subject, relation, object."""
        return self.kind, self.subject, self.relation, self.object

    @cached_property
    def claim(self) -> str:
        """The first 12 hex digits of the sha256 of the statement's canonical JSON."""
        text = json.dumps(self.statement, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """All fields, the id first."""
        names = ("kind", "subject", "relation", "object", "value", "low", "high")
        return {"claim": self.claim} | {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return (
            f"Claim({self.kind}: {self.subject} {self.relation} {self.object} = {self.value:.4g})"
        )


def make_claims(
    user: int,
    log: Interactions,
    catalogue: Catalogue,
    model: Any,
    seed: int = 0,
    *,
    profile: Any = None,
    adjust: np.ndarray | None = None,
    source: Interactions | None = None,
    ranges: bool = True,
    baskets: int = 64,
) -> tuple[list[Claim], pd.DataFrame]:
    """All claims about a shopper (a user code) and support[claim, interaction, weight], weights
    summing to 1 a claim.

    The model must explain its scores row by row (`contributions`). `profile`, `adjust` and
    `source`: see `Reading`. `ranges=False` leaves low and high out; with more than `baskets`
    baskets, `seed` draws those that are left out. A shopper without rows gets no claims. Raises
    `UnknownUser`.
    """
    log.check_user(user)
    reading = Reading(user, log, catalogue, model, profile, adjust, source)
    left_out = LeftOut(reading, seed, baskets) if ranges and len(reading.history.item) else None
    claims, supports = [], []
    for statement in propose(reading):
        try:
            value, ids, weights = execute(reading, statement)
        except NotSo:
            continue
        claims.append(
            Claim(*statement, value, *(left_out.range(statement, value) if left_out else ()))
        )
        supports.append((claims[-1].claim, ids, weights))
    return claims, support_table(supports)


def propose(r: Reading) -> list[Statement]:
    """What might be said, in the order of the page; executing decides what may be said."""
    statements: list[Statement] = []
    roles = r.roles
    for role, item in roles.items():
        statements.append(("pick", r.name, role, item_name(item)))
    if "pick" in roles:
        pick, name = roles["pick"], item_name(roles["pick"])
        row = {fact: r.catalogue.frame[fact].iat[pick] for fact in ("category", "brand", "price")}
        facts = [fact for fact in row if fact == "price" or row[fact] not in ("", "unknown")]
        statements += [("catalogue_fact", name, fact, fact_name(row[fact])) for fact in facts]
        statements += [
            ("because", name, "because", item_name(item)) for item in strongest(r, pick)[:2]
        ]
        for role, item in roles.items():
            relation = {"pick": None, "cheaper": "cheaper", "upgrade": "dearer"}.get(role, "behind")
            if relation:
                statements.append(("compare", item_name(item), relation, name))
        statements.append(("compare", name, "usual price", r.name))
        against = strongest(r, pick, sign=-1)[:1]
        statements.append(
            ("because", name, "against", item_name(against[0]) if against else "nothing")
        )
        statements.append(("because", name, "rows", r.name))
    entity, _, weight = r.notes
    stored = {topic: float(weight[entity == topic].sum()) for topic in sorted(set(entity))}
    for relation, held, total in (
        ("list", r.topic_counts(r.listed), len(r.listed)),
        ("profile", stored, sum(stored.values())),
    ):
        large = [topic for topic in held if held[topic] >= SHARE * total]
        best = sorted(large, key=lambda topic: (-held[topic], topic))[:INTERESTS]
        statements += [("interest", r.name, relation, str(topic)) for topic in best]
    return statements


def support_table(parts: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """[claim, interaction, weight] from (claim, ids, weights), rows in the order of ids."""
    parts = list(parts)
    return pd.DataFrame(
        {
            "claim": np.repeat(
                [claim for claim, _, _ in parts], [len(ids) for _, ids, _ in parts]
            ).astype(str),
            "interaction": np.concatenate([np.zeros(0, np.int64), *(ids for _, ids, _ in parts)]),
            "weight": np.concatenate([np.zeros(0), *(weights for _, _, weights in parts)]),
        }
    )


def check(
    claims: Iterable[Claim],
    log: Interactions,
    catalogue: Catalogue,
    model: Any = None,
    *,
    user: int,
    support: pd.DataFrame,
    profile: Any = None,
    adjust: np.ndarray | None = None,
    source: Interactions | None = None,
) -> pd.DataFrame:
    """Execute every claim again: [claim, ok, reason], one row a claim, in order.

    A claim is ok when its statement holds, its value is the one found again (to 1e-9), its range
    holds the value, and its support names rows that exist where the claim read them, belong to the
    user, and carry it with these weights. Without a model nothing that rests on scores can be ok.

    >>> bool(check(claims, log, catalogue, model, user=3, support=support)["ok"].all())  # doctest: +SKIP
    True
    """
    reading = Reading(user, log, catalogue, model, profile, adjust, source)
    groups: dict[str, tuple[list[int], list[float]]] = {}
    for name, interaction, weight in zip(
        *(support[name] for name in ("claim", "interaction", "weight")), strict=True
    ):
        ids, weights = groups.setdefault(name, ([], []))
        ids.append(interaction)
        weights.append(weight)
    seen: set[str] = set()
    results = []
    for claim in claims:
        reason = _refute(claim, reading, groups.get(claim.claim))
        if claim.claim in seen:
            reason = "stands twice"
        seen.add(claim.claim)
        results.append({"claim": claim.claim, "ok": not reason, "reason": reason})
    return pd.DataFrame(results, columns=["claim", "ok", "reason"]).astype({"ok": bool})


def _refute(claim: Claim, reading: Reading, support: tuple[list[int], list[float]] | None) -> str:
    """Why a claim does not hold; empty when it does."""
    if support is None:
        return "no row carries it"
    profile = (claim.kind, claim.relation) == ("interest", "profile")
    if reading.model is None and not profile:
        return "needs the model to be executed again"
    ids, weights = np.asarray(support[0]), np.asarray(support[1], dtype=float)
    foreign = ids[~np.isin(ids, reading.notes[1] if profile else reading.history.interaction)]
    if len(foreign):
        return f"interaction {foreign[0]} is not a row of {reading.name}"
    try:
        value, *found = execute(reading, claim.statement)
    except NotSo as wrong:
        return str(wrong)
    if not np.isclose(claim.value, value, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        return f"value {claim.value:.6g} is {value:.6g}"
    if not (np.isnan(claim.low) or claim.low - TOLERANCE <= value <= claim.high + TOLERANCE):
        return f"value {value:.6g} lies outside its range"
    order, true = np.argsort(ids), np.argsort(found[0])
    if (
        not np.array_equal(ids[order], found[0][true])
        or np.abs(weights[order] - found[1][true]).max() > TOLERANCE
    ):
        return "other rows carry it, or with other weights"
    return ""


def dependence(support: pd.DataFrame, interactions: Iterable[int]) -> pd.Series:
    """Share of each claim's support that lies on these rows; index: claim."""
    on = support["weight"].where(support["interaction"].isin(list(interactions)), 0.0)
    total = support.groupby("claim", sort=False)["weight"].sum()
    return (on.groupby(support["claim"], sort=False).sum() / total).rename("dependence")


def diff(before: Any, after: Any, removed: Iterable[int] = ()) -> pd.DataFrame:
    """What became of every claim between two reports: [claim, fate, delta], those of `before`
    first, in their order.

    gone: no longer there. new: was not there. back: rested on `removed` by half or more and yet
    stands. weakened: the value of an interest, pick or reason fell below its range (where it has
    none: by more than a tenth). kept: the rest. delta = value after − value before, absence
    counting as 0; NaN for facts that have no value.
    """
    old, new = ({claim.claim: claim for claim in report.claims} for report in (before, after))
    rested = dependence(before.support, removed)
    rows = []
    for name, claim in old.items():
        later = new.get(name)
        delta = (0.0 if later is None else later.value) - claim.value
        bound = (1 - SLACK) * claim.value if np.isnan(claim.low) else claim.low
        measured = claim.kind in ("interest", "pick", "because") and claim.relation != "rows"
        if later is None:
            fate = "gone"
        elif rested.get(name, 0.0) >= BACK:
            fate = "back"
        elif measured and later.value < bound - TOLERANCE:
            fate = "weakened"
        else:
            fate = "kept"
        rows.append({"claim": name, "fate": fate, "delta": delta})
    rows += [
        {"claim": name, "fate": "new", "delta": claim.value}
        for name, claim in new.items()
        if name not in old
    ]
    return pd.DataFrame(rows, columns=["claim", "fate", "delta"])
