"""Who does what: “you rated our pick 3.0” holds the words and numbers of “our pick is rated 3.0”, and says
another thing. What a sentence says that the shopper did, that we did, or that is the shopper's has to be
said of the same one in a claim, and a deed of the shopper's has them before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from workbench.reports.wording_lists import lists

DOERS = ("you", "your", "we", "they")
TO = ("by", "rated", "priced")
"""What makes a doer, or something else, of a "you" after it."""
NOBODY = ""
"""Stands before a deed that no shopper is said to have done."""


def roles(tokens: Sequence[Any]) -> set[tuple[str, str]]:
    """Who does or owns what, and what is done to the shopper: (you, looked), (your, list), (rated, you);
    plain words are left out. tokens: as `tokens_of` gives them."""
    known = lists()
    passed, free = known["passed"] | known["denying"], known["plain"] - known["acting"]
    # a name or a number is nobody's deed
    heads = [one.text.casefold() if one.kind in ("word", "stop") else "" for one in tokens]
    found = set()
    for place, head in enumerate(heads):
        if head in DOERS:
            # the first word that is said of them: "you have already looked", not "for you our pick"
            said = next((one for one in heads[place + 1 :] if one not in passed), "")
            found |= {(head, said)} if said.isalpha() and said not in free else set()
        if head == "you" and heads[max(place - 1, 0)] in TO:
            found.add((heads[place - 1], head))
        if head in known["deeds"] and not _by_shopper(heads, place):
            found.add((NOBODY, head))
    # what we pick and recommend is what this page is
    return found - {("we", word) for word in known["picking"]}


def _by_shopper(heads: list[str], place: int) -> bool:
    """Whether the shopper stands before a deed, in the same sentence, and not as "for you"."""
    for at in range(place - 1, -1, -1):
        if heads[at] in (".", ";", "!", "?"):
            return False
        if heads[at] == "you" and not (at and heads[at - 1] in lists()["toward"]):
            return True
    return False


def misplaced(tokens: Sequence[Any], facts: Iterable[Sequence[Any]]) -> Iterable[str]:
    """What a sentence says of the wrong one, in words."""
    said = [roles(one) for one in facts]
    for who, what in sorted(roles(tokens).difference(*said)):
        if who == NOBODY:
            yield f"“{what}” is said of somebody else"
        else:
            yield f"“{who} {what}” stands in none of its claims"
