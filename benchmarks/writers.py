"""Writers of a page, and how many of their sentences survive the check: the template, the pocket model,
and a base model of the reader's own folder. None of them follows instructions; the two models are here
as examples that fail, and what is shown is that the page appears all the same.

    python benchmarks/writers.py                                 # template and pocket model
    python benchmarks/writers.py --model gemma-3-270m=FOLDER     # a folder of Transformers, too
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import pandas as pd

from workbench.data import load_world
from workbench.language import Chat, load_causal_lm
from workbench.language.loading import context_of
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports import LanguageModel, write
from workbench.reports.page import Page
from workbench.reports.recpilot import agent
from workbench.reports.wording_names import Facts
from workbench.settings import ROOT
from workbench.whole import whole_file

RESULTS = ROOT / "benchmarks" / "results"
SHOPPERS = {"the template": 10, "the pocket model": 10}
"""Shoppers whose page each writes; a base model writes one (its sentences take minutes)."""
PLAIN = "{{ messages[-1].content }}"
"""A base model has no form for a conversation: it goes on with the text."""
LAST = "{{ messages[-1].content[-600:] }}"
"""What fits into a context of 512 tokens: the last claims, and no word of what is asked."""


@dataclass(frozen=True)
class Template:
    """The template's own sentences of a page, handed in as a model would."""

    rows: list
    name: str = "the template's own sentences"

    def sentences(self, told: dict[str, list[str]], seed: int) -> str:
        """The answer of a model that says what the template says."""
        return json.dumps({"sentences": self.rows})


def of_template(report, evidence) -> Template:
    """The template as a writer of this page."""
    facts = Facts(Page(list(report.claims), report.support, evidence))
    ids = {claim: f"c{place}" for place, claim in enumerate(facts.claims, start=1)}
    said = [one for one in facts.said if one.text[:1] != "|"]
    return Template([{"text": one.text, "claims": [ids[c] for c in one.claims]} for one in said])


def of_model(folder: str, tokens: int) -> LanguageModel:
    """A causal model of a folder as a writer: it is asked as any other, and has no form for that."""
    model, tokenizer = load_causal_lm(folder)
    tokenizer.chat_template = LAST if context_of(model) <= 512 else PLAIN
    return LanguageModel(Chat((model, tokenizer), max_tokens=tokens))


def measured(name: str, service: Service, writer, shoppers: int) -> list[dict]:
    """A line a page: how many sentences were written, how many survive, and why the first did not."""
    rows = []
    for user in range(shoppers):
        report, evidence = service.report(user), service.evidence(user)
        begun = time.process_time()
        page = write(evidence, 0, writer=writer or of_template(report, evidence))
        seconds = time.process_time() - begun
        kept, refused = len(page.wording.spans), len(page.refused)
        row = {"writer": name, "shopper": user, "written": kept + refused, "survive": kept}
        row |= {"as_the_template": page.text == report.text, "seconds": round(seconds, 1)}
        first = page.refused["reason"].iloc[0] if refused else page.wording.note
        rows.append(row | {"why": first, "first": page.refused["text"].iloc[0] if refused else ""})
    return rows


def written(table: pd.DataFrame) -> str:
    """The page of the results."""
    text = "# Writers of a page, and what the check leaves of them\n\n"
    text += "| writer | pages | sentences | survive | page is the template's | process seconds a page |\n"
    text += "|---|---|---|---|---|---|\n"
    for name, rows in table.groupby("writer", sort=False):
        cells = [len(rows), int(rows["written"].sum()), int(rows["survive"].sum())]
        cells += [
            f"{rows['as_the_template'].sum()} of {len(rows)}",
            f"{rows['seconds'].mean():.1f}",
        ]
        text += f"| {name} | {' | '.join(map(str, cells))} |\n"
    text += (
        "\nNo instruction-tuned model was run: both models go on with a text and follow nothing."
    )
    text += (
        " Where no sentence survives the page appears from its claims, with a note. Generated world"
    )
    text += ", EASE, the agent's offers, seed 0. An answer that is no JSON is cut into its sentences, 40"
    text += (
        " at most, and each is counted as written.\n\nThe first refused sentence of each, cut:\n\n"
    )
    for name, rows in table.groupby("writer", sort=False):
        one = rows[rows["first"].fillna("") != ""].head(1)
        for row in one.itertuples():
            said = " ".join(str(row.first).replace("|", "/").split())[:120]
            text += f"- {name}: `{said.replace('`', chr(39))}` ({row.why})\n"
    return text


def main() -> None:
    """Measure what is not there yet, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FOLDER")
    given = parser.parse_args()
    path = RESULTS / "writers.csv"
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["writer"])
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE(), agent=agent, mask_seen=False)
    folders = {"the pocket model": str(ROOT / "data" / "pocket")}
    folders |= dict(one.split("=", 1) for one in given.model)
    for name in ["the template", *folders]:
        if name in set(table["writer"]):
            continue
        writer = of_model(folders[name], 160) if name in folders else None
        rows = measured(name, service, writer, SHOPPERS.get(name, 1))
        table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True)
        with whole_file(path) as new:
            table.to_csv(new, index=False)
    with whole_file(RESULTS / "writers.md") as new:
        new.write_text(written(table), encoding="utf-8")


if __name__ == "__main__":
    main()
