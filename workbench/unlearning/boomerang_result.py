"""What the boomerang returns: five rows a user, their intervals, and who can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from workbench import html
from workbench.errors import ConfigError
from workbench.statistics import paired_bootstrap, wins
from workbench.unlearning.exposure import matched_mean, matched_share

ROWS = ("as served before", "after", "after, tombstone", "never had", "placebo")
SERVED, AFTER, TOMBSTONE, NEVER, PLACEBO = ROWS
VALUES = ["exposed", "share", "again"]
KINDS = {
    "the topic": "",
    "without the deleted items": "_hidden",
    "other items that neither had": "_other",
}
"""Of which items the scores of deleter and match are compared; the last is the control."""


@dataclass(frozen=True)
class Boomerang:
    """One topic deleted by each of many users, each alone: exactly, where `off` is 0.

    table: [user, row, exposed, share, again]; one line per user and row of `ROWS`. exposed: a topic
    item in the top k; share: of the top k; again: a *deleted* item in it, in the placebo one of
    those that the placebo deleted. NaN where a row does not exist (nobody matches; nothing else to
    delete). scores: [user, match, after, never, after_hidden, never_hidden, after_other,
    never_other]; mean score of the topic's items by the model after deletion, for the user and for
    the match; `hidden`: without the items that the user deleted; `other`: of items outside the
    topic that neither of them had. A match of −1 is none.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    k: int
    n_never: int
    off: float = 0.0
    """How far the model's `forget` is off a refit, as a share of the largest score."""

    @property
    def unmatched(self) -> int:
        """Users whom nobody without the topic is like."""
        return int((self.scores["match"] < 0).sum())

    def __repr__(self) -> str:
        mean = self.table.groupby("row")["exposed"].mean()
        shown = f"exposed@{self.k} {mean[SERVED]:.2f} before, {mean[AFTER]:.2f} after"
        alone = f", {self.unmatched} without a match" if self.unmatched else ""
        return f"Boomerang({len(self.scores)} users: {shown}{alone}{self._inexact})"

    @property
    def _inexact(self) -> str:
        return f"; not exact: off by {self.off:.2g} of the largest score" if self.off else ""

    def to_frame(self, value: str = "exposed", seed: int = 0) -> pd.DataFrame:
        """Means, paired differences to `as served before`: [row, minus, estimate, low, high, n].

        value: exposed, share or again. Intervals of the row *never had* draw matches, who may stand
        beside many users each; the others draw users, and shares of them have Wilson's interval.
        Raises `ConfigError` for another value.
        """
        if value not in VALUES:
            raise ConfigError(f"{value!r}", "value", ", ".join(VALUES))
        wide = self.table.pivot(index="user", columns="row", values=value)
        match = self.scores.set_index("user")["match"].reindex(wide.index)
        counts = value != "share"  # 0 or 1 for each user
        rows = []
        for row in ROWS:
            had = wide[row].dropna()
            # everybody else is a draw of their own
            drawn = match[had.index] if row == NEVER else had.index
            mean = (matched_share if counts else matched_mean)(had.to_numpy(), drawn)
            rows.append((row, "", *mean, len(had)))
        table = self.table.dropna(subset=[value])
        differences = paired_bootstrap(table, by="row", value=value, seed=seed).query("minus != ''")
        means = pd.DataFrame(rows, columns=["row", "minus", "estimate", "low", "high", "n"])
        both = pd.concat([means, differences], ignore_index=True)
        less = (both["row"] == NEVER) & (both["minus"] != "")
        apart = (wide[NEVER] - wide[SERVED]).dropna()
        if len(apart):
            who = match[apart.index]
            found = matched_mean(apart.to_numpy(), who, seed, differences=counts)
            both.loc[less, ["estimate", "low", "high"]] = found
        both.attrs = self.table.attrs
        return both

    def auc(self, seed: int = 0) -> pd.DataFrame:
        """How often scores tell deleter from match, .5 is chance: [list, estimate, low, high, n,
        matches].

        The last line is the control: items outside the topic that neither had. What it is off .5 is
        taste and activity at large, not the topic. Intervals draw the matches, of whom there are
        `matches` different ones.
        """
        rows = []
        for kind, end in KINDS.items():
            pairs = self.scores.dropna(subset=[f"after{end}", f"never{end}"])
            won = wins(pairs[f"after{end}"].to_numpy(), pairs[f"never{end}"].to_numpy())
            found = matched_mean(won, pairs["match"], seed)
            rows.append((kind, *found, len(pairs), pairs["match"].nunique()))
        return pd.DataFrame(rows, columns=["list", "estimate", "low", "high", "n", "matches"])

    def _repr_html_(self) -> str:
        means = self.to_frame().query("minus == ''").drop(columns="minus")
        title = f"Share of users shown the topic in their top {self.k}"
        if self.unmatched:
            title += f"; {self.unmatched} of {len(self.scores)} have no match that never had it"
        title += self._inexact
        return html.table(means.to_dict("records"), title, digits=2)
