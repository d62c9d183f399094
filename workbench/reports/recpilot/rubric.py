"""The rubric (RecPilot, arXiv 2603.07605): what each attribute weighs with a shopper, learnt from
purchases (never from looks), as a ledger of steps that can be played again without any of them.

    weights(u) = learn(step 1, …, step n)       a step: what was bought, and what was on offer beside it

Strictly prequential. To forget is to play the rest again, which equals building from the rest but for
`residue`: how often *others* had bought each candidate, which is not counted again when they leave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among, unique_ids
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._learning import Learnt, RubricConfig, learn
from workbench.reports.recpilot._steps import (
    Step,
    counting,
    named_step,
    seen_by,
    steps_of,
    table_of,
)
from workbench.reports.recpilot._telling import notes_of, said_of
from workbench.reports.recpilot._visible import Visible


@dataclass(frozen=True)
class Rubric:
    """Attribute weights per shopper, with the purchases they came from.

    steps: for each user code, in log order. struck: steps undone: they stay in the ledger and teach
    nothing. bound: `index_fingerprint` of the log.

    >>> Rubric.build(log, catalogue).forget([17, 18]).weights(user=3)  # doctest: +SKIP
    """

    name: ClassVar[str] = "rubric"
    label: ClassVar[str] = "what matters to you"
    help: ClassVar[str] = "Learn anew, without the rows, what price, rating and brand weigh."
    causes: ClassVar[tuple[str, str]] = (
        "what matters to you was learnt anew",
        "what was learnt about you still says so",
    )
    residue: ClassVar[str] = "popularity counted over others"

    config: RubricConfig
    shelf: Visible = field(repr=False)
    steps: dict[int, tuple[Step, ...]] = field(repr=False)
    bound: str | None = field(default=None, repr=False)
    struck: frozenset[int] = frozenset()
    _played: dict[int, Learnt] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, config: RubricConfig | None = None
    ) -> Rubric:
        """Write down purchases and presses; `DataError` for a catalogue of other items."""
        config = config or RubricConfig()
        shelf = Visible.of(catalogue, config.candidates, config.most)
        return cls(config, shelf, steps_of(log, shelf), log.index_fingerprint)

    def __repr__(self) -> str:
        told = f"{len(self.steps):,} shoppers, {sum(map(len, self.steps.values())):,} steps"
        return f"Rubric({self.config.mode}, {told})"

    def weights(self, user: int, before: int | None = None) -> np.ndarray:
        """(n_attributes,) of a shopper; before: a position in the log, of which nothing is known."""
        steps = self.steps.get(int(user), ())
        n = sum(before is None or step.position < before for step in steps)
        return self.learnt(user).weights[n].copy()

    def learnt(self, user: int) -> Learnt:
        """What the steps of a shopper made, each in turn; played when first asked for."""
        user = int(user)
        if user not in self._played:
            seen = seen_by(self.steps.get(user, ()), self.shelf, self.struck)
            self._played[user] = learn(seen, self.config)
        return self._played[user]

    def ledger(self, user: int) -> pd.DataFrame:
        """A line a step, see `table_of`."""
        own = self.steps.get(int(user), ())
        return table_of(own, self.learnt(user), self.shelf, self.config, self.struck)

    def undo(self, step: int) -> Rubric:
        """As if a step (an interaction id) had taught nothing; `DataError` for what is no step."""
        return self._with(self.struck | {named_step(self.steps, step)}, self.steps)

    def redo(self, step: int) -> Rubric:
        """Take `undo` back."""
        return self._with(self.struck - {named_step(self.steps, step)}, self.steps)

    def _with(self, struck: frozenset[int], steps: dict[int, tuple[Step, ...]]) -> Rubric:
        """What nothing happened to stays played."""
        moved = self.struck ^ struck
        played = {
            user: learnt
            for user, learnt in self._played.items()
            if steps.get(user) is self.steps.get(user)
            and moved.isdisjoint(step.interaction for step in steps.get(user, ()))
        }
        return replace(self, struck=struck, steps=steps, _played=played)

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Rubric:
        """Without these purchases: the others are played again. `users`: whose rows, if known."""
        gone = set(unique_ids(interactions).tolist())
        steps = dict(self.steps)
        for user in list(steps) if users is None else map(int, users):
            own = steps.pop(user, ())
            left = tuple(step for step in own if step.interaction not in gone)
            if left:
                steps[user] = own if len(left) == len(own) else left
        return self._with(self.struck - gone, dict(sorted(steps.items())))

    def learn(self, log: Interactions, catalogue: Catalogue, ids: Iterable[int]) -> Rubric:
        """With rows that came to the log since: their shoppers as one built anew has them."""
        anew = steps_of(log, self.shelf)
        users = log.only(ids).frame["user"].unique().tolist()
        return self._with(self.struck, self.steps | {u: anew[u] for u in users if u in anew})

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the (sorted) interactions are steps of a shopper."""
        own = self.steps.get(int(user), ())
        return ids_among(interactions, [step.interaction for step in own])

    def left_in(self, removed: Interactions) -> int:
        """How many other shoppers' steps still count these rows: the `residue`."""
        return counting(self.steps, self.shelf, removed)

    def lineage(self, user: int) -> pd.DataFrame:
        """How far each step moved each attribute: kind "step", entity the attribute."""
        return notes_of(self.steps.get(int(user), ()), self.learnt(user))

    def says(self, evidence: Evidence) -> pd.DataFrame:
        """See `said_of`."""
        return said_of(self, evidence)
