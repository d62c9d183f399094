"""The page for a shopper: sentences of one to three claims, and one table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from workbench.reports.claims import Claim
from workbench.reports.evidence import Evidence
from workbench.reports.layout import Said, fitted
from workbench.reports.offers import BESIDE
from workbench.reports.phrases import Phrases
from workbench.reports.sentences import LONG, shorten, templates
from workbench.reports.statements import is_item, item_code
from workbench.reports.table import outdoing, shown


def compose(
    claims: Iterable[Claim], support: pd.DataFrame, evidence: Evidence
) -> tuple[str, pd.DataFrame]:
    """The text of the page, and its sentences [start, end, claims, claim, section]."""
    page = Page(list(claims), support, evidence)
    text, spans = fitted(page.sentences(), page.say.head)
    sentences = pd.DataFrame(spans, columns=["start", "end", "claims", "claim", "section"])
    return text, sentences.astype({"start": int, "end": int})


class Page:
    """The claims of one page, found by what they say, and the words for them."""

    def __init__(self, claims: list[Claim], support: pd.DataFrame, evidence: Evidence) -> None:
        self.evidence = evidence
        self.claims = claims
        self.words = templates()["page"]
        self.say = Phrases(evidence, support)

    def find(
        self, kind: str, relation: str | None = None, object: str | None = None
    ) -> list[Claim]:
        """The claims of a kind, and of a relation and object where told, in their order."""
        return [
            claim
            for claim in self.claims
            if claim.kind == kind
            and relation in (None, claim.relation)
            and object in (None, claim.object)
        ]

    def sentences(self) -> list[Said]:
        """Every sentence that can be said, in the order of the page."""
        parts = (self.intent, self.pick, self.reason, self.told, self.table, self.against)
        parts += (self.other, self.outside, self.differs, self.unknown, self.changed)
        return [one for part in parts for one in part()]

    # --- the parts ---

    def intent(self) -> list[Said]:
        """What they are after, by what they did."""
        for claim in self.find("intent", "unclear"):
            return [Said("intent", "intent", self.words["intent"]["unclear"], (claim.claim,))]
        after = self.find("intent", "after")
        if not after:
            return []
        # the last deed for it is the first deed of the claims
        last = next((one for one in self.find("deed") if is_item(one.object)), None)
        if last is None:
            return []
        again = self.find("refill") if last.relation in ("bought", "bought again") else []
        form = "once" if after[0].value == 1 else "after"
        form = "left" if last.relation == "left last" else "again" if again else form
        text = self.words["intent"][form].format(
            kind=self.say.name(after[0].object),
            Visits=self.say.upper(self.say.visits(after[0])),
            on=self.say.since(after[0]),
            deed=self.say.deed(last),
            people=self.say.count(again[0].value) if again else "",
        )
        said = [after[0], last, *again[:1]]
        return [Said("intent", "intent", text, tuple(one.claim for one in said))]

    def pick(self) -> list[Said]:
        """The pick with its price and rating, or that nothing is left to pick."""
        rows = self.find("row", "pick")
        if not rows:
            return [self._spent(one) for one in self.find("spent")]
        item = item_code(rows[0].subject)
        e = self.evidence
        intent = self.find("intent", "after")
        beyond = intent and e.catalogue.kind[item] != intent[0].object
        form = self.words["pick"]["beyond" if beyond else "within"]
        text = form.format(item=self.say.priced(item))
        said = [*self.find("pick", "pick"), rows[0]]
        return [Said("pick", "pick", text, tuple(one.claim for one in said))]

    def _spent(self, claim: Claim) -> Said:
        words = self.words["spent"]
        why = words["and"].join(words[one] for one in claim.relation.split(", "))
        return Said("pick", "pick", words["line"].format(why=why), (claim.claim,))

    def reason(self) -> list[Said]:
        """One reason: a deed, and what it has to do with the pick; and why the pick is not what the
        page opens with, in the same sentence where that is the deed."""
        if not self.find("row", "pick"):
            return []
        said, other = [], self.find("instead")
        for link in self.find("link")[:1]:
            deed = self.find("deed", object=link.subject)[-1:]
            joined = [one for one in other if (one.object, link.relation) == (link.subject, "kind")]
            if deed:
                text = self._reason(deed[0], link, joined)
                told = tuple(one.claim for one in (*deed, link, *joined))
                said.append(Said("pick", "reason", text, told))
                other = [] if joined else other
        # first what became of a wish for something cheaper
        return [*(self._plain("pick", one) for one in (*self.find("asked"), *other)), *said]

    def _plain(self, section: str, claim: Claim, count: str = "") -> Said:
        """A claim about another product, in the form of its kind and relation."""
        item = self.say.item(item_code(claim.object))
        text = self.words[claim.kind][claim.relation].format(item=item, count=count)
        return Said(section, claim.kind, text, (claim.claim,))

    def _reason(self, deed: Claim, link: Claim, joined: list[Claim]) -> str:
        known = item_code(link.subject)
        frame = self.evidence.catalogue.frame
        form = self.words["link"][link.relation]
        if joined:
            form = self.words["instead"]["joined"]
        why = self.words["instead_of_it"][joined[0].relation] if joined else ""
        # of the pick itself a sentence says "it"
        about = "it" if link.relation == "itself" else self.say.item(known)
        return form.format(
            deed=self.say.deed(deed, about),
            when=self.say.when(deed) if deed.relation != "left last" else "",
            brand=self.say.name(frame["brand"].iat[known]),
            category=self.say.name(frame["category"].iat[known]),
            why=why,
        )

    def told(self) -> list[Said]:
        """What rubric and experience say of it."""
        said = []
        weighs = [one for one in self.find("rubric", "weighs") if one.value > 0]
        if weighs:
            best = max(weighs, key=lambda one: one.value)
            said.append(self._told(best))
        return said + [self._told(one) for one in self.find("experience")[:1]]

    def _told(self, claim: Claim, section: str = "pick", part: str = "told") -> Said:
        text = self.words["told"][claim.kind].format(object=shorten(claim.object, *LONG))
        return Said(section, part, text, (claim.claim,))

    def table(self) -> list[Said]:
        """Up to three products of one kind; a row that is empty says so, two of them in a line."""
        picked = self.find("row", "pick")
        if not picked:
            return []
        said = [self._row("pick", picked[0], self.find("pick", "pick"))]
        blank = " |" * (self.say.head.count("|", 0, self.say.head.index("\n")) - 3)
        none = [one for role in BESIDE for one in self.find("compare", f"no {role}")]
        if len(none) == len(BESIDE):
            text = self.words["row"]["nothing beside"].format(blank=blank)
            return [*said, Said("pick", "table", text, tuple(one.claim for one in none))]
        shown_so_far: list[int] = []
        for role in BESIDE:
            rows = self.find("row", role)
            beside = self.find("compare", role)
            missing = self.find("compare", f"no {role}")
            if rows and beside:
                item = item_code(rows[0].subject)
                if item not in shown_so_far:
                    name = "outdone" if item in outdoing(self.evidence) else role
                    said.append(self._row(name, rows[0], beside))
                shown_so_far.append(item)
            elif missing:
                text = self.words["row"][f"no {role}"].format(blank=blank)
                said.append(Said("pick", "table", text, (missing[0].claim,)))
        return said if len(said) > 1 else []

    def _row(self, name: str, row: Claim, beside: list[Claim]) -> Said:
        item = item_code(row.subject)
        cells = [self.words["row"][name], self.say.title(item), *self.say.cells(item)]
        text = "| " + " | ".join(cells) + " |"
        return Said("pick", "table", text, (row.claim, *(one.claim for one in beside[:1])))

    def against(self) -> list[Said]:
        """What speaks against the pick."""
        count = self.say.count(len(shown(self.evidence))) if self.find("row", "pick") else ""
        # the first of them says most
        said = [self._plain("against", one, count) for one in self.find("against")[:1]]
        left = self.find("deed", "left in the cart")
        for claim in left:
            # where no sentence has told of it already
            if len(left) == 1 and not is_item(claim.object):
                count = self.say.count(claim.value)
                text = self.words["against"]["left in the cart"].format(count=count)
                said.append(Said("against", "left", text, (claim.claim,)))
        return said

    def other(self) -> list[Said]:
        """What else they may be after."""
        for claim in self.find("intent", "or"):
            last = self.say.on(claim)
            form = "or_many" if claim.value > 1 and last else "or"
            text = self.words["intent"][form].format(
                kind=self.say.name(claim.object),
                visits=self.say.visits(claim),
                count=self.say.count(claim.value),
                on=last,
            )
            best = self.find("row", "alternative")[:1]
            for row in best:
                item = self.say.priced(item_code(row.subject), rated=False)
                text += " " + self.words["intent"]["best"].format(item=item)
            return [Said("else", "else", text, (claim.claim, *(row.claim for row in best)))]
        return []

    def outside(self) -> list[Said]:
        """One product outside their usual, with how often such a line came true."""
        said = []
        for claim in self.find("outside")[:1]:
            known, _, rest = claim.relation.partition(" of ")
            lines, _, random = rest.partition(" beside ")
            fields = {"known": known, "lines": lines, "random": random}
            item = self.say.item(item_code(claim.object))
            text = self.words["outside"]["line"].format(item=item, **fields)
            said.append(Said("outside", "outside", text, (claim.claim,)))
        return said

    def differs(self) -> list[Said]:
        """How they differ from people with similar baskets: what is surest."""
        said = []
        for claim in self.find("differs")[:1]:
            own, _, theirs = claim.object.partition(" beside ")
            form = self.words["differs"].get(claim.relation, self.words["differs"]["else"])
            text = form.format(own=own, theirs=theirs, relation=shorten(claim.relation, 4))
            said.append(Said("differs", "differs", text, (claim.claim,)))
        return said

    def unknown(self) -> list[Said]:
        """What all of this rests on, and how much was left out, and not what."""
        said = []
        for claim in (*self.find("basis"), *self.find("unsaid")):
            form = f"{claim.kind} one" if claim.value == 1 else claim.kind
            text = self.words["unknown"][form].format(
                count=self.say.count(claim.value), since=self.say.since(claim)
            )
            said.append(Said("unknown", claim.kind, text, (claim.claim,)))
        return said

    def changed(self) -> list[Said]:
        """What changed since the last page."""
        changes = self.find("archive", "changed")[:2]
        return [self._told(one, "changed", "changed") for one in changes]
