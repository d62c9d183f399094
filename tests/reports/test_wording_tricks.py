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


DEED, ROW = "deed came back to", "row pick"
OF_ANOTHER = [
    ("You rated our pick 3.0.", "“you rated” stands in none", ROW),
    ("You have rated “kettle 2” 3.0.", "“you rated” stands", ROW),
    ("Your rating of our pick is 3.0.", "“your rating” stands", ROW),
    ("Our pick is rated 3.0 by you.", "“by you” stands", ROW),
    ("Our pick rated you 3.0.", "“rated you” stands", ROW),
    ("We rated our pick 3.0.", "“we rated” stands", ROW),
    ("They rated “kettle 2” 3.0.", "“they rated” stands", ROW),
    ("You perhaps already rated our pick 3.0.", "“you rated” stands", ROW),
    ("You priced our pick at 30.00.", "“you priced” stands", ROW),
    ("Your price of our pick is 30.00.", "“your price” stands", ROW),
    ("You recommend “kettle 2”.", "“you recommend” stands", "pick pick"),
    ("You picked “kettle 2”.", "“you picked” stands", "pick pick"),
    ("Our pick is “kettle 2”, as you suggest.", "“you suggest” stands", "pick pick"),
    ("We looked at “kettle 2” in two visits.", "“we looked” stands", DEED),
    ("They looked at “kettle 2” in two visits.", "“they looked” stands", DEED),
    ("“kettle 2” looked at you in two visits.", "“looked” is said of somebody else", DEED),
    ("“kettle 2” was looked at in two visits.", "“looked” is said of somebody else", DEED),
    ("Our pick looked at “kettle 2” in two visits.", "“looked” is said of somebody", DEED),
    ("For you our pick looked at “kettle 2” in two visits.", "of somebody else", DEED),
]
OF_THE_SAME = [
    ("You looked at “kettle 2” in 2 visits.", DEED),
    ("In two visits you looked at “kettle 2”.", DEED),
    ("“kettle 2” is what you looked at in two visits.", DEED),
    ("You looked at “kettle 2”, our pick, in two visits, and it costs 30.00.", DEED, ROW),
    ("You twice looked at “kettle 2”.", DEED),
    ("Our pick is “kettle 2”: in two visits you have looked at it.", DEED, "pick pick"),
    ("For you we pick “kettle 2”, rated 3.0.", "pick pick", ROW),
    ("We suggest “kettle 2” to you.", "pick pick"),
    ("For you, our pick is “kettle 2”.", "pick pick"),
    ("“kettle 2” is your product: our pick.", "pick pick"),
    ("What we recommend to you is “kettle 2”, priced 30.00.", "pick pick", ROW),
    ("Our pick, rated 3.0, is what you looked at in two visits.", DEED, ROW),
    ("“kettle 0” costs you 20.00 less than our pick.", *CHEAPER),
]


@pytest.mark.parametrize("case", OF_ANOTHER, ids=[text for text, *_ in OF_ANOTHER])
def test_what_somebody_else_does_is_refused(case):
    test_what_says_more_than_its_claims_is_refused(case)


@pytest.mark.parametrize("case", OF_THE_SAME, ids=[text for text, *_ in OF_THE_SAME])
def test_and_what_the_same_one_does_stays(case):
    test_and_what_says_no_more_stays(case)
