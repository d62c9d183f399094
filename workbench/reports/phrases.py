"""Words of the page: names, numbers and days as a shopper says them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from workbench.html import visible
from workbench.reports.claims import Claim
from workbench.reports.evidence import Evidence
from workbench.reports.sentences import shorten, templates
from workbench.reports.statements import item_code
from workbench.reports.table import difference, shown

NAME = 8
"""Words of a product's name in the table."""
SHORT = 6
"""Words of a product's name in a sentence, its maker left out."""
INNER = str.maketrans("“”„‟", "‘’‚‛")
"""Quotes within quotes."""
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
COUNTS += ("eleven", "twelve")


class Phrases:
    """Parts of sentences about one shopper; support: the rows that carry each claim."""

    def __init__(self, evidence: Evidence, support: pd.DataFrame) -> None:
        self.evidence = evidence
        rows = support.groupby("claim", sort=False)["interaction"]
        self.carried = {name: ids.to_numpy() for name, ids in rows}

    @property
    def head(self) -> str:
        """The head of the table."""
        column = difference(self.evidence)
        names = ["product", *self._measures]
        names += [shorten(column[0], 2)] if column else []
        return f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}\n"

    @property
    def _measures(self) -> list[str]:
        """Price and rating, where any product of the table has one."""
        e = self.evidence
        items = shown(e)
        known = {"price": e.price[items], "rating": e.catalogue.rating[items]}
        return [name for name, values in known.items() if np.isfinite(values).any()]

    def cells(self, item: int) -> list[str]:
        """What the table says of an item beside its name."""
        e = self.evidence
        said = []
        for name in self._measures:
            value = e.price[item] if name == "price" else e.catalogue.rating[item]
            digits = 2 if name == "price" else 1
            said.append(f"{value:.{digits}f}" if np.isfinite(value) else "unknown")
        column = difference(e)
        return said + ([shorten(column[1].get(item, "–"), 4)] if column else [])

    def title(self, item: int) -> str:
        """A title, cut."""
        return shorten(self.evidence.catalogue.title(item), NAME) or "without a title"

    def item(self, item: int) -> str:
        """A product in a sentence: its title without its maker. No quote in it ends its quotes."""
        title, brand = (visible(text) for text in self._named(item))
        short = title.removeprefix(f"{brand} ") if brand else title
        short = short.removesuffix(f", by {brand}") if brand else short
        said = shorten(short, SHORT) or "a product without a title"
        return f"“{said.translate(INNER)}”"

    def _named(self, item: int) -> tuple[str, str]:
        frame = self.evidence.catalogue.frame
        return str(frame["title"].iat[item]), str(frame["brand"].iat[item])

    @staticmethod
    def name(text: str) -> str:
        """A kind, a brand or a category."""
        return shorten(str(text), 4)

    def priced(self, item: int, rated: bool = True) -> str:
        """A product in a sentence, with its price (and rating) where it is known."""
        price, rating = self.evidence.price[item], self.evidence.catalogue.rating[item]
        said = self.item(item)
        said += f", price {price:.2f}" if np.isfinite(price) else ""
        return said + (f", rated {rating:.1f}" if rated and np.isfinite(rating) else "")

    def deed(self, claim: Claim, about: str = "") -> str:
        """What they did with a product, without "you"; about: how it is called."""
        e, item, form = self.evidence, item_code(claim.object), claim.relation
        if form == "bought again" and e.catalogue.kind[item] not in e.refills.people:
            form = "bought twice"
        count = self.count(claim.value, "visit")
        words = templates()["page"]["deeds"][form]
        return words.format(item=about or self.item(item), count=count)

    @staticmethod
    def count(value: float, what: str = "") -> str:
        """A number in words, of things."""
        number = COUNTS[int(value)] if value < len(COUNTS) else f"{value:,.0f}"
        return number + (f" {what}{'' if value == 1 else 's'}" if what else "")

    def _dates(self, claim: Claim) -> pd.Series:
        deeds = self.evidence.deeds
        when = deeds.when[np.isin(deeds.interaction, self.carried.get(claim.claim, []))]
        return pd.Series(when).dropna()

    def since(self, claim: Claim) -> str:
        """Since when the rows of a claim are: " since 2 July", or " on 2 July" where it is one;
        nothing where no date is known."""
        dates = self._dates(claim)
        word = "on" if claim.value == 1 else "since"
        return f" {word} {self.day(dates.min())}" if len(dates) else ""

    @staticmethod
    def upper(text: str) -> str:
        """A text as a sentence begins."""
        return text[:1].upper() + text[1:]

    def on(self, claim: Claim) -> str:
        """When the last row of a claim was made: " on 2 July"."""
        dates = self._dates(claim)
        return f" on {self.day(dates.max())}" if len(dates) else ""

    def visits(self, claim: Claim) -> str:
        """How many visits, and since when."""
        return self.count(claim.value, "visit") + self.since(claim)

    def when(self, claim: Claim) -> str:
        """When the last row of a claim was made: " in May"."""
        dates = self._dates(claim)
        return f" in {self.day(dates.max()).split(' ', 1)[1]}" if len(dates) else ""

    def day(self, when: pd.Timestamp) -> str:
        """A day; with its year where that is not the year of the last thing they did."""
        last = pd.Series(self.evidence.deeds.when).max()
        year = f" {when.year}" if when.year != last.year else ""
        return f"{when.day} {when:%B}{year}"
