"""How a tool ends: with what it printed, or with one line that says what was wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from workbench.errors import WorkbenchError


def answered(work: Callable[[], object]) -> int:
    """Print what `work` returns, if anything, and give 0; a `WorkbenchError` is one line on stderr
    and gives 2."""
    try:
        said = work()
    except WorkbenchError as error:
        print(f"start.py: {error}", file=sys.stderr)
        return 2
    if said is not None:
        print(said)
    return 0


def count(text: str) -> int:
    """A whole number from 1 on, as an argument: 0 steps would else train the shipped model anew."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
