"""The texts of the generated world: reviews and notes whose personal words are all known.

A text is made of sentences from the banks in words/*.toml. What the writer's memory items add to it
is marked word by word: c copies a word of the item, d tells it in other words, s is style by tone,
q repeats the query, n is chance (a weekday, a colour); unmarked words are g, what any buyer of the
product may write. A text speaks of two sides of the product, one of them at least an attribute that
differs within its kind: what it says is true, and whether it praises or complains depends on how
much the writer likes that side.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.corpus import bank
from workbench.worlds.shop.page import WORD, Page
from workbench.worlds.shop.people import Person
from workbench.worlds.shop.shop import below, one

SECOND = re.compile(r"( an?|second) \{thing|replaced")
SHORTEST, LONGEST = 38, 89


class Side(NamedTuple):
    """A side of a product: its name, what may be said of it, whether that is praise, and whether it
    is an attribute."""

    name: str
    sayings: list[str]
    praise: bool
    attribute: bool


class Writer:
    """Writes texts about the items of one catalogue; `truth` is the world's truth on them."""

    def __init__(self, catalogue: Catalogue, truth: dict[str, pd.DataFrame]) -> None:
        self.items = list(catalogue.frame.itertuples(index=False))
        self.quality = truth["items"]["quality"].to_numpy()
        self.consumable = set(truth["kinds"].query("again == 'same'")["kind"])
        self.books = {c["name"] for c in bank("shop")["category"] if c.get("book")}
        # the dearest and the cheapest of a kind are called so
        prices = catalogue.frame.groupby("kind")["price"]
        place = prices.rank().to_numpy()
        last = prices.transform("size").to_numpy()
        self.dearness = np.select([place == last, place == 1], ["dear", "cheap"], "fair")
        self.attributes: dict[int, list] = defaultdict(list)
        for row in truth["item_attributes"].itertuples(index=False):
            self.attributes[row.item].append(row)
        self.used: dict[int, set[str]] = defaultdict(set)

    def write(
        self,
        rng: np.random.Generator,
        person: Person,
        item: int,
        kind: str,
        liking: Mapping[str, float],
    ) -> tuple[str, Page, list[str]]:
        """One text of 40 to 90 words: the query, the page, and the memory attributes told in it,
        most needed first. `liking`: the writer's weight of every attribute of a product."""
        frames, product = bank("frames"), self.items[item]
        sides = self._sides(rng, product, liking)
        own = {"title": product.title, "thing": product.kind}
        own |= {"one": sides[0].name, "two": sides[1].name}
        # what the category needs to know of the writer, or else anything
        needs = [name for name in frames["needs"][product.category] if name in person.facts]
        told = (needs or [name for name in person.facts if name != "tone"])[:3]
        for extras in range(1 + below(rng, 4), -1, -1):
            page = self._compose(rng, person, item, kind, own, sides, told, extras)
            if page.length <= LONGEST:
                break
        self.used[person.user] |= page.said
        page.repeat(WORD.findall(" ".join(own.values())))
        options = frames[f"{kind}_queries"]
        if product.category in self.books:
            options = [text.replace("the {title}", "{title}") for text in options]
        return _fill(page.one(options), own), page, told

    def _compose(self, rng, person, item, kind, own, sides, told, extras) -> Page:
        """Opening, two sides, two tells, `extras` of {third tell, copy, aside, two of delivery …},
        closing."""
        frames, tone = bank("frames"), bank("frames")["tone"][person.tone]
        mine = person.facts["tone"].memory
        page = Page(rng, (tone["adverbs"], mine))
        # two sides and a look at the whole decide whether the writer is happy
        whole = self._good(rng, item)
        happy = whole + sides[0].praise + sides[1].praise > 1
        category = self.items[item].category
        shop = frames["book"] if category in self.books else frames
        plain = shop | {"scene": bank("products")["scenes"][category]}
        styled = rng.random(2) < (0.3 if kind == "review" else 0.0, 0.45)
        if styled[0]:
            page.add(tone["openings" if happy else "bad"], "opening", mine)
        else:
            page.add(self._openings(kind, own, shop), "opening")
        # which extras: by chance, as many as asked
        facts = ["usage", "delivery", str(self.dearness[item])]
        chance = [("tell", 2)]
        chance += [(step, below(rng, 2)) for step in ("copy", "aside")]
        chance.append(("scene", 0))
        chance += [(facts[place], 0) for place in rng.permutation(3)[:2]]
        chance = [chance[k] for k in rng.permutation(len(chance))[:extras]]
        # a text opens with what it will conclude; asides follow their side, copies their tell
        first = below(rng, 2)
        if sides[first].praise != happy:
            first = 1 - first
        close = [step for step in chance if step[0] in ("aside", "copy")]
        rest = [("side", 1 - first), ("tell", 0), ("tell", 1)]
        rest += [step for step in chance if step not in close]
        steps = [("side", first), *(rest[k] for k in rng.permutation(len(rest)))]
        for step in close:
            after = ("side" if step[0] == "aside" else "tell", step[1])
            steps.insert(1 + steps.index(after), step)
        for step, number in steps:
            if step == "side":
                self._side(page, sides[number], happy, number == first)
            elif step == "aside":
                asides = tone["asides" if sides[number].praise else "asides_bad"]
                page.add(asides, "aside", mine)
            elif step not in ("tell", "copy"):
                page.add(plain[step], step)
            elif number < len(told):
                self._personal(page, person, told[number], step)
        # a text that is too short yet, and the last word
        for role in ("delivery", "scene"):
            if page.length < SHORTEST:
                page.add(plain[role], role)
        end = "closings" if happy else "regrets"
        if styled[1]:
            page.add(tone[end], "closing", mine)
        else:
            page.add(frames[end], "closing")
        return page

    def _openings(self, kind: str, own: dict, shop: dict) -> list[str]:
        """First sentences in no tone."""
        options = shop["openings"] if kind == "review" else bank("frames")["note_openings"]
        if own["thing"] in self.consumable:  # nobody has a second magnesium
            options = [text for text in options if not SECOND.search(text)]
        return [_fill(text, own) for text in options]

    def _side(self, page: Page, side: Side, happy: bool, first: bool) -> None:
        """A sentence on a side of the product; one that goes against the whole is led in as such."""
        frames = bank("frames")
        if side.praise != happy:
            lead = page.maybe(0.75, frames["but_bad" if happy else "but_good"])
        else:
            lead = page.maybe(0.3, frames["first_leads" if first else "leads"])
        page.add(side.sayings, "attribute" if side.attribute else "aspect", lead=lead)
        if side.attribute:
            start, end, *_ = page.sentences[-1]
            page.attributes.append((start, end, side.name, side.praise))

    def _sides(self, rng: np.random.Generator, product, liking: Mapping[str, float]) -> list[Side]:
        """Two sides: an attribute, and the other attribute or what else may be said of it."""
        own = self.attributes[product.item]
        one, two = (own[place] for place in rng.permutation(len(own)))
        first = self._attribute(rng, one, liking)
        if rng.random() < 0.35:
            return [first, self._attribute(rng, two, liking)]
        return [first, self._aspect(rng, product)]

    def _attribute(self, rng: np.random.Generator, row, liking: Mapping[str, float]) -> Side:
        """What is true of an attribute, as praise where the writer likes it so."""
        side = "high" if row.level > 0 else "low"
        praise = _yes(rng, 3.0 * liking[row.attribute] * row.level)
        sayings = bank("attributes")[row.attribute][f"{side}_{'praise' if praise else 'complaint'}"]
        if row.where == "reviews":  # its value stands nowhere
            sayings = [text for text in sayings if "{value}" not in text]
        sayings = [text.replace("{value}", row.value) for text in sayings]
        return Side(row.attribute, sayings, praise, True)

    def _aspect(self, rng: np.random.Generator, product) -> Side:
        """What else may be said: of the kind or its category, nothing that an attribute says."""
        sides = bank("products")[product.category]
        clash = set()
        for row in self.attributes[product.item]:
            clash |= {row.attribute, *bank("attributes")[row.attribute]["clash"]}
        never = bank("products")["never"].get(product.category, {})
        clash |= {name for name, kinds in never.items() if product.kind in kinds}
        own = list(sides.get(product.kind, {}).items())
        both = [side for side in [*own, *sides["any"].items()] if side[0] not in clash]
        name, sayings = one(rng, both)
        praise, half = self._good(rng, product.item), len(sayings) // 2
        return Side(name, sayings[:half] if praise else sayings[half:], praise, False)

    def _good(self, rng: np.random.Generator, item: int) -> bool:
        """Whether somebody finds the product good: it depends on its quality."""
        return _yes(rng, 0.6 + 1.3 * self.quality[item])

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


def _yes(rng: np.random.Generator, logit: float) -> bool:
    return bool(rng.random() < 1.0 / (1.0 + np.exp(-logit)))


def _fill(text: str, own: dict[str, str]) -> str:
    filled = re.sub(r"\{(title|thing|one|two)\}", lambda found: own[found[1]], text)
    return re.sub(r"\b([Aa]) (?=[aeio])", r"\1n ", filled)
