"""Numbers in a sentence, in digits or in words, and what they count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
)
SMALL += " sixteen seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = {name: float(value) for value, name in enumerate(SMALL.split())}
WORDS |= {name: 10.0 * value for value, name in enumerate(TENS.split(), start=2)}
WORDS |= {"hundred": 100.0, "thousand": 1000.0, "million": 1e6}
OTHERS = {"once": 1.0, "twice": 2.0, "thrice": 3.0, "both": 2.0, "couple": 2.0, "pair": 2.0}
OTHERS |= {"dozen": 12.0, "half": 0.5, "quarter": 0.25}
ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
)
OTHERS |= {name: float(value) for value, name in enumerate(ORDINALS.split())}
MONTHS = "january february march april may june july august september october november december"
MONTHS = frozenset(MONTHS.split())
BEYOND = frozenset(["less", "more", "higher", "lower", "cheaper", "dearer", "above", "below"])
RATED = frozenset(["rated", "rating", "rate", "rates", "stars", "star"])
PRICED = frozenset(["price", "priced", "prices", "cost", "costs", "costing", "paid"])
FOR = ("for", "at")
REACH = 3
"""Words before a number that may tell its unit."""


def value_of(tokens: Sequence[Any], place: int) -> float | None:
    """The number that begins at a token; NaN-free, None where none does, or where it goes on from the
    token before.

    "1,000", "69", "sixty-nine", "two hundred and five", "twice", "31%".
    """
    text = tokens[place].text.casefold()
    if tokens[place].kind == "number":
        return float(text.rstrip("%").replace(",", ""))
    if text in OTHERS:
        return OTHERS[text]
    parts = _spelled(tokens, place)
    if not parts or goes_on(tokens, place):
        return None
    # as far as number words go
    while place + 1 < len(tokens) and (more := _spelled(tokens, place + 1)):
        parts += more
        place += 1
    whole, part = 0.0, 0.0
    for value in parts:
        if value >= 1000:
            whole, part = whole + max(part, 1.0) * value, 0.0
        else:
            part = max(part, 1.0) * value if value == 100 else part + value
    return whole + part


def goes_on(tokens: Sequence[Any], place: int) -> bool:
    """Whether a token goes on with a number in words: "nine" of "sixty nine"."""
    return bool(place and _spelled(tokens, place) and _spelled(tokens, place - 1))


def _spelled(tokens: Sequence[Any], place: int) -> list[float]:
    """The number words of one token: of "sixty-nine" two."""
    names = tokens[place].text.casefold().split("-")
    spelled = tokens[place].kind == "word" and all(name in WORDS for name in names)
    return [WORDS[name] for name in names] if spelled else []


def unit_of(tokens: Sequence[Any], place: int) -> str:
    """What a number counts, by the words beside it: "price", "rating", "difference", "percent", a
    month, what is counted in the singular; "" where nothing tells."""
    text = tokens[place].text
    while tokens[place].kind == "word" and place + 1 < len(tokens) and _spelled(tokens, place + 1):
        place += 1
    after = [one.text.casefold() for one in tokens[place + 1 : place + 3] if one.kind == "word"]
    before = tokens[max(place - REACH, 0) : place]
    ends = [at for at, one in enumerate(before) if one.kind != "word"]
    near = [one.text.casefold() for one in before[ends[-1] + 1 if ends else 0 :]]
    if after[:1] == ["shown"]:
        return "shown"
    if text.endswith("%") or after[:1] in (["percent"], ["per"]):
        return "percent"
    if after[:1] and after[0] in BEYOND:
        return "difference"
    if after[:1] and after[0] in MONTHS:
        return after[0]
    if near and near[-1] in MONTHS:
        return "year"
    if RATED.intersection(near) or after[:1] in (["stars"], ["star"]):
        return "rating"
    if PRICED.intersection(near):
        return "price"
    counted = next((one for one in after if one.removesuffix("s") in COUNTED), "")
    # "for 9.00" is a price, "for two visits" is none
    return counted.removesuffix("s") or ("price" if near and near[-1] in FOR else "")


COUNTED = frozenset(
    [
        "visit",
        "thing",
        "row",
        "guesse",
        "guess",
        "product",
        "shown",
        "time",
        "day",
        "basket",
        "people",
    ]
)
