"""The claims of a page as a writer gets them: which may be spoken of, what the template says of each, and
which names stand in them."""

from __future__ import annotations

from workbench.html import visible
from workbench.reports.claims import Claim
from workbench.reports.layout import Said
from workbench.reports.page import Page
from workbench.reports.phrases import NAME
from workbench.reports.sentences import LONG, sentence, shorten
from workbench.reports.shopper import TOLD
from workbench.reports.statements import is_item, item_code
from workbench.reports.table import difference
from workbench.reports.wording_facts import Names

BESIDE = {"cheaper": "“{item}” costs {by:.2f} less than our pick."}
BESIDE |= {"upgrade": "“{item}” is rated {by:.2f} higher than our pick."}


class Facts:
    """What may be said of the claims of a page, those that the page itself says, and what its
    catalogue knows of the pick."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.evidence = page.evidence
        self.said: list[Said] = page.sentences()
        on_page = {name for one in self.said for name in one.claims}
        own = [c for c in page.claims if c.claim in on_page or c.kind == "catalogue_fact"]
        self.claims: dict[str, Claim] = {one.claim: one for one in own}
        self._names: dict[frozenset[str], Names] = {}

    def section_of(self, own: tuple[str, ...]) -> str:
        """The section of the page whose sentence says most of these claims."""
        shared = [len({*own}.intersection(one.claims)) / len(one.claims) for one in self.said]
        best = max(shared, default=0.0)
        return self.said[shared.index(best)].section if best else "pick"

    def texts(self, own: frozenset[str]) -> list[str]:
        """What the template says of these claims, alone and together."""
        told = [
            text for name in sorted(own, key=list(self.claims).index) for text in self._of(name)
        ]
        whole = [one.text for one in self.said if own.issuperset(one.claims)]
        return list(dict.fromkeys([*told, *(one for one in whole if one[:1] != "|")]))

    def _of(self, name: str) -> list[str]:
        """One claim in sentences; of a row of a table what its cells say."""
        claim, e = self.claims[name], self.evidence
        if claim.kind == "against":
            # the page says it whole
            return []
        if claim.kind == "row":
            return [self._row(claim)]
        if claim.kind == "compare" and claim.relation in BESIDE:
            item = self.page.say.title(item_code(claim.subject))
            return [BESIDE[claim.relation].format(item=item, by=abs(claim.value))]
        if claim.kind == "catalogue_fact" and claim.relation == "price":
            return [f"“{self.page.say.title(item_code(claim.subject))}”, price {claim.object}."]
        alone = [sentence(claim, e, again=False)[1]]
        if claim.kind == "deed" and is_item(claim.object):
            # as the page says it, and in how many visits
            visits = self.page.say.count(claim.value, "visit")
            alone.append(f"You {self.page.say.deed(claim)} in {visits}.")
        return alone

    def _row(self, claim: Claim) -> str:
        """A product with its price, its rating, and what sets it apart."""
        item, e = item_code(claim.subject), self.evidence
        role = self.page.words["row"][claim.relation] if claim.relation != "pick" else "our pick"
        price, rating, column = e.price[item], e.catalogue.rating[item], difference(e)
        parts = [f"{role}: “{self.page.say.title(item)}”"]
        parts += [f"price {price:.2f}"] if price == price else []
        parts += [f"rated {rating:.1f}"] if rating == rating else []
        if column is not None and item in column[1]:
            parts.append(f"{shorten(column[0], 2)} {shorten(column[1][item], 4)}")
        return ", ".join(parts) + "."

    def names(self, own: frozenset[str]) -> Names:
        """The names that stand in these claims."""
        if own not in self._names:
            self._names[own] = self._named(own)
        return self._names[own]

    def _named(self, own: frozenset[str]) -> Names:
        titles: dict[str, int] = {}
        others: set[str] = set()
        for name in own:
            claim = self.claims[name]
            for part in (claim.subject, claim.object):
                if is_item(part):
                    titles |= dict.fromkeys(self._titles(item_code(part)), item_code(part))
            others |= self._others(claim)
        others = {one for one in others if any(letter.isalnum() for letter in one)}
        return Names(titles, frozenset(others), self.evidence.offers.get("pick"))

    def _titles(self, item: int) -> list[str]:
        """How a product may be called, in small letters."""
        title = self.evidence.catalogue.title(item)
        forms = [shorten(title, words) for words in (6, NAME)]
        forms += [self.page.say.item(item)[1:-1], " ".join(visible(title).split())]
        return [one.casefold() for one in forms if one]

    def _others(self, claim: Claim) -> set[str]:
        """Kinds, makers, what sets a product apart, and what a store tells, as they are written."""
        e, say = self.evidence, self.page.say
        if claim.kind in TOLD:
            return {
                shorten(claim.object, *LONG),
                shorten(claim.relation, 4),
                say.name(claim.object),
            }
        if claim.kind == "row":
            column = difference(e)
            value = None if column is None else column[1].get(item_code(claim.subject))
            return {shorten(column[0], 2), shorten(value, 4)} if value else set()
        if claim.kind == "link" and claim.relation in ("brand", "category"):
            fact = e.catalogue.frame[claim.relation].iat[item_code(claim.subject)]
            return {say.name(fact)}
        plain = is_item(claim.object) or claim.object == e.name or claim.relation == "price"
        return set() if plain or claim.kind == "unsaid" else {say.name(claim.object)}
