"""What a store that only reads the log has to say about rows: it forgets by reading the rest again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among


class ReadAgain:
    """The base of stores that keep a log, a catalogue and a config, and nothing that was not read
    from them by `build(log, catalogue, config)`."""

    log: Interactions
    catalogue: Catalogue
    config: Any

    @property
    def bound(self) -> str:
        """Whose indexes it was made for."""
        return self.log.index_fingerprint

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Self:
        """Read again without these rows; equals a store built from what remains."""
        held = ids_among(interactions, self.log.frame["interaction"])
        return self.build(self.log.without(held), self.catalogue, self.config)

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the interactions of a shopper it still reads, sorted."""
        return ids_among(interactions, self.log.rows_of(user)["interaction"])
