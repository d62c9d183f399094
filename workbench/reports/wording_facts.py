"""What a sentence may hold: the names, numbers and words of the claims that it says, and nothing else.

A claim is read as the template says it. Sentence and template go through one reading, clause by clause:
names in quotes (products), other names (kinds, makers, what sets products apart), numbers with their
unit and product, words that compare or tell of a deed with their product, other words, and whether the
clause denies. A sentence stands where its own reading lies within that of its claims; plain words of
`wording.toml` are free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from workbench.html import visible
from workbench.reports.wording_lists import lists, template_words
from workbench.reports.wording_numbers import MONTHS, goes_on, unit_of, value_of
from workbench.reports.wording_who import misplaced

BINDING = ("price", "rating", "difference")
"""Units of numbers that belong to one product."""
HAVE = ("have", "had")
"""Free as parts of other verbs; alone they tell of a deed."""
PICK, ANOTHER = "our pick", "another product is called our pick"


class Token(NamedTuple):
    """A piece of a text: "quote", "name", "number", "word", "stop" (ends a clause) or "sign"."""

    kind: str
    text: str


class Number(NamedTuple):
    """A number, its unit where the words beside it tell, and the product that it is said of."""

    value: float
    unit: str
    item: int | None


@dataclass(frozen=True)
class Clause:
    """What one clause says. names: each with the word before it, "" where the clause begins; of a
    title in quotes None. bound: words that compare, tell of a deed or pick, with their product.
    doubtful: words that compare after two products, so that it may be either."""

    denies: bool
    names: frozenset[tuple[str, str | None]]
    numbers: tuple[Number, ...]
    bound: tuple[tuple[str, int | None], ...]
    words: frozenset[str]
    doubtful: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """What stands for what: titles in quotes → item code; other names, as they are written."""

    titles: Mapping[str, int]
    others: frozenset[str]
    pick: int | None = None
    pattern: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # the longest name first; what is no name is a number, a word, an end or a sign
        each = sorted(self.others, key=lambda name: (-len(name), name))
        known = "|".join(re.escape(name) for name in each if name.strip())
        # a title may hold quotes of its own
        titles = "|".join(re.escape(one) for one in sorted(self.titles, key=len, reverse=True))
        quotes = [f"“(?:{titles})”", f'"(?:{titles})"'] if titles else []
        quotes += ["“[^“”]*”", '"[^“”"]*"']
        parts = [f"(?P<quote>{'|'.join(quotes)})"]
        parts += [rf"(?P<name>(?<!\w)(?:{known})(?!\w))"] if known else []
        parts += [r"(?P<number>\d[\d,]*(?:\.\d+)?%?)", r"(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)"]
        parts += [r"(?P<stop>[.;:!?—])", r"(?P<space>[\s,()–-]+)", r"(?P<sign>.)"]
        pattern = re.compile("|".join(parts), re.IGNORECASE | re.DOTALL)
        object.__setattr__(self, "pattern", pattern)


def tokens_of(text: str, names: Names) -> list[Token]:
    """The pieces of a text, white space left out."""
    found = (Token(one.lastgroup or "", one[0]) for one in names.pattern.finditer(text))
    return [one for one in found if one.kind != "space"]


def clauses_of(text: str, names: Names) -> list[Clause]:
    """A text clause by clause: stops and joining words part them."""
    tokens = tokens_of(text, names)
    mentions = _mentions(tokens, names)
    joining = lists()["joining"]
    parts: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        if token.kind == "stop" or token.text.casefold() in joining:
            parts.append([])
        else:
            parts[-1].append(place)
    return [_clause(part, tokens, mentions, names) for part in parts if part]


def _clause(
    part: list[int], tokens: list[Token], mentions: list[tuple[Any, Any]], known_as: Names
) -> Clause:
    """What the tokens at these places say."""
    known = lists()
    names, words, numbers, bound = set(), set(), [], _picked(part, tokens, known_as)
    denies, said, doubtful = False, set(), []
    for place in part:
        kind, text = tokens[place].kind, tokens[place].text.casefold()
        before, after = mentions[place]
        value = value_of(tokens, place)
        if kind in ("quote", "name"):
            led = tokens[place - 1].text.casefold() if place > part[0] else ""
            names.add((text, led if kind == "name" else None))
            item = known_as.titles.get(text[1:-1]) if kind == "quote" else None
            said |= {item} - {None}
        elif value is not None:
            unit = unit_of(tokens, place)
            item = before if before is not None else after
            numbers.append(Number(value, unit, item if unit in BINDING else None))
        elif kind == "word" and not goes_on(tokens, place):
            denies |= text in known["denying"] or text.endswith(("n't", "n’t"))
            words.add(text)
            said |= {known_as.pick} if text == "pick" else set()
            # a word that compares is said of what stands before it, a deed of what follows
            if text in known["comparing"]:
                bound.append((text, before if before is not None else after))
                doubtful += [text] if len(said) > 1 else []
            elif text in known["deeds"] or _owns(part, place, tokens):
                bound.append((text, after if after is not None else before))
    told = tuple(numbers), tuple(bound), frozenset(words), tuple(doubtful)
    return Clause(denies, frozenset(names), *told)


def _owns(part: list[int], place: int, tokens: list[Token]) -> bool:
    """Whether a word says that the shopper has something: "you have it", not "you have looked"."""
    told = [tokens[at].text.casefold() for at in part]
    if tokens[place].text.casefold() not in HAVE or "you" not in told:
        return False
    after = tokens[place + 1] if place < part[-1] else None
    return after is None or after.kind != "word" or after.text.casefold() in lists()["owning"]


def _picked(part: list[int], tokens: list[Token], names: Names) -> list[tuple[str, int | None]]:
    """Other products that a clause calls our pick: no "than" and no "of" parts the two."""
    own = [tokens[at].text.casefold() for at in part]
    quoted = [at for at, place in enumerate(part) if tokens[place].kind == "quote"]
    items = [(at, names.titles.get(own[at][1:-1], names.pick)) for at in quoted]
    pairs = [
        (item, own[min(at, to) : max(at, to)])
        for at, item in items
        for to, word in enumerate(own)
        if word in lists()["picking"] and item != names.pick
    ]
    return [(PICK, item) for item, between in pairs if not {"than", "of"}.intersection(between)]


def _mentions(tokens: list[Token], names: Names) -> list[tuple[int | None, int | None]]:
    """For each token the product named last before it, and the one named next; “it” is the last one,
    or the pick."""
    at: list[int | None] = []
    last = None
    for token in tokens:
        if token.kind == "quote":
            last = names.titles.get(token.text[1:-1].casefold(), last)
        elif token.text.casefold() == "pick" or (token.text.casefold() == "it" and last is None):
            last = names.pick
        elif token.text.casefold() != "it":
            at.append(None)
            continue
        at.append(last)
    before, after = [], []
    seen = None
    for one in at:
        seen = seen if one is None else one
        before.append(seen)
    seen = None
    for one in reversed(at):
        seen = seen if one is None else one
        after.append(seen)
    return list(zip(before, reversed(after), strict=True))


def check_text(text: str, names: Names, facts: Iterable[str]) -> list[str]:
    """Why a sentence may not stand, in words: everything in it that its claims do not say; empty where
    it may. names: those of its claims. facts: what the template says of these claims.

    >>> names = Names({"tin kettle": 4}, frozenset({"kettle"}), pick=4)
    >>> check_text("Our pick is “tin kettle”, price 8.00.", names, ["“tin kettle”, price 9.00."])
    ['the number 8 stands in none of its claims as a price']
    """
    if visible(text) != text:
        return ["it holds characters that nobody sees"]
    said, facts = clauses_of(text, names), list(facts)
    known = [clause for fact in facts for clause in clauses_of(fact, names)]
    faults = [*_signs(text, names), *_denied(said, known)]
    for clause in said:
        # of the claims what is said as this is said: so, or not so
        same = [one for one in known if one.denies == clause.denies]
        faults += [*_numbers(clause, same), *_words(clause, same)]
    faults += misplaced(tokens_of(text, names), [tokens_of(fact, names) for fact in facts])
    faults += [] if faults or _says(said) else ["it says none of its claims"]
    return list(dict.fromkeys(faults))


def _signs(text: str, names: Names) -> Iterable[str]:
    for token in tokens_of(text, names):
        if token.kind == "quote" and token.text[1:-1].casefold() not in names.titles:
            yield f"{token.text} is no product of its claims"
        if token.kind == "sign":
            yield f"the sign {token.text!r} is no part of a sentence"
    # a number below 0, and from one to another
    found = [(one.lastgroup, one[0]) for one in names.pattern.finditer(text)]
    for (kind, said), (following, number) in pairwise(found):
        if kind == "space" and said[-1] in "-–" and following == "number":
            yield f"“{said[-1]}{number}” is no number of its claims"


def _denied(said: list[Clause], known: list[Clause]) -> Iterable[str]:
    if any(one.denies for one in said) and not any(one.denies for one in known):
        yield "it denies, and its claims do not"
    if all(one.denies for one in known) and not any(one.denies for one in said):
        yield "its claims deny, and it does not"


def _numbers(clause: Clause, same: list[Clause]) -> Iterable[str]:
    facts = [one for fact in same for one in fact.numbers]
    for value, unit, item in clause.numbers:
        alike = [one for one in facts if one.value == value and unit in ("", one.unit)]
        told = f"as a {unit}" if unit in BINDING else f"of {unit}s" if unit else ""
        told = f"of {unit.title()}" if unit in MONTHS else told
        if not alike:
            yield f"the number {value:.10g} stands in none of its claims {told}".rstrip()
        elif all(None not in (item, one.item) and item != one.item for one in alike):
            yield f"the number {value:.10g} is said of another product {told}".rstrip()


def _words(clause: Clause, same: list[Clause]) -> Iterable[str]:
    plain = lists()["plain"] | lists()["denying"]
    # what a stranger put into a name and the reading did not find is no word of ours
    words = {word for fact in same for word in fact.words} & template_words()
    for word in sorted(clause.words - plain):
        if not {word, f"{word}s", word.removesuffix("s"), word.removesuffix("’s")} & words:
            yield f"“{word}” stands in none of its claims"
    # a kind called “free” is no property: names stand where names stand in the template
    named = {one for fact in same for one in fact.names}
    for name, led in sorted(clause.names, key=str):
        if led is not None and led not in lists()["leading"] and (name, led) not in named:
            yield f"“{name}” stands where no name can"
    facts = [one for fact in same for one in fact.bound]
    for word, item in clause.bound:
        alike = [other for name, other in facts if name == word]
        if not alike and word in (*HAVE, PICK):
            yield f"“{word}” stands in none of its claims" if word in HAVE else ANOTHER
        elif alike and all(None not in (item, other) and item != other for other in alike):
            yield f"“{word}” is said of another product"
    for word in clause.doubtful:
        yield f"“{word}” may be said of two products"


def _says(said: list[Clause]) -> bool:
    """Whether anything is said that could be so or not so."""
    plain = lists()["plain"]
    return any(one.names or one.numbers or one.words - plain for one in said)


def carried(text: str, names: Names, facts: Iterable[str]) -> list[tuple[int, int]]:
    """The pieces of a sentence (characters, from and to) that stand in a claim: its names, numbers and
    words, plain ones left out."""
    known = [clause for fact in facts for clause in clauses_of(fact, names)]
    values = {number.value for clause in known for number in clause.numbers}
    words = {word for clause in known for word in clause.words} & template_words() - lists()[
        "plain"
    ]
    found = [one for one in names.pattern.finditer(text) if one.lastgroup != "space"]
    tokens = [Token(one.lastgroup or "", one[0]) for one in found]
    out = []
    for place, token in enumerate(tokens):
        said = token.text.casefold()
        quoted = token.kind == "quote" and said[1:-1] in names.titles
        named = token.kind == "name" or (token.kind == "word" and said in words)
        if quoted or named or value_of(tokens, place) in values:
            out.append(found[place].span())
    return out
