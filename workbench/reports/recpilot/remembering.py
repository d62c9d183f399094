"""The simulator's weights as a place where a shopper's rows live on: a store that cannot forget in a
moment, and says so.

Training a simulator anew takes minutes, so *Forget* marks it stale: the weights stay, and the place
still knows every row that it was trained on, which is what the canary finds. Then either `warm`, a
few steps from the weights it has on what remains: quick, and no proof that the rows are gone; or
`retrain`, from first weights: exact, as no step has seen them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among
from workbench.errors import DataError, typed
from workbench.recommend.protocol import check_bound
from workbench.reports.recpilot._warm import tune
from workbench.reports.recpilot.simulator import Simulator
from workbench.reports.stores import COLUMNS


@dataclass(frozen=True)
class SimulatorPlace:
    """A simulator beside the rows that its weights were made of.

    read: the rows, [user, interaction], sorted by interaction; stale: those among them that were to
    be forgotten since. exact: whether no weight has ever seen a forgotten row.

    >>> SimulatorPlace.of(simulator, log).forget([17])  # doctest: +SKIP
    SimulatorPlace(45,546 rows, marked stale: 1 row)
    """

    name: ClassVar[str] = "simulator"
    label: ClassVar[str] = "the simulator's weights"
    help: ClassVar[str] = "Mark the simulator stale, until it is trained on what remains."
    causes: ClassVar[tuple[str, str]] = (
        "the simulator was trained anew without the rows",
        "the simulator's weights still hold the rows",
    )

    simulator: Simulator
    read: pd.DataFrame = field(repr=False)
    stale: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    exact: bool = True

    @classmethod
    @typed
    def of(cls, simulator: Simulator, log: Interactions) -> SimulatorPlace:
        """The place of a simulator that was trained on a log. Raises `ModelError` for a log of other
        users or items."""
        check_bound(log.index_fingerprint, simulator.bound)
        rows = log.deeds.frame[["user", "interaction"]].sort_values("interaction")
        return cls(simulator, rows.reset_index(drop=True))

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, simulator: Simulator | None = None
    ) -> SimulatorPlace:
        """The place of a simulator that was trained on this log; without one it is trained, which
        takes minutes.

        >>> place = using(SimulatorPlace, simulator=load_simulator())  # doctest: +SKIP
        >>> Service.build(log, catalogue, EASE(), stores=[EntityStore, place])  # doctest: +SKIP
        """
        return cls.of(Simulator().fit(log) if simulator is None else simulator, log)

    def __repr__(self) -> str:
        return f"SimulatorPlace({len(self.read):,} rows, {self.undone or 'up to date'})"

    @property
    def bound(self) -> str | None:
        """The indexes that it belongs to."""
        return self.simulator.bound

    @property
    def undone(self) -> str:
        """What requests have left undone here, in words; "" where nothing."""
        rows = f"{len(self.stale):,} row{'s' * (len(self.stale) != 1)}"
        if not self.exact:
            return f"warm start: not proven to have forgotten {rows}"
        return f"marked stale: {rows}" if len(self.stale) else ""

    def forget(
        self, interactions: Iterable[int], users: Iterable[int] | None = None
    ) -> SimulatorPlace:
        """The place, marked stale by those of the rows that the weights were made of. It equals one
        built from the rest only after `retrain`."""
        held = ids_among(interactions, self.read["interaction"])
        return replace(self, stale=np.union1d(self.stale, held))

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the (sorted) interactions the weights were made of: a stale place still knows."""
        own = self.read.loc[self.read["user"] == int(user), "interaction"]
        return ids_among(interactions, own)

    def lineage(self, user: int) -> pd.DataFrame:
        """The rows of a shopper that the weights were made of, all alike: [kind, entity,
        interaction, weight]."""
        own = self.read.loc[self.read["user"] == int(user), "interaction"]
        lines = {"kind": "weights", "entity": "simulator", "interaction": own, "weight": 1.0}
        return pd.DataFrame(lines, columns=COLUMNS).reset_index(drop=True)

    def retrain(self, log: Interactions, work: Path | None = None) -> SimulatorPlace:
        """Train from first weights on what remains; `DataError` for a log that still holds a row to
        be forgotten."""
        self._check(log)
        return SimulatorPlace.of(Simulator(self.simulator.config).fit(log, work), log)

    def warm(self, log: Interactions, steps: int = 50) -> SimulatorPlace:
        """A few steps on what remains from the weights there are. These were made of the rows to be
        forgotten as well, so that the place goes on naming them, and a receipt does."""
        self._check(log)
        made = SimulatorPlace.of(tune(self.simulator.copy(), log, steps), log)
        seen = self.read[np.isin(self.read["interaction"], self.stale)]
        read = pd.concat([made.read, seen]).sort_values("interaction", ignore_index=True)
        exact = self.exact and not len(self.stale)
        return replace(made, read=read, stale=self.stale, exact=exact)

    def _check(self, log: Interactions) -> None:
        held = np.isin(self.stale, log.frame["interaction"].to_numpy())
        if held.any():
            what = f"interaction {self.stale[held][0]} is to be forgotten, and still in this log"
            raise DataError(what, "log", "what remains", "pass log.without(ids)")
