"""The words of a page and what they rest on: PIR of each, with and without the person in the prompt,
and the claims that it stands in. A report holds no tokens: both meet by character span.

A word that is likelier with the person and stands in no claim is the person's all the same, and a
request that ends every claim leaves it where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError, typed
from workbench.html import visible
from workbench.language.loading import context_of
from workbench.reports import Evidence, Report
from workbench.reports.page import Page
from workbench.reports.wording_facts import carried
from workbench.reports.wording_names import Facts
from workbench.tokens import make_pairs, score_tokens
from workbench.tokens.aggregate import cut

QUERY = "Write to me about one product: what it is, and what speaks for and against it."
"""What the prompt asks, with the person and without."""
DEEDS = 8
"""Products of which the prompt tells what the person did with them, the last ones."""


@typed
def deeds_told(evidence: Evidence, most: int = DEEDS) -> list[str]:
    """The person as memory items for a prompt: what they did with the last products that they did
    something with; nothing of a topic that is left unsaid."""
    deeds = evidence.deeds
    loud = deeds.item[~evidence.silent[deeds.item]]
    last = list(dict.fromkeys(loud[::-1].tolist()))[:most]
    done = [(deeds.strongest(deeds.item == item) or "saw", item) for item in last]
    return [f"I {verb}: {visible(evidence.catalogue.title(item))}." for verb, item in done]


@typed
def page_pairs(
    report: Report,
    memories: list[str],
    tokenizer: Any = None,
    query: str = QUERY,
    context: int | None = None,
    template: Any = None,
) -> pd.DataFrame:
    """Pairs for `score_tokens`, one a sentence of the page, rows of its table left out: [text,
    prompt_with, prompt_without, response, start, written], and the columns of `make_pairs`.

    start: where the sentence begins in `report.text`. written: whether a language model wrote it.
    With a context memory items that do not fit are dropped, the last ones first. Raises `DataError`
    for a page without sentences or a person without memories.
    """
    spans = report.sentences
    said = [report.text[a:b] for a, b in zip(spans["start"], spans["end"], strict=True)]
    rows = [place for place, text in enumerate(said) if text[:1] != "|"]
    if not rows or not memories:
        expected = "a page with a sentence, and a person of whom something is known"
        raise DataError("nothing to score", f"report {report.report}", expected)
    wrote = report.wording.spans if report.wording is not None else ()
    examples = {
        "text": [f"{report.report}/{place}" for place in rows],
        "user": report.user,
        "item": -1,
        "query": query,
        "response": [said[place] for place in rows],
        "memories": [list(memories)] * len(rows),
        "start": spans["start"].to_numpy()[rows],
        "written": [place in wrote for place in rows],
    }
    options = {"template": template, "context": context, "cut": "last"}
    return make_pairs(pd.DataFrame(examples), tokenizer, **options)


@typed
def page_words(
    model: Any,
    tokenizer: Any,
    report: Report,
    evidence: Evidence,
    pairs: pd.DataFrame | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Every token of the page's sentences with its PIR and its claims: the table of `score_tokens`,
    `start` and `end` in `report.text`, and [written, claims].

    pairs: those of `page_pairs`, made with `deeds_told` and `options` for the model's context unless
    given.

    >>> tokens = page_words(model, tokenizer, report, service.evidence(3))  # doctest: +SKIP
    >>> show(TokenStrip(tokens, report.text, level="word", claims=dict(said)))  # doctest: +SKIP
    """
    if pairs is None:
        options.setdefault("context", context_of(model))
        pairs = page_pairs(report, deeds_told(evidence), tokenizer, **options)
    scored = score_tokens(model, tokenizer, pairs)
    # from characters of a sentence to characters of the page
    own = pairs.set_index("text").loc[scored["text"]]
    begun = own["start"].to_numpy()
    table = scored.assign(
        text=report.report,
        position=np.arange(len(scored)),
        start=scored["start"] + begun,
        end=scored["end"] + begun,
        written=own["written"].to_numpy(dtype=bool),
    )
    return with_claims(table, report, evidence)


@typed
def with_claims(tokens: pd.DataFrame, report: Report, evidence: Evidence) -> pd.DataFrame:
    """Tokens [start, end], characters of `report.text`, with the column `claims`: the claims whose
    names, numbers or words a token is a piece of, a tuple; empty where it stands in none.

    Raises `DataError` for the evidence on another shopper.
    """
    if evidence.user != report.user:
        what = f"evidence on user {evidence.user}, report on user {report.user}"
        raise DataError(what, "evidence", "that of the report's shopper")
    facts = Facts(Page(list(report.claims), report.support, evidence))
    start, end = tokens["start"].to_numpy(), tokens["end"].to_numpy()
    found: list[list[str]] = [[] for _ in range(len(tokens))]
    for row in report.sentences.itertuples():
        text = report.text[row.start : row.end]
        if text[:1] == "|":
            continue
        # claim by claim; then what they say together alone, such as the day of the last of them
        for own in [*(frozenset([claim]) for claim in row.claims), frozenset(row.claims)]:
            for a, b in carried(text, facts.names(own), facts.texts(own)):
                for place in np.flatnonzero((start < row.start + b) & (end > row.start + a)):
                    if len(own) == 1 or not found[place]:
                        found[place] += [claim for claim in row.claims if claim in own]
    return tokens.assign(claims=[tuple(dict.fromkeys(each)) for each in found])


@typed
def claimed_words(tokens: pd.DataFrame, report: Report, high: float = 0.8) -> pd.DataFrame:
    """The words of the page: [start, end, word, pir, claims, written, bare], PIR summed over tokens.
    bare: PIR of `high` nats or more, and no claim."""
    pieces = cut(report.text, tokens["start"].to_numpy(), tokens["end"].to_numpy(), "word")
    claims: list[list[str]] = [[] for _ in pieces.start]
    for group, own in zip(pieces.group, tokens["claims"], strict=True):
        if group >= 0:
            claims[group] += own
    said = [report.text[a:b] for a, b in zip(pieces.start, pieces.end, strict=True)]
    table = pd.DataFrame({"start": pieces.start, "end": pieces.end, "word": said})
    table["pir"] = pieces.add_up(tokens["pir"].to_numpy(dtype=float))
    table["claims"] = [tuple(dict.fromkeys(each)) for each in claims]
    table["written"] = pieces.add_up(tokens["written"].to_numpy(dtype=float)) > 0
    return table.assign(bare=(table["pir"] >= high) & (table["claims"].str.len() == 0))
