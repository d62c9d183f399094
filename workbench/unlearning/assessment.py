"""Every method, measure and checkpoint in one table: distance to retrain, interval, verdict, null.

    RelEff = NDCG@10 unlearned / retrained,   RelItems = exposed unlearned / retrained

Ratios stand beside differences: a ratio explodes where the reference is near 0. Only the primary
endpoint has a verdict; everything else has an interval, and what doing nothing gets beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.html import escape
from workbench.unlearning.endpoints import MARGIN, distance, margin_of, null
from workbench.unlearning.measures import continued, measures
from workbench.unlearning.references import References
from workbench.unlearning.scenario import ENOUGH
from workbench.unlearning.stream import Stream

NO_OP, RETRAIN = "no-op", "retrain, held out"
"""The method that the margin and *what no-op gets* are read from; and the row of the null."""
PRIMARY = ("promoted", "deleted")
RATIOS = {"RelEff": "ndcg@10", "RelItems": "exposed"}
KEPT = "deleted, history kept"
AS_IN_FORK = "deleted, kept against cleaned"
"""The history kept for the unlearned model, cleaned for the retrained one (defect 1 of the study)."""
COLUMNS = ["method", "measure", "checkpoint", "estimate", "low", "high", "low90", "high90"]
COLUMNS += ["margin", "verdict", "decidable", "n", "bases", "seeds", "unlearned", "retrained"]
COLUMNS += ["no_op", "null_low", "null_high"]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What became of every method.

    table: [method, measure, checkpoint, estimate, low, high, low90, high90, margin, verdict,
    decidable, n, bases, seeds, unlearned, retrained, no_op, null_low, null_high]; see `to_frame`.
    sessions: of a session task, how many continued sessions were asked, by checkpoint; else empty.
    """

    table: pd.DataFrame = field(repr=False)
    primary: str = "deleted"
    sessions: dict[int, int] = field(default_factory=dict, repr=False)

    def to_frame(self, measure: str | None = None, checkpoint: int | None = None) -> pd.DataFrame:
        """The table, or the lines of one measure, or checkpoint (−1: the last one).

        estimate: unlearned less retrained, with 95 % and 90 % interval; for RelEff and RelItems the
        ratio; for `…, paired with base` less what the same base had before. unlearned, retrained:
        the means themselves. no_op: the estimate of doing nothing. null_low, null_high: the middle
        95 % of retrains against retrains. n: units.
        """
        table = self.table
        if measure is not None:
            table = table[table["measure"] == measure]
        if checkpoint is not None:
            last = table["checkpoint"].max() if checkpoint == -1 else checkpoint
            table = table[table["checkpoint"] == last]
        return table.reset_index(drop=True)

    @property
    def verdicts(self) -> pd.DataFrame:
        """The primary endpoint at the last checkpoint, a line a method."""
        return self.to_frame(self.primary, -1)

    @property
    def blind(self) -> list[str]:
        """Methods whose models read no history: with the rows still in it they answer as without.
        Such a model knows a person by a vector, or nobody. Known of whole tables of `measures`."""
        names = self.table.groupby("measure")["method"].unique()
        if self.primary != "deleted" or "exposed" not in names:
            return []
        reads = set(names.get(AS_IN_FORK, ()))
        return [name for name in dict.fromkeys(names["exposed"]) if name not in {*reads, RETRAIN}]

    @property
    def asked(self) -> str:
        """What a verdict rests on: continued sessions, and who reads no history; or nothing."""
        told = []
        if self.sessions:
            told.append(sessions_told(self.sessions[max(self.sessions)]))
        if blind := self.blind:
            everyone = (
                len(blind) == self.table.loc[self.table["method"] != RETRAIN, "method"].nunique()
            )
            told.append(f"{'every method' if everyone else ', '.join(blind)}: reads no history")
        return "; ".join(told)

    def __repr__(self) -> str:
        said = self.verdicts["verdict"].value_counts()
        told = ", ".join(f"{n} {verdict}" for verdict, n in said.items())
        more = f"; {self.asked}" if self.asked else ""
        return f"Assessment({self.primary}: {told or 'nothing'}{more})"

    def _repr_html_(self) -> str:
        lines = self.verdicts
        keep = ["method", "unlearned", "retrained", "distance", "verdict", "decidable", "n"]
        lines = lines.assign(distance=[_interval(*one) for one in _bounds(lines)])
        first = lines.iloc[0] if len(lines) else None
        if first is None:
            return "<p>Nothing was assessed.</p>"
        told = (
            f"<p><b>{self.primary}</b> after {first['checkpoint']} requests, unlearned less "
            f"retrained, 95 % interval; margin {first['margin']:.3f}; retrain against retrain "
            f"[{first['null_low']:+.3f}, {first['null_high']:+.3f}].</p>"
        )
        if self.asked:
            told += f"<p>{escape(self.asked)}.</p>"
        shown = lines[keep].to_html(index=False, border=0, float_format="{:.3f}".format)
        return told + shown


