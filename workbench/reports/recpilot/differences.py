"""How you differ from people with similar baskets: named dimensions, each tested, each with rows.

    similar   cos(a, b) over the kinds that a and b chose, 0/1: the nearest `people`
    T_d       the shopper's choices in dimension d: a mean over them, or how many makers
    null      within each kind, choices of shopper and similar people are redealt:  T_d of each deal
    p_d       share of deals in which any dimension is as far out as d is           (max-T)

DRP (arXiv 2511.15389) has a language model name the dimensions and describe the shopper on each.
Here they are named beforehand (`_trials.py`). Who is similar is read from *kinds* alone, and every
dimension *within* kinds. At most `level` of those who do not differ are told so, in whatever; what the
choices of a visit share is left out where visits choose many (`_trials.TOGETHER`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._read_again import ReadAgain
from workbench.reports.recpilot._told import told
from workbench.reports.recpilot._trials import TESTED, DifferencesConfig, carried, choices_of, trial
from workbench.reports.stores import COLUMNS


@dataclass(frozen=True, eq=False)
class Differences(ReadAgain):
    """The comparison as a store: what everybody chose. Changes return a new one.

    log: the rows that choices are read from. bound: its `index_fingerprint`.

    >>> Service.build(log, catalogue, EASE(), stores=(EntityStore, Differences))  # doctest: +SKIP
    """

    name: ClassVar[str] = "differences"
    label: ClassVar[str] = "the comparison with similar people"
    help: ClassVar[str] = "Compare you with similar people again, without the rows."
    causes: ClassVar[tuple[str, str]] = (
        "you were compared with similar people again without the rows",
        "the comparison with similar people still counts them",
    )

    log: Interactions = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    choices: pd.DataFrame = field(repr=False)
    config: DifferencesConfig = field(default_factory=DifferencesConfig)
    done: dict[int, pd.DataFrame] = field(default_factory=dict, repr=False)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, config: DifferencesConfig | None = None
    ) -> Self:
        """Write down what everybody chose."""
        made = config or DifferencesConfig()
        return cls(log, catalogue, choices_of(log, catalogue), made)

    def __repr__(self) -> str:
        people = self.choices["user"].nunique()
        return f"Differences({people:,} shoppers, {len(self.choices):,} choices)"

    def lineage(self, user: int) -> pd.DataFrame:
        """The choices of a shopper: [kind, entity, interaction, weight], kind "choice"."""
        own = self.choices.loc[self.choices["user"] == user, ["kind", "interaction"]]
        own = own.rename(columns={"kind": "entity"})
        return own.assign(kind="choice", weight=1.0)[COLUMNS].reset_index(drop=True)

    @cached_property
    def held(self) -> pd.DataFrame:
        """Which kinds everybody chose, 0/1: a row a shopper, a column a kind."""
        return pd.crosstab(self.choices["user"], self.choices["kind"]).clip(upper=1)

    @cached_property
    def many(self) -> pd.Series:
        """How many choices everybody made."""
        return self.choices["user"].value_counts().sort_index()

    def similar(self, user: int) -> np.ndarray:
        """Codes of the people with the likest baskets, the likest first, ties by code; by the kinds
        that they chose, and nothing else."""
        if user not in self.held.index:
            return np.zeros(0, dtype=np.int64)
        shared = (self.held @ self.held.loc[user]).drop(user)
        like = shared / np.sqrt(self.held.sum(axis=1).drop(user))
        like = like[(like > 0) & (self.many.drop(user) >= self.config.fewest)]
        like = like.sort_values(ascending=False, kind="stable")
        return like.index.to_numpy(dtype=np.int64)[: self.config.people]

    def tested(self, user: int) -> pd.DataFrame:
        """Every dimension of a shopper beside similar people, see `trial`: [..., choices, people];
        no row where too little was chosen."""
        if user not in self.done:
            own, pool = self.compared(user)
            found = pd.DataFrame(columns=TESTED)
            if len(own) >= self.config.fewest:
                rng = np.random.default_rng([self.config.seed, user])
                found = trial(own, pool, self.config.draws, rng)
                found = found.assign(choices=len(own), people=pool["user"].nunique())
            self.done[user] = found
        return self.done[user]

    def compared(self, user: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The choices of shopper and similar people, of kinds that both chose."""
        pool = self.choices[self.choices["user"].isin(self.similar(user))]
        own = self.choices[self.choices["user"] == user]
        own = own[own["kind"].isin(pool["kind"])]
        return own, pool[pool["kind"].isin(own["kind"])]

    def says(self, evidence: Evidence) -> pd.DataFrame:
        """What passes the test, the surest first, see `told`: a dimension and its direction, the
        shopper's value beside that of similar people, carried by the choices that lie that way."""
        found = self.tested(evidence.user)
        found = found[found["p"] <= self.config.level].sort_values("p", kind="stable")
        own, tables = self.compared(evidence.user)[0], [told("differs", "nothing")]
        for one in found.itertuples():
            relation, beside, weights = carried(one, own)
            rows = zip(own["interaction"], weights, strict=True)
            lines = [(beside, one.own - one.theirs, row, w) for row, w in rows if w > 0]
            tables.append(told("differs", relation, lines))
        return pd.concat(tables, ignore_index=True)
