"""Outside your usual: one product of a category that the shopper does not come back to, and how often
such a line came true.

    usual      categories touched in at least `usual` visits
    the line   the best-scored product of any other category that the shopper never touched
    came true  the product was looked at (or more) in the `visits` that followed
    record     the same rule on histories cut before their last visits, `cuts` times: n of m lines came
               true, beside a product drawn at random from the same choice

Novelty-seeking is a trait and a mood (hierarchical policies, 2023); what a page can say of it is one
line with its odds. They are counted apart for low, middle and high scores (thirds of the record), and
the line is written only in a third where it beats the random product: 95 % of resampled shoppers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.recommend import EASE
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._odds import Odds, OutsideConfig, free_of, odds_of, record
from workbench.reports.recpilot._read_again import ReadAgain
from workbench.reports.recpilot._told import told
from workbench.reports.statements import item_name
from workbench.reports.stores import COLUMNS


@dataclass(frozen=True, eq=False)
class Outside(ReadAgain):
    """The line as a store: the rows that it is read from. Changes return a new one.

    >>> Service.build(log, catalogue, EASE(), stores=(EntityStore, Outside))  # doctest: +SKIP
    """

    name: ClassVar[str] = "outside"
    label: ClassVar[str] = "the line outside your usual"
    help: ClassVar[str] = "Find what lies outside your usual again, without the rows."
    causes: ClassVar[tuple[str, str]] = (
        "what is your usual was read again without the rows",
        "the line outside your usual still counts them",
    )

    log: Interactions = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    config: OutsideConfig = field(default_factory=OutsideConfig)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, config: OutsideConfig | None = None
    ) -> Self:
        """Keep the rows; nothing is counted before somebody asks."""
        return cls(log.deeds, catalogue, config or OutsideConfig())

    def __repr__(self) -> str:
        return f"Outside({len(self.log):,} rows)"

    def lineage(self, user: int) -> pd.DataFrame:
        """The rows of a shopper by category: [kind, entity, interaction, weight], kind "usual"."""
        rows = self.log.rows_of(user)
        category = self.catalogue.frame["category"].to_numpy(dtype=object)
        table = pd.DataFrame({"entity": category[rows["item"]], "interaction": rows["interaction"]})
        return table.assign(kind="usual", weight=1.0)[COLUMNS].reset_index(drop=True)

    # --- the line ---

    @cached_property
    def model(self) -> EASE:
        """Who scores: EASE on all rows."""
        return EASE().fit(self.log)

    @cached_property
    def lines(self) -> pd.DataFrame:
        """The record, see `record`."""
        return record(self.log, self.catalogue, self.config)

    @cached_property
    def odds(self) -> list[Odds]:
        """The record by thirds of the score, lowest first."""
        return odds_of(self.lines)

    def line(self, user: int, silent: np.ndarray) -> tuple[int, Odds] | None:
        """The product and its odds; silent (n_items,): what may not be named. None where there is no
        such product, or its third does not beat a random one."""
        history = self.log.histories([user])
        free = free_of(history, self.catalogue, self.config)[0] & ~silent
        if not free.any() or not len(self.lines):
            return None
        scores = self.model.score(history)[0]
        item = int(np.where(free, scores, -np.inf).argmax())
        own = [odds for odds in self.odds if odds.low <= scores[item]]
        return (item, own[-1]) if own and own[-1].beats else None

    def says(self, evidence: Evidence) -> pd.DataFrame:
        """The line, see `told`, carried by the rows that raise the score."""
        found = self.line(evidence.user, evidence.silent)
        if found is None:
            return told("outside", "nothing")
        item, odds = found
        rows = self.model.contributions(self.log.histories([evidence.user]), [[item]])
        rows = rows[rows["weight"] > 0]
        relation = f"{odds.known} of {odds.lines} beside {odds.random:.0f}"
        value = odds.known / odds.lines
        carried = zip(rows["interaction"], rows["weight"], strict=True)
        lines = [(item_name(item), value, row, weight) for row, weight in carried]
        return told("outside", relation, lines)
