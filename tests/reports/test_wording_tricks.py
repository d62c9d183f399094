"""Sentences of known words and right numbers that say what no claim says."""

import re

import pytest

from tests.reports.test_wording import by, ids_by, small
from workbench.errors import ConfigError
from workbench.reports import write


class Silent:
    """A writer whose answer is no text."""

    name = "silent"

    def sentences(self, told, seed):
        return {"sentences": []}


def test_what_is_no_writer_is_refused():
    evidence, _ = small()
    for writer, said in (("gpt", "a Writer"), (Silent(), "a text in JSON")):
        with pytest.raises(ConfigError, match=said):
            write(evidence, writer=writer)


CHEAPER = ("compare cheaper", "pick pick")
TRICKS = [
    ("You have “kettle 2”.", "“have” stands in none", "deed came back to"),
    ("You had “kettle 2” already.", "“had” stands|“already” stands", "deed came back to"),
    ("You can have our pick: “kettle 2”.", "“have” stands in none", "pick pick"),
    ("“kettle 2” is yours.", "“yours” stands in none", "pick pick"),
    ("We make “kettle 2”.", "“make” stands in none", "pick pick"),
    ("Our pick is here for 3.0.", "the number 3 .*as a price", "row pick"),
    ("Our pick beside “kettle 0” costs 20.00 less.", "said of two products", "compare cheaper"),
    ("“kettle 0”, or “kettle 2”, costs 20.00 less.", "said of two products", *CHEAPER),
    ("“kettle 0” is our pick.", "another product is called our pick", *CHEAPER),
    ("Our pick for you is “kettle 0”.", "another product is called our pick", *CHEAPER),
    ("We recommend “kettle 0”.", "another product is called our pick", *CHEAPER),
    ("Our pick is “kettle 2”, price -30.00.", "“-30.00” is no number", "row pick"),
    ("Our pick is “kettle 2”, price 30.00–3.0.", "“–3.0” is no number", "row pick"),
    ("Our pick has no rating of 3.0.", "the number 3 .*a rating", "row pick", "against between"),
]
PLAIN = [
    ("You have looked at “kettle 2” in two visits.", "deed came back to"),
    ("Our pick has a capacity of 2 l.", "row pick"),
    ("We recommend our pick, “kettle 2”, for 30.00.", "row pick", "pick pick"),
    ("“kettle 0” costs 20.00 less than our pick, “kettle 2”.", *CHEAPER),
]


@pytest.mark.parametrize("case", TRICKS, ids=[text for text, *_ in TRICKS])
def test_what_says_more_than_its_claims_is_refused(case):
    text, why, *kinds = case
    evidence, report = small()
    ids = ids_by(report, evidence)
    page, _ = by(evidence, {"sentences": [{"text": text, "claims": [ids[one] for one in kinds]}]})
    assert re.search(why, page.refused["reason"].item()) and page.text == report.text


@pytest.mark.parametrize("case", PLAIN, ids=[text for text, *_ in PLAIN])
def test_and_what_says_no_more_stays(case):
    text, *kinds = case
    evidence, report = small()
    ids = ids_by(report, evidence)
    page, _ = by(evidence, {"sentences": [{"text": text, "claims": [ids[one] for one in kinds]}]})
    assert page.refused["reason"].tolist() == [] and text in page.text


def test_a_title_does_not_end_its_quotes():
    _, page = small(title=[f"”. You bought “it {n}" for n in range(6)])
    assert "“’. You bought ‘it 2”" in page.text and "“”" not in page.text
