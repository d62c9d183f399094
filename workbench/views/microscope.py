"""The reward microscope: what a simulator was rewarded for along its training, term by term.

    gain of a term      its mean over some steps, less its mean over the first ones
    share of the rise   gain of a term / gain of the total
    variance            within the visits imagined for one shopper: what an advantage is made of

Beside the terms stands what was logged and not rewarded, so that a total which rises is not taken for
visits that get better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, typed
from workbench.html import escape, table
from workbench.views.look import PANEL, framed
from workbench.views.unlearning.chart import Chart, Look, looks, short

CARD = f"max-width:56em;margin:.5em 0;padding:.3em .6em;border-radius:4px;{PANEL}"
"""Of one drawing: a row of its own, so that its letters are read from the last row of a hall."""
REWARDED = {
    "outcome": "purchase hit",
    "process": "alike products",
    "length": "length",
    "format": "format",
}
BESIDE = {
    "distance": "visits differ",
    "recall": "recall side",
    "unseen": "visits in common",
    "kl": "nats from supervised",
}
"""What is logged, and how it is called; `distance`: among the visits imagined for one shopper."""


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Microscope:
    """The log of a run of GRPO, looked at: `show(Microscope(log))`.

    log: a line a step, [step, total, outcome, …] with `…_variance`, as `grpo` gives it. window: steps
    that are averaged, and taken as beginning and end.
    off: terms that this run was not rewarded for. Raises `DataError` for a table without these
    columns, or with fewer steps than a window; `ConfigError` for a window that is no count, or a term that is none.

    >>> show(Microscope(log))  # doctest: +SKIP
    Microscope(300 steps: total +.203, of it format 62 %, length 22 %)
    """

    log: pd.DataFrame
    window: int = 20
    off: tuple[str, ...] = ()
    title: str = "What the reward rose by"
    source: str = ""

    def __post_init__(self) -> None:
        if type(self.window) is not int or self.window < 1:
            raise ConfigError(f"{self.window!r}", "window", "a number of steps from 1")
        if unknown := set(self.off) - REWARDED.keys():
            raise ConfigError(f"{sorted(unknown)[0]!r}", "off", ", ".join(REWARDED))
        needed = ["step", "total", "total_variance"]
        needed += [f"{name}{end}" for name in REWARDED for end in ("", "_variance")]
        absent = [name for name in needed if name not in self.log]
        if absent:
            raise DataError(f"no column {absent[0]!r}", "log", ", ".join(needed), "give grpo's log")
        if len(self.log) < self.window:
            what, do = f"{len(self.log)} steps", "give a longer run, or a smaller window"
            raise DataError(what, "log", f"at least the {self.window} of a window", do)

    @property
    def beside(self) -> dict[str, str]:
        """What this log holds beside the terms."""
        return {name: said for name, said in BESIDE.items() if name in self.log}

    def to_frame(self) -> pd.DataFrame:
        """A line for the total, each term, and what was not rewarded: its mean over the first and the
        last steps, the change, its share of the total's, and the variance within groups."""
        # a log may also say which run it is of
        numbers = self.log.select_dtypes("number")
        first, last = numbers.head(self.window).mean(), numbers.tail(self.window).mean()
        rise = last["total"] - first["total"]
        rows = []
        for name, said in ({"total": "total"} | REWARDED | self.beside).items():
            change = last[name] - first[name]
            line = {"what": said, "rewarded": "yes", "begin": first[name], "end": last[name]}
            line |= {"change": change, "share of the rise": change / rise if rise else np.nan}
            if name in BESIDE or name in self.off:
                line |= {"rewarded": "no", "share of the rise": np.nan}
            spread = f"{name}_variance"
            line |= {"variance, begin": first.get(spread), "variance, end": last.get(spread)}
            rows.append(line)
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        found = self.to_frame().set_index("what")
        total = short(f"{found.at['total', 'change']:+.3f}")
        shares = found["share of the rise"].drop("total").dropna().sort_values(ascending=False)
        said = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
        of_it = f", of it {said}" if said else ""
        return f"Microscope({len(self.log)} steps: total {total}{of_it})"

    def _repr_html_(self) -> str:
        key = (
            f"Means over {self.window} steps. First what each term rose by since the first "
            f"{self.window}, then what is not rewarded, dashed. Last the variance within the visits "
            "imagined for one shopper: a term without variance teaches nothing."
        )
        kept = {name: said for name, said in REWARDED.items() if name not in self.off}
        off = {name: REWARDED[name] for name in self.off} | self.beside
        off.pop("kl", None)  # nats, on a scale of their own
        charts = (
            self._chart("Terms, since the beginning", {"total": "total"} | kept, since=True),
            self._chart("Not rewarded, since the beginning", off, since=True, dash="7 5"),
            self._chart("Variance within a group", kept, end="_variance"),
        )
        cards = "".join(f'<div style="{CARD}">{one}</div>' for one in charts if one)
        head = f'<p><b style="font-size:1.35em">{escape(self.title)}</b></p><p>{escape(key)}</p>'
        parts = [head, cards, table(self.to_frame().to_dict("records"))]
        return framed("microscope", parts, self.source, "line-height:1.35")

    def _chart(
        self, title: str, lines: dict[str, str], end: str = "", since: bool = False, dash: str = ""
    ) -> str:
        """Some columns along the steps, averaged; nothing where there is none to draw."""
        if not lines:
            return ""
        means = {name: self._averaged(name + end) for name in lines}
        if since:
            means = {name: values - values[0] for name, values in means.items()}
        steps = self.log["step"].to_numpy()[self.window - 1 :]
        label = "since the beginning" if since else "variance"
        heights = np.concatenate([*means.values()])
        chart = Chart(title, steps, [*heights, 0.0], ("steps", label), names=len(lines))
        chart.rule(0.0)
        # a term has one colour in all drawings
        styles = looks(["total", *REWARDED]) | looks(BESIDE)
        for name, values in means.items():
            look = Look(styles[name].colour, styles[name].shape, dash)
            chart.line(steps, values, look)
            more = f" {short(f'{values[-1]:+.2f}')}" if since else ""
            chart.name(values[-1], lines[name], look, more)
        return f"<b>{escape(title)}</b>{chart.draw()}"

    def _averaged(self, name: str) -> np.ndarray:
        """A column's means over the last steps at each."""
        weights = np.full(self.window, 1 / self.window)
        return np.convolve(self.log[name].to_numpy(dtype=np.float64), weights, mode="valid")
