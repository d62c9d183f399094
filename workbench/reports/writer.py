"""One page of at most 180 words, rendered from claims: every sentence is a claim, and nothing else
is said. With it the claims, the rows that carry them, and what it was made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from workbench.html import content_id, escape
from workbench.reports.claims import Claim, check, count_unsaid, json_hash, make_claims
from workbench.reports.evidence import Evidence
from workbench.reports.sentences import count_words, plain, section_name, sentence, templates


@dataclass(frozen=True)
class Report:
    """A page about one shopper, the claims it says, and the rows that carry them.

    sentences: [start, end, claims, claim, section], character spans of `text`; claims: the ids that
    a sentence says, a tuple; claim: the first of them. made: seed, and fingerprints of everything
    it was made of. dropped: [claim, reason], what failed the check and was left out. unsaid: how
    many claims hold and were not made, because they name a topic that is left unsaid. Equal inputs
    give equal hashes.
    """

    user: int
    claims: tuple[Claim, ...]
    support: pd.DataFrame
    sentences: pd.DataFrame
    text: str
    made: dict[str, Any] = field(repr=False)
    dropped: pd.DataFrame = field(repr=False)
    unsaid: int = 0

    @cached_property
    def hash(self) -> str:
        """sha256 of the canonical JSON of claims, support to 9 digits, text, and what made it."""
        rows = self.support.itertuples(index=False)
        content = {
            "claims": [_rounded(claim.to_dict()) for claim in self.claims],
            "support": [[claim, int(row), f"{weight:.9g}"] for claim, row, weight in rows],
            "text": self.text,
            "made": self.made,
        }
        return json_hash(content)

    @property
    def report(self) -> str:
        """The id: the first 12 hex digits of the hash."""
        return self.hash[:12]

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """The sentences in the order of the page: claim, heading of its section, plain text."""
        return [
            (row.claim, section_name(row.section), plain(self.text[row.start : row.end]))
            for row in self.sentences.itertuples()
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row a claim: its fields, the sentence that says it, and how many rows carry it."""
        told = [claim.to_dict() for claim in self.claims]
        frame = pd.DataFrame(told, columns=["claim", *Claim.__annotations__])
        rows = frame["claim"].map(self.support["claim"].value_counts())
        frame["rows"] = rows.fillna(0).astype(int)
        said = {}
        for row in self.sentences.itertuples():
            said |= dict.fromkeys(row.claims, self.text[row.start : row.end])
        return frame.assign(sentence=frame["claim"].map(said))

    def __repr__(self) -> str:
        words = f"{count_words(self.text)} words"
        left = f", {self.unsaid} unsaid" if self.unsaid else ""
        return (
            f"Report({self.report}, user {self.user}, {len(self.claims)} claims, "
            f"{words}, {len(self.dropped)} dropped{left})"
        )

    def _repr_html_(self) -> str:
        body = []
        for section, lines in groupby(self.lines, key=itemgetter(1)):
            body.append(f"<h4>{escape(section)}</h4>")
            body += [f"<p>{escape(text)}</p>" for _, _, text in lines]
        said = "".join(body) or f"<p>{escape(self.text)}</p>"
        note = f"<p><small>{escape(repr(self))}</small></p>"
        return f'<article id="{content_id("report", self.hash)}">{said}{note}</article>'


def write(
    evidence: Evidence,
    seed: int = 0,
    *,
    ranges: bool = True,
    extra: tuple[list[Claim], pd.DataFrame] | None = None,
) -> Report:
    """Make the claims, check them, drop and count what fails, and render the rest. `seed` and
    `ranges` as in `make_claims`.

    `extra` adds claims with their support, from a language model for instance: they pass the same
    check.

    >>> write(service.evidence(user=3))  # doctest: +SKIP
    Report(5f0c6a1d2e3b, user 3, 16 claims, 142 words, 0 dropped)
    """
    claims, support = make_claims(evidence, seed, ranges=ranges)
    if extra is not None:
        claims = [*claims, *extra[0]]
        support = pd.concat([support, extra[1]], ignore_index=True)
    # what fails the check is left out, and counted
    checked = check(claims, evidence, support)
    good = [claim for claim, ok in zip(claims, checked["ok"], strict=True) if ok]
    dropped = checked.loc[~checked["ok"], ["claim", "reason"]].reset_index(drop=True)
    kept = support["claim"].isin([claim.claim for claim in good])
    text, sentences = render(good, evidence)
    return Report(
        user=evidence.user,
        claims=tuple(good),
        support=support[kept].reset_index(drop=True),
        sentences=sentences,
        text=text,
        made=made_of(evidence, seed, writer="sentences.toml"),
        dropped=dropped,
        unsaid=count_unsaid(evidence),
    )


def render(claims: list[Claim], evidence: Evidence) -> tuple[str, pd.DataFrame]:
    """The text of a page and its sentences, see `Report`."""
    words = templates()
    # what is said, section by section; the second of its kind and relation has another form
    said: dict[str, list[tuple[Claim, str]]] = {section: [] for section in words["sections"]}
    before: set[tuple[str, str]] = set()
    for claim in claims:
        manner = (claim.kind, claim.relation)
        section, text = sentence(claim, evidence, again=manner in before)
        before.add(manner)
        said[section].append((claim, text))
    # the page, and where each sentence stands in it
    page = ""
    spans = []
    for section, parts in said.items():
        if not parts:
            continue
        page += f"## {section_name(section)}\n"
        table = section == "comparison"
        if table:
            page += f"\n{words['table']['head']}\n{words['table']['rule']}\n"
        for claim, text in parts:
            start = len(page)
            spans.append((start, start + len(text), (claim.claim,), claim.claim, section))
            page += text + ("\n" if table else " ")
        page = page.rstrip() + "\n\n"
    page = page.rstrip() or words["table"]["nothing"]
    sentences = pd.DataFrame(spans, columns=["start", "end", "claims", "claim", "section"])
    return page, sentences.astype({"start": int, "end": int})


def made_of(evidence: Evidence, seed: int, writer: str) -> dict[str, Any]:
    """What a report is made of: seed and writer, and fingerprints (12 hex digits) of the log, the
    catalogue, the model, what it scores for this shopper, and what each store holds of them."""
    config = getattr(evidence.model, "config", None)
    setting = config.model_dump(mode="json") if hasattr(config, "model_dump") else None
    return {
        "seed": int(seed),
        "writer": writer,
        "log": evidence.log.fingerprint[:12],
        "stale": None if evidence.stale is None else evidence.stale.fingerprint[:12],
        "catalogue": evidence.catalogue.fingerprint[:12],
        "model": f"{type(evidence.model).__name__} {json_hash(setting)[:12]}",
        "scores": json_hash([f"{score:.9g}" for score in evidence.scores])[:12],
        "support": "contributions" if evidence.additive else "by deletion",
        "stores": {name: _held(evidence, name) for name in evidence.stores},
        "offers": {role: int(item) for role, item in (evidence.chosen or {}).items()},
        "unsaid": sorted(evidence.unsaid),
    }


def _held(evidence: Evidence, store: str) -> str:
    """Fingerprint of what a store holds of the shopper."""
    notes = evidence.stores[store].lineage(evidence.user)
    columns = ["kind", "entity", "interaction", "weight"]
    return json_hash(notes[columns].to_csv(index=False, float_format="%.9g"))[:12]


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    """Numbers to 9 digits."""
    return {
        name: f"{value:.9g}" if isinstance(value, float) else value
        for name, value in fields.items()
    }
