"""What went wrong, where, what was expected, and what to do about it."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Set
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

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


WAYS = {"user": "log.user_code(id) turns an id into its code"}
"""The way to an argument, by its name."""


def typed(function: Callable) -> Callable:
    """The function, which refuses arguments that it does not have, or of another kind than its
    annotations say: nothing is cast, and nothing fails further in. Raises `ConfigError`.

    A number is no truth value and not NaN; a path may be text; what is to be several is no text, and
    of a list, a set or a mapping each is looked at. Of a class, what it is made of.

    >>> typed(round)(2.6)
    3
    """
    if isinstance(function, type):
        function.__init__ = typed(function.__init__)
        return function
    signature = inspect.signature(function)
    # worked out once, when first asked for: what an annotation names may not exist before
    kinds = cache(lambda: get_type_hints(function))

    @wraps(function)
    def checked(*given: Any, **options: Any) -> Any:
        try:
            named = signature.bind(*given, **options).arguments
        except TypeError as error:
            expected = f"some of {', '.join(signature.parameters)}"
            what = str(error).replace("got an unexpected keyword argument", "no option")
            raise ConfigError(what, function.__qualname__, expected) from error
        for name, value in named.items():
            if not _fits(value, kinds().get(name)):
                shown = " ".join(f"{value!r}".split())[:60]
                what = f"a {type(value).__name__} cannot be used ({shown})"
                do = "pass its .log" if hasattr(value, "log") else WAYS.get(name)
                raise ConfigError(what, name, function.__annotations__[name], do)
        return function(*given, **options)

    return checked


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the kind that an annotation says; any is, where it says no class."""
    if isinstance(kind, UnionType):
        return any(_fits(value, part) for part in get_args(kind))
    parts, kind = get_args(kind), get_origin(kind) or kind
    # what can be looked through again and again: of a mapping keys and values, of an array the first;
    # numbers by whoever reads them, who knows what they count
    columns = [value] if isinstance(value, list | tuple | Set) else [getattr(value, "flat", ())[:1]]
    if isinstance(value, Mapping):
        columns = value.keys(), value.values()
    for column, part in zip(columns, () if kind is tuple else parts, strict=False):
        if part not in (int, float) and not all(_fits(one, part) for one in column):
            return False
    if kind is Path:
        return isinstance(value, str | os.PathLike)
    if kind in (int, float):
        number = Integral if kind is int else Real
        return isinstance(value, number) and not isinstance(value, bool) and value == value
    if getattr(kind, "__module__", "") == "collections.abc":
        if kind in (Mapping, Callable):
            return isinstance(value, kind)
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        return several or not issubclass(kind, Iterable)
    return kind is Any or not isinstance(kind, type) or isinstance(value, kind)


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
