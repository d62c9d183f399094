"""Text that hides nothing.

A text may hold characters that nobody sees: zero-width ones, controls that turn the reading
direction, tags, stacks of accents. In a tool that shows what a word rests on they must be seen, so
each gets a sign.
"""

from __future__ import annotations

import re

import numpy as np

BIDI = {
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u061c": "ALM",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
}
BIDI |= {
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
}
ACCENT = "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
ACCENT += "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
HIDDEN = re.compile(
    # no script needs a fifth accent; a pile of them covers other lines
    rf"(?P<stack>(?<={ACCENT}{{4}}){ACCENT}+)"
    # bytes hidden in emoji
    r"|(?P<selectors>[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}|[\U000e0000-\U000e007f]+)"
    r"|(?P<zero>[\u200b\u2060-\u2064\ufeff\u00ad\u180e\u115f\u1160\u3164\uffa0\ufff9-\ufffb]"
    # joiners belong between Indic and Persian letters and in emoji
    r"|(?<![^\x00-\x7f])[\u200c\u200d])"
    rf"|(?P<bidi>[{''.join(BIDI)}])"
    r"|(?P<control>[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029])"
    r"|(?P<broken>[\ud800-\udfff])"
)
BLANK = {" ": "␠", "\n": "↵\n", "\t": "⇥"}


def readable(text: str) -> tuple[str, np.ndarray]:
    """The text with a sign for every hidden character, and where each character (and the end)
    stands in it.

    >>> readable("a\\u202eb")[0], readable("a\\u202eb")[1].tolist()
    ('a⟨RLO⟩b', [0, 1, 6, 7])
    """
    out, at, place, last = [], np.zeros(len(text) + 1, dtype=np.int64), 0, 0
    for found in HIDDEN.finditer(text):
        sign, (start, end) = _sign(found), found.span()
        at[last:start] = place + np.arange(start - last)
        out += [text[last:start], sign]
        place += start - last
        at[start:end] = place
        place, last = place + len(sign), end
    at[last:] = place + np.arange(len(text) + 1 - last)
    return "".join([*out, text[last:]]), at


def _sign(found: re.Match[str]) -> str:
    kind, said = found.lastgroup, found[0]
    if kind == "stack":
        return f"⟨+{len(said)} accents⟩"
    if kind == "selectors":
        return f"⟨{len(said)} hidden⟩"
    if kind == "bidi":
        return f"⟨{BIDI[said]}⟩"
    if kind == "control":
        return chr(0x2400 + ord(said)) if ord(said) < 32 else f"⟨U+{ord(said):04X}⟩"
    return "\ufffd" if kind == "broken" else "∅"


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
    return (
        "".join(sign if sign == " " and not alone else BLANK.get(sign, sign) for sign in piece)
        or "∅"
    )
