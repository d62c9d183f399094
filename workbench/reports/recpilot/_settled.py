"""A kind of store with its settings, as `Service.build(stores=[…])` takes a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.data import Catalogue, Interactions
from workbench.reports.stores import Store


@dataclass(frozen=True)
class Settled:
    """`kind` is built with `config`; a plain record, so that it can be sent to another process."""

    kind: Any
    config: Any

    def build(self, log: Interactions, catalogue: Catalogue) -> Store:
        """What the kind builds."""
        return self.kind.build(log, catalogue, self.config)
