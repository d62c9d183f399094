"""One page of at most 180 words, rendered from claims: every sentence is a claim, and nothing else
is said."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.html import content_id, escape
from workbench.reports.claims import Claim, check, make_claims
from workbench.reports.reading import NotSo, item_code

WORDS = 180
"""The longest a report may be; see `count_words`."""
SECTIONS = ("pick", "why", "beside", "comparison", "against", "unknown")


@dataclass(frozen=True)
class Report:
    """A page about one shopper, the claims it says, and the rows that carry them.

    sentences: [start, end, claim, section], character spans of `text`, one claim each. dropped:
    [claim, reason], what failed the check and was left out. hash: sha256 of the canonical JSON of
    claims, support to 9 digits, and text; `report` is its beginning. Equal inputs give equal
    hashes.
    """

    user: int
    claims: tuple[Claim, ...]
    support: pd.DataFrame
    sentences: pd.DataFrame
    text: str
    hash: str
    dropped: pd.DataFrame = field(repr=False)

    @property
    def report(self) -> str:
        """The id: the first 12 hex digits of the hash."""
        return self.hash[:12]

    def to_frame(self) -> pd.DataFrame:
        """One row a claim: its fields, the sentence that says it, and how many rows carry it."""
        said = {row.claim: self.text[row.start : row.end] for row in self.sentences.itertuples()}
        frame = pd.DataFrame(
            [claim.to_dict() for claim in self.claims], columns=["claim", *Claim.__annotations__]
        )
        frame["rows"] = (
            frame["claim"].map(self.support["claim"].value_counts()).fillna(0).astype(int)
        )
        return frame.assign(sentence=frame["claim"].map(said))

    def __repr__(self) -> str:
        words = f"{count_words(self.text)} words"
        return (
            f"Report({self.report}, user {self.user}, {len(self.claims)} claims, "
            f"{words}, {len(self.dropped)} dropped)"
        )

    def _repr_html_(self) -> str:
        body, last = [], ""
        for row in self.sentences.itertuples():
            if row.section != last:
                body.append(f"<h4>{escape(section_name(row.section))}</h4>")
                last = row.section
            body.append(f"<p>{escape(plain(self.text[row.start : row.end]))}</p>")
        empty = f"<p>{escape(self.text)}</p>" if not body else ""
        note = f"<p><small>{escape(repr(self))}</small></p>"
        return f'<article id="{content_id("report", self.hash)}">{"".join(body)}{empty}{note}</article>'


def write(
    user: int,
    log: Interactions,
    catalogue: Catalogue,
    model: Any,
    seed: int = 0,
    *,
    profile: Any = None,
    adjust: np.ndarray | None = None,
    source: Interactions | None = None,
    ranges: bool = True,
    extra: tuple[list[Claim], pd.DataFrame] | None = None,
) -> Report:
    """Make the claims, check them, drop and count what fails, and render the rest. Arguments as in
    `make_claims`.

    `extra` adds claims with their support, from a language model for instance: they pass the same
    check.
    """
    reads = {"profile": profile, "adjust": adjust, "source": source}
    claims, support = make_claims(user, log, catalogue, model, seed, ranges=ranges, **reads)
    if extra is not None:
        claims, support = [*claims, *extra[0]], pd.concat([support, extra[1]], ignore_index=True)
    checked = check(claims, log, catalogue, model, user=user, support=support, **reads)
    good = [claim for claim, ok in zip(claims, checked["ok"], strict=True) if ok]
    dropped = checked.loc[~checked["ok"], ["claim", "reason"]].reset_index(drop=True)
    rows = len((source or log).rows_of(user))
    return render(user, good, support, catalogue, rows, dropped)


def render(
    user: int,
    claims: list[Claim],
    support: pd.DataFrame,
    catalogue: Catalogue,
    rows: int,
    dropped: pd.DataFrame,
) -> Report:
    """The page of these claims; `rows` is how many rows the shopper has."""
    words = _templates()
    sections: dict[str, list[tuple[Claim, str]]] = {section: [] for section in SECTIONS}
    said_before: set[tuple[str, str]] = set()
    for claim in claims:
        manner = (claim.kind, claim.relation)
        section, text = _sentence(claim, catalogue, rows, again=manner in said_before)
        said_before.add(manner)
        sections[section].append((claim, text))
    text, spans = "", []
    for section, said in sections.items():
        if not said:
            continue
        text += f"## {section_name(section)}\n"
        table = section == "comparison"
        if table:
            text += f"\n{words['table']['head']}\n{words['table']['rule']}\n"
        for claim, sentence in said:
            spans.append((len(text), len(text) + len(sentence), claim.claim, section))
            text += sentence + ("\n" if table else " ")
        text = text.rstrip() + "\n\n"
    text = text.rstrip() or words["table"]["nothing"]
    sentences = pd.DataFrame(spans, columns=["start", "end", "claim", "section"]).astype(
        {"start": int, "end": int}
    )
    support = support[support["claim"].isin([claim.claim for claim in claims])].reset_index(
        drop=True
    )
    return Report(
        user, tuple(claims), support, sentences, text, report_hash(claims, support, text), dropped
    )


def report_hash(claims: list[Claim], support: pd.DataFrame, text: str) -> str:
    """sha256 of the canonical JSON of claims, support to 9 digits, and text."""

    def rounded(value: Any) -> Any:
        return f"{value:.9g}" if isinstance(value, float) else value

    content = {
        "claims": [
            {name: rounded(value) for name, value in claim.to_dict().items()} for claim in claims
        ],
        "support": [[c, int(i), rounded(float(w))] for c, i, w in support.itertuples(index=False)],
        "text": text,
    }
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def count_words(text: str) -> int:
    """Words: runs without spaces that hold a letter or a digit (so the lines of a table cost
    nothing).

    >>> count_words("| Cheaper | 7.95 | 12.00 less |")
    4
    """
    return sum(any(letter.isalnum() for letter in run) for run in text.split())


def shorten(text: str, words: int, letters: int = 60) -> str:
    """The first words of a title; an ellipsis says that there were more. Line ends and bars would
    break a table.

    >>> shorten("The very long title of a book", 3)
    'The very long …'
    """
    runs = text.replace("|", "/").split()
    short = " ".join(runs[:words])
    cut = short[: letters - 1].rstrip() if len(short) > letters else short
    return cut + (" …" if len(runs) > words or cut != short else "")


def section_name(section: str) -> str:
    """The heading of a section."""
    return _templates()["sections"][section]


def plain(sentence: str) -> str:
    """A row of the comparison as a line of text; other sentences as they are."""
    return (
        ": ".join([cells[0], ", ".join(cells[1:])])
        if len(cells := _cells(sentence)) > 1
        else sentence
    )


def _cells(sentence: str) -> list[str]:
    return (
        [cell for part in sentence.strip("|").split("|") if (cell := part.strip())]
        if sentence[:1] == "|"
        else []
    )


def _sentence(claim: Claim, catalogue: Catalogue, rows: int, again: bool) -> tuple[str, str]:
    """Section and text of one claim; `again`: another of its kind and relation stands before it."""
    kind, relation, value = claim.kind, claim.relation, claim.value
    form = relation
    fields = {
        "object": shorten(claim.object, 4),
        "percent": f"{value:.0%}" if np.isfinite(value) else "",
    }
    try:
        named = claim.subject if kind == "compare" else claim.object
        item = item_code(named)
        fields["item"] = f"“{shorten(catalogue.title(item), 6)}”"
        price = float(catalogue.frame["price"].iat[item])
        fields["price"] = f"{price:.2f}" if np.isfinite(price) else "unknown"
    except NotSo:
        pass
    fields["difference"] = f"{abs(value):.2f}"
    fields["rows"] = "this one row" if rows == 1 else f"these {rows:,} rows"
    fields["count"] = f"{value:.0f}" if np.isfinite(value) else ""
    if kind == "because":
        form = (
            "nothing"
            if claim.object == "nothing"
            else "one"
            if relation == "rows" and value == 1
            else relation
        )
    if relation == "usual price":
        form = "above" if value > 0.005 else "below" if value < -0.005 else "equal"
    section = {
        "pick": "pick" if relation == "pick" else "beside",
        "interest": "why",
        "compare": "comparison",
    }.get(kind)
    section = {
        "usual price": "against" if form == "above" else "pick",
        "against": "against",
        "rows": "unknown",
        "because": "why",
    }.get(relation, section or ("comparison" if relation == "price" else "pick"))
    forms = _templates()[kind]
    return section, forms[f"{form} again" if again and f"{form} again" in forms else form].format(
        **fields
    )


@cache
def _templates() -> dict[str, dict[str, str]]:
    return tomllib.loads((Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8"))
