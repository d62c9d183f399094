"""One text in the making: sentences drawn from a bank, with every personal word marked as it is
written down."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from workbench.worlds.corpus import bank
from workbench.worlds.shop.shop import one

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
"""What counts as a word: letters and digits, with inner apostrophes and hyphens."""
MARK = re.compile(r"\[([^\]]*)\]|<(\w+)>|\{very\}")
SMALL = frozenset(["a", "an", "and", "by", "for", "in", "of", "on", "the", "to", "with"])
CHOICE = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")


@dataclass
class Page:
    """One response in the making: its text and (start, end, kind, memory, direct) of every marked
    word."""

    rng: np.random.Generator
    style: tuple[list[str], int]
    text: str = ""
    length: int = 0
    marks: list[tuple] = field(default_factory=list)
    told: set = field(default_factory=set)
    said: set = field(default_factory=set)
    sentences: list[tuple] = field(default_factory=list)
    attributes: list[tuple] = field(default_factory=list)

    def add(self, options: list[str], role: str, memory: int = -1, lead: str = "") -> None:
        """Append one of the sentences, none twice: choices made, noise drawn, [brackets] marked by
        role and memory."""
        kind = {"tell": "d", "copy": "c"}.get(role, "s")
        sentence = self.one([option for option in options if option not in self.said] or options)
        self.said.add(sentence)
        first = WORD.search(sentence)[0]
        if lead and first in bank("frames")["lowers"]:
            sentence = f"{lead} {sentence.replace(first, first.lower(), 1)}"
        elif lead and first == "I":
            sentence = f"{lead} {sentence}"
        sentence = CHOICE.sub(lambda found: self.one(found[1].split("|")), sentence)
        start, last, plain = len(self.text) + bool(self.text), 0, ""
        for found in MARK.finditer(sentence):
            plain += sentence[last : found.start()]
            last = found.end()
            if found[1] is not None:
                word, of = found[1], (kind, memory)
            elif found[2] is not None:
                word, of = self.one(bank("frames")["noise"][found[2]]), ("n", -1)
            else:
                word, of = self.one(self.style[0]), ("s", self.style[1])
            if plain.endswith(" a ") and word[0] in "aeiou":
                plain = plain[:-1] + "n "
            self._mark(word, start + len(plain), *of)
            plain += word
        plain += sentence[last:]
        self.length += len(WORD.findall(plain))
        self.sentences.append((start, start + len(plain), role, memory))
        self.text += " " * bool(self.text) + plain[0].upper() + plain[1:]

    def repeat(self, words: list[str]) -> None:
        """Mark the words of the query that the text repeats, small ones left out."""
        asked = {word.lower() for word in words} - SMALL
        taken = {start for start, *_ in self.marks}
        for found in WORD.finditer(self.text):
            if found[0].lower() in asked and found.start() not in taken:
                self.marks.append((*found.span(), "q", -1, False))
        self.marks.sort()

    def one(self, options: list[str]) -> str:
        return one(self.rng, options)

    def maybe(self, probability: float, options: list[str]) -> str:
        """A lead-in that this page has not used, or none."""
        lead = self.one(options) if self.rng.random() < probability else ""
        if lead in self.said:
            return ""
        self.said.add(lead)
        return lead

    def _mark(self, phrase: str, at: int, kind: str, memory: int) -> None:
        for found in WORD.finditer(phrase):
            direct = kind == "n" or memory not in self.told
            self.told.add(memory)
            self.marks.append((at + found.start(), at + found.end(), kind, memory, direct))
