"""What went wrong, where, what was expected, and what to do about it."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from workbench.html import visible


class WorkbenchError(Exception):
    """An error that tells its reader what to do.

    `where` names the file, row or argument; `expected` what would have been right; `do` the next
    step.

    >>> print(WorkbenchError("no column 'item'", where="clicks.csv", expected="item ids", do="pass item='sku'"))
    clicks.csv: no column 'item'. Expected: item ids. What to do: pass item='sku'.
    """

    def __init__(
        self,
        what: str,
        where: str | None = None,
        expected: str | None = None,
        do: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.do = what, where, expected, do
        text = f"{where}: {what}" if where else what
        for label, part in (("Expected", expected), ("What to do", do)):
            if part:
                text = f"{text.rstrip('.')}. {label}: {part}"
        super().__init__(visible(text.rstrip(".") + "."))


class DataError(WorkbenchError):
    """A table or file that does not hold what it should."""


class UnknownUser(WorkbenchError):
    """A user that the log or the model has never met."""


class UnknownItem(WorkbenchError):
    """An item that the log or the catalogue does not list."""


class ConfigError(WorkbenchError):
    """A setting outside what the component can do."""


class ModelError(WorkbenchError):
    """A model that is missing, damaged, or of another shape than asked for."""


class TooLarge(WorkbenchError):
    """A computation that would not fit; refused before it starts."""


class RunError(WorkbenchError):
    """Runs of a grid that failed; what finished is kept."""


def check_number(low: float, high: float = math.inf, /, **given: Any) -> None:
    """Raise `ConfigError` for an argument, by its name, that is no number from `low` to `high`, or
    no whole number where `low` is one.

    >>> check_number(1, batch_size=64)
    >>> check_number(0.0, 1.0, alpha=0.05)
    """
    kind, says = (Integral, "a whole number") if isinstance(low, int) else (Real, "a number")
    says += f" of at least {low}" + (f", at most {high:g}" if high < math.inf else "")
    for name, value in given.items():
        right = isinstance(value, kind) and not isinstance(value, bool)
        if not (right and low <= value <= high):
            raise ConfigError(f"{name} {value!r:.80}", expected=says)


def stopped(error: WorkbenchError, done: str, do: str) -> WorkbenchError:
    """The error that ended long work, saying besides what was `done`, and what to `do` with that."""
    do = f"{error.do}; {do}" if error.do else do
    return type(error)(f"{error.what} ({done})", error.where, error.expected, do)
