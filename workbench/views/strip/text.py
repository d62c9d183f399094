"""Text that hides nothing, and where each of its characters stands once hidden ones have a
sign."""

from __future__ import annotations

import re

import numpy as np

from workbench.html import HIDDEN, sign

BLANK = {" ": "␠", "\n": "↵\n", "\t": "⇥"}


def readable(text: str) -> tuple[str, np.ndarray]:
    """The text with a sign for every hidden character, and where each character (and the end)
    stands in it.

    >>> readable("a\\u202eb")[0], readable("a\\u202eb")[1].tolist()
    ('a⟨RLO⟩b', [0, 1, 6, 7])
    """
    out, at, place, last = [], np.zeros(len(text) + 1, dtype=np.int64), 0, 0
    for found in HIDDEN.finditer(text):
        shown, (start, end) = sign(found), found.span()
        at[last:start] = place + np.arange(start - last)
        out += [text[last:start], shown]
        place += start - last
        at[start:end] = place
        place, last = place + len(shown), end
    at[last:] = place + np.arange(len(text) + 1 - last)
    return "".join([*out, text[last:]]), at


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
