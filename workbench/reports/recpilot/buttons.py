"""Buttons under a page: not for me, have it already, cheaper please, forget why you think so.

    not offered after a press on i:  i itself;   after *cheaper, please* also {j : kind j = kind i, price j ≥ price i},
                                     and, until their next deed, whatever costs as much, while anything costs less
    forget why (the claims C of a sentence):  the heaviest rows r until Σ_r Σ_{c ∈ C} w_c(r) ≥ |C| / 2

The first three append a row to the log (`BUTTONS`), with an id that was never given, a time, and
lineage. No model learns from it (`Interactions.deeds`); it masks, and stores that offer `learn` take
it in. *Forget* takes a press back like any other row: then nothing is left of it but that its id is
not given again. The fourth is a request: the rows it names are shown before they are removed. What
a page says it has changed is read from `diff` and from the offers of both pages, never from the press.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import BUTTONS, Catalogue, Interactions
from workbench.data.checks import checked_codes
from workbench.data.times import as_moment
from workbench.errors import ConfigError, DataError, UnknownItem, typed
from workbench.recommend.protocol import must_offer
from workbench.reports import Report, diff
from workbench.reports.sentences import shorten, templates

ROLES = ("pick", "cheaper", "upgrade", "alternative")


@typed
def press_row(
    log: Interactions, user: int, item: int, button: str, time: object = None
) -> Interactions:
    """The log with one press as its last row: a new id, higher than any that this log or those it
    was made of have given; the indexes stay.

    time: that of the latest row unless told. Raises `ConfigError` for a button that there is not,
    `UnknownUser` and `UnknownItem` for codes outside the indexes, and `DataError` for a time before
    a row that is there: the order of a log is that of its times.
    """
    if button not in BUTTONS:
        raise ConfigError(f"no button {button!r}", "press", f"one of {', '.join(BUTTONS)}")
    log.check_user(user)
    (item,) = checked_codes([item], log.n_items, "item", UnknownItem)
    old = log.frame
    last = old["timestamp"].max()
    moment = last if time is None else as_moment(time, "time")
    if time is not None and len(old) and not moment >= last:
        want = "none: this log has none" if pd.isna(last) else f"{last} or later"
        raise DataError(f"a press at {moment}", "time", want, "leave the time out")
    # one more row of the same columns, and its action among the names
    row = {"interaction": log.last_id + 1, "user": user, "item": item, "timestamp": moment}
    row |= {"position": old["position"].to_numpy().max(initial=-1) + 1, "action": button}
    names = old["action"].cat.categories.union([button], sort=False)
    old = old.assign(action=old["action"].cat.set_categories(names))
    new = {name: pd.Series([row.get(name)], dtype=kind) for name, kind in old.dtypes.items()}
    return log.of_rows(pd.concat([old, pd.DataFrame(new)], ignore_index=True))


@typed
def press(service: Any, user: int, button: str, item: int, time: object = None) -> Any:
    """The service (`workbench.ledger`) after a press: the row is in its log, stores that can `learn`
    have learned it, the model has not. Raises as `press_row`.

    >>> press(service, 3, "owned", 17).report(3)  # doctest: +SKIP
    """
    must_offer(service, "report", where="service", do="Service.build(log, catalogue, model)")
    log = press_row(service.log, user, item, button, time)
    stores = dict(service.stores)
    for name, store in stores.items():
        if hasattr(store, "learn"):
            stores[name] = store.learn(log, service.catalogue, [log.last_id])
    return replace(service, log=log, stores=stores)


@typed
def rows_behind(report: Report, claims: Iterable[str]) -> pd.DataFrame:
    """What *forget why you think so* would remove: [interaction, weight], heaviest first, the fewest
    rows that hold at least half of what carries these claims (all of a sentence's, or some).

    weight: mean share of the claims. Raises `DataError` for a claim that the page does not make.

    >>> service.remove(rows_behind(page, page.sentences.claims[0]).interaction, Switches())  # doctest: +SKIP
    """
    claims = list(dict.fromkeys(claims))
    unknown = set(claims) - {claim.claim for claim in report.claims}
    if unknown or not claims:
        what = f"no claim {min(unknown)!r} on this page" if unknown else "no claim"
        raise DataError(what, "claims", "ids of the report's claims", "take report.sentences")
    own = report.support[report.support["claim"].isin(claims)]
    weight = own.groupby("interaction")["weight"].sum() / len(claims)
    table = weight.reset_index().sort_values(["weight", "interaction"], ascending=[False, True])
    enough = np.searchsorted(table["weight"].cumsum().to_numpy(), 0.5 - 1e-9) + 1
    return table.head(enough).reset_index(drop=True)


@typed
def changed(
    before: Report, after: Report, catalogue: Catalogue, button: str | None = None, item: int = -1
) -> list[str]:
    """What a page says of its change, a sentence each: offers that are gone and what stands in
    their place, then how many other statements went and came; that nothing changed is said, too.

    button, item: the press, where there was one: why its product is gone.
    """
    words, told = templates()["buttons"], []
    was, now = _offers(before), _offers(after)
    for role in ROLES:
        old, new = was.get(role), now.get(role)
        if old == new:
            continue
        fields = {"old": _title(old, catalogue), "new": _title(new, catalogue)}
        fields["role"] = words[role]
        if old is not None and old not in now.values():
            form = f"gone {button}" if button and old == item else "gone"
            told.append(words[form].format(**fields))
        told.append(words["none" if new is None else "now"].format(**fields))
    fates = diff(before, after)
    offers = {
        claim.claim for page in (before, after) for claim in page.claims if claim.kind == "pick"
    }
    fates = fates[~fates["claim"].isin(offers)]["fate"]
    counts = {name: int((fates == name).sum()) for name in ("gone", "new", "weakened")}
    if any(counts.values()):
        told.append(words["others"].format(**counts))
    return list(dict.fromkeys(told)) or [words["nothing"]]


def _offers(report: Report) -> dict[str, int]:
    """Which item plays which part on a page."""
    picks = [claim for claim in report.claims if claim.kind == "pick"]
    return {claim.relation: int(claim.object.removeprefix("item:")) for claim in picks}


def _title(item: Any, catalogue: Catalogue) -> str:
    return "" if item is None else f"“{shorten(catalogue.title(item), 8)}”"
