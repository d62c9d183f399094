"""A forgetting as JSON: what the forget screen draws, live or static."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pandas as pd

from workbench.ledger import Forgetting, Service
from workbench.ledger.exposure import lists, never_had
from workbench.ledger.null import Control
from workbench.ledger.tiers import ITEM_WEIGHTS
from workbench.reports import Report
from workbench.reports.rules import rule_of
from workbench.views.screen.paged import paged
from workbench.views.screen.told import both, words
from workbench.views.text import brief

State = dict[str, Any]


def state(forgetting: Forgetting, controls: Iterable[Control] | None = None) -> State:
    """The JSON that the screen draws; numbers are finite or null, text is as in the data.

    controls: those to answer now, all where None; until all are there, nothing is said in
    comparison.
    """
    before, _ = forgetting.services
    user, topic = forgetting.user, forgetting.topic
    chosen = forgetting.controls if controls is None else tuple(controls)
    compared = [line(control) for control in chosen]
    # what is shown as changed only once something was asked for
    asked = bool(forgetting.interactions)
    sentences = _sentences(forgetting)
    if not asked:
        sentences = [{**one, "fate": None, "cause": None} for one in sentences]
    return {
        "user": {"code": int(user), "name": brief(before.log.users[user])},
        "topic": topic,
        "history": _history(forgetting),
        "page": paged(forgetting, sentences),
        "sentences": sentences,
        "lists": {
            "now": _listed(forgetting, "now"),
            "after": _listed(forgetting, "after") if asked else None,
            "never": _never(forgetting),
        },
        "switches": _switches(forgetting),
        "causes": {tier.name: list(tier.causes) for tier in before.tiers},
        "exposure": _records(forgetting.exposure),
        "others": forgetting.others.iloc[0].astype(float).to_dict(),
        "null": compared,
        "controls": {"done": len(compared), "of": len(forgetting.controls)},
        "seconds": dict(before.keep("seconds", dict)),
        # claims that a report made and its own check refused
        "dropped": len(forgetting.before.dropped) + len(forgetting.after.dropped),
    }


def line(control: Control) -> dict[str, Any]:
    """One control as the screen reads it: how many sentences went, how many other lists changed,
    and how many of its own deleted products are offered again."""
    numbers = {name: control.effect[name] for name in ("gone", "others", "again")}
    return {"kind": control.kind, "rows": len(control.ids), **numbers}


def _history(forgetting: Forgetting) -> list[dict[str, Any]]:
    before, _ = forgetting.services
    # the rows are the same for every press, so the service keeps them
    rows = before.keep(("history", forgetting.user), lambda: _rows(before, forgetting.user))
    removed = forgetting.interactions
    return [{**row, "removed": row["interaction"] in removed} for row in rows]


def _rows(service: Service, user: int) -> list[dict[str, Any]]:
    rows = []
    for row in service.log.rows_of(user).itertuples():
        known = {"interaction": int(row.interaction), "when": "", "action": str(row.action)}
        if not pd.isna(row.timestamp):
            known["when"] = f"{row.timestamp.day} {row.timestamp:%b}"
        known |= _products(service)[row.item]
        known["topics"] = service.catalogue.topics_of(row.item)
        price = service.catalogue.frame["price"].iat[row.item]
        known["price"] = None if pd.isna(price) else float(price)
        rows.append(known)
    return rows


def _products(service: Service) -> list[dict[str, Any]]:
    """Every product by its code, long titles cut."""
    frame = service.catalogue.frame[["item", "title", "category"]]

    def made() -> list[dict[str, Any]]:
        return frame.assign(title=frame["title"].map(brief)).to_dict("records")

    return service.keep("products", made)


def _sentences(forgetting: Forgetting) -> list[dict[str, Any]]:
    before, after = forgetting.services
    user = forgetting.user
    fates = dict(forgetting.fates[["claim", "fate"]].to_numpy())
    causes = dict(forgetting.causes[["claim", "cause"]].to_numpy())
    # the old report's sentences are the same for every press, so the service keeps them
    rows = before.keep(("said", user), lambda: _said(user, forgetting.before, before, set(fates)))
    # sentences that only the new report says
    added = {claim for claim, fate in fates.items() if fate == "new"}
    if added:
        rows = rows + _said(user, forgetting.after, after, added)
    # how the new report puts what the old one said
    later = {claim: text for claim, _, text in forgetting.after.lines}
    told = []
    for one in rows:
        claim, text = one["claim"], one["text"]
        after, fate = later.get(claim), fates[claim]
        # still said, but with another number
        if fate == "kept" and after != text:
            fate = "changed"
        became = {"fate": fate, "cause": causes.get(claim), "after": after}
        told.append({**one, **became, "told": both(text, after or text)})
    return told


def _said(user: int, report: Report, service: Service, wanted: set[str]) -> list[dict[str, Any]]:
    """The wanted claims in the order of the page: text, rows that carry it (heaviest first), fewest
    rows that end it."""
    claims = {claim.claim: claim for claim in report.claims}
    support = report.support.sort_values(["weight", "interaction"], ascending=[False, True])
    parts = dict(list(support.groupby("claim")))
    evidence = service.evidence(user)
    said = []
    for claim, section, text in report.lines:
        if claim not in wanted:
            continue
        part = parts[claim]
        statement = claims[claim].statement
        weights = zip(part["interaction"].tolist(), part["weight"].tolist(), strict=True)
        told = {
            "claim": claim,
            "kind": claims[claim].kind,
            "section": section,
            "text": text,
            "rows": [[interaction, round(weight, 6)] for interaction, weight in weights],
            "smallest": rule_of(statement).ended(evidence, statement, part),
        }
        said.append(told)
    return said


def _listed(forgetting: Forgetting, name: str) -> list[dict[str, Any]]:
    products = _products(forgetting.services[0])
    listed = []
    for row in forgetting.lists[forgetting.lists["list"] == name].to_dict("records"):
        own = {"topic": row["topic"], "deleted": row["deleted"], "score": round(row["score"], 6)}
        listed.append(products[row["item"]] | own)
    return listed


def _never(forgetting: Forgetting) -> list[dict[str, Any]]:
    """What people like this shopper, who never had the topic, are shown most."""
    service, topic = forgetting.removal.service, forgetting.topic
    if topic is None:
        return []
    # their lists, as served before
    group = never_had(forgetting.removal, forgetting.user, topic)
    shown = lists(service)[group]
    if not len(shown):
        return []
    # the ten products that most of them are shown; ties: lower code first
    counts = Counter(sorted(shown[shown >= 0].tolist()))
    within = set(service.catalogue.items_of(topic).tolist())
    rows = []
    for item, count in counts.most_common(10):
        share = round(count / len(shown), 4)
        rows.append(_products(service)[item] | {"topic": item in within, "share": share})
    return rows


def _switches(forgetting: Forgetting) -> list[dict[str, Any]]:
    """Every place, whether the request reaches it, and in `stale` what is left undone there."""
    rows = []
    before, after = forgetting.services
    for tier in before.tiers:
        row = tier._asdict() | {"on": tier.enabled and tier.name in forgetting.on}
        row["label"] = words()["place"].get(tier.name, [tier.label])[0]
        if undone := getattr(after.stores.get(tier.name), "undone", ""):
            row["stale"] = undone
        if tier == ITEM_WEIGHTS:
            row |= _ways(forgetting)
            # another way is said beside the label
            if row.get("way") in (None, before.ways[0]):
                row["label"] += forgetting.inexact
        del row["causes"]
        rows.append(row)
    return rows


def _ways(forgetting: Forgetting) -> dict[str, Any]:
    """How rows can leave the item weights, where there is a choice, and which way they went; stale:
    what is said where the weights were left as they were."""
    removal = forgetting.removal
    service, stale = removal.service, ""
    if len(service.ways) == 1:
        return {}
    # nothing asked, nothing left undone
    if len(removal.ids) and removal.stale(forgetting.on):
        error = removal.outcome and removal.outcome.notes.get("error")
        stale = f"marked stale: {brief(error)}" if error else "marked stale"
    ways = [{"name": way, "verdict": service.verdicts.get(way, "")} for way in service.ways]
    return {"ways": ways, "way": removal.way, "stale": stale}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table; None where there is no number."""
    return table.astype(object).where(table.notna(), None).to_dict("records")