def sessions_told(n: int) -> str:
    """What to say of so many continued sessions."""
    few = "" if n >= ENOUGH else f", fewer than {ENOUGH}: they tell little"
    return f"{n} continued sessions asked{few}"


def measured(streams: Stream | Iterable[Stream], *bases: Any) -> pd.DataFrame:
    """`measures` of every stream at every checkpoint: [method, base, done, measure, unit, value].

    Streams of one method are those of its bases, numbered in their order.
    """
    streams = [streams] if isinstance(streams, Stream) else list(streams)
    tables, count = [], {}
    for one in streams:
        base = count[one.method.name] = count.get(one.method.name, -1) + 1
        for done in sorted(one.models)[1:]:
            own = {"method": one.method.name, "base": base, "done": done}
            tables.append(measures(one.models[done], one.scenario, done).assign(**own))
    if not tables:
        raise DataError("no stream with a checkpoint", "measured", "what stream() returns")
    together = pd.concat(tables, ignore_index=True)
    return together[["method", "base", "done", "measure", "unit", "value"]]


def assess(
    unlearned: pd.DataFrame | Iterable[Stream],
    retrained: pd.DataFrame | References,
    margin: float = MARGIN,
) -> Assessment:
    """Hold methods against retrains at every checkpoint.

    unlearned: streams, several of a method where there are several bases; or what `measured` made
    of them, stored since. retrained: references, or tables of `References.measured` below each
    other. margin: fixed beforehand, see `margin_of`; half of no-op's distance needs a method named
    no-op, whose row also says what doing nothing gets.

    >>> assess([stream(method, base, scenario) for base in bases], References(scenario, model))  # doctest: +SKIP
    Assessment(deleted: 2 different, 1 equivalent)
    """
    found = unlearned if isinstance(unlearned, pd.DataFrame) else measured(unlearned)
    sessions = {}
    if isinstance(retrained, References):
        scenario = retrained.scenario
        if scenario.task.name == "session":
            sessions = {int(n): continued(scenario, int(n)) for n in np.unique(found["done"])}
        tables = [retrained.measured(int(done)) for done in np.unique(found["done"])]
        retrained = pd.concat(tables, ignore_index=True)
    present = set(found["measure"])
    primary = next((name for name in PRIMARY if name in present), "deleted")
    lines = []
    for done in np.unique(found["done"]):
        two = _wide(retrained[retrained["done"] == done], "seed")
        here = found[found["done"] == done]
        ones = {str(name): _wide(part, "base") for name, part in here.groupby("method", sort=False)}
        lines += [{"checkpoint": int(done)} | line for line in _at(ones, two, primary, margin)]
    return Assessment(pd.DataFrame(lines)[COLUMNS], primary, sessions)


Wide = dict[str, pd.DataFrame]


def _wide(table: pd.DataFrame, by: str) -> Wide:
    """Of each measure (bases or seeds, units)."""
    if not len(table):
        raise DataError("no retrain at a checkpoint", "assess", "retrains of every checkpoint")
    if table.duplicated([by, "measure", "unit"]).any():
        raise DataError(f"a unit occurs twice in one {by}", "assess", "one value each")
    return {
        str(name): part.pivot(index=by, columns="unit", values="value")
        for name, part in table.groupby("measure", sort=False)
    }


