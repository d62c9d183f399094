"""The cells of `promises`: what is asked of a place, by dimension of trust, and how it is looked at.

Each check reads what stands there after the deed, and says whether it holds, with a number. Where no
check is written a cell is *not measured*: that is no tick.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from workbench.ledger.loop import Forgetting
from workbench.ledger.memory import Service
from workbench.ledger.receipts import held_of
from workbench.ledger.tiers import ITEM_WEIGHTS, LOG
from workbench.reports import Report, check
from workbench.reports.hushed import hushed
from workbench.unlearning import verify
from workbench.unlearning.exposure import apart
from workbench.unlearning.receipt import Receipt

TOLERANCE = 1e-8
"""Of scores against those of a refit, as canaries have it."""


@dataclass(frozen=True)
class Case:
    """What is audited: a request, what it left, the page written then, the receipt, and the topics
    that no page should name unasked.

    >>> Case.of(told, receipt(told), {"Baby & pregnancy"})  # doctest: +SKIP
    """

    told: Forgetting
    after: Service
    page: Report
    receipt: Receipt | None = None
    key: str | None = None
    sensitive: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        told: Forgetting,
        issued: tuple[Receipt, str] | None = None,
        sensitive: frozenset[str] | set[str] = frozenset(),
    ) -> Case:
        """Of a request that was served."""
        parts = issued or (None, None)
        return cls(told, told.services[1], told.after, *parts, frozenset(sensitive))

    @cached_property
    def rows(self) -> int:
        """How many rows the request names."""
        return len(self.told.removal.ids)


Cell = tuple[bool, str]
Check = Callable[[Case], Cell]


def checks(case: Case) -> dict[tuple[str, str], Check]:
    """Every check that can be run on a case, by place and dimension."""
    stores = [*case.after.stores]
    found: dict[tuple[str, str], Check] = {}
    for name in (LOG.name, *stores):
        found[name, "privacy"] = lambda case, name=name: _held(case, name)
    for name in stores:
        found[name, "robustness"] = lambda case, name=name: _halves(case, name)
    found[ITEM_WEIGHTS.name, "privacy"] = _weights
    found[ITEM_WEIGHTS.name, "fairness"] = _others
    found["list", "privacy"] = _offered
    found["page", "accountability"] = _checked
    found["page", "transparency"] = _spoken
    found["page", "robustness"] = _again
    if case.sensitive:
        found["page", "ethics"] = _named
    if case.receipt is not None:
        found["receipt", "accountability"] = _sealed
        found["receipt", "transparency"] = _complete
    return found


def _held(case: Case, place: str) -> Cell:
    rows = held_of(case.after, place, case.told.removal)
    return rows == 0, f"{rows} of {case.rows} rows found"


def _halves(case: Case, name: str) -> Cell:
    """The same is left where the request comes in two halves."""
    removal = case.told.removal
    store, ids = removal.service.stores[name], removal.ids
    once = store.forget(ids, removal.users)
    twice = store.forget(ids[::2], removal.users).forget(ids[1::2], removal.users)
    same = once.lineage(case.told.user).equals(twice.lineage(case.told.user))
    return same, "in two halves the same" if same else "in two halves something else"


def _weights(case: Case) -> Cell:
    """Against a refit on what is left."""
    removal = case.told.removal
    off = apart(case.after.model, removal.refitted, removal.left[id(removal.service.log)])
    return off <= TOLERANCE, "as refitted" if off <= TOLERANCE else f"{off:.1g} off a refit"


def _others(case: Case) -> Cell:
    """Other people's lists change no more than where as many other rows leave."""
    mine = int(case.told.others["changed"].iloc[0])
    controls = [one.effect["others"] for one in case.told.controls]
    most = max(controls, default=0)
    return mine <= most, f"{mine} lists of others changed, {most} by a control"


def _offered(case: Case) -> Cell:
    """No deleted product is offered again."""
    pairs = case.told.removal.pairs
    again = sum((case.told.user, item) in pairs for item in case.after.listed(case.told.user))
    return again == 0, f"{again} deleted products offered again"


def _checked(case: Case) -> Cell:
    """Every claim is executed again on what is left."""
    ok = check(case.page.claims, case.after.evidence(case.told.user), case.page.support)["ok"]
    return bool(ok.all()), f"{int(ok.sum())} of {len(ok)} claims hold"


def _spoken(case: Case) -> Cell:
    """Every sentence stands for claims of the page."""
    known = {claim.claim for claim in case.page.claims}
    said = case.page.sentences["claims"]
    good = sum(bool(own) and known.issuperset(own) for own in said)
    return good == len(said), f"{good} of {len(said)} sentences stand for claims"


def _again(case: Case) -> Cell:
    """A service that has kept no answer makes the same claims of the same seed."""
    again = replace(case.after).report(case.told.user, case.told.seed)
    same = again.made == case.page.made
    return same, "made of the same again" if same else "made of something else"


def _named(case: Case) -> Cell:
    """No topic that should be left unsaid is named on the page, nor what would say it (`hushed`)."""
    catalogue, text = case.after.catalogue, case.page.text.casefold()
    known = case.sensitive & set(catalogue.topics["topic"])
    names = case.sensitive | hushed(catalogue, frozenset(known))
    # whole words: a topic called Sea is not named by a season
    named = sorted(
        one for one in names if re.search(rf"(?<!\w){re.escape(one.casefold())}(?!\w)", text)
    )
    return not named, ", ".join(named) or "none is named"


def _sealed(case: Case) -> Cell:
    told = verify(case.receipt, case.key).set_index("check")["ok"]
    broken = [name for name in ("form", "sums", "seal") if not told[name]]
    return not broken, ", ".join(broken) or "seal unbroken"


def _complete(case: Case) -> Cell:
    """Every place is named, with what stands in it."""
    said = {one["place"]: one["after"] for one in case.receipt.content["places"]}
    removal, wrong = case.told.removal, []
    on = removal.at(case.told.on)
    for tier in on.tiers:
        now = held_of(on, tier.name, removal)
        if said.get(tier.name, -1) not in (now, None):
            wrong.append(tier.name)
    return not wrong, f"wrong on {', '.join(wrong)}" if wrong else "every place as it stands"
