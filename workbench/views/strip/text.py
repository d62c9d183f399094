"""Text that hides nothing, and where each of its characters stands once hidden ones have a
sign."""

from __future__ import annotations

import re

import numpy as np

from workbench.html import HIDDEN, sign, visible

BLANK = {" ": "␠", "\n": "↵\n", "\t": "⇥"}


def readable(text: str) -> tuple[str, np.ndarray]:
    """The text with a sign for every hidden character, and where each character (and the end)
    stands in it.

    >>> readable("a\\u202eb")[0], readable("a\\u202eb")[1].tolist()
    ('a⟨RLO⟩b', [0, 1, 6, 7])
    """
    # how far each character leads on: of those under one sign, the last one leads over it
    widths = np.ones(len(text), dtype=np.int64)
    for found in HIDDEN.finditer(text):
        widths[found.start() : found.end()] = 0
        widths[found.end() - 1] = len(sign(found))
    return visible(text), np.cumsum([0, *widths])


def writable(text: str) -> str:
    """The text as long as before, with a sign for half a surrogate pair, which no file and no table
    can hold."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def blanks(piece: str) -> str:
    """A piece with signs for white space that could not be seen alone.

    >>> blanks(" "), blanks(" a\\n")
    ('␠', ' a↵\\n')
    """
    alone = not piece or piece.isspace()
    return "".join(one if one == " " and not alone else BLANK.get(one, one) for one in piece) or "∅"
