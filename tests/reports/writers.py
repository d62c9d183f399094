"""Writers that need no model: they answer what a test prepared, and keep what they were asked."""

import json
from dataclasses import dataclass, field

from workbench.language.chat import Reply
from workbench.reports.page import Page
from workbench.reports.wording_names import Facts


@dataclass(frozen=True)
class Prepared:
    """A chat that answers with prepared texts, in turn, and keeps what it was asked."""

    answers: list
    asked: list = field(default_factory=list, hash=False, compare=False)

    def __repr__(self):
        return "Prepared"

    def complete(self, messages, seed=0):
        self.asked.append(messages[0]["content"])
        answer = self.answers[(len(self.asked) - 1) % len(self.answers)]
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer if isinstance(answer, str) else json.dumps(answer), None, 0.0)


def facts_of(report, evidence):
    """The claims of a page as a writer gets them, and their short ids."""
    facts = Facts(Page(list(report.claims), report.support, evidence))
    return facts, {claim: f"c{place}" for place, claim in enumerate(facts.claims, start=1)}


def said_by_template(report, evidence):
    """The template's own sentences as an answer of a model."""
    facts, ids = facts_of(report, evidence)
    rows = [one for one in facts.said if one.text[:1] != "|"]
    return [{"text": one.text, "claims": [ids[name] for name in one.claims]} for one in rows]
