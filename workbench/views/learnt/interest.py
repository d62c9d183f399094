"""Interest over time: how much of what a shopper did was of a topic, with a band, visit by visit.

    x_v   share of the rows of visit v that are of the topic
    p     mean of x_v over the n visits of a window of time
    band  Wilson's interval of p for n visits; without a visit all of [0, 1]: nothing is known
    null  share of the catalogue's products that are of the topic

The rows of one visit hang together, so the visit is what is counted. Shares vary at most as much as
yes and no do, so that the band is wide rather than narrow. Interest as a function of time
with its uncertainty is the idea of IDNP (2022), whose network is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, check_number, typed
from workbench.html import escape, table
from workbench.ledger import Service
from workbench.reports.hushed import hushed
from workbench.reports.recpilot._lessons import visit_labels
from workbench.statistics import wilson
from workbench.views.learnt.drawing import HUES, LETTERS, figure, picture, said
from workbench.views.look import framed
from workbench.views.text import brief, coded

PIECES = 60.0
"""Windows at most: more have no room in a figure."""
TOPICS = 3
"""Topics that are drawn unless told, and at most."""
READ = (
    "A band that holds the dashed line says nothing of an interest; two bands that overlap say "
    "nothing of a change. One band in twenty is off by chance."
)


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Interest:
    """A shopper's interest over time: `show(Interest(service, 310))`.

    user: a code, or an id of the log as text. topics: at most three; unless told the categories of
    which most was done, but for what the service leaves unsaid and what would say it. pieces:
    windows of equal length, at most sixty, from the first to the last row of the whole log. level: of the bands.
    source: the line that ends it. Raises `UnknownUser`, `UnknownItem` for a topic that no product
    has, `ConfigError`, and `DataError` for a log without times.

    >>> show(Interest(service, 310, ["Horror novels"]))  # doctest: +SKIP
    Interest(shopper 310: Horror novels, 6 windows, 14 visits)
    """

    service: Service
    user: int | str
    topics: Sequence[str] = ()
    pieces: int = 6
    level: float = 0.95
    source: str = ""

    def __post_init__(self) -> None:
        check_number(1, PIECES, pieces=self.pieces)
        check_number(0.5, 0.999, level=self.level)
        if len(self.topics) > TOPICS:
            what = f"{self.topics!r:.80}"
            raise ConfigError(what, "topics", f"a list of at most {TOPICS} names")
        for topic in self.topics:
            self.service.catalogue.items_of(topic)
        if self.service.log.deeds.frame["timestamp"].isna().any():
            raise DataError("rows without a time", "log", "a time for every row")
        _ = self.rows

    @property
    def code(self) -> int:
        """The shopper's code."""
        return coded(self.service.log, self.user)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """What the shopper did: [item, timestamp, visit]."""
        rows = self.service.log.deeds.rows_of(self.code)
        return rows[["item", "timestamp"]].assign(visit=visit_labels(rows))

    @cached_property
    def drawn(self) -> list[str]:
        """The topics that are drawn."""
        if self.topics:
            return [*self.topics]
        category = self.service.catalogue.facts["category"][self.rows["item"]]
        counts = pd.Series(category, dtype=object).value_counts(sort=False)
        near = hushed(self.service.catalogue, frozenset(self.service.unsaid))
        counts = counts.drop([*near, "unknown"], errors="ignore")
        return counts.sort_values(ascending=False, kind="stable").index[:TOPICS].tolist()

    @cached_property
    def bands(self) -> pd.DataFrame:
        """[topic, begin, end, visits, share, low, high, base]; share: NaN without a visit."""
        times = self.service.log.deeds.frame["timestamp"]
        edges = pd.date_range(times.min(), times.max(), self.pieces + 1)
        # visits in the order of their first rows, and how many rows each has
        visit, _ = pd.factorize(self.rows["visit"])
        sizes = np.bincount(visit)
        first = self.rows["timestamp"].to_numpy()[np.unique(visit, return_index=True)[1]]
        place = np.searchsorted(edges, pd.DatetimeIndex(first), side="right") - 1
        window = np.clip(place, 0, self.pieces - 1)
        lines = []
        for topic in self.drawn:
            items = self.service.catalogue.items_of(topic)
            of_it = np.bincount(visit, np.isin(self.rows["item"].to_numpy(), items)) / sizes
            base = len(items) / len(self.service.catalogue)
            for k in range(self.pieces):
                x = of_it[window == k]
                low, high = wilson(float(x.sum()), len(x), self.level) if len(x) else (0.0, 1.0)
                share = float(x.mean()) if len(x) else np.nan
                lines.append((topic, edges[k], edges[k + 1], len(x), share, low, high, base))
        columns = ["topic", "begin", "end", "visits", "share", "low", "high", "base"]
        return pd.DataFrame(lines, columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """A row a topic and window, see `bands`."""
        return self.bands

    def __repr__(self) -> str:
        name = brief(self.service.log.users[self.code])
        told = ", ".join(map(brief, self.drawn)) or "no topic"
        visits = self.rows["visit"].nunique()
        return f"Interest({name}: {told}, {self.pieces} windows, {visits} visits)"

    def figure(self) -> Any:
        """A panel a topic: shares, their bands, and the catalogue's share."""
        n = max(len(self.drawn), 1)
        drawn, axes = figure(n, 1, (10, 1.2 + 2.4 * n), sharex=True)
        at = np.arange(self.pieces)
        for axis, topic, hue in zip(axes[:, 0], self.drawn, HUES, strict=False):
            part = self.bands[self.bands["topic"] == topic]
            axis.bar(at, part["high"] - part["low"], 0.9, part["low"], color=hue, alpha=0.35)
            axis.plot(at, part["share"], "o", ms=10, color=hue, mec="black")
            axis.axhline(part["base"].iloc[0], color="black", lw=1.5, ls="--")
            said(axis, title=brief(topic, 60), ylabel="share")
            axis.set(ylim=(-0.05, 1.05), yticks=(0, 0.5, 1))
        begin = self.bands["begin"].drop_duplicates()
        visits = self.bands["visits"].iloc[: self.pieces]
        named = [
            f"{a.day} {a:%b}\n{v} visit{'s' * (v != 1)}" for a, v in zip(begin, visits, strict=True)
        ]
        axes[-1, 0].set_xticks(at[: len(named)], named, fontsize=LETTERS)
        said(axes[-1, 0], xlabel="windows, by their first day; dashed: of the catalogue")
        return drawn

    def _repr_html_(self) -> str:
        name = escape(brief(self.service.log.users[self.code]))
        parts = [f"<p><b>What {name} was interested in, and how well that is known</b></p>"]
        if self.drawn:
            told = "shares by window with their bands; the table says them"
            parts += [picture(self.figure(), told), f"<p>{READ}</p>", table(self._lines())]
        else:
            parts.append("<p>Nothing was done: nothing is known.</p>")
        return framed("interest", parts, self.source)

    def _lines(self) -> list[dict[str, str]]:
        """The table, a line a topic and window."""
        lines = []
        for one in self.bands.to_dict("records"):
            line = {"topic": brief(one["topic"]), "from": f"{one['begin'].day} {one['begin']:%b}"}
            line["visits"] = str(one["visits"])
            line["share"] = f"{one['share']:.2f}" if one["visits"] else ""
            line[f"{self.level:.0%}"] = f"{one['low']:.2f} to {one['high']:.2f}"
            line["of the catalogue"] = f"{one['base']:.2f}"
            known = (
                "more" if one["low"] > one["base"] else "less" if one["high"] < one["base"] else ""
            )
            lines.append(line | {"than the catalogue": known})
        return lines
