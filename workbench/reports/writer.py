"""A page of at most 120 words and one table, and its margin, rendered from claims: every sentence says
one to three of them, and nothing else is said. With it the rows that carry them, and what made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbench.errors import typed
from workbench.reports.claims import Claim, check, count_unsaid, json_hash, make_claims
from workbench.reports.evidence import Evidence
from workbench.reports.forms import page_html
from workbench.reports.page import compose
from workbench.reports.sentences import count_words, plain, section_name, sentence, templates

if TYPE_CHECKING:
    from workbench.reports.wording import Wording


@dataclass(frozen=True)
class Report:
    """A page about one shopper, the claims it says, and the rows that carry them.

    text: the page, see `workbench.reports.page`. sentences: [start, end, claims, claim, section],
    character spans of `text`; claims: the ids that a sentence says, a tuple; claim: the first of
    them. margin: what the page does not say and every number of the model, a sentence a claim;
    single: every claim in a sentence of its own, in order: [claim, section, text]. made: seed, and
    fingerprints of everything it was made of. dropped: [claim, reason], what failed the check and
    was left out. unsaid: how many claims hold and were not made, because they name a topic that is
    left unsaid. wording: what came of a language model that wrote the page; None where the template
    did. Equal inputs give equal hashes.
    """

    user: int
    claims: tuple[Claim, ...]
    support: pd.DataFrame
    sentences: pd.DataFrame
    text: str
    margin: str = field(repr=False)
    single: pd.DataFrame = field(repr=False)
    made: dict[str, Any] = field(repr=False)
    dropped: pd.DataFrame = field(repr=False)
    unsaid: int = 0
    wording: Wording | None = field(default=None, repr=False)

    @cached_property
    def hash(self) -> str:
        """sha256 of the canonical JSON of claims, support to 9 digits, text, and what made it."""
        rows = self.support.itertuples(index=False)
        content = {
            "claims": [_rounded(claim.to_dict()) for claim in self.claims],
            "support": [[claim, int(row), f"{weight:.9g}"] for claim, row, weight in rows],
            "text": self.text,
            "margin": self.margin,
            "made": self.made,
        }
        return json_hash(content)

    @property
    def report(self) -> str:
        """The id: the first 12 hex digits of the hash."""
        return self.hash[:12]

    @property
    def refused(self) -> pd.DataFrame:
        """What a language model wrote and the check dropped: [text, claims, reason]."""
        none = pd.DataFrame(columns=["text", "claims", "reason"], dtype="str")
        return none if self.wording is None else self.wording.refused

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """Every claim in a sentence of its own: claim, heading of its section, plain text."""
        return [
            (row.claim, section_name(row.section), plain(row.text))
            for row in self.single.itertuples()
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row a claim: its fields, how many rows carry it, and the sentence that says it
        alone."""
        told = [claim.to_dict() for claim in self.claims]
        frame = pd.DataFrame(told, columns=["claim", *Claim.__annotations__])
        rows = frame["claim"].map(self.support["claim"].value_counts())
        frame["rows"] = rows.fillna(0).astype(int)
        said = self.single.set_index("claim")["text"]
        return frame.assign(sentence=frame["claim"].map(said))

    def __repr__(self) -> str:
        words = f"{count_words(self.text)} words"
        left = f", {self.unsaid} unsaid" if self.unsaid else ""
        return (
            f"Report({self.report}, user {self.user}, {len(self.claims)} claims, "
            f"{words}, {len(self.dropped)} dropped{left})"
        )

    def _repr_html_(self) -> str:
        return page_html(self)


@typed
def write(
    evidence: Evidence,
    seed: int = 0,
    *,
    ranges: bool = True,
    extra: tuple[list[Claim], pd.DataFrame] | None = None,
    writer: Any = None,
) -> Report:
    """Make the claims, check them, drop and count what fails, and render the rest. `seed` and
    `ranges` as in `make_claims`.

    `extra` adds claims with their support, from a language model for instance: they pass the same
    check. `writer` puts the page in words of its own, see `reports.wording.LanguageModel`: each of
    its sentences is held against the claims that it says, and where none survives the page stands
    in the template's words.

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
    support = support[kept].reset_index(drop=True)
    text, sentences, wording = *compose(good, support, evidence), None
    if writer is not None:
        from workbench.reports.wording import worded

        text, sentences, wording = worded(writer, good, support, evidence, seed)
    single = singly(good, evidence)
    said = {name for names in sentences["claims"] for name in names}
    # a sentence of a model may say less of its claims than the template does
    shown = {one.claim for one in good if one.kind in PAGED and writer is None} & said
    return Report(
        user=evidence.user,
        claims=tuple(good),
        support=support,
        sentences=sentences,
        text=text,
        margin=margin(single, shown, wording),
        single=single,
        made=made_of(evidence, seed, "sentences.toml" if writer is None else writer.name),
        dropped=dropped,
        unsaid=count_unsaid(evidence),
        wording=wording,
    )


PAGED = (
    "intent",
    "deed",
    "link",
    "instead",
    "asked",
    "refill",
    "spent",
    "row",
    "against",
    "basis",
    "unsaid",
)
"""Kinds of which the page says all that there is to say."""


def singly(claims: list[Claim], evidence: Evidence) -> pd.DataFrame:
    """Every claim in a sentence of its own: [claim, section, text], by section."""
    # the second of its kind and relation has another form
    said: dict[str, list[tuple]] = {section: [] for section in templates()["sections"]}
    before: set[tuple[str, str]] = set()
    for claim in claims:
        manner = (claim.kind, claim.relation)
        section, text = sentence(claim, evidence, again=manner in before)
        before.add(manner)
        said[section].append((claim.claim, section, text))
    rows = [one for parts in said.values() for one in parts]
    return pd.DataFrame(rows, columns=["claim", "section", "text"])


def margin(single: pd.DataFrame, said: set[str], wording: Wording | None = None) -> str:
    """What a researcher reads beside the page, but for what is said there; and what came of a
    writer."""
    words = templates()["table"]
    page = ""
    kept = single[~single["claim"].isin(said)]
    for section, parts in kept.groupby("section", sort=False):
        page += f"## {section_name(section)}\n"
        table = section == "comparison"
        if table:
            page += f"\n{words['head']}\n{words['rule']}\n"
        page += ("\n" if table else " ").join(parts["text"]) + "\n\n"
    if wording is not None:
        page += "".join([f"## {wording.HEADING}\n\n", *(f"- {line}\n" for line in wording.lines)])
    return page.rstrip()


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
