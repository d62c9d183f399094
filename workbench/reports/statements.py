"""Statements: what may be said of a shopper, and what executing one gives."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

Statement = tuple[str, str, str, str]
"""Kind, subject, relation, object."""


class NotSo(Exception):
    """A statement that does not hold; the message says why."""


class Unsaid(NotSo):
    """A statement that holds and is not written, because it names a topic that is left unsaid."""


class Executed(NamedTuple):
    """A statement that holds: its value, and the rows that carry it.

    weights: as long as `ids`, none negative. source: where the rows were read, see `Evidence.rows`.
    """

    value: float
    ids: np.ndarray
    weights: np.ndarray
    source: str


@runtime_checkable
class Told(Protocol):
    """What holds claims: a `Report`, or what `diff` may compare like one."""

    claims: Any


def item_name(item: int) -> str:
    """How claims name an item."""
    return f"item:{int(item)}"


def is_item(name: str) -> bool:
    """Whether a name is one of an item."""
    head, _, tail = name.partition(":")
    return head == "item" and tail.isdigit()


def item_code(name: str) -> int:
    """The code in `item:5`; raises `NotSo` for anything else."""
    if not is_item(name):
        raise NotSo(f"{name!r} names no item")
    return int(name.removeprefix("item:"))


def same(given: object, expected: object) -> None:
    """Raise `NotSo` where a part of a statement is not the one that it must be."""
    if given != expected:
        raise NotSo(f"{given!r} is not {expected!r}")
