"""The texts of the generated world: reviews and notes whose personal words are all known.

A text is made of sentences from the banks in words/*.toml. What the writer's memory items add to it
is marked word by word: c copies a word of the item, d tells it in other words, s is style by tone,
q repeats the query, n is chance (a weekday, a colour); unmarked words are g, what any buyer of the
product may write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.shop.people import Person
from workbench.worlds.shop.shop import bank

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
"""What counts as a word: letters and digits, with inner apostrophes and hyphens."""
MARK = re.compile(r"\[([^\]]*)\]|<(\w+)>|\{very\}")
CHOICE = re.compile(r"\(([^()|]*(?:\|[^()|]*)+)\)")
SMALL = frozenset(["a", "an", "and", "by", "for", "in", "of", "on", "the", "to", "with"])
SHORTEST, LONGEST = 38, 89


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

    def add(self, options: list[str], role: str, memory: int = -1, lead: str = "") -> None:
        """Append one of the sentences, none twice: choices made, noise drawn, [brackets] marked by
        role and memory."""
        kind = {"tell": "d", "copy": "c"}.get(role, "s")
        sentence = self.one([option for option in options if option not in self.said] or options)
        self.said.add(sentence)
        lowers = bank("frames")["lowers"]
        first = WORD.search(sentence)[0]
        if lead and (first in lowers or first == "I"):
            start = sentence.index(first)
            sentence = (
                f"{lead} {sentence[:start]}{first if first == 'I' else first.lower()}"
                + sentence[start + len(first) :]
            )
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

    def one(self, options: list[str]) -> str:
        return options[int(self.rng.random() * len(options))]

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


class Writer:
    """Writes texts about the items of one catalogue; `truth_items` is the world's truth on them."""

    def __init__(self, catalogue: Catalogue, truth_items: pd.DataFrame) -> None:
        self.items = list(catalogue.frame.itertuples(index=False))
        self.quality = truth_items["quality"].to_numpy()
        self.price = truth_items["price_z"].to_numpy()
        self.consumable = {c["name"] for c in bank("shop")["category"] if c.get("consumable")}
        self.used: dict[int, set[str]] = {}

    def write(
        self, rng: np.random.Generator, person: Person, item: int, kind: str
    ) -> tuple[str, Page, list[str]]:
        """One text of 40 to 90 words: the query, the page, and the attributes told in it, most
        needed first."""
        frames, product = bank("frames"), self.items[item]
        aspects = self._aspects(rng, product)
        own = {
            "title": product.title,
            "thing": product.noun,
            "one": aspects[0][0],
            "two": aspects[1][0],
        }
        needs = [a for a in frames["needs"][product.category] if a in person.facts]
        told = (needs or [a for a in person.facts if a != "tone"])[:3]
        for extras in range(1 + int(4 * rng.random()), -1, -1):
            page = self._compose(rng, person, item, kind, own, aspects, told, extras)
            if page.length <= LONGEST:
                break
        self.used.setdefault(person.user, set()).update(page.said)
        self._repeat_query(page, own)
        options = frames[f"{kind}_queries"]
        query = page.one(
            [text.replace("the {title}", "{title}") for text in options]
            if _is_book(product)
            else options
        )
        return _fill(query, own), page, told

    def _compose(self, rng, person, item, kind, own, aspects, told, extras) -> Page:
        """Opening, two aspects, two tells, `extras` of {third tell, copy, aside, two of delivery
        …}, closing."""
        frames, tone = bank("frames"), bank("frames")["tone"][person.tone]
        page = Page(rng, (tone["adverbs"], person.facts["tone"].memory))
        likes = [
            rng.random() < 1.0 / (1.0 + np.exp(-0.6 - 1.3 * self.quality[item])) for _ in range(3)
        ]
        happy = sum(likes) > 1
        category = self.items[item].category
        shop = frames["book"] if _is_book(self.items[item]) else frames
        styled = rng.random(2) < (0.3 if kind == "review" else 0.0, 0.45)
        if styled[0]:
            page.add(tone["openings" if happy else "bad"], "opening", page.style[1])
        else:
            options = (shop if kind == "review" else frames)[
                "openings" if kind == "review" else "note_openings"
            ]
            if category in self.consumable:  # nobody has a second magnesium
                options = [
                    text
                    for text in options
                    if not re.search(r"( an?|second) \{thing|replaced", text)
                ]
            page.add([_fill(text, own) for text in options], "opening")
        dearness = (
            "dear" if self.price[item] > 0.45 else "cheap" if self.price[item] < -0.45 else "fair"
        )
        facts = ["usage", "delivery", dearness]
        chance = [
            ("tell", 2),
            ("copy", int(rng.random() * 2)),
            ("aside", int(rng.random() * 2)),
            ("scene", 0),
        ]
        chance += [(facts[k], 0) for k in rng.permutation(3)[:2]]
        chance = [chance[k] for k in rng.permutation(len(chance))[:extras]]
        first = int(rng.random() * 2)
        # a text opens with what it will conclude
        first = first if likes[first] == happy else 1 - first
        rest = [
            ("aspect", 1 - first),
            ("tell", 0),
            ("tell", 1),
            *(c for c in chance if c[0] not in ("aside", "copy")),
        ]
        steps = [("aspect", first), *(rest[k] for k in rng.permutation(len(rest)))]
        for step in [c for c in chance if c[0] in ("aside", "copy")]:
            steps.insert(
                1 + steps.index(("aspect" if step[0] == "aside" else "tell", step[1])), step
            )
        for step, number in steps:
            if step == "aspect":
                sayings, half = aspects[number][1], len(aspects[number][1]) // 2
                against = likes[number] != happy
                lead = (
                    page.maybe(0.75, frames["but_bad" if happy else "but_good"]) if against else ""
                )
                which = "first_leads" if number == first else "leads"
                lead = lead or ("" if against else page.maybe(0.3, frames[which]))
                page.add(sayings[:half] if likes[number] else sayings[half:], "aspect", lead=lead)
            elif step == "aside":
                page.add(tone["asides" if likes[number] else "asides_bad"], "aside", page.style[1])
            elif step in ("tell", "copy"):
                if number < len(told):
                    self._personal(page, person, told[number], step)
            else:
                page.add(
                    bank("products")["scenes"][category] if step == "scene" else shop[step], step
                )
        if page.length < SHORTEST:
            page.add(shop["delivery"], "delivery")
        if page.length < SHORTEST:
            page.add(bank("products")["scenes"][category], "scene")
        where = tone if styled[1] else frames
        page.add(
            where["closings" if happy else "regrets"], "closing", page.style[1] if styled[1] else -1
        )
        return page

    def _aspects(self, rng: np.random.Generator, product) -> list[tuple[str, list[str]]]:
        sides = bank("products")[product.category]
        never = bank("products")["never"].get(product.category, {})
        common = [
            side for side in sides["any"].items() if product.noun not in never.get(side[0], ())
        ]
        own = list(sides.get(product.noun, {}).items())
        first, second = (int(rng.random() * len(common)) for _ in range(2))
        pick = own[int(rng.random() * len(own))] if own else common[first]
        if second == first and not own:
            second = (first + 1) % len(common)
        return [pick, common[second]]

    def _personal(self, page: Page, person: Person, attribute: str, step: str) -> None:
        fact, frames = person.facts[attribute], bank("frames")
        if step == "tell":
            tells, used = fact.entry["tells"], self.used.get(person.user, ())
            options = [sentence for sentence in tells if sentence not in used] or tells
            page.add(options, "tell", fact.memory, page.maybe(0.3, frames["personal_leads"]))
        else:
            form = fact.entry.get("form")
            options = frames["copies"][form] if form else bank("people")[attribute]["copies"]
            copy = fact.entry["copy"].replace("{name}", fact.name)
            page.add([text.replace("{copy}", copy) for text in options], "copy", fact.memory)

    @staticmethod
    def _repeat_query(page: Page, own: dict[str, str]) -> None:
        asked = {w.lower() for part in own.values() for w in WORD.findall(part)} - SMALL
        taken = {start for start, *_ in page.marks}
        for found in WORD.finditer(page.text):
            if found[0].lower() in asked and found.start() not in taken:
                page.marks.append((found.start(), found.end(), "q", -1, False))
        page.marks.sort()


def _fill(text: str, own: dict[str, str]) -> str:
    filled = re.sub(r"\{(title|thing|one|two)\}", lambda found: own[found[1]], text)
    return re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", filled)


def _is_book(product) -> bool:
    return product.noun == "novel"