def _at(ones: dict[str, Wide], two: Wide, primary: str, fixed: float) -> list[dict[str, Any]]:
    """All lines of one checkpoint."""
    lines, nothing = [], ones.get(NO_OP, {})
    bases = max(len(next(iter(one.values()))) for one in ones.values())
    held_out = {name: table.iloc[:bases] for name, table in two.items()}
    rest = {name: table.iloc[bases:] for name, table in two.items()}
    # what doing nothing gets, and with it the margin
    no_op = {
        name: distance(*_aligned(one, two[name]), np.nan).estimate
        for name, one in nothing.items()
        if name in two
    }
    margin = margin_of(no_op.get(primary, np.nan), fixed)
    bands = {name: _band(table, bases) for name, table in two.items()}
    rows = [(method, one, two) for method, one in ones.items()]
    if all(len(table) for table in rest.values()):
        rows.append((RETRAIN, held_out, rest))
    for method, one, other in rows:
        for name in one:
            if name not in other:
                continue
            ours, theirs = _aligned(one[name], other[name])
            told = {"no_op": no_op.get(name, np.nan)} | bands[name]
            verdict = margin if name == primary else np.nan
            lines.append(_line(method, name, ours, theirs, verdict) | told)
        lines += _more(method, one, other, nothing if method != RETRAIN else {})
    return lines


def _more(method: str, one: Wide, two: Wide, nothing: Wide) -> list[dict[str, Any]]:
    """Lines that join two measures or methods."""
    lines = []
    for ratio, name in RATIOS.items():
        if name in one and name in two:
            lines.append(_ratio(method, ratio, *_aligned(one[name], two[name])))
    kept = one.get(KEPT)
    if kept is not None and "deleted" in two:
        lines.append(_line(method, AS_IN_FORK, *_aligned(kept, two["deleted"]), np.nan))
    # each base against itself, untouched
    for name in one:
        if name.startswith(("ndcg", "recall")) and name in nothing:
            ours, before = _aligned(one[name], nothing[name])
            if len(ours) == len(before):
                change = _line(
                    method, f"{name}, paired with base", ours - before, 0 * before[:1], np.nan
                )
                lines.append(change)
    return lines


def _aligned(one: pd.DataFrame, two: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The units that both have."""
    units = one.columns.intersection(two.columns)
    return one[units].to_numpy(float), two[units].to_numpy(float)


def _line(
    method: str, name: str, one: np.ndarray, two: np.ndarray, margin: float
) -> dict[str, Any]:
    found = distance(one, two, margin)
    whole = ~(np.isnan(one).any(axis=0) | np.isnan(two).any(axis=0))
    line = {"method": method, "measure": name, "estimate": found.estimate, "low": found.low}
    line |= {"high": found.high, "low90": found.low90, "high90": found.high90, "margin": margin}
    line |= {"verdict": "" if np.isnan(margin) else found.verdict, "decidable": found.decidable}
    line |= {"n": found.n, "bases": len(one), "seeds": len(two)}
    line |= {"unlearned": one[:, whole].mean() if found.n else np.nan}
    line |= {"retrained": two[:, whole].mean() if found.n else np.nan}
    return line | dict.fromkeys(("no_op", "null_low", "null_high"), np.nan)


def _ratio(method: str, name: str, one: np.ndarray, two: np.ndarray) -> dict[str, Any]:
    """A ratio of means, with the interval of its linear part (the delta method)."""
    line = _line(method, name, one, two, np.nan)
    above, below = line["unlearned"], line["retrained"]
    if not below > 0:
        return line | dict.fromkeys(
            ("estimate", "low", "high", "low90", "high90", "decidable"), np.nan
        )
    ratio = above / below
    # around the ratio r: (unlearned − r · retrained) / mean retrained, whose mean is 0
    flat = distance(one / below, ratio * two / below, np.nan)
    bounds = {side: ratio + getattr(flat, side) for side in ("low", "high", "low90", "high90")}
    return line | bounds | {"estimate": ratio, "decidable": flat.decidable}


def _band(table: pd.DataFrame, bases: int) -> dict[str, float]:
    """The middle 95 % of retrains against retrains."""
    ways = null(table.to_numpy(float), bases)
    if not len(ways):
        return {"null_low": np.nan, "null_high": np.nan}
    low, high = np.quantile(ways, (0.025, 0.975))
    return {"null_low": float(low), "null_high": float(high)}


def _bounds(lines: pd.DataFrame) -> np.ndarray:
    return lines[["estimate", "low", "high"]].to_numpy(float)


def _interval(estimate: float, low: float, high: float) -> str:
    return f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]"
