"""The forget screen of a Forgetting: as JSON for the views, and as static tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.html import escape
from workbench.ledger.exposure import lists, never_had
from workbench.ledger.fewest import fewest
from workbench.ledger.memory import Service
from workbench.ledger.plain import static_screen, words
from workbench.reports import Report
from workbench.reports.sentences import plain, section_name

if TYPE_CHECKING:
    from workbench.ledger.loop import Forgetting

FATES = ("gone", "weakened", "back", "kept", "new")


def state(f: Forgetting) -> dict[str, Any]:
    """The JSON that the screen draws; numbers are finite or null, text is as in the data."""
    before, _ = f.services
    never = _never(f)
    asked = bool(len(f.interactions)) or f.action != "forget"
    return {
        "user": {"code": int(f.user), "name": str(before.log.users[f.user])},
        "topic": f.topic,
        "history": [
            {**row, "removed": row["interaction"] in f.interactions}
            for row in _history(before, f.user)
        ],
        "sentences": _sentences(f)
        if asked
        else [{**row, "fate": None, "cause": None} for row in _sentences(f)],
        "lists": {
            "now": _listed(f, "now"),
            "after": _listed(f, "after") if asked else None,
            "never": never,
        },
        "switches": _switches(f),
        "causes": {tier.name: list(tier.causes) for tier in before.tiers},
        "exposure": [
            {**row, **{name: _finite(row[name]) for name in ("value", "low", "high")}}
            for row in f.exposure.to_dict("records")
        ],
        "others": {
            name: float(f.others[name].iloc[0])
            for name in ("others", "changed", "share", "max_churn")
        },
        "null": f.null.loc[
            f.null["kind"] != "this request", ["kind", "rows", "gone", "others"]
        ].to_dict("records"),
        "footer": footer(f),
        "seconds": round(f.seconds, 3),
    }


def footer(f: Forgetting) -> list[str]:
    """What the screen says under its columns: what changed here, for others, and for no reason."""
    counts, others = f.fates["fate"].value_counts(), f.others.iloc[0]
    after = f.lists[f.lists["list"] == "after"]
    lines = []
    if len(f.interactions) or f.action != "forget":
        told = [f"{counts[fate]} {words()['fate'][fate][1]}" for fate in FATES if fate in counts]
        lines.append(f"Of {len(f.before.claims)} sentences: {', '.join(told)}.")
        lines.append(
            f"{int(others['changed'])} of {int(others['others'])} other shoppers get another top 10"
            f" ({others['share']:.0%}); the most changed of them has "
            f"{others['max_churn']:.0%} replaced."
        )
        again = int(after["deleted"].sum())
        if again:
            lines.append(f"{again} deleted product{'s are' if again > 1 else ' is'} offered again.")
    for kind, part in f.null.groupby("kind", sort=False):
        if kind != "this request":
            lines.append(
                f"For comparison, {kind} ({len(part)} draws): {_span(part['gone'])} sentences gone,"
                f" {_span(part['others'])} other shoppers changed."
            )
    if len(f.before.dropped) + len(f.after.dropped):
        lines.append(
            f"{len(f.before.dropped) + len(f.after.dropped)} claims failed the "
            f"check and were left out."
        )
    return lines


def _span(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low} to {high}" if low < high else "no" if not low else str(low)


def html(f: Forgetting) -> str:
    """What was done in one line, and the screen as static tables."""
    return f"<p>{escape(repr(f))}</p>{static_screen(state(f))}"


def _history(service: Service, user: int) -> list[dict[str, Any]]:
    price = service.catalogue.frame["price"]
    return [
        {
            "interaction": int(row.interaction),
            "when": "" if pd.isna(row.timestamp) else f"{row.timestamp.day} {row.timestamp:%b}",
            "action": str(row.action),
            **_product(service.catalogue, row.item),
            "price": _finite(price.iat[row.item]),
        }
        for row in service.log.rows_of(user).itertuples()
    ]


def _product(catalogue: Any, item: int) -> dict[str, Any]:
    title, category = (catalogue.frame[name].iat[int(item)] for name in ("title", "category"))
    return {
        "item": int(item),
        "title": title,
        "category": category,
        "topics": catalogue.topics_of(item),
    }


def _sentences(f: Forgetting) -> list[dict[str, Any]]:
    fates, causes = (
        dict(zip(t["claim"], t[n], strict=True))
        for t, n in ((f.fates, "fate"), (f.causes, "cause"))
    )
    rows = f.services[0].keep(
        ("said", f.user), lambda: _said(f.user, f.before, f.services[0], set(fates))
    )
    added = {claim for claim, fate in fates.items() if fate == "new"}
    rows = rows + (_said(f.user, f.after, f.services[1], added) if added else [])
    later = {
        row.claim: plain(f.after.text[row.start : row.end])
        for row in f.after.sentences.itertuples()
    }
    return [
        {
            **one,
            "fate": fates[one["claim"]],
            "cause": causes.get(one["claim"]),
            "after": later.get(one["claim"]),
        }
        for one in rows
    ]


def _said(user: int, report: Report, service: Service, wanted: set[str]) -> list[dict[str, Any]]:
    claims, parts = (
        {claim.claim: claim for claim in report.claims},
        dict(list(report.support.groupby("claim"))),
    )
    return [
        {
            "claim": row.claim,
            "kind": claims[row.claim].kind,
            "section": section_name(row.section),
            "text": plain(report.text[row.start : row.end]),
            "rows": [
                [int(one.interaction), round(float(one.weight), 6)]
                for one in parts[row.claim]
                .sort_values(["weight", "interaction"], ascending=[False, True])
                .itertuples()
            ],
            "smallest": fewest(service, user, claims[row.claim], parts[row.claim]),
        }
        for row in report.sentences.itertuples()
        if row.claim in wanted
    ]


def _listed(f: Forgetting, name: str) -> list[dict[str, Any]]:
    catalogue = f.services[0].catalogue
    return [
        {
            **{
                key: value
                for key, value in _product(catalogue, row.item).items()
                if key != "topics"
            },
            "topic": bool(row.topic),
            "deleted": bool(row.deleted),
            "score": round(float(row.score), 6),
        }
        for row in f.lists[f.lists["list"] == name].itertuples()
    ]


def _never(f: Forgetting) -> list[dict[str, Any]]:
    """What people like this shopper, who never had the topic, are shown most."""
    before, _ = f.services
    if f.topic is None:
        return []
    shown = lists(before, 10)[never_had(before, f.user, f.topic)]
    if not len(shown):
        return []
    items, counts = np.unique(shown[shown >= 0], return_counts=True)
    best, within = (
        np.argsort(-counts, kind="stable")[:10],
        set(before.catalogue.items_of(f.topic).tolist()),
    )
    return [
        {
            **{
                key: value
                for key, value in _product(before.catalogue, items[i]).items()
                if key != "topics"
            },
            "topic": int(items[i]) in within,
            "share": round(counts[i] / len(shown), 4),
        }
        for i in best
    ]


def _switches(f: Forgetting) -> list[dict[str, Any]]:
    rows = []
    for tier in f.services[0].tiers:
        on = tier.enabled and f.switches.on(tier.name)
        row = {"name": tier.name, "label": tier.label, "on": on, "enabled": tier.enabled}
        rows.append(row | {"help": tier.help})
    return rows


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
