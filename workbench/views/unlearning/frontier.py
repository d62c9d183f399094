"""Forgetting, utility and time at the end of a stream: what no other method beats.

    a method is on the frontier where none is as near to the retrain, as good and as fast, and better in one

Two panels share their height, the distance of what was deleted to the retrain: against seconds, and
against what utility changed. A third quantity as the size of a mark is not read from a distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, typed
from workbench.html import escape, table
from workbench.views.look import COLUMNS, framed
from workbench.views.unlearning.chart import Chart, heights, looks, short
from workbench.views.unlearning.dashboard import (
    CARD,
    MARKS,
    NEEDED,
    TITLES,
    assessed,
    checked,
    interval,
    spent,
)

TIMES = {"all requests": "sum", "longest request": "max"}
"""What time is counted: what the shop pays for, or what one person may wait for."""
GOOD = ("ndcg", "recall")
"""How measures of utility begin."""


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Frontier:
    """Every method at the last checkpoint; tables as `Dashboard` takes them.

    endpoint, utility: the two measures; by default the assessment's own, and NDCG.
    least: seconds that a method without a cost is drawn at. time: `all requests` or `longest
    request`. The live form chooses utility and time.

    >>> show(Frontier(assess(streams, references), streams))  # doctest: +SKIP
    Frontier(5 methods, on it: retrain, warm start)
    """

    assessment: Any
    outcomes: Any
    endpoint: str = ""
    utility: str = "ndcg@10"
    source: str = ""
    least: float = 1e-3
    time: str = "all requests"

    def __post_init__(self) -> None:
        table, endpoint = assessed(self.assessment)
        object.__setattr__(self, "assessment", table)
        object.__setattr__(self, "outcomes", spent(self.outcomes))
        object.__setattr__(self, "endpoint", self.endpoint or endpoint)
        for name in (self.endpoint, self.utility):
            checked(table[table["measure"] == name], NEEDED, f"measure {name!r}")
        if self.time not in TIMES:
            raise ConfigError(f"{self.time!r}", "time", " or ".join(TIMES))

    @property
    def utilities(self) -> list[str]:
        """Measures of utility that there are."""
        names = self.assessment["measure"].unique()
        return [name for name in names if name.startswith(GOOD) and "paired" not in name]

    def to_frame(self) -> pd.DataFrame:
        """[method, estimate, low, high, verdict, utility, utility_low, utility_high, seconds, on]."""
        cost = self.outcomes.groupby("method")["seconds"].agg(TIMES[self.time])
        last = self.assessment.sort_values("checkpoint", kind="stable")
        last = last.groupby(["method", "measure"]).tail(1).set_index(["measure", "method"])
        columns = ["estimate", "low", "high", "verdict"]
        found = last.loc[self.endpoint, columns].join(cost, how="inner")
        utility = last.loc[self.utility, columns[:3]]
        utility.columns = ["utility", "utility_low", "utility_high"]
        found = found.join(utility, how="inner")
        found["seconds"] = found["seconds"].clip(lower=self.least)
        order = dict.fromkeys(self.assessment["method"])
        found = found.reindex([name for name in order if name in found.index]).dropna()
        return found.assign(on=undominated(found)).rename_axis("method").reset_index()

    def __repr__(self) -> str:
        found = self.to_frame()
        on = ", ".join(found["method"][found["on"]])
        return f"Frontier({len(found)} methods, on it: {on})"

    def _repr_html_(self) -> str:
        found = self.to_frame()
        head = "Forgetting, utility, time: what no other method beats"
        key = "Filled: no other is as near to the retrain, as good and as fast. Dashed: the margin."
        cards = []
        for x, name, log in (("seconds", f"seconds, {self.time}", True), ("utility", "", False)):
            label = name or f"{self.utility.upper()}, less the retrain's"
            cards.append(f'<div style="{CARD}">{self._panel(found, x, label, log)}</div>')
        parts = [f'<p><b style="font-size:1.35em">{head}</b></p><p>{escape(key)}</p>']
        parts.append(f'<div style="{COLUMNS}">{"".join(cards)}</div>')
        rows = []
        for one in found.to_dict("records"):
            ends = {end: one[f"utility_{end}"] for end in ("low", "high")}
            line = {"method": one["method"], self.endpoint: interval(one)}
            line["verdict"] = f"{MARKS.get(one['verdict'], '')} {one['verdict']}"
            line[self.utility] = interval({"estimate": one["utility"], **ends})
            line["seconds"] = short(f"{one['seconds']:.2g}")
            rows.append(line | {"on the frontier": "● yes" if one["on"] else "○ no"})
        parts.append(table(rows))
        return framed("frontier", parts, self.source, "line-height:1.35")

    def _widget(self) -> Any:
        """The same drawing, with a utility and a time to choose."""
        from workbench.views.unlearning.live import Comparing

        return Comparing(self)

    def _panel(self, found: pd.DataFrame, x: str, label: str, log: bool) -> str:
        """Distance against one other quantity."""
        part = self.assessment[self.assessment["measure"] == self.endpoint]
        margin = part["margin"].max()
        seen = heights([*found["estimate"], -margin, margin], [*found["low"], *found["high"]])
        what = TITLES.get(self.endpoint, self.endpoint).split(":")[0]
        title = f"{what} against {label}"
        sides = (label, "less the retrain's")
        chart = Chart(title, found[x], seen, sides, (log, False), len(found))
        for height, dash in ((-margin, "6 4"), (0.0, ""), (margin, "6 4")):
            chart.rule(height, dash)
        styles = looks(part["method"])
        for one in found.to_dict("records"):
            look = styles[one["method"]]
            chart.whisker(one[x], one["low"], one["high"], look)
            told = f"{one['method']}: {interval(one)}, {one['seconds']:.2g} s"
            chart.mark(one[x], one["estimate"], look, told, filled=one["on"])
            chart.name(one["estimate"], one["method"], look)
        return f"<b>{escape(title)}</b>{chart.draw()}"


def undominated(found: pd.DataFrame) -> np.ndarray:
    """Which lines no other line beats: [estimate, utility, seconds]; nearer 0, higher, fewer."""
    costs = [found["estimate"].abs(), -found["utility"], found["seconds"]]
    costs = np.stack([np.asarray(one, dtype=np.float64) for one in costs], axis=1)
    as_good = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    return ~(as_good & better).any(axis=0)
