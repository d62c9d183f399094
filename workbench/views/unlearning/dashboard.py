"""The dashboard: what became of a model along a stream of requests, method by method.

    forgetting    distance of what was deleted to where a retrained model has it; the margin lies under it
    exposure, utility and whatever else was measured, less the retrain's
    cost          seconds of all requests so far

Read from two tidy tables; the live form is the same drawing with a choice of person and method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError, typed
from workbench.html import escape, table
from workbench.views.look import COLUMNS, PANEL, framed
from workbench.views.unlearning.chart import Chart, heights, looks, short
from workbench.views.unlearning.people import People

NEEDED = ("method", "measure", "checkpoint", "estimate", "low", "high", "margin", "verdict")
SPENT = ("method", "request", "seconds", "status")
MARKS = {"equivalent": "=", "different": "≠", "undecided": "?"}
TITLES = {
    "deleted": "Forgetting: percentile of what was deleted",
    "promoted": "Spam: percentile of what was promoted",
    "exposed": "Exposure: share shown the topic",
    "again": "Exposure: share offered again what they deleted",
    "topic": "Other items of the topic: percentile",
    "ndcg@10": "Utility: NDCG@10",
}
DRAWN = ("exposed", "ndcg@10")
"""Drawn beside the endpoint, where there are no wishes."""
CARD = f"flex:1 1 28em;min-width:0;padding:.3em .6em;border-radius:4px;{PANEL}"


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Dashboard:
    """A stream of requests, looked at: `show(dashboard)`, its live form `show(dashboard).widget()`.

    assessment: of `assess`, or its table: [method, measure, checkpoint, estimate, low, high, margin,
    verdict], perhaps also [decidable, null_low, null_high]; distances to retrained models, one line
    a method, measure and number of requests served. outcomes: streams, or [method, request, status,
    seconds]; of several bases the mean is drawn. people: lists before, after and of the retrain, for
    the part where one person is picked. measures: which are drawn, the endpoint first; by default
    with exposure and NDCG. source: the line that ends it. Raises `DataError` for a table without
    these columns, or without a line.

    >>> show(Dashboard(assess(streams, references), streams, people))  # doctest: +SKIP
    Dashboard(3 methods, 40 requests: no-op different, SCIF undecided, retrain equivalent)
    """

    assessment: Any
    outcomes: Any
    people: People | None = None
    measures: tuple[str, ...] = ()
    title: str = "After each request: what is forgotten, and what it costs"
    source: str = ""

    def __post_init__(self) -> None:
        table, endpoint = assessed(self.assessment)
        object.__setattr__(self, "assessment", table)
        object.__setattr__(self, "outcomes", spent(self.outcomes))
        if not self.measures:
            there = set(table["measure"])
            drawn = (endpoint, *(name for name in DRAWN if name in there))
            object.__setattr__(self, "measures", drawn)
        for name in self.measures:
            checked(table[table["measure"] == name], NEEDED, f"measure {name!r}")

    @property
    def methods(self) -> list[str]:
        """In the order of their first line."""
        return [*dict.fromkeys(self.assessment["method"])]

    @property
    def last(self) -> pd.DataFrame:
        """The endpoint at the last checkpoint, a line a method."""
        part = self.assessment[self.assessment["measure"] == self.measures[0]]
        return part.sort_values("checkpoint").groupby("method", sort=False).tail(1)

    def __repr__(self) -> str:
        said = ", ".join(f"{one.method} {one.verdict}" for one in self.last.itertuples())
        requests = self.assessment["checkpoint"].max()
        return f"Dashboard({len(self.methods)} methods, {requests} requests: {said})"

    def to_frame(self) -> pd.DataFrame:
        """What stands under the drawing: a line a method at the last checkpoint."""
        cost = self.outcomes.groupby("method")
        rows = []
        for name in self.methods:
            own = self.assessment[self.assessment["method"] == name].sort_values("checkpoint")
            line = {"method": name}
            # the endpoint with its verdict, the others with their intervals
            for measure in self.measures:
                found = own[own["measure"] == measure].tail(1)
                line[measure] = interval(found.iloc[0]) if len(found) else ""
                if measure == self.measures[0] and len(found):
                    one = found.iloc[0]
                    line["verdict"] = f"{MARKS.get(one['verdict'], '')} {one['verdict']}"
                    line["can decide"] = short(f"{one.get('decidable', np.nan):.3f}")
            # the cost, and what did not go through
            if name in cost.groups:
                part = cost.get_group(name)
                line["seconds"] = short(f"{part['seconds'].sum():.2g}")
                line["failed"] = str((part["status"] == "failed").sum())
            rows.append(line)
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        return self.drawn()

    def drawn(self, user: int | None = None, method: str | None = None) -> str:
        """The static form, with one person looked at: by default the first who left."""
        head = f'<p><b style="font-size:1.35em">{escape(self.title)}</b></p>'
        margin = self.last["margin"].iloc[0]
        key = (
            f"Less a retrained model's: 0 is where a model stands that never saw the rows. Shaded: "
            f"retrain against retrain; dashed: the margin of {margin:.2g}, within which two count "
            f"as the same. Bands are 95 % intervals, cut where they leave the drawing. "
            f"= equivalent, ≠ different, ? undecided."
        )
        cards = [self._along(measure) for measure in self.measures] + [self._cost()]
        panels = "".join(f'<div style="{CARD}">{card}</div>' for card in cards)
        parts = [head, f"<p>{escape(key)}</p>", f'<div style="{COLUMNS}">{panels}</div>']
        parts.append(table(self.to_frame().to_dict("records"), digits=3))
        if self.people is not None:
            parts.append(self.people.drawn(user, method))
        return framed("dashboard", parts, self.source, "line-height:1.35")

    def _along(self, measure: str) -> str:
        """One measure along the stream: a line a method, with its interval."""
        part = self.assessment[self.assessment["measure"] == measure].dropna(subset=["estimate"])
        endpoint = measure == self.measures[0]
        margin = part["margin"].max() if endpoint else 0.0
        seen = heights([*part["estimate"], -margin, margin], [*part["low"], *part["high"]])
        title = TITLES.get(measure, measure)
        labels = ("requests served", "less the retrain's")
        chart = Chart(title, part["checkpoint"], seen, labels, names=len(self.methods))
        # under the lines: what counts as the same, and what differs for no reason
        if endpoint:
            chart.rule(-margin, "6 4")
            chart.rule(margin, "6 4")
        if "null_low" in part and part["null_low"].notna().any():
            chart.band(part["null_low"].min(), part["null_high"].max())
        chart.rule(0.0)
        for name, look in looks(self.methods).items():
            own = part[part["method"] == name].sort_values("checkpoint")
            if own.empty:
                continue
            chart.ribbon(own["checkpoint"], own["low"], own["high"], look)
            chart.line(own["checkpoint"], own["estimate"], look)
            for one in own.to_dict("records"):
                told = f"{name}, {one['checkpoint']} requests: {interval(one)} {one['verdict']}"
                chart.mark(one["checkpoint"], one["estimate"], look, told)
            mark = f" {MARKS.get(own['verdict'].iloc[-1], '')}" if endpoint else ""
            chart.name(own["estimate"].iloc[-1], name, look, mark)
        return f"<b>{escape(title)}</b>{chart.draw()}"

    def _cost(self) -> str:
        """Seconds added up, on a scale of powers of ten."""
        frame = self.outcomes.sort_values("request", kind="stable")
        frame = frame.assign(total=frame.groupby("method")["seconds"].cumsum())
        frame = frame[frame["total"] > 0]
        title = "Cost: seconds, added up"
        x, y = frame["request"] + 1, frame["total"]
        labels = ("requests served", "seconds")
        chart = Chart(title, x, y, labels, (False, True), len(self.methods))
        for name, look in looks(self.methods).items():
            own = frame[frame["method"] == name]
            if own.empty:
                continue
            chart.line(own["request"] + 1, own["total"], look)
            total = own["total"].iloc[-1]
            chart.name(total, name, look, f" {short(f'{total:.2g}')} s")
        return f"<b>{escape(title)}</b>{chart.draw()}"

    def _widget(self) -> Any:
        """The same drawing, with a person and a method to choose."""
        from workbench.views.unlearning.live import Choosing

        return Choosing(self)


def assessed(given: Any) -> tuple[pd.DataFrame, str]:
    """The table of an assessment, checked, and its endpoint: the one it names, or its first measure."""
    frame = given if isinstance(given, pd.DataFrame) else given.to_frame()
    checked(frame, NEEDED, "assessment")
    return frame, getattr(given, "primary", frame["measure"].iloc[0])


def spent(given: Any) -> pd.DataFrame:
    """[method, request, seconds, status] of streams, or of their table: the mean over bases, and
    failed where one of them did."""
    if not isinstance(given, pd.DataFrame):
        streams = [one.outcomes.assign(method=one.method.name) for one in given]
        given = pd.concat(streams, ignore_index=True)
    checked(given, SPENT, "outcomes")
    lines = given.groupby(["method", "request"], sort=False)
    found = lines["seconds"].mean().reset_index()
    bad = lines["status"].agg(lambda all_of: "failed" if "failed" in set(all_of) else "done")
    return found.assign(status=bad.to_numpy())


def checked(frame: pd.DataFrame, needed: tuple[str, ...], name: str) -> None:
    """Raise `DataError` for a table that cannot be drawn."""
    absent = [column for column in needed if column not in frame]
    if absent or not len(frame):
        what = f"no column {absent[0]!r}" if absent else "no line"
        raise DataError(what, name, ", ".join(needed), "give the table of all methods")


def interval(one: Any) -> str:
    """An estimate with its interval.

    >>> interval({"estimate": 0.04, "low": -0.01, "high": 0.09})
    '+.040 [−.010, +.090]'
    """
    if pd.isna(one["estimate"]):
        return "–"
    middle, low, high = (short(f"{one[name]:+.3f}") for name in ("estimate", "low", "high"))
    return f"{middle} [{low}, {high}]"
