"""Controls: what a method must be told apart from.

no-op    θ' = θ        the rows are still in it
"""

from __future__ import annotations

from typing import Any

from workbench.data import Interactions
from workbench.unlearning.requests import Request


def no_op(
    model: Any, before: Interactions, request: Request, config: None = None, seed: int = 0
) -> None:
    """Do nothing: what is told apart from this is not yet forgetting, what is not is not even
    begun."""
