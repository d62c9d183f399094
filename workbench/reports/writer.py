"""One page of at most 180 words, rendered from claims: every sentence is a claim, and nothing else
is said."""

from __future__ import annotations

import pandas as pd

from workbench.reports.claims import Claim, check, count_unsaid, make_claims
from workbench.reports.evidence import Evidence
from workbench.reports.report import Report, made_of
from workbench.reports.sentences import section_name, sentence, templates


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
