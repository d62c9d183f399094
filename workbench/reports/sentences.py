"""Sentences: how one claim reads, and in which section it stands. Forms and sections come from
`sentences.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np

from workbench.errors import typed
from workbench.html import visible
from workbench.reports.claims import Claim
from workbench.reports.evidence import Evidence
from workbench.reports.rules import fact_name
from workbench.reports.shopper import TOLD
from workbench.reports.statements import is_item, item_code, item_name

LETTERS = 60
"""Letters of a shortened title, at most."""
LONG = 20, 160
"""Words and letters of what a store tells, at most."""


@cache
def templates() -> dict[str, dict[str, str]]:
    """The tables of `sentences.toml`."""
    return tomllib.loads((Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8"))


def sentence(claim: Claim, evidence: Evidence, again: bool) -> tuple[str, str]:
    """Section and text of one claim; `again`: another of its kind and relation stands before it."""
    forms = templates()[claim.kind]
    form = _form(claim)
    fields = _numbers(claim, evidence)
    if "told" in forms:
        form = "told"
    # a store without a form of its own is called by its label
    if form not in forms and form in evidence.stores:
        fields["store"] = evidence.stores[form].label
        form = "store"
    # what comes once is said in the singular
    form = f"{form} one" if claim.value == 1 and f"{form} one" in forms else form
    text = forms.get(f"{form} again", forms[form]) if again else forms[form]
    if "{item}" in text or "{price}" in text:
        fields |= _product(claim, evidence)
    section_of = templates()["section_of"]
    section = section_of.get(f"{claim.kind} {form}", section_of[claim.kind])
    return section, text.format(**fields)


def _form(claim: Claim) -> str:
    """Which form of its kind says a claim: mostly its relation."""
    relation = claim.relation
    if claim.kind == "compare" and relation == "usual price":
        if abs(claim.value) <= 0.005:
            return "equal"
        return "above" if claim.value > 0 else "below"
    if claim.kind in ("because", "by_deletion"):
        if relation == "against" and claim.object == "nothing":
            return "nothing"
        if relation == "rows" and claim.value == 1:
            return "one"
    return relation


def _numbers(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """What every form may speak of: the claim's object and its value, written in several ways."""
    value = claim.value
    known = np.isfinite(value)
    rows = len(evidence.history.item)
    return {
        "object": shorten(claim.object, *LONG if claim.kind in ("row", *TOLD) else (4,)),
        "relation": shorten(claim.relation, 4),
        "signed": f"{value:+.2f}" if known else "",
        "what": _named(claim.object, evidence),
        "about": _named(claim.subject, evidence),
        "percent": f"{value:.0%}" if known else "",
        "count": f"{value:.0f}" if known else "",
        "number": f"{value:.2f}" if known else "",
        "difference": f"{abs(value):.2f}",
        "rows": "this one row" if rows == 1 else f"these {rows:,} rows",
    }


def _product(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """Title and price of the item that a claim is about."""
    item = item_code(claim.subject if claim.kind == "compare" else claim.object)
    price = fact_name(float(evidence.price[item]))
    return {"item": _named(item_name(item), evidence), "price": price}


def _named(name: str, evidence: Evidence) -> str:
    """A product by its title in quotes, anything else by its name."""
    if not is_item(name):
        return shorten(name, 4)
    return f"“{shorten(evidence.catalogue.title(item_code(name)), 6)}”"


@typed
def count_words(text: str) -> int:
    r"""Words: runs without spaces that hold a letter or a digit; the lines of a table apart.

    >>> count_words("It costs 7.95.\n| Cheaper | 6.95 |")
    3
    """
    lines = [line for line in text.splitlines() if not line.startswith("|")]
    return sum(any(letter.isalnum() for letter in run) for run in " ".join(lines).split())


def shorten(text: str, words: int, letters: int = LETTERS) -> str:
    """The first words of a title; an ellipsis says that there were more. Line ends and bars would
    break a table, and hidden characters hide.

    >>> shorten("The very long title of a book", 3)
    'The very long …'
    """
    runs = visible(text).replace("|", "/").split()
    short = " ".join(runs[:words])
    cut = short[: letters - 1].rstrip() if len(short) > letters else short
    return cut + (" …" if len(runs) > words or cut != short else "")


def section_name(section: str) -> str:
    """The heading of a section."""
    return templates()["sections"][section]


def plain(sentence: str) -> str:
    """A row of the comparison as a line of text; other sentences as they are.

    >>> plain("| Cheaper | 7.95 | 12.00 less |")
    'Cheaper: 7.95, 12.00 less'
    """
    if not sentence.startswith("|"):
        return sentence
    cells = [cell.strip() for cell in sentence.strip("|").split("|") if cell.strip()]
    return ": ".join([cells[0], ", ".join(cells[1:])]) if len(cells) > 1 else sentence
