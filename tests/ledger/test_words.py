"""The words of a page: joined to claims by character span, scored as sentences alone are scored."""

import numpy as np
import pytest

from tests.families import chatml, llama
from tests.reports.test_wording import by, small
from tests.reports.writers import said_by_template
from workbench.errors import DataError
from workbench.ledger import claimed_words, deeds_told, page_pairs, page_words, with_claims
from workbench.tokens import score_tokens
from workbench.views import TokenStrip, show


@pytest.fixture(scope="module")
def scored():
    evidence, report = small()
    wrote = said_by_template(report, evidence)
    page, _ = by(evidence, {"sentences": wrote[:2]})
    tokenizer = chatml()
    model = llama(tokenizer)
    tokens = page_words(model, tokenizer, page, evidence, template="plain")
    return evidence, page, model, tokenizer, tokens


def test_tokens_are_those_of_the_page(scored):
    evidence, page, model, tokenizer, tokens = scored
    covered = [page.text[a:b] for a, b in zip(tokens["start"], tokens["end"], strict=True)]
    assert covered == tokens["token"].tolist() and set(tokens["text"]) == {page.report}
    assert tokens["position"].tolist() == list(range(len(tokens)))
    # what a language model wrote is marked, sentence by sentence
    for place, row in enumerate(page.sentences.itertuples()):
        own = (tokens["start"] >= row.start) & (tokens["end"] <= row.end)
        assert set(tokens.loc[own, "written"]) <= {place in page.wording.spans}
    # each sentence scored by itself gives the same numbers
    pairs = page_pairs(page, deeds_told(evidence), tokenizer, template="plain", context=256)
    assert pairs["prompt_with"].str.contains("I left in the cart: Ash kettle 3", regex=False).all()
    assert not pairs["prompt_without"].str.contains("kettle").any()
    one = score_tokens(model, tokenizer, pairs.iloc[[1]])
    start = pairs["start"].iloc[1]
    same = tokens[tokens["start"].between(start, start + len(pairs["response"].iloc[1]) - 1)]
    assert np.allclose(one["pir"], same["pir"], atol=1e-5)


def test_words_stand_in_the_claims_that_say_them(scored):
    _, page, _, _, tokens = scored
    words = claimed_words(tokens, page).set_index("word")
    claims = {one.claim: one for one in page.claims}

    def kinds(word):
        own = words.loc[[word], "claims"].iloc[0]
        return {claims[name].kind for name in own}

    assert kinds("kettle.") == {"intent"} and kinds("30.00,") == {"row"}
    assert kinds("back") == {"deed"} and "against" in kinds("cheapest")
    assert kinds("four") == {"basis"} and kinds("You") == set()
    assert (words["bare"] == ((words["pir"] >= 0.8) & ~words["claims"].map(bool))).all()
    assert words["written"].any() and not words["written"].all()
    assert (
        claimed_words(tokens, page, high=-1e9)["bare"].sum() == (~words["claims"].map(bool)).sum()
    )
    total = claimed_words(tokens, page)["pir"].sum()
    assert np.isclose(total, tokens["pir"].sum(), atol=1e-6)


def test_what_cannot_be_joined_is_refused(scored):
    _, page, _, tokenizer, tokens = scored
    other, _ = small()
    with pytest.raises(DataError, match="nothing to score"):
        page_pairs(page, [], tokenizer)
    object.__setattr__(other, "user", 1)
    with pytest.raises(DataError, match=r"user 1.*report on user 0"):
        with_claims(tokens, page, other)


def test_the_strip_shows_the_claims(scored):
    _, page, _, _, tokens = scored
    told = {name: text for name, _, text in page.lines if name in set(tokens["claims"].sum())}
    strip = TokenStrip(tokens, page.text, level="word", claims=told, threshold=0.01)
    words = claimed_words(tokens, page, high=0.01)
    html = show(strip)._repr_html_()
    assert f"{words['bare'].sum()} words with pir ≥ 0.01 and no claim" in html
    assert all(text.replace("“", "“") in html for text in told.values())
    assert np.array_equal(strip.claimed.sum(axis=0), tokens["claims"].map(len))
    with pytest.raises(DataError, match="missing columns"):
        TokenStrip(tokens.drop(columns="claims"), page.text, claims=told)
