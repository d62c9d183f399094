"""A store with options of its own, as `Service.build(stores=...)` takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.data import Catalogue, Interactions
from workbench.errors import typed


@dataclass(frozen=True)
class Using:
    """A kind of store and the options that its `build` gets besides log and catalogue."""

    kind: Any
    options: dict[str, Any] = field(hash=False)

    def build(self, log: Interactions, catalogue: Catalogue) -> Any:
        """The store, built with the options."""
        return self.kind.build(log, catalogue, **self.options)


@typed
def using(kind: Any, **options: Any) -> Using:
    """A kind of store with options.

    >>> Service.build(log, catalogue, EASE(), stores=[using(Experience, encoder="MiniLM")])  # doctest: +SKIP
    """
    return Using(kind, options)
