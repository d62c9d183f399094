"""What people buy again, counted from the log: kinds of which one needs more after a while.

    a kind is bought again   ⇔   of those who bought it, at least half, and PEOPLE or more, did so in two visits
    due                      ⇔   the time since they last bought of it ≥ what nine in ten waited between two purchases

Whatever else was bought is had: nobody needs a second kettle, whoever bought two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from workbench.data import FUNNEL, Catalogue, Interactions

if TYPE_CHECKING:
    from workbench.reports.deeds import Deeds

PEOPLE = 5
"""People who bought a kind again, at least: of fewer it may be chance, or tell of one of them."""
PART = 0.5
"""Part of a kind's buyers that bought it again, at least. Of the generated shop's kinds, those that
are used up have .70 or more, the others .33 or less."""
EARLY = 0.1
"""Part of the times between two purchases that are shorter than what is called the usual time. Of 200
generated shoppers the intent names a kind of the next visit for 54; with half (the median) for 48,
with none (the shortest) for 59, without the rule for 53: they can hardly be told apart."""
DAY = np.timedelta64(1, "D")


class Refills(NamedTuple):
    """Kinds that people buy again: how many people did, and the usual time between two of their
    purchases (`EARLY`), in days, or in visits where the log has rows without a time."""

    people: Mapping[str, int]
    usual: Mapping[str, float]
    days: bool

    def due(self, deeds: Deeds, bought: np.ndarray, kind: str) -> bool:
        """Whether it is time for more of a kind that a shopper bought in these rows (mask)."""
        if kind not in self.usual:
            return False
        since = float(deeds.ago[bought].min())
        if self.days:
            since = float((deeds.when.max() - deeds.when[bought].max()) / DAY)
        return since >= self.usual[kind]


NONE = Refills({}, {}, False)


def refills(log: Interactions, catalogue: Catalogue) -> Refills:
    """What people buy again by a log; counted once for each log, which never changes."""
    known = vars(log).setdefault("_refills", {})
    if catalogue.fingerprint not in known:
        known[catalogue.fingerprint] = _counted(log, catalogue)
    return known[catalogue.fingerprint]


def _counted(log: Interactions, catalogue: Catalogue) -> Refills:
    histories = log.histories()
    purchase = [FUNNEL.get(name) == FUNNEL["purchase"] for name in histories.actions]
    rows = np.flatnonzero(np.array(purchase, dtype=bool)[histories.action]) if any(purchase) else []
    if not len(rows):
        return NONE
    day, ago = histories.day[rows], histories.ago[rows]
    table = pd.DataFrame({"kind": catalogue.kind[histories.item[rows]]})
    table["user"], table["visit"] = histories.rows[rows], -ago
    days = not np.isnat(histories.day).any()
    table["time"] = day.astype(np.int64) if days else -ago
    table = table[table["kind"] != ""].drop_duplicates(["user", "kind", "visit"])
    # in how many visits each person bought each kind
    visits = table.groupby(["kind", "user"]).size()
    buyers = visits.groupby("kind").size()
    again = (visits > 1).groupby("kind").sum()
    found = again[(again >= PEOPLE) & (again >= PART * buyers)]
    # how long it took them
    table["gap"] = table.groupby(["kind", "user"])["time"].diff()
    usual = table.groupby("kind")["gap"].quantile(EARLY)[found.index]
    return Refills(found.to_dict(), usual.to_dict(), days)
